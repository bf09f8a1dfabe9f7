/* Real folders and real processes: beacons, the race for a place's id, probes that hang. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hamon/common/clock.h"
#include "storage-check/beacon.h"
#include "storage-check/probe.h"
#include "tests/unit/test.h"

#define NONCE "0123456789abcdef0123456789abcdef"
#define RACERS 8

static char top[PATH_MAX - 64];

static const char *folder_make(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	CHECK(!mkdir(path, 0755));
	return path;
}

/* Below a chroot the kernel's table lacks the mount that the root is on, and so its type. */
static bool root_is_listed(void)
{
	char line[8192], point[4096];
	bool found = false;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	CHECK(f);
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 && !strcmp(point, "/");
	fclose(f);
	return found;
}

static void a_beacon_is_read_back(void)
{
	struct beacon beacon = {"h1", NONCE, "b-1", "", 0}, got;
	char id[DISKID_UUID_SIZE], again[DISKID_UUID_SIZE], hosts[4][BEACON_HOST_SIZE];
	struct place place;
	const char *path = folder_make("beacon");

	CHECK_INT(place_open(path, &place), 0);
	CHECK_STR(place.real, path);
	CHECK(place.fs[0] || !root_is_listed());
	CHECK_INT(place_id_read(&place, id), -ENOENT);
	CHECK_INT(place_beacon_read(&place, "h1", &got), -ENOENT);
	CHECK_INT(place_mark(&place, "h1"), 0);
	CHECK_INT(place_id_read(&place, id), 0);
	CHECK_INT(place_mark(&place, "h2"), 0);
	CHECK_INT(place_id_read(&place, again), 0);
	CHECK_STR(again, id);
	CHECK_INT(place_beacon_write(&place, &beacon), 0);
	strcpy(beacon.nonce, "fedcba9876543210");
	CHECK_INT(place_beacon_write(&place, &beacon), 0);
	CHECK_INT(place_beacon_read(&place, "h1", &got), 0);
	CHECK_STR(got.nonce, "fedcba9876543210");
	CHECK_INT(place_beacon_list(&place, hosts, 4), 1);
	CHECK_STR(hosts[0], "h1");
	/* A copy under another name is nobody's beacon. */
	CHECK(!linkat(place.marks, "h1.beacon", place.marks, "h2.beacon", 0));
	CHECK_INT(place_beacon_read(&place, "h2", &got), -EBADMSG);
	place_close(&place);
}

static void a_damaged_mark_is_not_replaced(void)
{
	struct place place;
	int fd;

	CHECK_INT(place_open(folder_make("damaged"), &place), 0);
	CHECK(!mkdirat(place.dir, ".hamon", 0755));
	place_close(&place);
	CHECK_INT(place_open(place.real, &place), 0);
	fd = openat(place.marks, "place-id", O_WRONLY | O_CREAT, 0644);
	CHECK(fd >= 0 && write(fd, "rubbish\n", 8) == 8);
	close(fd);
	CHECK_INT(place_mark(&place, "h1"), -EBADMSG);
	place_close(&place);
}

