/*
 * Helper processes, with real ones: small shell scripts that answer, hang, flood, lie and die. The
 * loop runs until all of a test's helpers have ended; automake's own patience bounds a test that
 * never ends.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <qb/qbdefs.h>
#include <qb/qbutil.h>

#include "hamon/common/json.h"
#include "hamon/helper.h"
#include "tests/unit/test.h"

#define LOG_MAX 65536

/* What one helper did. */
struct seen {
	unsigned int lines, errs, exits;
	int status;
	enum helper_end end;
	char log[LOG_MAX];   /* "text" of each line's "t", each followed by ' ' */
	char err[LOG_MAX];   /* stderr, each line followed by '|' */
	bool kill_at_line;   /* helper_kill from on_line */
	unsigned int expect; /* stop the loop at so many lines, 0 = never */
};

static qb_loop_t *loop;
static struct helper_pool *pool;
static unsigned int running;

static void text_add(char *log, const char *text, const char *end)
{
	size_t used = strlen(log);

	snprintf(log + used, LOG_MAX - used, "%s%s", text, end);
}

static void line_seen(void *user, struct helper *helper, struct json_object *obj)
{
	struct seen *seen = user;

	seen->lines++;
	text_add(seen->log, json_string_or(obj, "t", ""), " ");
	if (seen->kill_at_line)
		helper_kill(helper);
	if (seen->lines == seen->expect)
		qb_loop_stop(loop);
}

static void err_seen(void *user, struct helper *helper, const char *line)
{
	struct seen *seen = user;

	seen->errs++;
	text_add(seen->err, line, "|");
}

static void exit_seen(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct seen *seen = user;

	seen->exits++;
	seen->status = status;
	seen->end = end;
	if (!--running)
		qb_loop_stop(loop);
}

static struct helper *script_start(struct seen *seen, const char *script, struct helper_spec spec)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	struct helper *helper;

	memset(seen, 0, sizeof(*seen));
	spec.path = argv[0];
	spec.argv = argv;
	spec.on_line = line_seen;
	spec.on_stderr = err_seen;
	spec.on_exit = exit_seen;
	spec.user = seen;
	helper = helper_start(pool, &spec);
	CHECK(helper);
	running++;
	return helper;
}

static void script_run(struct seen *seen, const char *script, struct helper_spec spec)
{
	script_start(seen, script, spec);
	qb_loop_run(loop);
	CHECK_INT(seen->exits, 1);
	CHECK_INT(helper_pool_running(pool, 0), 0);
}

/* A process is gone when it is a zombie, too: the machine's init reaps it when it likes. */
static bool process_is_gone(pid_t pid)
{
	char path[64], state;
	FILE *stat;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "r");
	if (!stat)
		return true;
	n = fscanf(stat, "%*d (%*[^)]) %c", &state);
	fclose(stat);
	return n != 1 || state == 'Z' || state == 'X';
}

static void process_wait_gone(pid_t pid)
{
	struct timespec pause = {.tv_nsec = 10000000};

	/* SIGKILL is on its way; a test that fails here hangs and is ended from outside. */
	while (!process_is_gone(pid))
		nanosleep(&pause, NULL);
}

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

/* The whole group goes at the deadline, and what was said before it is delivered. */
static void deadline(void)
{
	static struct seen seen;
	struct helper_spec spec = {.deadline_ms = 500};
	struct helper_stats before, after;
	int a, b;

	helper_pool_stats(pool, &before);
	script_run(&seen,
		   "trap '' TERM; sleep 1000 & a=$!; sh -c 'sleep 1000; :' & "
		   "echo \"{\\\"t\\\":\\\"$a $!\\\"}\"; wait",
		   spec);
	helper_pool_stats(pool, &after);
	CHECK_INT(seen.end, HELPER_DEADLINE);
	CHECK_INT(seen.status, SIGKILL);
	CHECK_INT(after.deadlines - before.deadlines, 1);
	CHECK_INT(sscanf(seen.log, "%d %d", &a, &b), 2);
	process_wait_gone(a);
	process_wait_gone(b);
}

