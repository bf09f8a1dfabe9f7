/* A stream cut into lines, with a bound on each: the output of a child process, which may be
 * anything. */
#ifndef HAMON_LINES_H
#define HAMON_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINES_READ_MAX (64 * 1024) /* bytes taken at a time */

/* Set max and split; all else starts as zero. Memory is held only while a line is incomplete. */
struct lines {
	size_t max;    /* bytes of a line, without its newline */
	bool split;    /* a longer line comes in pieces of max bytes; otherwise it is dropped and
			  counted */
	bool skipping; /* inside a line that is dropped */
	char *data;
	size_t start, scanned, end, size; /* offsets in data */
	uint64_t dropped;
};

/* Reads once. Bytes read, 0 at the end of the stream, -EAGAIN when there is nothing now, -ENOMEM or
 * another errno. */
long lines_read(struct lines *lines, int fd);

/*
 * The next line; borrowed until the next lines_read. At the end of the stream what is left without
 * a newline is a line too. False when there is none (yet).
 */
bool lines_next(struct lines *lines, bool at_end, const char **ret_line, size_t *ret_len);

void lines_free(struct lines *lines);

#endif
