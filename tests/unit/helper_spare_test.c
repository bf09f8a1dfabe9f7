/* Helper processes that stand ready before they are needed. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include <qb/qbdefs.h>
#include <qb/qbutil.h>

#include "hamon/helper.h"
#include "tests/unit/helper_seen.h"
#include "tests/unit/test.h"

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

int main(void)
{
	helpers_begin();
	RUN(spares);
	RUN(spare_that_died);
	helpers_end();
	return 0;
}