/* A helper that ended in time has ended in time, however late its parent looks. */
static void deadline_of_the_late(void)
{
	static struct seen seen;
	struct helper *helper = script_start(&seen, "echo '{\"t\":\"in time\"}'; exit 5",
					     (struct helper_spec){.deadline_ms = 20});
	struct timespec pause = {.tv_nsec = 100000000};
	siginfo_t info;

	CHECK_INT(waitid(P_PID, (id_t)helper_pid(helper), &info, WEXITED | WNOWAIT), 0);
	nanosleep(&pause, NULL);
	qb_loop_run(loop);
	CHECK_STR(seen.log, "in time ");
	CHECK_INT(seen.end, HELPER_EXITED);
	CHECK_INT(seen.status, 5);
}

/* What a helper leaves running, with its stdout open, neither holds up its end nor survives it. */
static void straggler(void)
{
	static struct seen seen;
	int pid;

	script_run(&seen, "sleep 1000 & echo \"{\\\"t\\\":\\\"$!\\\"}\"; exit 0",
		   (struct helper_spec){.tag = 0});
	CHECK_INT(seen.end, HELPER_EXITED);
	CHECK_INT(seen.status, 0);
	CHECK_INT(sscanf(seen.log, "%d", &pid), 1);
	process_wait_gone(pid);
}

