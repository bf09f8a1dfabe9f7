/* Reads libvirt's status files. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evacuate/libvirt/status.h"

/* The value of attribute `key` of the element that starts at `element`, or NULL. */
static const char *attribute_find(const char *element, const char *end, const char *key,
				  size_t *ret_len)
{
	size_t key_len = strlen(key);
	const char *close = memchr(element, '>', (size_t)(end - element));

	for (const char *at = element; close && at + key_len + 3 < close; at++) {
		const char *value_end;

		if (at[0] != ' ' || memcmp(at + 1, key, key_len) || memcmp(at + 1 + key_len, "='", 2))
			continue;
		at += key_len + 3;
		value_end = memchr(at, '\'', (size_t)(close - at));
		if (!value_end)
			return NULL;
		*ret_len = (size_t)(value_end - at);
		return at;
	}
	return NULL;
}

static const char *job_word(const char *value, size_t len)
{
	static const struct {
		const char *libvirts, *ours;
	} known[] = {
		{ "none", "none" }, { "migration out", "migration-out" }, { "migration in", "migration-in" },
		{ "save", "save" }, { "dump", "dump" }, { "snapshot", "snapshot" }, { "start", "start" },
		{ "backup", "backup" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (len == strlen(known[i].libvirts) && !memcmp(value, known[i].libvirts, len))
			return known[i].ours;
	}
	return "unknown";
}

void status_parse(const char *text, size_t len, struct domain_status *ret)
{
	struct domain_status status = { .known = true, .job = "none" };
	const char *end = memmem(text, len, "<domain ", 8), *at, *value;
	size_t value_len;

	memset(ret, 0, sizeof(*ret));
	ret->job = "none";
	/* A file that is just being written has no domain yet. */
	if (!end || !memmem(text, len, "<domstatus ", 11))
		return;
	at = memmem(text, (size_t)(end - text), "<blockjob ", 10);
	status.block_job = at != NULL;
	at = memmem(text, (size_t)(end - text), "<job ", 5);
	value = at ? attribute_find(at, end, "async", &value_len) : NULL;
	if (value)
		status.job = job_word(value, value_len);
	*ret = status;
}

void status_read(const char *run_dir, const char *name, struct domain_status *ret)
{
	char path[PATH_MAX], *text = NULL;
	struct stat st;
	ssize_t n = 0;
	int fd;

	memset(ret, 0, sizeof(*ret));
	ret->job = "none";
	if ((size_t)snprintf(path, sizeof(path), "%s/%s.xml", run_dir, name) >= sizeof(path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= (off_t)STATUS_BYTES_MAX)
		text = malloc((size_t)st.st_size);
	if (text)
		n = read(fd, text, (size_t)st.st_size);
	if (n > 0)
		status_parse(text, (size_t)n, ret);
	free(text);
	close(fd);
}
