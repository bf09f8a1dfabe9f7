/* Bounded children for work that may block. Parent and children talk over one pipe each. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hamon/common/clock.h"
#include "storage-check/probe.h"

#define PARALLEL_MAX 64
#define LOCKED_MARK '\002' /* the child's first byte: it has its lock and begins */
#define ENDED_MARK                                                                                 \
	'\003' /* its last byte: it came to its end. Both occur in no answer (JSON text). */

struct slot {
	struct probe *job;
	pid_t pid;
	int fd;
	uint64_t deadline_ms;
	size_t room;
	bool locked;
};

/* FNV-1a: a key becomes a short file name. A collision only makes two jobs take turns. */
static uint64_t key_hash(const char *key)
{
	uint64_t hash = 14695981039346656037u;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 1099511628211u;
	return hash;
}

/*
 * Left open on purpose, also across exec: whatever the job starts keeps the lock for as long as it
 * lives. A folder where no lock can be made (not root) costs only the bound.
 */
static void lock_take(const char *lock_dir, const char *key)
{
	char path[4096];
	int fd;

	if (!lock_dir)
		return;
	snprintf(path, sizeof(path), "%s/probe-%016llx.lock", lock_dir,
		 (unsigned long long)key_hash(key));
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	while (fd >= 0 && flock(fd, LOCK_EX) && errno == EINTR)
		;
}

static _Noreturn void child_main(struct probe *job, int out, const char *lock_dir, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char locked = LOCKED_MARK, ended = ENDED_MARK;

	/*
	 * A child that stays behind must not keep the parent's pipes open, nor outlive it when it
	 * can be killed.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0)
		_exit(1);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	signal(SIGPIPE, SIG_IGN);
	lock_take(lock_dir, job->key);
	if (write(out, &locked, 1) == 1) {
		job->run(job->arg, out);
		if (write(out, &ended, 1) == 1)
			_exit(0);
	}
	_exit(1);
}

static bool slot_start(struct slot *slot, struct probe *job, const struct probe_limits *limits)
{
	uint64_t now = clock_boot_ms();
	pid_t parent = getpid();
	int fds[2];

	memset(slot, 0, sizeof(*slot));
	job->end = PROBE_FAILED;
	if (pipe2(fds, O_CLOEXEC))
		return false;
	slot->pid = fork();
	if (!slot->pid) {
		close(fds[0]);
		child_main(job, fds[1], limits->lock_dir, parent);
	}
	close(fds[1]);
	if (slot->pid < 0) {
		close(fds[0]);
		return false;
	}
	slot->job = job;
	slot->fd = fds[0];
	slot->deadline_ms =
	    now + (job->timeout_ms > limits->timeout_ms ? job->timeout_ms : limits->timeout_ms);
	if (slot->deadline_ms > limits->until_ms)
		slot->deadline_ms = limits->until_ms;
	fcntl(slot->fd, F_SETFL, O_NONBLOCK);
	return true;
}

/* Ends a slot. A child that cannot die now is not waited for; init reaps it when it can. */
static void slot_end(struct slot *slot, enum probe_end end)
{
	struct probe *job = slot->job;

	kill(slot->pid, SIGKILL);
	waitpid(slot->pid, NULL, WNOHANG);
	close(slot->fd);
	job->end = end == PROBE_TIMEOUT && !slot->locked ? PROBE_BUSY : end;
	slot->job = NULL;
}

static bool output_append(struct slot *slot, const char *data, size_t len)
{
	struct probe *job = slot->job;
	char *grown;

	if (!slot->locked && len) {
		slot->locked = true;
		data++;
		len--;
	}
	if (job->output_len + len > PROBE_OUTPUT_MAX)
		return false;
	if (job->output_len + len + 1 > slot->room) {
		slot->room = (job->output_len + len + 1) * 2;
		grown = realloc(job->output, slot->room);
		if (!grown)
			return false;
		job->output = grown;
	}
	memcpy(job->output + job->output_len, data, len);
	job->output_len += len;
	job->output[job->output_len] = '\0';
	return true;
}

/* Reads what there is; ends the slot at the end of its output. */
static void slot_read(struct slot *slot)
{
	struct probe *job = slot->job;
	char data[65536];
	ssize_t n = read(slot->fd, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && output_append(slot, data, (size_t)n))
		return;
	/*
	 * The exit status is not asked for: a child can hang between the end of its output and its
	 * own.
	 */
	if (n == 0 && job->output_len && job->output[job->output_len - 1] == ENDED_MARK) {
		job->output[--job->output_len] = '\0';
		slot_end(slot, PROBE_DONE);
	} else {
		slot_end(slot, PROBE_FAILED);
	}
}

static void slots_wait(struct slot *slots, size_t n_slots)
{
	struct pollfd polls[PARALLEL_MAX];
	uint64_t now = clock_boot_ms(), wake = now + 60000;

	for (size_t i = 0; i < n_slots; i++) {
		polls[i] = (struct pollfd){.fd = slots[i].job ? slots[i].fd : -1, .events = POLLIN};
		if (slots[i].job && slots[i].deadline_ms < wake)
			wake = slots[i].deadline_ms;
	}
	if (poll(polls, n_slots, wake > now ? (int)(wake - now) : 0) < 0)
		for (size_t i = 0; i < n_slots; i++)
			polls[i].revents = 0;
	now = clock_boot_ms();
	for (size_t i = 0; i < n_slots; i++) {
		if (slots[i].job && polls[i].revents)
			slot_read(&slots[i]);
		if (slots[i].job && now >= slots[i].deadline_ms)
			slot_end(&slots[i], PROBE_TIMEOUT);
	}
}

void probe_run(struct probe *jobs, size_t n_jobs, const struct probe_limits *limits)
{
	struct slot slots[PARALLEL_MAX] = {0};
	size_t n_slots = limits->parallel < PARALLEL_MAX ? limits->parallel : PARALLEL_MAX;
	size_t next = 0, busy;

	do {
		busy = 0;
		for (size_t i = 0; i < n_slots; i++) {
			while (!slots[i].job && next < n_jobs) {
				jobs[next].end = PROBE_SKIPPED;
				if (clock_boot_ms() < limits->until_ms)
					slot_start(&slots[i], &jobs[next], limits);
				next++;
			}
			busy += slots[i].job != NULL;
		}
		if (busy)
			slots_wait(slots, n_slots);
	} while (busy);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

void probe_clear(struct probe *job)
{
	free(job->output);
	job->output = NULL;
	job->output_len = 0;
}

void probe_describe(enum probe_end end, const char *what, uint64_t timeout_ms, char *buf,
		    size_t size)
{
	switch (end) {
	case PROBE_TIMEOUT:
		snprintf(buf, size, "no answer from %s within %llu ms", what,
			 (unsigned long long)timeout_ms);
		break;
	case PROBE_BUSY:
		snprintf(buf, size, "no answer from %s: an earlier probe of it still hangs", what);
		break;
	case PROBE_SKIPPED:
		snprintf(buf, size, "%s was not probed: out of time", what);
		break;
	case PROBE_PENDING:
	case PROBE_DONE:
	case PROBE_FAILED:
		snprintf(buf, size, "the probe of %s failed", what);
		break;
	}
}
