/* The keeper of one agent. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fencing/keeper.h"

/* One pipe for all keepers of this process; [1] closes when the process ends. */
static int lifeline[2] = { -1, -1 };

static int agent_spawn(const char *path, const int fds[3], pid_t *ret_pid)
{
	/* Nothing of hamon's own environment reaches an agent. */
	static char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", "LC_ALL=C", NULL,
	};
	char *const argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	rc = posix_spawn(ret_pid, path, &actions, &attr, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return rc;
}

/* Waits for the agent's end, or for the end of hamon-fence, which is the end of everything here. */
static void agent_watch(int agent_fd)
{
	struct pollfd fds[2] = {
		{ .fd = lifeline[0], .events = 0 }, /* POLLHUP comes unasked */
		{ .fd = agent_fd, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			kill(0, SIGKILL);
		if (fds[0].revents)
			kill(0, SIGKILL);
		if (fds[1].revents)
			return;
	}
}

static void keeper_close_others(int keep_a, int keep_b)
{
	int low = keep_a < keep_b ? keep_a : keep_b, high = keep_a < keep_b ? keep_b : keep_a;

	if (low > 3)
		close_range(3, (unsigned int)low - 1, 0);
	if (high > low + 1)
		close_range((unsigned int)low + 1, (unsigned int)high - 1, 0);
	close_range((unsigned int)high + 1, ~0U, 0);
}

static __attribute__((noreturn)) void keeper_run(const char *path, const int fds[3], int report_fd)
{
	struct keeper_report report = { 0 };
	siginfo_t info = { 0 };
	int agent_fd = -1;
	pid_t agent;

	setpgid(0, 0);
	prctl(PR_SET_NAME, "fence-keeper");
	/* Whatever hamon-fence was started with stays here. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	report.spawn_errno = agent_spawn(path, fds, &agent);
	/*
	 * The agent has its ends; a copy of one here would hide the end of the agent's output, and
	 * a copy of hamon-fence's own stdout, or of its end of the lifeline, would hide that
	 * hamon-fence has ended.
	 */
	for (int i = 0; i < 3; i++)
		close(i);
	if (open("/dev/null", O_RDWR) != 0 || dup2(0, 1) != 1 || dup2(0, 2) != 2)
		kill(0, SIGKILL);
	keeper_close_others(lifeline[0], report_fd);
	if (!report.spawn_errno) {
		agent_fd = pidfd_open(agent, 0);
		if (agent_fd < 0)
			kill(0, SIGKILL);
		agent_watch(agent_fd);
		if (waitid(P_PIDFD, (id_t)agent_fd, &info, WEXITED))
			kill(0, SIGKILL);
		report.wait_code = info.si_code;
		report.wait_status = info.si_status;
	}
	if (write(report_fd, &report, sizeof(report)) != sizeof(report))
		kill(0, SIGKILL);
	_exit(0);
}

int keeper_start(const char *path, const int fds[3], pid_t *ret_pid, int *ret_report_fd)
{
	int report[2];
	pid_t pid;

	if (lifeline[0] < 0 && pipe2(lifeline, O_CLOEXEC))
		return -errno;
	if (pipe2(report, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int rc = -errno;

		close(report[0]);
		close(report[1]);
		return rc;
	}
	if (!pid)
		keeper_run(path, fds, report[1]);
	setpgid(pid, pid); /* here too: whoever of the two comes first */
	close(report[1]);
	*ret_pid = pid;
	*ret_report_fd = report[0];
	return 0;
}
