/* How helper processes end: by themselves, at their deadline, killed, or not at all. */
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <qb/qbdefs.h>
#include <qb/qbutil.h>

#include "hamon/helper.h"
#include "tests/unit/helper_seen.h"
#include "tests/unit/test.h"

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
	pool = NULL;
	helper_pool_free(pool);
}

int main(void)
{
	helpers_begin();
	RUN(deadline);
	RUN(deadline_of_the_late);
	RUN(straggler);
	RUN(died_of_signal);
	RUN(kill_from_callback);
	RUN(kill_is_at_once);
	RUN(kill_before_the_result);
	RUN(kill_by_tag);
	RUN(stuck);
	RUN(pool_free_kills);
	helpers_end();
	return 0;
}
