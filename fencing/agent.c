/* One run of a fence agent. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fencing/agent.h"
#include "fencing/keeper.h"
#include "fencing/secrets.h"
#include "hamon/common/clock.h"

#define RUNS_MAX 4
#define REAP_MS 1000 /* for a killed group; one in an uninterruptible sleep is left to init */

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int agent_check(const char *path, struct failure *failure)
{
	struct stat st;

	if (stat(path, &st)) {
		int rc = -errno;

		failure_set(failure, FAILURE_AGENT_MISSING, "fence agent %s: %s", path,
			    strerror(-rc));
		return rc;
	}
	if (!S_ISREG(st.st_mode) || access(path, X_OK)) {
		failure_set(failure, FAILURE_AGENT_MISSING,
			    "fence agent %s: not an executable file", path);
		return -EACCES;
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & 022) {
		failure_set(failure, FAILURE_AGENT_MISSING,
			    "fence agent %s: others could change it; it must belong to root and be "
			    "writable by root alone", path);
		return -EPERM;
	}
	return 0;
}

/* --- start --- */

/* A pipe that already holds the agent's whole input and is closed for writing. */
static int input_make(const char *action, const struct options *options, int *ret_fd)
{
	char *text = NULL;
	size_t len = 0;
	int fds[2], rc;

	rc = options_input(options, action, &text, &len);
	if (rc)
		return rc;
	if (pipe2(fds, O_CLOEXEC)) {
		rc = -errno;
		goto out;
	}
	if (write(fds[1], text, len) == (ssize_t)len) { /* OPTIONS_INPUT_MAX fits the pipe */
		*ret_fd = fds[0];
	} else {
		rc = -EIO;
		close(fds[0]);
	}
	close(fds[1]);
out:
	options_input_free(text, len);
	return rc;
}

/* Non-blocking on this side only: the two ends of a pipe are two open files. */
static int capture_open(struct agent_capture *capture, int *ret_write_fd)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	capture->fd = fds[0];
	*ret_write_fd = fds[1];
	return 0;
}

int agent_start(struct agent_run *run, const char *path, const char *action,
		const struct options *options, uint64_t deadline_ms)
{
	struct agent_run next = { .end = AGENT_RUNNING, .keeper_fd = -1, .report_fd = -1,
				  .out.fd = -1, .err.fd = -1, .deadline_ms = deadline_ms };
	int fds[3] = { -1, -1, -1 };
	int rc;

	rc = input_make(action, options, &fds[0]);
	if (!rc)
		rc = capture_open(&next.out, &fds[1]);
	if (!rc)
		rc = capture_open(&next.err, &fds[2]);
	if (rc)
		goto out;
	next.started_ms = clock_boot_ms();
	rc = keeper_start(path, fds, &next.keeper, &next.report_fd);
	if (rc)
		goto out;
	next.keeper_fd = pidfd_open(next.keeper, 0);
	if (next.keeper_fd < 0) {
		rc = -errno;
		kill(-next.keeper, SIGKILL);
		waitpid(next.keeper, NULL, 0);
	}
out:
	for (int i = 0; i < 3; i++)
		fd_close(&fds[i]);
	if (rc) {
		fd_close(&next.out.fd);
		fd_close(&next.err.fd);
		fd_close(&next.report_fd);
		return rc;
	}
	*run = next;
	return 0;
}

/* --- while it runs --- */

static bool capture_grow(struct agent_capture *capture)
{
	size_t size = capture->size ? capture->size * 2 : 4096;
	char *data = malloc(size);

	if (!data)
		return false;
	if (capture->data) { /* no realloc(): it could leave an unwiped copy behind */
		memcpy(data, capture->data, capture->len);
		explicit_bzero(capture->data, capture->len);
		free(capture->data);
	}
	capture->data = data;
	capture->size = size;
	return true;
}

/* Reads once; true when there may be more. */
static bool capture_read(struct agent_capture *capture)
{
	char waste[4096];
	bool full = capture->len == AGENT_OUTPUT_MAX;
	ssize_t n;

	if (!full && capture->len == capture->size && !capture_grow(capture))
		full = true;
	n = full ? read(capture->fd, waste, sizeof(waste)) :
		   read(capture->fd, capture->data + capture->len, capture->size - capture->len);
	if (n < 0)
		return errno == EINTR;
	if (n == 0) {
		fd_close(&capture->fd);
		return false;
	}
	if (full) {
		explicit_bzero(waste, sizeof(waste));
		capture->cut = true;
	} else {
		capture->len += (size_t)n;
	}
	return true;
}

/* What is in the pipes at the end; a descendant that still holds an end open is not waited for. */
static void captures_drain(struct agent_run *run)
{
	struct agent_capture *captures[] = { &run->out, &run->err };

	for (size_t i = 0; i < 2; i++) {
		/* Bounded by what a pipe can hold, so that a survivor cannot feed this for ever. */
		for (int n = 0; n < 64 && captures[i]->fd >= 0 && capture_read(captures[i]); n++)
			;
		fd_close(&captures[i]->fd);
	}
}

