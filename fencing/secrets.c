/* Credentials of a fence device: the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fencing/secrets.h"

static int line_parse(struct options *options, const char *path, unsigned int number, char *line,
		      struct failure *failure)
{
	size_t len = strlen(line);
	char *equals;
	int rc;

	if (len && line[len - 1] == '\r')
		line[--len] = '\0';
	while (*line == ' ' || *line == '\t')
		line++;
	if (!*line || *line == '#')
		return 0;
	equals = strchr(line, '=');
	if (!equals) {
		failure_set(failure, FAILURE_SECRETS, "%s line %u: expected KEY=VALUE", path,
			    number);
		return -EINVAL;
	}
	*equals = '\0';
	for (char *end = equals; end > line && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	if (option_names_equal(line, "action") || option_names_equal(line, "option")) {
		failure_set(failure, FAILURE_SECRETS,
			    "%s line %u: the action is not for a secrets file to say", path,
			    number);
		return -EINVAL;
	}
	rc = options_set(options, line, equals + 1, true);
	if (rc)
		failure_set(failure, FAILURE_SECRETS, "%s line %u: %s", path, number,
			    rc == -EINVAL ?
				    "expected a KEY of letters, digits, '_' and '-', and a VALUE "
				    "without control characters" :
			    rc == -E2BIG ? "too long, or too many options" :
					   "out of memory");
	return rc;
}

int secrets_parse(struct options *options, const char *path, char *text, size_t len,
		  struct failure *failure)
{
	unsigned int number = 0;
	char *end = text + len;
	int rc = 0;

	if (memchr(text, '\0', len)) {
		failure_set(failure, FAILURE_SECRETS, "%s: expected text, found a zero byte", path);
		rc = -EINVAL;
	}
	for (char *line = text, *next; !rc && line < end; line = next) {
		char *feed = memchr(line, '\n', (size_t)(end - line));

		if (feed)
			*feed = '\0';
		next = feed ? feed + 1 : end; /* text[len] is a zero byte */
		rc = line_parse(options, path, ++number, line, failure);
	}
	explicit_bzero(text, len);
	return rc;
}

static int file_check(int fd, const char *path, struct failure *failure)
{
	struct stat st;

	if (fstat(fd, &st)) {
		failure_set(failure, FAILURE_SECRETS, "%s: %s", path, strerror(errno));
		return -EIO;
	}
	if (!S_ISREG(st.st_mode)) {
		failure_set(failure, FAILURE_SECRETS, "%s: expected a regular file", path);
		return -EINVAL;
	}
	if (st.st_uid != geteuid()) {
		failure_set(failure, FAILURE_SECRETS,
			    "%s: belongs to user id %u, expected %u: chown it", path,
			    (unsigned int)st.st_uid, (unsigned int)geteuid());
		return -EPERM;
	}
	if (st.st_mode & 077) {
		failure_set(failure, FAILURE_SECRETS,
			    "%s: mode is %04o, expected 0600: others could read it; chmod 0600 it "
			    "and change the credentials", path, st.st_mode & 07777);
		return -EPERM;
	}
	return 0;
}

int secrets_load(struct options *options, const char *path, struct failure *failure)
{
	char *text = NULL;
	size_t len = 0;
	ssize_t n;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
				O_NOCTTY); /* never waits for a FIFO's writer */
	if (fd < 0) {
		rc = -errno;
		failure_set(failure, FAILURE_SECRETS, "%s: %s", path, strerror(-rc));
		return rc;
	}
	rc = file_check(fd, path, failure);
	if (rc)
		goto out;
	text = malloc(SECRETS_FILE_MAX + 1);
	if (!text) {
		failure_set(failure, FAILURE_SECRETS, "%s: out of memory", path);
		rc = -ENOMEM;
		goto out;
	}
	while (len <= SECRETS_FILE_MAX &&
	       (n = read(fd, text + len, SECRETS_FILE_MAX + 1 - len)) > 0)
		len += (size_t)n;
	if (len > SECRETS_FILE_MAX) {
		failure_set(failure, FAILURE_SECRETS, "%s: longer than %u bytes", path,
			    SECRETS_FILE_MAX);
		explicit_bzero(text, len);
		rc = -E2BIG;
		goto out;
	}
	text[len] = '\0';
	rc = secrets_parse(options, path, text, len, failure);
out:
	free(text);
	close(fd);
	return rc;
}
