/* A child with a deadline. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evacuate/bounded.h"
#include "hamon/common/clock.h"

static void __attribute__((noreturn)) child_main(int (*work)(void *arg, int fd), void *arg, int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i <= 2 && null >= 0; i++)
		dup2(null, i);
	rc = work(arg, fd);
	/* An exit status has 8 bits: errno values that matter here are all below 255. */
	_exit(rc < 0 ? (rc > -255 ? -rc : 255) : 0);
}

/* Reads until the end or the deadline into *text, which has room for max_bytes and a NUL. */
static int text_collect(int fd, uint64_t end_ms, size_t max_bytes, char *text, size_t *ret_len)
{
	size_t len = 0;

	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		uint64_t now_ms = clock_boot_ms();
		ssize_t n;
		int rc;

		rc = poll(&poll_fd, 1, now_ms < end_ms ? (int)(end_ms - now_ms) : 0);
		if (rc < 0 && errno != EINTR)
			rc = -errno;
		else if (rc == 0)
			rc = -ETIMEDOUT;
		else
			rc = 0;
		if (!rc && poll_fd.revents) {
			n = read(fd, text + len, max_bytes + 1 - len);
			if (n > 0)
				len += (size_t)n;
			else if (n == 0)
				rc = 1;
			else if (errno != EINTR)
				rc = -errno;
			if (len > max_bytes) {
				len = max_bytes;
				rc = -E2BIG;
			}
		}
		if (rc) {
			text[len] = '\0';
			*ret_len = len;
			return rc < 0 ? rc : 0;
		}
	}
}

/* How the child ended; it has closed its pipe, so it ends now, unless the kernel keeps it. */
static int child_reap(pid_t pid, uint64_t end_ms)
{
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (clock_boot_ms() >= end_ms)
			return -ETIMEDOUT;
		poll(NULL, 0, 1);
	}
}

int bounded_run(int (*work)(void *arg, int fd), void *arg, uint64_t timeout_ms, size_t max_bytes,
		char **ret_text, size_t *ret_len)
{
	uint64_t end_ms = clock_boot_ms() + timeout_ms;
	int fds[2], rc;
	char *text;
	pid_t pid;

	*ret_text = NULL;
	*ret_len = 0;
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	text = malloc(max_bytes + 1);
	pid = text ? fork() : -1;
	if (pid < 0) {
		rc = text ? -errno : -ENOMEM;
		close(fds[0]);
		close(fds[1]);
		free(text);
		return rc;
	}
	if (pid == 0) {
		close(fds[0]);
		child_main(work, arg, fds[1]);
	}
	close(fds[1]);
	rc = text_collect(fds[0], end_ms, max_bytes, text, ret_len);
	close(fds[0]);
	if (!rc)
		rc = child_reap(pid, end_ms);
	if (rc == -ETIMEDOUT || rc == -E2BIG) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG);
	}
	*ret_text = text;
	return rc;
}