static void run_end(struct agent_run *run, enum agent_end end, int code)
{
	struct pollfd gone = { .fd = run->keeper_fd, .events = POLLIN };

	/* The keeper is not reaped yet, so its group's id cannot be somebody else's by now. */
	kill(-run->keeper, SIGKILL);
	while (poll(&gone, 1, REAP_MS) < 0 && errno == EINTR)
		;
	waitpid(run->keeper, NULL, WNOHANG);
	captures_drain(run);
	fd_close(&run->keeper_fd);
	fd_close(&run->report_fd);
	run->end = end;
	run->code = code;
}

static void keeper_ended(struct agent_run *run)
{
	struct keeper_report report;

	if (read(run->report_fd, &report, sizeof(report)) != sizeof(report))
		run_end(run, AGENT_SIGNALED, SIGKILL); /* the keeper was killed with its group */
	else if (report.spawn_errno)
		run_end(run, AGENT_NO_EXEC, report.spawn_errno);
	else if (report.wait_code == CLD_EXITED)
		run_end(run, AGENT_EXITED, report.wait_status);
	else
		run_end(run, AGENT_SIGNALED, report.wait_status);
}

void agent_kill(struct agent_run *run)
{
	if (run->end == AGENT_RUNNING)
		run_end(run, AGENT_DEADLINE, 0);
}

/* Four descriptors a run: its keeper, its output, its errors; and the one that is watched. */
static size_t fds_collect(struct agent_run **runs, size_t count, int watch_fd, struct pollfd *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		bool running = runs[i]->end == AGENT_RUNNING;

		fds[n++] = (struct pollfd){ .fd = running ? runs[i]->keeper_fd : -1,
					    .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = running ? runs[i]->out.fd : -1,
					    .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = running ? runs[i]->err.fd : -1,
					    .events = POLLIN };
	}
	fds[n++] = (struct pollfd){ .fd = watch_fd, .events = 0 };
	return n;
}

static int time_left_ms(uint64_t until_ms)
{
	uint64_t now = clock_boot_ms();

	if (until_ms <= now)
		return 0;
	return until_ms - now > 60000 ? 60000 : (int)(until_ms - now);
}

/* True when the run has ended, or its deadline has. */
static bool run_handle(struct agent_run *run, const struct pollfd *fds)
{
	if (run->end != AGENT_RUNNING)
		return false;
	if (fds[1].revents)
		capture_read(&run->out);
	if (fds[2].revents)
		capture_read(&run->err);
	if (fds[0].revents)
		keeper_ended(run);
	else if (clock_boot_ms() >= run->deadline_ms)
		agent_kill(run);
	return run->end != AGENT_RUNNING;
}

int agents_wait(struct agent_run **runs, size_t count, uint64_t until_ms, int watch_fd)
{
	struct pollfd fds[RUNS_MAX * 3 + 1];
	bool ended = false;

	if (count > RUNS_MAX)
		return -E2BIG;
	do {
		uint64_t wake_ms = until_ms;
		size_t n = fds_collect(runs, count, watch_fd, fds);

		for (size_t i = 0; i < count; i++) {
			if (runs[i]->end == AGENT_RUNNING && runs[i]->deadline_ms < wake_ms)
				wake_ms = runs[i]->deadline_ms;
		}
		if (poll(fds, n, time_left_ms(wake_ms)) < 0) {
			if (errno != EINTR)
				return -errno;
			continue; /* the revents are not valid */
		}
		if (fds[n - 1].revents & (POLLERR | POLLHUP))
			return -EPIPE;
		for (size_t i = 0; i < count; i++)
			ended |= run_handle(runs[i], fds + i * 3);
	} while (!ended && clock_boot_ms() < until_ms);
	return 0;
}

/* --- after it --- */

struct agent_output agent_output(const struct agent_run *run)
{
	return (struct agent_output){
		.exit_code = run->end == AGENT_EXITED ? run->code : -1,
		.out = run->out.data ? run->out.data : "",
		.out_len = run->out.len,
		.err = run->err.data ? run->err.data : "",
		.err_len = run->err.len,
	};
}

void agent_scrub(struct agent_run *run, const struct options *options)
{
	secrets_scrub(options, run->out.data, run->out.len, run->out.cut);
	secrets_scrub(options, run->err.data, run->err.len, run->err.cut);
}

static void capture_clear(struct agent_capture *capture)
{
	fd_close(&capture->fd);
	if (capture->data)
		explicit_bzero(capture->data, capture->size);
	free(capture->data);
}

void agent_clear(struct agent_run *run)
{
	if (run->end == AGENT_IDLE)
		return;
	agent_kill(run);
	capture_clear(&run->out);
	capture_clear(&run->err);
	memset(run, 0, sizeof(*run));
}
