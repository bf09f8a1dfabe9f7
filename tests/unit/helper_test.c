/*
 * Helper processes, with real ones: small shell scripts that answer, hang, flood, and lie. How they end is in helper_end_test.c, those
 * that stand ready in helper_spare_test.c. automake's own patience bounds a test that never ends.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>
#include <qb/qbdefs.h>
#include <qb/qbutil.h>

#include "hamon/common/json.h"
#include "hamon/helper.h"
#include "tests/unit/helper_seen.h"
#include "tests/unit/test.h"

static void one_shot(void)
{
	static struct seen seen;
	struct helper_spec spec = {.input = "{\"t\":\"ping\"}"};

	script_run(
	    &seen,
	    "read -r a; echo \"$a\"; echo '{\"t\":\"two\"}'; printf '{\"t\":\"last\"}'; exit 3",
	    spec);
	CHECK_STR(seen.log, "ping two last ");
	CHECK_INT(seen.status, 3);
	CHECK_INT(seen.end, HELPER_EXITED);
	CHECK_STR(seen.err, "");
}

static void stdin_ends(void)
{
	static struct seen seen;

	script_run(&seen, "cat >/dev/null; echo '{\"t\":\"eof\"}'",
		   (struct helper_spec){.input = NULL});
	CHECK_STR(seen.log, "eof ");
}

/* More than a pipe holds, in both directions. */
static void large_input(void)
{
	static struct seen seen;
	size_t len = 3000000;
	char *input = malloc(len + 1);

	CHECK(input);
	memset(input, 'x', len);
	input[len] = '\0';
	script_run(&seen, "echo \"{\\\"t\\\":\\\"$(wc -c)\\\"}\"",
		   (struct helper_spec){.input = input});
	free(input);
	CHECK_STR(seen.log, "3000001 ");
}

static void clean_process(void)
{
	const char *const env[] = {"A=b c", "LANG=de", NULL};
	static struct seen seen;
	struct helper_spec spec = {.env = env};
	sigset_t blocked;

	/* All of this must not reach the helper. */
	CHECK(!setenv("HAMON_SECRET", "1", 1));
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	CHECK_INT(dup2(STDIN_FILENO, 77), 77); /* inheritable */
	script_run(&seen,
		   "say() { echo \"{\\\"t\\\":\\\"$1\\\"}\"; }; "
		   "say \"$(tr '\\0' ';' </proc/$$/environ)\"; "
		   "n=0; i=3; while [ $i -lt 100 ]; do [ -e /proc/$$/fd/$i ] && n=$i; i=$((i+1)); "
		   "done; say $n; "
		   "say \"$(grep -E 'SigBlk|SigIgn' /proc/$$/status | tr -d '\\t\\n')\"; "
		   "say \"$(pwd)\"; "
		   "set -- $(cat /proc/$$/stat); [ \"$5\" = \"$$\" ] && say group; ",
		   spec);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	signal(SIGUSR1, SIG_DFL);
	close(77);
	/* Signals 32 and 33 are glibc's own; its posix_spawn sets them so. */
	CHECK_STR(
	    seen.log,
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin;A=b c;LANG=de; 0 "
	    "SigBlk:0000000000000000SigIgn:0000000180000000 / group ");
}

static void start_errors(void)
{
	const char *const argv[] = {"x", NULL}, *const none[] = {NULL};
	struct helper_spec spec = {.path = "/nonexistent/x", .argv = argv};
	char *input;

	CHECK(!helper_start(pool, &spec) && errno == ENOENT);
	spec.path = "/etc/passwd";
	CHECK(!helper_start(pool, &spec) && errno == EACCES);
	spec.path = "sh";
	CHECK(!helper_start(pool, &spec) && errno == EINVAL);
	spec.path = "/bin/true";
	spec.argv = none;
	CHECK(!helper_start(pool, &spec) && errno == EINVAL);
	input = malloc(HELPER_INPUT_MAX + 1);
	CHECK(input);
	memset(input, 'x', HELPER_INPUT_MAX);
	input[HELPER_INPUT_MAX] = '\0';
	spec.argv = argv;
	spec.input = input;
	CHECK(!helper_start(pool, &spec) && errno == E2BIG);
	free(input);
	CHECK_INT(helper_pool_running(pool, 0), 0);
}

