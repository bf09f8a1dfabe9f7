/* The write-ahead log, looked at before SQLite does. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/store/wal.h"

#define WAL_MAGIC 0x377f0682u /* the lowest bit: checksums over big-endian words */
#define WAL_VERSION 3007000u
#define HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define PAGE_MAX 65536
#define SECTOR_BYTES 512 /* what a disk writes whole or not at all */

struct wal_sum {
	uint32_t a, b;
	bool big_endian;
};

static uint32_t big32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void sum_add(struct wal_sum *sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		sum->a += (sum->big_endian ? big32(data + i) : little32(data + i)) + sum->b;
		sum->b += (sum->big_endian ? big32(data + i + 4) : little32(data + i + 4)) + sum->a;
	}
}

static bool sum_is(const struct wal_sum *sum, const uint8_t *stored)
{
	return sum->a == big32(stored) && sum->b == big32(stored + 4);
}

/*
 * SQLite writes and syncs the header, one sector, before any frame under it: a bad one above frames is damage.
 * 0, -EBADMSG.
 */
static int header_check(const uint8_t *header, struct wal_sum *ret_sum, size_t *ret_page_size)
{
	struct wal_sum sum = { .big_endian = header[3] & 1 };
	uint32_t page_size = big32(header + 8);

	sum_add(&sum, header, 24);
	if ((big32(header) & ~1u) != WAL_MAGIC || big32(header + 4) != WAL_VERSION || !sum_is(&sum, header + 24))
		return -EBADMSG;
	if (page_size < 512 || page_size > PAGE_MAX || (page_size & (page_size - 1)))
		return -EBADMSG;
	*ret_sum = sum;
	*ret_page_size = page_size;
	return 0;
}

/*
 * Whether a frame says that it ends a commit of this log. Where its mark and its salts lie in two sectors a torn write
 * may have put a new salt beside an old mark: that says nothing.
 */
static bool frame_commits(const uint8_t *frame, size_t offset, bool ours)
{
	return ours && big32(frame + 4) && offset / SECTOR_BYTES == (offset + 8) / SECTOR_BYTES;
}

/* Reads the frames; *ret_commits counts this log's commit frames from the first frame on that is not whole. */
static void frames_read(FILE *wal, const uint8_t *header, struct wal_sum sum, size_t page_size, uint8_t *frame,
			size_t *ret_whole, size_t *ret_commits)
{
	size_t offset = HEADER_BYTES;
	bool broken = false;

	*ret_whole = *ret_commits = 0;
	for (; fread(frame, FRAME_HEADER_BYTES + page_size, 1, wal) == 1; offset += FRAME_HEADER_BYTES + page_size) {
		bool ours = !memcmp(frame + 8, header + 16, 8); /* the salts: else left over from an older log */

		if (!broken && ours) {
			sum_add(&sum, frame, 8);
			sum_add(&sum, frame + FRAME_HEADER_BYTES, page_size);
			broken = !sum_is(&sum, frame + 16);
		}
		broken = broken || !ours;
		if (!broken)
			(*ret_whole)++;
		else if (frame_commits(frame, offset, ours))
			(*ret_commits)++;
	}
}

int wal_check(FILE *wal, char *why, size_t why_size)
{
	uint8_t header[HEADER_BYTES], *frame = NULL;
	size_t page_size, whole, commits;
	struct wal_sum sum;
	int ret = 0;

	if (fread(header, sizeof(header), 1, wal) != 1) {
		if (ferror(wal))
			goto io;
		return 0; /* shorter than a header: nothing was ever written under it */
	}
	ret = header_check(header, &sum, &page_size);
	if (ret) {
		if (fgetc(wal) == EOF)
			return 0;
		snprintf(why, why_size, "the header of its write-ahead log is damaged");
		return ret;
	}
	frame = malloc(FRAME_HEADER_BYTES + page_size);
	if (!frame) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	frames_read(wal, header, sum, page_size, frame, &whole, &commits);
	free(frame);
	if (ferror(wal))
		goto io;
	if (commits < 2)
		return 0;
	snprintf(why, why_size, "frame %zu of its write-ahead log is damaged, in the middle of %zu commits",
		 whole + 1, commits);
	return -EBADMSG;
io:
	snprintf(why, why_size, "its write-ahead log cannot be read");
	return -EIO;
}
