/* A child with a deadline. No time is measured: a bound that fails hangs the test, which the build then ends. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include <sys/wait.h>

#include "evacuate/bounded.h"
#include "tests/unit/test.h"

static int work_tell(void *arg, int fd)
{
	const char *text = arg;

	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int work_fail(void *arg, int fd)
{
	work_tell("partly", fd);
	return -ENOTCONN;
}

static int work_hang(void *arg, int fd)
{
	work_tell("partly", fd);
	while (pause() < 0)
		;
	return 0;
}

static int work_flood(void *arg, int fd)
{
	while (!work_tell("x", fd))
		;
	return 0;
}

static int work_die(void *arg, int fd)
{
	raise(SIGKILL);
	return 0;
}

/* Closes its pipe but does not end. */
static int work_linger(void *arg, int fd)
{
	close(fd);
	while (pause() < 0)
		;
	return 0;
}

static void check_run(int (*work)(void *arg, int fd), uint64_t timeout_ms, int expected_rc,
		      const char *expected)
{
	size_t len;
	char *text;

	CHECK_INT(bounded_run(work, "all of it", timeout_ms, 16, &text, &len), expected_rc);
	CHECK_STR(text, expected);
	CHECK_INT(len, strlen(expected));
	free(text);
}

static void ends_of_children(void)
{
	check_run(work_tell, 60000, 0, "all of it");
	check_run(work_fail, 60000, -ENOTCONN, "partly");
	check_run(work_die, 60000, -EIO, "");
	check_run(work_flood, 60000, -E2BIG, "xxxxxxxxxxxxxxxx");
	check_run(work_hang, 300, -ETIMEDOUT, "partly");
	check_run(work_linger, 300, -ETIMEDOUT, "");
}

/* The killed ones may take a moment to go, but none is left running. */
static void nothing_is_left(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	CHECK_INT(errno, ECHILD);
}

int main(void)
{
	RUN(ends_of_children);
	RUN(nothing_is_left);
	return 0;
}
