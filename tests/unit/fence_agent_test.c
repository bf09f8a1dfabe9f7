/* One agent's run: its input, output, environment and end, against a fake agent. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fencing/agent.h"
#include "hamon/common/clock.h"
#include "tests/unit/fence_fake.h"
#include "tests/unit/test.h"

#define LONG_MS 60000u

static struct agent_run run;
static struct options options;
static struct failure failure;

static void start(const char *behave, const char *action, uint64_t deadline_ms)
{
	fake_reset();
	options_clear(&options);
	CHECK_INT(options_set(&options, "behave", behave, false), 0);
	CHECK_INT(options_set(&options, "passwd", "s3cret", true), 0);
	agent_clear(&run);
	CHECK_INT(agent_start(&run, fake_agent, action, &options, deadline_ms), 0);
	CHECK_INT(run.end, AGENT_RUNNING);
}

static void finish(void)
{
	struct agent_run *runs[] = { &run };

	while (run.end == AGENT_RUNNING)
		CHECK_INT(agents_wait(runs, 1, clock_boot_ms() + LONG_MS, -1), 0);
}

static void do_action(const char *behave, const char *action, uint64_t timeout_ms)
{
	start(behave, action, clock_boot_ms() + timeout_ms);
	finish();
}

static void exit_codes_and_output(void)
{
	struct agent_output output;

	do_action("plain", "status", LONG_MS);
	CHECK_INT(run.end, AGENT_EXITED);
	CHECK_INT(run.code, 0);
	output = agent_output(&run);
	CHECK(output.out_len == 11 && !memcmp(output.out, "Status: ON\n", 11));
	CHECK_INT(output.err_len, 0);
	do_action("tell", "off", LONG_MS);
	CHECK_INT(run.code, 1);
	output = agent_output(&run);
	CHECK(output.err_len == 33 &&
	      !memcmp(output.err, "ERROR: login with s3cret refused\n", 33));
	agent_scrub(&run, &options);
	CHECK(!memmem(run.err.data, run.err.len, "s3cret", 6));
	CHECK(!memmem(run.out.data, run.out.len, "s3cret", 6));
}

static void only_stdin_has_the_options(void)
{
	setenv("HAMON_TEST_LEAK", "1", 1);
	do_action("plain", "off", LONG_MS);
	CHECK_INT(run.code, 0);
	CHECK(!strstr(fake_text("cmdline"), "s3cret"));
	/* The shell adds PWD and the like to its own, but not to what it was started with. */
	CHECK_STR(fake_text("environ"), "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C\nLC_ALL=C\n");
}

static void no_descriptor_leaks(void)
{
	int leak = dup(2); /* as if hamond had left one open */

	CHECK(leak > 2 && leak < 10);
	do_action("plain", "off", LONG_MS);
	CHECK(strstr(fake_text("fds"), " 0 -> pipe:"));
	for (int fd = 3; fd < 10; fd++) { /* from 10 on they are the shell's own */
		char text[16];

		snprintf(text, sizeof(text), " %d -> ", fd);
		CHECK(!strstr(fake_text("fds"), text));
	}
	close(leak);
}

static void ends_by_a_signal(void)
{
	do_action("crash", "status", LONG_MS);
	CHECK_INT(run.end, AGENT_SIGNALED);
	CHECK_INT(run.code, SIGSEGV);
}

static void deadline_kills_the_whole_group(void)
{
	start("hang", "status", clock_boot_ms() + LONG_MS);
	fake_wait_for("status.hang");
	run.deadline_ms = clock_boot_ms();
	finish();
	CHECK_INT(run.end, AGENT_DEADLINE);
	fake_wait_gone("status.pid");
	fake_wait_gone("status.hang");
}

static void clear_kills_too(void)
{
	start("hang", "status", clock_boot_ms() + LONG_MS);
	fake_wait_for("status.hang");
	agent_clear(&run);
	CHECK_INT(run.end, AGENT_IDLE);
	fake_wait_gone("status.pid");
	fake_wait_gone("status.hang");
}

static void what_an_agent_leaves_behind_is_not_waited_for(void)
{
	/* It holds the agent's stdout open, in a session of its own. */
	do_action("background", "off", LONG_MS);
	CHECK_INT(run.end, AGENT_EXITED);
	CHECK_INT(run.code, 0);
}

static void what_it_wrote_last_is_read_too(void)
{
	struct pollfd keeper;

	/* It has written more than one reading takes, and is gone, before anybody looks. */
	start("long", "status", clock_boot_ms() + LONG_MS);
	keeper = (struct pollfd){ .fd = run.keeper_fd, .events = POLLIN };
	CHECK_INT(poll(&keeper, 1, LONG_MS), 1);
	finish();
	CHECK_INT(run.out.len, 60000 + 11);
	CHECK(!run.out.cut);
}