static void file_make(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void a_beacon_that_is_a_link_or_a_pipe_is_refused(void)
{
	static const char text[] = "{\"host\":\"h3\",\"nonce\":\"" NONCE "\",\"boot_id\":\"b\"}";
	struct beacon got, beacon = {"h1", NONCE, "b", "", 0};
	struct place place;
	struct stat st;

	CHECK_INT(place_open(folder_make("links"), &place), 0);
	CHECK_INT(place_mark(&place, "h1"), 0);
	file_make(place.dir, "forged", text);
	CHECK(!symlinkat("../forged", place.marks, "h3.beacon"));
	CHECK_INT(place_beacon_read(&place, "h3", &got), -EBADMSG);
	CHECK(!unlinkat(place.marks, "h3.beacon", 0) &&
	      !linkat(place.dir, "forged", place.marks, "h3.beacon", 0));
	CHECK_INT(place_beacon_read(&place, "h3", &got), 0);
	CHECK(!mkfifoat(place.marks, "h4.beacon", 0600));
	CHECK_INT(place_beacon_read(&place, "h4", &got), -EBADMSG);
	/* Nor does the writer follow one out of the folder. */
	file_make(place.dir, "precious", "all of it");
	CHECK(!symlinkat("../precious", place.marks, ".h1.beacon"));
	CHECK(place_beacon_write(&place, &beacon) < 0);
	CHECK(!fstatat(place.dir, "precious", &st, 0) && st.st_size == 9);
	place_close(&place);
}

/* All begin at once: the id that each reads after its own attempt must be one and the same. */
static void racing_hosts_end_with_one_id(void)
{
	int starts[2], ids[2];
	char first[DISKID_UUID_SIZE] = "", id[DISKID_UUID_SIZE];
	const char *path = folder_make("race");

	CHECK(!pipe(starts) && !pipe(ids));
	for (int i = 0; i < RACERS; i++) {
		char name[8];
		struct place place;

		if (fork())
			continue;
		close(starts[1]);
		snprintf(name, sizeof(name), "h%d", i);
		if (read(starts[0], id, 1) != 0)
			_exit(1);
		if (place_open(path, &place) || place_mark(&place, name) ||
		    place_id_read(&place, id))
			_exit(1);
		_exit(write(ids[1], id, sizeof(id)) != sizeof(id));
	}
	close(starts[0]);
	close(starts[1]);
	for (int i = 0; i < RACERS; i++) {
		CHECK(read(ids[0], id, sizeof(id)) == sizeof(id));
		if (!first[0])
			strcpy(first, id);
		CHECK_STR(id, first);
	}
	while (wait(NULL) > 0)
		;
}

static void say(void *arg, int out)
{
	CHECK(write(out, arg, strlen(arg)) > 0);
}

static void hang(void *arg, int out)
{
	say(arg, out);
	for (;;)
		pause();
}

static void flood(void *arg, int out)
{
	static char text[65536];

	(void)arg;
	memset(text, 'x', sizeof(text) - 1);
	for (;;)
		say(text, out);
}

static void crash(void *arg, int out)
{
	say(arg, out);
	raise(SIGKILL);
}

static void each_probe_ends_in_its_own_way(void)
{
	struct probe jobs[] = {{.key = "a", .run = say, .arg = "one"},
			       {.key = "c", .run = flood, .arg = NULL},
			       {.key = "d", .run = crash, .arg = "four"},
			       {.key = "e", .run = say, .arg = "five"}};
	struct probe hung = {.key = "b", .run = hang, .arg = "two"};
	struct probe_limits limits = {NULL, 2, 60000, clock_boot_ms() + 60000};

	probe_run(jobs, 4, &limits);
	CHECK_INT(jobs[0].end, PROBE_DONE);
	CHECK_STR(jobs[0].output, "one");
	CHECK_INT(jobs[1].end, PROBE_FAILED);
	CHECK_INT(jobs[2].end, PROBE_FAILED);
	CHECK_INT(jobs[3].end, PROBE_DONE);
	CHECK_STR(jobs[3].output, "five");
	for (int i = 0; i < 4; i++)
		probe_clear(&jobs[i]);
	limits.timeout_ms = 2000;
	probe_run(&hung, 1, &limits);
	CHECK_INT(hung.end, PROBE_TIMEOUT);
	CHECK_STR(hung.output, "two"); /* what it had said before it hung */
	probe_clear(&hung);
	while (waitpid(-1, NULL, 0) > 0)
		; /* ends only when every child has */
}

static void nothing_starts_after_the_end_of_time(void)
{
	struct probe job = {.key = "a", .run = say, .arg = "one"};
	const struct probe_limits limits = {NULL, 2, 300, clock_boot_ms()};

	probe_run(&job, 1, &limits);
	CHECK_INT(job.end, PROBE_SKIPPED);
}

static const char *lock_dir;

/*
 * Takes the lock of the probe of a key in a process of its own, as a child in D state would keep
 * it.
 */
static void inner(void *arg, int out)
{
	say("holds", out);
	for (;;)
		pause();
	(void)arg;
}

static void a_hung_probe_is_not_joined_by_another(void)
{
	struct probe first = {.key = "k", .run = inner, .arg = NULL},
		     other = {.key = "o", .run = say, .arg = "x"};
	struct probe second = {.key = "k", .run = say, .arg = "x"};
	struct probe_limits limits = {NULL, 2, 60000, clock_boot_ms() + 120000};
	char path[PATH_MAX], found[PATH_MAX] = "";
	pid_t holder;
	FILE *list;

	lock_dir = strdup(folder_make("locks"));
	limits.lock_dir = lock_dir;
	holder = fork();
	if (!holder) {
		probe_run(&first, 1, &limits);
		_exit(0);
	}
	/* It holds its lock when it has made the file and flock would block. */
	for (int fd = -1; !found[0]; fd = -1) {
		snprintf(path, sizeof(path), "ls '%s'/*.lock 2>/dev/null", lock_dir);
		list = popen(path, "r");
		if (list && fgets(path, sizeof(path), list)) {
			path[strcspn(path, "\n")] = '\0';
			fd = open(path, O_RDWR);
			if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
				snprintf(found, sizeof(found), "%s", path);
		}
		if (fd >= 0)
			close(fd);
		if (list)
			pclose(list);
	}
	limits.timeout_ms = 200;
	probe_run(&second, 1, &limits);
	CHECK_INT(second.end, PROBE_BUSY);
	limits.timeout_ms = 60000;
	probe_run(&other, 1, &limits);
	CHECK_INT(other.end, PROBE_DONE);
	CHECK(!kill(holder, SIGKILL) && waitpid(holder, NULL, 0) == holder);
	/* Its child dies with it, and with the child the lock. */
	probe_run(&second, 1, &limits);
	CHECK_INT(second.end, PROBE_DONE);
	probe_clear(&second);
	probe_clear(&other);
	free((char *)lock_dir);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char made[PATH_MAX - 128], remove[PATH_MAX];

	snprintf(made, sizeof(made), "%s/place.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/var/tmp");
	CHECK(mkdtemp(made) && realpath(made, remove) && strlen(remove) < sizeof(top));
	strcpy(top, remove);
	RUN(a_beacon_is_read_back);
	RUN(a_damaged_mark_is_not_replaced);
	RUN(a_beacon_that_is_a_link_or_a_pipe_is_refused);
	RUN(racing_hosts_end_with_one_id);
	RUN(each_probe_ends_in_its_own_way);
	RUN(nothing_starts_after_the_end_of_time);
	RUN(a_hung_probe_is_not_joined_by_another);
	snprintf(remove, sizeof(remove), "rm -rf '%s'", top);
	return system(remove) != 0;
}
