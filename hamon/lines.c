/* A stream cut into lines, see lines.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hamon/lines.h"

void lines_free(struct lines *lines)
{
	free(lines->data);
	lines->data = NULL;
	lines->start = lines->scanned = lines->end = lines->size = 0;
}

/* Moves what is left to the front and makes room for one read. */
static int lines_reserve(struct lines *lines)
{
	size_t left = lines->end - lines->start, size = lines->size ? lines->size : LINES_READ_MAX;
	char *data;

	if (left && lines->start)
		memmove(lines->data, lines->data + lines->start, left);
	lines->scanned -= lines->start;
	lines->start = 0;
	lines->end = left;
	while (size < left + LINES_READ_MAX)
		size *= 2;
	if (size == lines->size)
		return 0;
	data = realloc(lines->data, size);
	if (!data)
		return -ENOMEM;
	lines->data = data;
	lines->size = size;
	return 0;
}

long lines_read(struct lines *lines, int fd)
{
	ssize_t got;
	int rc = lines_reserve(lines);

	if (rc)
		return rc;
	do
		got = read(fd, lines->data + lines->end, LINES_READ_MAX);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		got = -errno;
	else
		lines->end += (size_t)got;
	if (lines->start == lines->end)
		lines_free(lines);
	return got;
}

static void lines_take(struct lines *lines, size_t len, size_t skip, const char **ret_line,
		       size_t *ret_len)
{
	*ret_line = lines->data + lines->start;
	*ret_len = len;
	lines->start += len + skip;
	lines->scanned = lines->start;
}

bool lines_next(struct lines *lines, bool at_end, const char **ret_line, size_t *ret_len)
{
	while (lines->start < lines->end) {
		char *from = lines->data + lines->scanned;
		char *newline = memchr(from, '\n', lines->end - lines->scanned);
		size_t stop = newline ? (size_t)(newline - lines->data) : lines->end;
		size_t len = stop - lines->start;

		if (len > lines->max && lines->split && !lines->skipping) {
			lines_take(lines, lines->max, 0, ret_line, ret_len);
			return true;
		}
		if (len > lines->max && !lines->skipping) {
			lines->dropped++;
			lines->skipping = true;
		}
		if (!newline && !lines->skipping && !at_end) {
			lines->scanned = lines->end;
			return false;
		}
		lines_take(lines, len, newline ? 1 : 0, ret_line, ret_len);
		if (!lines->skipping)
			return true;
		if (newline)
			lines->skipping = false;
	}
	lines_free(lines);
	return false;
}