static void floods_are_cut(void)
{
	do_action("flood", "status", LONG_MS);
	CHECK_INT(run.end, AGENT_EXITED);
	CHECK_INT(run.out.len, AGENT_OUTPUT_MAX);
	CHECK(run.out.cut && !run.err.cut);
	do_action("flood-err", "status", LONG_MS);
	CHECK_INT(run.err.len, AGENT_OUTPUT_MAX);
	CHECK(run.err.cut && !run.out.cut);
	CHECK_INT(run.out.len, 11);
	start("endless", "status", clock_boot_ms() + LONG_MS);
	while (!run.out.cut)
		CHECK_INT(agents_wait((struct agent_run *[]){ &run }, 1, clock_boot_ms() + 10, -1),
			  0);
	agent_kill(&run);
	CHECK_INT(run.end, AGENT_DEADLINE);
	CHECK_INT(run.out.len, AGENT_OUTPUT_MAX);
	fake_wait_gone("status.pid");
}

static void cannot_be_executed(void)
{
	char missing[128];
	FILE *f;

	strcpy(missing, fake_path("fence_missing"));
	agent_clear(&run);
	CHECK_INT(agent_start(&run, missing, "off", &options, clock_boot_ms() + LONG_MS), 0);
	finish();
	CHECK_INT(run.end, AGENT_NO_EXEC);
	CHECK_INT(run.code, ENOENT);
	f = fopen(missing, "w");
	CHECK(f && fputs("#!/nonexistent/python3\n", f) >= 0 && !fclose(f) &&
	      !chmod(missing, 0755));
	agent_clear(&run);
	CHECK_INT(agent_start(&run, missing, "off", &options, clock_boot_ms() + LONG_MS), 0);
	finish();
	CHECK_INT(run.end, AGENT_NO_EXEC);
	CHECK_INT(run.code, ENOENT);
}

static void checks_of_the_file(void)
{
	char path[128];

	CHECK_INT(agent_check(fake_agent, &failure), 0);
	CHECK_INT(agent_check(fake_folder, &failure), -EACCES);
	strcpy(path, fake_path("absent"));
	CHECK_INT(agent_check(path, &failure), -ENOENT);
	CHECK_INT(failure.what, FAILURE_AGENT_MISSING);
	CHECK(strstr(failure.text, path));
	strcpy(path, fake_path("metadata"));
	CHECK_INT(agent_check(path, &failure), -EACCES);
	CHECK(!chmod(path, 0775));
	CHECK_INT(agent_check(path, &failure), -EPERM);
	CHECK(!chmod(path, 0644));
}

static void two_at_once(void)
{
	struct agent_run other = { 0 };
	struct agent_run *runs[] = { &run, &other };

	start("hang-off", "off", clock_boot_ms() + LONG_MS);
	CHECK_INT(agent_start(&other, fake_agent, "status", &options, clock_boot_ms() + LONG_MS),
		  0);
	CHECK_INT(agents_wait(runs, 2, clock_boot_ms() + LONG_MS, -1), 0);
	CHECK_INT(other.end, AGENT_EXITED);
	CHECK_INT(run.end, AGENT_RUNNING);
	CHECK_INT(agents_wait(runs, 2, clock_boot_ms(), -1), 0); /* until_ms has come: returns */
	agent_clear(&other);
}

static void nobody_reads(void)
{
	struct agent_run *runs[] = { &run };
	int fds[2];

	CHECK(!pipe(fds));
	start("hang-off", "off", clock_boot_ms() + LONG_MS);
	CHECK_INT(agents_wait(runs, 1, clock_boot_ms() + 50, fds[1]), 0);
	close(fds[0]);
	CHECK_INT(agents_wait(runs, 1, clock_boot_ms() + LONG_MS, fds[1]), -EPIPE);
	close(fds[1]);
}

int main(void)
{
	fake_make();
	RUN(exit_codes_and_output);
	RUN(only_stdin_has_the_options);
	RUN(no_descriptor_leaks);
	RUN(ends_by_a_signal);
	RUN(deadline_kills_the_whole_group);
	RUN(clear_kills_too);
	RUN(what_an_agent_leaves_behind_is_not_waited_for);
	RUN(what_it_wrote_last_is_read_too);
	RUN(floods_are_cut);
	RUN(cannot_be_executed);
	RUN(checks_of_the_file);
	RUN(two_at_once);
	RUN(nobody_reads);
	agent_clear(&run);
	options_clear(&options);
	return 0;
}
