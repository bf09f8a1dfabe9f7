/* The process that asks file systems. Messages both ways: a length of 4 bytes, then the text. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evacuate/bounded.h"
#include "evacuate/chain.h"
#include "evacuate/disks.h"
#include "evacuate/resolver.h"
#include "hamon/common/domxml.h"

struct question {
	char *xml;
	size_t len;
};

static int all_write(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int all_read(int fd, void *data, size_t len)
{
	char *at = data;

	while (len) {
		ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int message_write(int fd, const char *text, size_t len)
{
	uint32_t size = (uint32_t)len;
	int rc = all_write(fd, &size, sizeof(size));

	return rc ? rc : all_write(fd, text, len);
}

static int message_read(int fd, char **ret_text, size_t *ret_len)
{
	uint32_t size;
	char *text;
	int rc = all_read(fd, &size, sizeof(size));

	if (rc)
		return rc;
	if (size > RESOLVER_BYTES_MAX)
		return -EBADMSG;
	text = malloc((size_t)size + 1);
	if (!text)
		return -ENOMEM;
	rc = all_read(fd, text, size);
	if (rc) {
		free(text);
		return rc;
	}
	text[size] = '\0';
	*ret_text = text;
	*ret_len = size;
	return 0;
}

static int question_work(void *arg, int fd)
{
	const struct question *question = arg;
	struct domxml *dom;
	int rc = domxml_parse(question->xml, question->len, &dom, NULL, 0);

	if (!rc)
		rc = disks_resolve(dom, fd);
	return rc ? rc : chains_resolve(dom, fd);
}

/* How many of those given up are still there. */
static unsigned int children_left(unsigned int stuck)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0 && stuck)
		stuck--;
	return pid < 0 ? 0 : stuck;
}

static void __attribute__((noreturn)) resolver_main(int fd)
{
	unsigned int stuck = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct question question;
		char *lines = NULL;
		size_t len = 0;
		int rc;

		if (message_read(fd, &question.xml, &question.len))
			_exit(0);
		stuck = children_left(stuck);
		if (stuck < RESOLVER_STUCK_MAX) {
			rc = bounded_run(question_work, &question, RESOLVER_TIMEOUT_MS,
					 RESOLVER_BYTES_MAX, &lines, &len);
			stuck += rc == -ETIMEDOUT || rc == -E2BIG;
		}
		if (message_write(fd, lines ? lines : "", len))
			_exit(0);
		free(lines);
		free(question.xml);
	}
}

int resolver_start(int *ret_fd)
{
	int fds[2], null;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int rc = -errno;

		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	if (pid == 0) {
		/* Neither the request's nor the reports' pipes: whoever reads them must see the watch end. */
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int i = 0; i <= 2 && null >= 0; i++)
			dup2(null, i);
		close(fds[0]);
		resolver_main(fds[1]);
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return 0;
}

int resolver_ask(int fd, const char *xml, size_t len)
{
	return len > RESOLVER_BYTES_MAX ? -E2BIG : message_write(fd, xml, len);
}

int resolver_answer(int fd, char **ret_lines, size_t *ret_len)
{
	return message_read(fd, ret_lines, ret_len);
}