static void died_of_signal(void)
{
	static struct seen seen;

	script_run(&seen, "kill -TERM $$; sleep 1000", (struct helper_spec){.tag = 0});
	CHECK_INT(seen.end, HELPER_SIGNALED);
	CHECK_INT(seen.status, SIGTERM);
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

static void kill_from_callback(void)
{
	static struct seen seen;

	script_start(&seen, "yes '{\"t\":\"x\"}'", (struct helper_spec){.tag = 0});
	seen.kill_at_line = true;
	qb_loop_run(loop);
	CHECK_INT(seen.lines, 1);
	CHECK_INT(seen.end, HELPER_KILLED);
}

/* The kill itself takes the group; it does not wait for the loop to turn. */
static void kill_is_at_once(void)
{
	static struct seen seen;
	struct helper *helper =
	    script_start(&seen, "sleep 1000 & echo \"{\\\"t\\\":\\\"$!\\\"}\"; wait",
			 (struct helper_spec){.tag = 0});
	int pid;

	seen.expect = 1;
	qb_loop_run(loop);
	CHECK_INT(sscanf(seen.log, "%d", &pid), 1);
	helper_kill(helper);
	process_wait_gone(pid);
	process_wait_gone(helper_pid(helper));
	qb_loop_run(loop);
	CHECK_INT(seen.end, HELPER_KILLED);
}

/* A result that lies in the pipe when its helper is killed belongs to the past. */
static void kill_before_the_result(void)
{
	static struct seen seen;
	struct helper *helper =
	    script_start(&seen, "echo '{\"t\":\"late\"}'", (struct helper_spec){.tag = 0});
	siginfo_t info;

	CHECK_INT(waitid(P_PID, (id_t)helper_pid(helper), &info, WEXITED | WNOWAIT), 0);
	helper_kill(helper);
	qb_loop_run(loop);
	CHECK_INT(seen.lines, 0);
	CHECK_INT(seen.end, HELPER_KILLED);
	CHECK_INT(seen.status, 0);
}

static void kill_by_tag(void)
{
	static struct seen a, b, c;

	script_start(&a, "exec sleep 1000", (struct helper_spec){.tag = 1});
	script_start(&b, "exec sleep 1000", (struct helper_spec){.tag = 2});
	script_start(&c, "read -r x; exit 7", (struct helper_spec){.tag = 4, .keep_stdin = true});
	CHECK_INT(helper_pool_running(pool, 0), 3);
	CHECK_INT(helper_pool_running(pool, 1 | 4), 2);
	CHECK_INT(helper_pool_kill_all(pool, 1 | 2), 2);
	running -= 1; /* the third one stays */
	qb_loop_run(loop);
	running += 1;
	CHECK_INT(a.end, HELPER_KILLED);
	CHECK_INT(b.end, HELPER_KILLED);
	CHECK_INT(c.exits, 0);
	CHECK_INT(helper_pool_running(pool, 0), 1);
	CHECK_INT(helper_pool_kill_all(pool, 1 | 2), 0);
	CHECK_INT(helper_pool_kill_all(pool, 0), 1);
	qb_loop_run(loop);
	CHECK_INT(c.end, HELPER_KILLED);
}

static void is_stuck_no_more(void *data)
{
	if (helper_pool_stuck(pool, 0))
		qb_loop_timer_add(loop, QB_LOOP_MED, 10 * QB_TIME_NS_IN_MSEC, NULL,
				  is_stuck_no_more, NULL);
	else
		qb_loop_stop(loop);
}

/* Takes hold of a process as a debugger does: killed, it stays until the tracer lets it go. */
static pid_t tracer_start(pid_t pid, int *ret_hold)
{
	int ready[2], hold[2];
	char byte = 0;
	pid_t tracer;

	CHECK(!pipe(ready) && !pipe(hold));
	tracer = fork();
	CHECK(tracer >= 0);
	if (!tracer) {
		close(hold[1]);
		byte = ptrace(PTRACE_SEIZE, pid, 0, 0) ? 'n' : 'y';
		_exit(write(ready[1], &byte, 1) != 1 || read(hold[0], &byte, 1) < 0);
	}
	close(ready[1]);
	close(hold[0]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*ret_hold = hold[1];
	if (byte == 'y')
		return tracer;
	close(hold[1]);
	waitpid(tracer, NULL, 0);
	return -1;
}

/* A killed process that does not go is told of, remembered, and reaped when it goes. */
static void stuck(void)
{
	static struct seen seen;
	struct helper *helper =
	    script_start(&seen, "exec sleep 1000", (struct helper_spec){.tag = 8});
	int hold;
	pid_t tracer = tracer_start(helper_pid(helper), &hold);

	helper_kill(helper);
	qb_loop_run(loop);
	CHECK_INT(seen.exits, 1);
	CHECK_INT(seen.end, HELPER_KILLED);
	CHECK_INT(seen.status, SIGKILL);
	CHECK_INT(helper_pool_running(pool, 0), 0);
	if (tracer < 0) {
		printf("# no ptrace here: only the plain kill was tested\n");
		return;
	}
	CHECK_INT(helper_pool_stuck(pool, 8), 1);
	CHECK_INT(helper_pool_stuck(pool, 1), 0);
	close(hold);
	waitpid(tracer, NULL, 0);
	is_stuck_no_more(NULL);
	qb_loop_run(loop);
	CHECK_INT(helper_pool_stuck(pool, 0), 0);
	CHECK_INT(seen.exits, 1);
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

static void loop_stop(void *data)
{
	qb_loop_stop(loop);
}

static void spares_wait_for(unsigned int n)
{
	struct helper_stats stats;

	for (helper_pool_stats(pool, &stats); stats.spares != n; helper_pool_stats(pool, &stats)) {
		qb_loop_timer_add(loop, QB_LOOP_MED, 10 * QB_TIME_NS_IN_MSEC, NULL, loop_stop, NULL);
		qb_loop_run(loop);
	}
}

static uint64_t from_spare(void)
{
	struct helper_stats stats;

	helper_pool_stats(pool, &stats);
	return stats.from_spare;
}

static void spares(void)
{
	static const char script[] = "read -r x; echo \"{\\\"t\\\":\\\"$x\\\"}\"";
	static const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	static const char *const env[] = {"A=b", NULL};
	static struct seen a, b, c;
	uint64_t before = from_spare();

	CHECK_INT(helper_pool_spares(pool, "sh", argv, 1), -EINVAL);
	CHECK_INT(helper_pool_spares(pool, argv[0], argv, 2), 0);
	spares_wait_for(2);
	/* They are nobody's helpers yet. */
	CHECK_INT(helper_pool_running(pool, 0), 0);
	CHECK_INT(helper_pool_kill_all(pool, 0), 0);
	script_start(&a, script, (struct helper_spec){.input = "one", .tag = 1});
	script_start(&b, script, (struct helper_spec){.input = "two", .deadline_ms = 60000});
	script_start(&c, script, (struct helper_spec){.input = "three"});
	CHECK_INT(from_spare() - before, 2);
	CHECK_INT(helper_pool_running(pool, 1), 1);
	qb_loop_run(loop);
	CHECK_STR(a.log, "one ");
	CHECK_STR(b.log, "two ");
	CHECK_STR(c.log, "three ");
	CHECK_INT(a.status, 0);
	/* Another environment, or another program, is none of theirs. */
	spares_wait_for(2);
	script_run(&a, script, (struct helper_spec){.input = "four", .env = env});
	CHECK_INT(from_spare() - before, 2);
	CHECK_STR(a.log, "four ");
	/* The deadline and a kill reach one that was a spare. */
	script_start(&a, script, (struct helper_spec){.keep_stdin = true, .deadline_ms = 50});
	script_start(&b, script, (struct helper_spec){.keep_stdin = true, .tag = 2});
	CHECK_INT(from_spare() - before, 4);
	CHECK_INT(helper_pool_kill_all(pool, 2), 1);
	qb_loop_run(loop);
	CHECK_INT(a.end, HELPER_DEADLINE);
	CHECK_INT(b.end, HELPER_KILLED);
	spares_wait_for(2);
	CHECK_INT(helper_pool_spares(pool, argv[0], argv, 0), 0);
	spares_wait_for(0);
}

static void spare_that_died(void)
{
	char path[] = "/tmp/helper-spare-XXXXXX", script[128];
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	static struct seen seen;
	uint64_t before = from_spare();
	int fd = mkstemp(path), pid = 0;
	FILE *in = fdopen(fd, "r");

	CHECK(fd >= 0 && in);
	snprintf(script, sizeof(script), "echo $$ >%s; read -r x; echo \"{\\\"t\\\":\\\"$x\\\"}\"", path);
	CHECK_INT(helper_pool_spares(pool, argv[0], argv, 1), 0);
	spares_wait_for(1);
	while (fscanf(in, "%d", &pid) != 1) {
		clearerr(in);
		rewind(in);
	}
	kill(pid, SIGKILL);
	process_wait_gone(pid);
	/* Before the loop could notice. */
	script_run(&seen, script, (struct helper_spec){.input = "five"});
	CHECK_STR(seen.log, "five ");
	CHECK_INT(from_spare() - before, 0);
	CHECK_INT(helper_pool_spares(pool, argv[0], argv, 0), 0);
	spares_wait_for(0);
	fclose(in);
	unlink(path);
}

/* Without a single callback. */
static void pool_free_kills(void)
{
	static struct seen seen;
	pid_t pid;

	pid = helper_pid(
	    script_start(&seen, "exec sleep 1000", (struct helper_spec){.keep_stdin = true}));
	helper_pool_free(pool);
	process_wait_gone(pid);
	CHECK_INT(seen.exits, 0);
	helper_pool_free(NULL);
}

int main(void)
{
	signal(SIGCHLD, SIG_IGN); /* as a careless parent would leave it */
	loop = qb_loop_create();
	CHECK(loop && !helper_pool_new(loop, &pool));
	RUN(one_shot);
	RUN(stdin_ends);
	RUN(large_input);
	RUN(clean_process);
	RUN(start_errors);
	RUN(too_many);
	RUN(deadline);
	RUN(deadline_of_the_late);
	RUN(straggler);
	RUN(died_of_signal);
	RUN(invalid_lines);
	RUN(endless_line);
	RUN(flood);
	RUN(flood_stderr);
	RUN(long_lived);
	RUN(send_to_the_deaf);
	RUN(send_to_the_slow);
	RUN(not_reading_at_all);
	RUN(closed_early);
	RUN(kill_from_callback);
	RUN(kill_is_at_once);
	RUN(kill_before_the_result);
	RUN(kill_by_tag);
	RUN(stuck);
	RUN(spawn_cost);
	RUN(spares);
	RUN(spare_that_died);
	RUN(pool_free_kills);
	qb_loop_destroy(loop);
	return 0;
}
