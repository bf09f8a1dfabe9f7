/* hamon/store/wal.c: what is a torn end, and what is damage. The log is built here by the format's description. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "hamon/store/wal.h"
#include "tests/unit/test.h"

#define PAGE 512
#define FRAME (24 + PAGE)

static uint8_t wal_log[64 * FRAME];
static size_t log_len;
static uint32_t sum_a, sum_b;

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void sum(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint32_t w[2];

		memcpy(w, p + i, 8); /* the host's order, as a log says that it is little-endian */
		sum_a += w[0] + sum_b;
		sum_b += w[1] + sum_a;
	}
}

static void log_begin(uint32_t salt)
{
	memset(wal_log, 0, sizeof(wal_log));
	put32(wal_log, 0x377f0682);
	put32(wal_log + 4, 3007000);
	put32(wal_log + 8, PAGE);
	put32(wal_log + 16, salt);
	put32(wal_log + 20, ~salt);
	sum_a = sum_b = 0;
	sum(wal_log, 24);
	put32(wal_log + 24, sum_a);
	put32(wal_log + 28, sum_b);
	log_len = 32;
}

static void log_frame(bool commit)
{
	uint8_t *frame = wal_log + log_len;

	put32(frame, (uint32_t)(log_len / FRAME + 1));
	put32(frame + 4, commit ? 9 : 0);
	memcpy(frame + 8, wal_log + 16, 8);
	memset(frame + 24, (int)(log_len / FRAME), PAGE);
	sum(frame, 8);
	sum(frame + 24, PAGE);
	put32(frame + 16, sum_a);
	put32(frame + 20, sum_b);
	log_len += FRAME;
}

static uint8_t *frame_at(size_t i)
{
	return wal_log + 32 + i * FRAME;
}

static int check(void)
{
	FILE *f = fmemopen(wal_log, log_len ? log_len : 1, "rb");
	char why[256] = "";
	int rc;

	CHECK(f);
	rc = wal_check(f, why, sizeof(why));
	fclose(f);
	CHECK(!rc == !*why);
	return rc;
}

/* Three commits: 0 1c, 2 3c, 4 5c. */
static void three_commits(void)
{
	log_begin(77);
	for (int i = 0; i < 6; i++)
		log_frame(i & 1);
}

static void whole_logs_pass(void)
{
	three_commits();
	CHECK_INT(check(), 0);
	log_len = 32;
	CHECK_INT(check(), 0);
	log_len = 20;
	CHECK_INT(check(), 0);
}

static void a_torn_end_passes(void)
{
	three_commits();
	frame_at(4)[100] ^= 1;
	CHECK_INT(check(), 0);
	three_commits();
	frame_at(5)[100] ^= 1;
	CHECK_INT(check(), 0);
	three_commits();
	log_len -= 10;
	CHECK_INT(check(), 0);
}

static void damage_before_it_is_seen(void)
{
	for (size_t i = 0; i < 4; i++) {
		three_commits();
		frame_at(i)[100] ^= 1;
		CHECK_INT(check(), -EBADMSG);
	}
	three_commits();
	wal_log[17] ^= 1;
	CHECK_INT(check(), -EBADMSG);
	log_len = 32;
	CHECK_INT(check(), 0);
}

static void an_older_log_behind_it_passes(void)
{
	uint8_t older[sizeof(wal_log)];

	three_commits();
	memcpy(older, wal_log, sizeof(older));
	log_begin(78);
	log_frame(true);
	memcpy(wal_log + log_len, older + log_len, 5 * FRAME);
	log_len += 5 * FRAME;
	CHECK_INT(check(), 0);
}

/*
 * A frame's mark and salts in two sectors: torn, an old commit's mark stays beside a new salt. Here frames are 536
 * bytes, so that frame 41 begins at 504 of its sector.
 */
static void an_old_mark_beside_a_new_salt_passes(void)
{
	size_t split = 41;

	CHECK_INT((32 + split * FRAME) % 512, 504);
	log_begin(79);
	for (size_t i = 0; i < 62; i++)
		log_frame(i == 61 || i < 30);
	CHECK_INT(check(), 0);
	put32(frame_at(split) + 4, 9); /* left over; the last commit's frames 30 to 61 were torn */
	CHECK_INT(check(), 0);
	put32(frame_at(split - 1) + 4, 9);
	CHECK_INT(check(), -EBADMSG);
}

int main(void)
{
	RUN(whole_logs_pass);
	RUN(a_torn_end_passes);
	RUN(damage_before_it_is_seen);
	RUN(an_older_log_behind_it_passes);
	RUN(an_old_mark_beside_a_new_salt_passes);
	return 0;
}
