/* One run of one agent. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hamon/alert/run.h"

/*
 * In the child of a process with threads: only what is safe in a signal handler. posix_spawn would do but for
 * PR_SET_PDEATHSIG: our group may be killed at any time, and the agents are not in it.
 */
static void child_exec(const char *path, char *const *environment, int input_fd, int output_fd, pid_t parent)
{
	static const char failed[] = "cannot be executed\n";
	char *const argv[] = { (char *)path, NULL };
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(input_fd, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0 || chdir("/"))
		_exit(127);
	close_range(3, ~0U, 0);
	execve(path, argv, environment);
	if (write(2, failed, sizeof(failed) - 1) < 0)
		_exit(126);
	_exit(127);
}

/* The input as a descriptor that is read from its beginning. */
static int input_open(const char *input, size_t len)
{
	int fd = memfd_create("record", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, input, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -EIO;
}

int alert_run_start(struct alert_run *run, const char *path, char *const *environment, const char *input,
		    size_t input_len, uint64_t deadline_ms)
{
	int input_fd = input_open(input, input_len), pipe_fds[2] = { -1, -1 }, rc = 0;
	pid_t parent = getpid();

	*run = (struct alert_run){ .pid = -1, .pid_fd = -1, .output_fd = -1, .deadline_ms = deadline_ms };
	if (input_fd < 0)
		return input_fd;
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) || fcntl(pipe_fds[1], F_SETFL, 0)) {
		rc = -errno; /* only our end does not wait: an agent expects a plain pipe */
		goto out;
	}
	run->pid = fork();
	if (!run->pid)
		child_exec(path, environment, input_fd, pipe_fds[1], parent);
	if (run->pid < 0) {
		rc = -errno;
		goto out;
	}
	setpgid(run->pid, run->pid); /* whoever of the two comes first */
	run->pid_fd = pidfd_open(run->pid, 0);
	if (run->pid_fd < 0) {
		rc = -errno;
		kill(run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0); /* it has not had the time to fall asleep in anything */
		goto out;
	}
	run->output_fd = pipe_fds[0];
	pipe_fds[0] = -1;
out:
	close(input_fd);
	if (pipe_fds[0] >= 0)
		close(pipe_fds[0]);
	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	return rc;
}

void alert_run_read(struct alert_run *run)
{
	char data[4096];
	ssize_t n;

	/* Bounded a call: an agent that never stops printing must not keep the others waiting. */
	for (int i = 0; i < 16 && run->output_fd >= 0; i++) {
		n = read(run->output_fd, data, sizeof(data));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close(run->output_fd);
			run->output_fd = -1;
			return;
		}
		if (run->output_len < ALERT_OUTPUT_MAX) {
			size_t room = ALERT_OUTPUT_MAX - run->output_len;

			memcpy(run->output + run->output_len, data, (size_t)n < room ? (size_t)n : room);
		}
		run->output_len += (size_t)n;
	}
}

void alert_run_kill(struct alert_run *run)
{
	kill(-run->pid, SIGKILL);
	kill(run->pid, SIGKILL); /* it may have made a group of its own */
	run->killed = true;
}

bool alert_run_ended(struct alert_run *run, int *ret_status)
{
	if (waitpid(run->pid, ret_status, WNOHANG) != run->pid)
		return false;
	alert_run_read(run);
	run->output[run->output_len < ALERT_OUTPUT_MAX ? run->output_len : ALERT_OUTPUT_MAX] = '\0';
	alert_run_forget(run);
	return true;
}

void alert_run_forget(struct alert_run *run)
{
	if (run->output_fd >= 0)
		close(run->output_fd);
	if (run->pid_fd >= 0)
		close(run->pid_fd);
	run->output_fd = run->pid_fd = -1;
}