static void too_many(void)
{
	static struct seen seen[HELPER_MAX];
	const char *const argv[] = {"true", NULL};
	struct helper_spec spec = {.path = "/bin/true", .argv = argv};

	for (int i = 0; i < HELPER_MAX; i++)
		script_start(&seen[i], "exec sleep 1000", (struct helper_spec){.tag = 1});
	CHECK(!helper_start(pool, &spec) && errno == EAGAIN);
	CHECK_INT(helper_pool_kill_all(pool, 0), HELPER_MAX);
	qb_loop_run(loop);
	for (int i = 0; i < HELPER_MAX; i++)
		CHECK_INT(seen[i].end, HELPER_KILLED);
}

static void invalid_lines(void)
{
	static struct seen seen;
	struct helper_stats before, after;

	helper_pool_stats(pool, &before);
	script_run(
	    &seen,
	    "echo hello; echo '[1]'; echo '\"s\"'; echo; echo '{\"t\":\"good\"}'; echo '{} {}'; "
	    "echo '{\"t\":\"fine\"}'; printf '{\"t\":'",
	    (struct helper_spec){.tag = 0});
	helper_pool_stats(pool, &after);
	CHECK_STR(seen.log, "good fine ");
	CHECK_INT(after.lines_dropped - before.lines_dropped, 5);
	CHECK_INT(seen.errs, 5);
	CHECK(strstr(seen.err, "dropped a line of 5 bytes on stdout that is no JSON object"));
}

static void endless_line(void)
{
	static struct seen seen;

	script_run(&seen,
		   "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo '{\"t\":\"after\"}'; "
		   "printf '{\"t\":\"'; head -c 1048560 /dev/zero | tr '\\0' y; echo '\"}'",
		   (struct helper_spec){.tag = 0});
	CHECK_INT(seen.lines, 2);
	CHECK(!strncmp(seen.log, "after yyyy", 10));
	CHECK_INT(seen.errs, 1);
	CHECK(strstr(seen.err, "longer than"));
}

static void tick(void *data)
{
	unsigned int *ticks = data;

	if (running) {
		++*ticks;
		qb_loop_timer_add(loop, QB_LOOP_LOW, 1 * QB_TIME_NS_IN_MSEC, ticks, tick, NULL);
	}
}

/* Everything arrives, and the loop turns meanwhile. */
static void flood(void)
{
	static struct seen seen;
	static unsigned int ticks;

	script_start(&seen, "yes '{\"a\":1}' | head -n 400000", (struct helper_spec){.tag = 0});
	tick(&ticks);
	qb_loop_run(loop);
	CHECK_INT(seen.lines, 400000);
	CHECK_INT(seen.status, 0);
	CHECK(ticks > 10);
	qb_loop_timer_add(loop, QB_LOOP_LOW, 2 * QB_TIME_NS_IN_MSEC, loop,
			  (qb_loop_timer_dispatch_fn)qb_loop_stop, NULL);
	qb_loop_run(loop); /* the last tick */
}

static void flood_stderr(void)
{
	static struct seen seen;
	struct helper_stats before, after;
	unsigned int told, counted = 0;

	helper_pool_stats(pool, &before);
	script_run(&seen,
		   "yes 'oops\t\001' | head -n 100000 >&2; head -c 3000 /dev/zero | tr '\\0' z >&2",
		   (struct helper_spec){.tag = 0});
	helper_pool_stats(pool, &after);
	CHECK(!strncmp(seen.err, "oops ?|", 7));
	for (char *at = seen.err; (at = strstr(at, "more lines were suppressed")); at++)
		counted++;
	told = seen.errs - counted;
	/* 3000 bytes without a newline are three pieces. */
	CHECK_INT(told + (after.stderr_suppressed - before.stderr_suppressed), 100003);
	CHECK(counted > 0 && seen.errs < 10000);
}

static void long_lived(void)
{
	static struct seen seen;
	struct helper *helper = script_start(
	    &seen, "exec cat", (struct helper_spec){.keep_stdin = true, .input = "{\"t\":\"0\"}"});
	struct json_object *obj;
	char line[64], *end = seen.log;

	for (int i = 1; i < 10000; i++) {
		snprintf(line, sizeof(line), "{\"t\":\"%d\"}", i);
		CHECK_INT(helper_send(helper, line), 0);
	}
	CHECK_INT(helper_send(helper, "a\nb"), -EINVAL);
	obj = json_object_new_object();
	json_put_string(obj, "t", "json");
	CHECK_INT(helper_send_json(helper, obj), 0);
	json_object_put(obj);
	seen.expect = 10001;
	qb_loop_run(loop);
	CHECK_INT(helper_pool_running(pool, 0), 1);
	CHECK_INT(helper_unsent_bytes(helper), 0);
	for (int i = 0; i < 10000; i++)
		CHECK_INT(strtol(end, &end, 10), i);
	CHECK_STR(end, " json ");
	helper_close_stdin(helper);
	CHECK_INT(helper_send(helper, "{}"), -EPIPE);
	qb_loop_run(loop);
	CHECK_INT(seen.end, HELPER_EXITED);
	CHECK_INT(seen.lines, 10001);
}

