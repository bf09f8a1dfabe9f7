/* Files for the next helper: only what is this user's own, and hidden from others, is believed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evacuate/nova/kept.h"
#include "hamon/common/json.h"

#define PATH_SIZE 512
#define BYTES_MAX (64 * 1024)

static ssize_t file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t len = -1;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077) &&
	    st.st_size > 0 && (size_t)st.st_size <= size)
		len = read(fd, text, size);
	close(fd);
	return len;
}

struct json_object *kept_read(const char *dir, const char *name)
{
	struct json_object *obj = NULL;
	char path[PATH_SIZE], *text;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text = malloc(BYTES_MAX);
	if (!text)
		return NULL;
	len = file_read(path, text, BYTES_MAX);
	if (len <= 0 || json_parse(text, (size_t)len, &obj))
		obj = NULL;
	explicit_bzero(text, BYTES_MAX);
	free(text);
	if (obj && !json_object_is_type(obj, json_type_object)) {
		json_object_put(obj);
		obj = NULL;
	}
	return obj;
}

void kept_write(const char *dir, const char *name, struct json_object *obj)
{
	char path[PATH_SIZE], fresh[PATH_SIZE + 8];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path);
	fd = mkostemp(fresh, O_CLOEXEC); /* 0600; readers see the old one or the new one */
	if (fd < 0)
		return;
	rc = json_write_line(fd, obj);
	close(fd);
	if (rc || rename(fresh, path))
		unlink(fresh);
}

void kept_remove(const char *dir, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}