/* A hung long-lived helper costs a bounded queue; what was refused was refused whole. */
static void send_to_the_deaf(void)
{
	static struct seen seen;
	static char line[65536];
	struct helper *helper =
	    script_start(&seen, "exec sleep 1000", (struct helper_spec){.keep_stdin = true});
	unsigned int sent = 0;
	int rc;

	memset(line, 'x', sizeof(line) - 1);
	while (!(rc = helper_send(helper, line)))
		sent++;
	CHECK_INT(rc, -EAGAIN);
	/* The kernel's pipe holds 64 KiB more. */
	CHECK_INT(sent, HELPER_INPUT_MAX / sizeof(line) + 1);
	CHECK(helper_unsent_bytes(helper) <= HELPER_INPUT_MAX);
	helper_kill(helper);
	helper_kill(helper);
	CHECK_INT(seen.exits, 0);
	qb_loop_run(loop);
	CHECK_INT(seen.exits, 1);
	CHECK_INT(seen.end, HELPER_KILLED);
}

/* After a hung reader wakes up, everything arrives in order. */
static void send_to_the_slow(void)
{
	static struct seen seen;
	struct helper *helper =
	    script_start(&seen, "read -r a; kill -STOP $$; exec wc -c",
			 (struct helper_spec){.keep_stdin = true, .input = "go"});
	static char line[65536];
	siginfo_t info;

	CHECK_INT(waitid(P_PID, (id_t)helper_pid(helper), &info, WSTOPPED), 0);
	memset(line, 'x', sizeof(line) - 1);
	for (int i = 0; i < 40; i++)
		CHECK_INT(helper_send(helper, line), 0);
	CHECK(helper_unsent_bytes(helper) > 2000000);
	helper_close_stdin(helper);
	kill(helper_pid(helper), SIGCONT);
	qb_loop_run(loop);
	CHECK_INT(seen.end, HELPER_EXITED);
	CHECK_STR(seen.err,
		  "dropped a line of 7 bytes on stdout that is no JSON object|"); /* 2621440 */
}

static void not_reading_at_all(void)
{
	static struct seen seen;
	char *input = malloc(2000001);

	CHECK(input);
	memset(input, 'x', 2000000);
	input[2000000] = '\0';
	script_run(&seen, "exec <&-; echo '{\"t\":\"deaf\"}'; exit 1",
		   (struct helper_spec){.input = input});
	free(input);
	CHECK_STR(seen.log, "deaf ");
	CHECK_INT(seen.status, 1);
}

static void closed_early(void)
{
	static struct seen seen;

	script_run(&seen, "echo '{\"t\":\"bye\"}'; exec >&- 2>&-; sleep 0.2; exit 4",
		   (struct helper_spec){.tag = 0});
	CHECK_STR(seen.log, "bye ");
	CHECK_INT(seen.status, 4);
}

static void spawn_cost(void)
{
	static struct seen seen[50];
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 50; i++)
		script_start(&seen[i], ":", (struct helper_spec){.deadline_ms = 60000});
	clock_gettime(CLOCK_MONOTONIC, &b);
	qb_loop_run(loop);
	for (int i = 0; i < 50; i++)
		CHECK_INT(seen[i].status, 0);
	printf("# one start takes %.3f ms\n",
	       ((double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6) / 50);
}

int main(void)
{
	helpers_begin();
	RUN(one_shot);
	RUN(stdin_ends);
	RUN(large_input);
	RUN(clean_process);
	RUN(start_errors);
	RUN(too_many);
	RUN(invalid_lines);
	RUN(endless_line);
	RUN(flood);
	RUN(flood_stderr);
	RUN(long_lived);
	RUN(send_to_the_deaf);
	RUN(send_to_the_slow);
	RUN(not_reading_at_all);
	RUN(closed_early);
	RUN(spawn_cost);
	helpers_end();
	return 0;
}
