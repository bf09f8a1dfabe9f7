/* Fragments and their reassembly. */
#include <errno.h>

#include "hamon/cluster/frame.h"
#include "tests/unit/test.h"

static uint8_t frag[FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX + 1];
static const void *msg;
static size_t msg_len;

static size_t fragment_make(uint32_t msg_id, uint16_t number, uint16_t frags, size_t payload,
			    uint8_t fill)
{
	struct frame_header header = {.msg_id = msg_id, .frag = number, .frags = frags};

	frame_pack(frag, &header);
	memset(frag + FRAME_HEADER_SIZE, fill, payload);
	return FRAME_HEADER_SIZE + payload;
}

static int feed(struct frame_assembler *assembler, uint32_t nodeid, uint32_t pid, size_t len)
{
	/* A copy of exactly that size, so that a sanitizer sees each read beyond it. */
	uint8_t *copy = malloc(len ? len : 1);
	static uint8_t *last;
	int rc;

	CHECK(copy);
	memcpy(copy, frag, len);
	free(last);
	last = copy;
	rc = frame_assembler_feed(assembler, nodeid, pid, copy, len, &msg, &msg_len);
	if (rc < 1) {
		free(copy);
		last = NULL;
	}
	return rc;
}

static void layout(void)
{
	static const uint8_t expected[FRAME_HEADER_SIZE] = {
	    'H', 'M', 'N', '1', 1, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0x02, 0x00, 0x00, 0x01,
	};
	struct frame_header header = {.msg_id = 0x12345678, .frag = 2, .frags = 256}, back = {0};

	frame_pack(frag, &header);
	CHECK(!memcmp(frag, expected, sizeof(expected)));
	CHECK_INT(frame_unpack(frag, FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX, &back), 0);
	CHECK(back.msg_id == 0x12345678 && back.frag == 2 && back.frags == 256);
}

static void counts(void)
{
	CHECK_INT(frame_count(0), 0);
	CHECK_INT(frame_count(1), 1);
	CHECK_INT(frame_count(FRAME_PAYLOAD_MAX), 1);
	CHECK_INT(frame_count(FRAME_PAYLOAD_MAX + 1), 2);
	CHECK_INT(frame_count(FRAME_MESSAGE_MAX), FRAME_FRAGMENTS_MAX);
	CHECK_INT(frame_count(FRAME_MESSAGE_MAX + 1), 0);
}

static void malformed(void)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t byte;
		int rc;
	} cases[] = {
	    {"magic", 0, 'h', -EBADMSG},	 {"magic", 3, '2', -EBADMSG},
	    {"version", 4, 2, -EPROTONOSUPPORT}, {"version", 4, 0, -EPROTONOSUPPORT},
	    {"flags", 5, 1, -EBADMSG},		 {"reserved", 6, 1, -EBADMSG},
	    {"reserved", 7, 1, -EBADMSG},	 {"fragment not below fragments", 12, 3, -EBADMSG},
	    {"no fragments", 14, 0, -EBADMSG},	 {"too many fragments", 15, 2, -EBADMSG},
	};
	struct frame_header header;
	size_t len;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		len = fragment_make(1, 0, 3, FRAME_PAYLOAD_MAX, 'a');
		CHECK_INT(frame_unpack(frag, len, &header), 0);
		frag[cases[i].at] = cases[i].byte;
		CHECK_INT(frame_unpack(frag, len, &header), cases[i].rc);
	}
	for (len = 0; len <= FRAME_HEADER_SIZE; len++) {
		fragment_make(1, 0, 1, 1, 'a');
		CHECK_INT(frame_unpack(frag, len, &header), -EBADMSG);
	}
	/* Only the last fragment may be short, and none may be long. */
	CHECK_INT(frame_unpack(frag, fragment_make(1, 0, 2, FRAME_PAYLOAD_MAX - 1, 'a'), &header),
		  -EBADMSG);
	CHECK_INT(frame_unpack(frag, fragment_make(1, 1, 2, FRAME_PAYLOAD_MAX - 1, 'a'), &header),
		  0);
	CHECK_INT(frame_unpack(frag, fragment_make(1, 1, 2, FRAME_PAYLOAD_MAX + 1, 'a'), &header),
		  -EBADMSG);
}

static void single(void)
{
	struct frame_assembler *assembler = frame_assembler_new();

	CHECK_INT(feed(assembler, 1, 10, fragment_make(7, 0, 1, 5, 'x')), 1);
	CHECK_INT(msg_len, 5);
	CHECK(!memcmp(msg, "xxxxx", 5));
	CHECK_INT(frame_assembler_bytes(assembler), 0);
	frame_assembler_free(assembler);
}

/* Three senders, two of them on one node, each with a message of its own in the middle of the
 * others'. */
static void interleaved(void)
{
	static const struct {
		uint32_t nodeid, pid;
	} from[3] = {{1, 10}, {1, 11}, {2, 10}};
	struct frame_assembler *assembler = frame_assembler_new();

	for (int part = 0; part < 3; part++)
		for (int i = 0; i < 3; i++) {
			size_t payload = part == 2 ? (size_t)(100 + i) : FRAME_PAYLOAD_MAX;

			CHECK_INT(feed(assembler, from[i].nodeid, from[i].pid,
				       fragment_make(5, (uint16_t)part, 3, payload,
						     (uint8_t)(16 * i + part))),
				  part == 2);
			if (part < 2)
				continue;
			CHECK_INT(msg_len, 2 * FRAME_PAYLOAD_MAX + 100 + i);
			CHECK_INT(*(const uint8_t *)msg, 16 * i);
			CHECK_INT(*((const uint8_t *)msg + FRAME_PAYLOAD_MAX), 16 * i + 1);
			CHECK_INT(*((const uint8_t *)msg + msg_len - 1), 16 * i + 2);
		}
	CHECK_INT(frame_assembler_bytes(assembler), 0);
	frame_assembler_free(assembler);
}

static void largest(void)
{
	struct frame_assembler *assembler = frame_assembler_new();

	for (uint16_t part = 0; part < FRAME_FRAGMENTS_MAX; part++)
		CHECK_INT(feed(assembler, 3, 4,
			       fragment_make(1, part, FRAME_FRAGMENTS_MAX, FRAME_PAYLOAD_MAX,
					     (uint8_t)part)),
			  part + 1 == FRAME_FRAGMENTS_MAX);
	CHECK_INT(msg_len, FRAME_MESSAGE_MAX);
	for (size_t part = 0; part < FRAME_FRAGMENTS_MAX; part++)
		CHECK_INT(((const uint8_t *)msg)[part * FRAME_PAYLOAD_MAX + 77], (uint8_t)part);
	frame_assembler_free(assembler);
}

/* Room grows with what comes, but not beyond what the message can be. */
static void room(void)
{
	struct frame_assembler *assembler = frame_assembler_new();
	size_t len = 0;

	for (uint16_t part = 0; part < 199; part++) {
		CHECK_INT(
		    feed(assembler, 3, 4, fragment_make(1, part, 200, FRAME_PAYLOAD_MAX, 'a')), 0);
		len += FRAME_PAYLOAD_MAX;
		CHECK(frame_assembler_bytes(assembler) >= len &&
		      frame_assembler_bytes(assembler) <= 2 * len);
		CHECK(frame_assembler_bytes(assembler) <= 200 * FRAME_PAYLOAD_MAX);
	}
	frame_assembler_free(assembler);
}

/* A process that joins while a message is under way sees its second half: no error, and no message.
 */
static void joined_in_the_middle(void)
{
	struct frame_assembler *assembler = frame_assembler_new();

	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 1, 3, FRAME_PAYLOAD_MAX, 'a')), 0);
	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 2, 3, 9, 'a')), 0);
	CHECK_INT(frame_assembler_bytes(assembler), 0);
	CHECK_INT(feed(assembler, 1, 10, fragment_make(6, 0, 1, 9, 'a')), 1);
	frame_assembler_free(assembler);
}

static void out_of_order(void)
{
	static const struct {
		uint32_t msg_id;
		uint16_t frag, frags;
	} wrong[] = {{5, 2, 4}, {6, 1, 4}, {5, 1, 5}, {5, 3, 4}};
	struct frame_assembler *assembler = frame_assembler_new();

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 0, 4, FRAME_PAYLOAD_MAX, 'a')),
			  0);
		CHECK_INT(feed(assembler, 1, 10,
			       fragment_make(wrong[i].msg_id, wrong[i].frag, wrong[i].frags,
					     FRAME_PAYLOAD_MAX, 'b')),
			  -EBADMSG);
		CHECK_INT(frame_assembler_bytes(assembler), 0);
		/* What is left of it completes nothing. */
		CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 1, 4, FRAME_PAYLOAD_MAX, 'a')),
			  0);
	}
	/* A repetition is out of order as well. */
	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 0, 2, FRAME_PAYLOAD_MAX, 'a')), 0);
	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 0, 2, FRAME_PAYLOAD_MAX, 'c')), 0);
	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 1, 2, 1, 'c')), 1);
	CHECK_INT(msg_len, FRAME_PAYLOAD_MAX + 1);
	CHECK_INT(*(const uint8_t *)msg, 'c');
	/* Garbage drops the sender's open message, and only that sender's. */
	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 0, 2, FRAME_PAYLOAD_MAX, 'a')), 0);
	CHECK_INT(feed(assembler, 2, 10, fragment_make(5, 0, 2, FRAME_PAYLOAD_MAX, 'b')), 0);
	CHECK_INT(feed(assembler, 1, 10, 3), -EBADMSG);
	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 1, 2, 1, 'a')), 0);
	CHECK_INT(feed(assembler, 2, 10, fragment_make(5, 1, 2, 1, 'b')), 1);
	frame_assembler_free(assembler);
}

static void sender_gone(void)
{
	struct frame_assembler *assembler = frame_assembler_new();

	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 0, 2, FRAME_PAYLOAD_MAX, 'a')), 0);
	CHECK_INT(feed(assembler, 1, 11, fragment_make(5, 0, 2, FRAME_PAYLOAD_MAX, 'a')), 0);
	frame_assembler_forget(assembler, 1, 10);
	frame_assembler_forget(assembler, 9, 9);
	CHECK_INT(feed(assembler, 1, 10, fragment_make(5, 1, 2, 1, 'a')), 0);
	CHECK_INT(feed(assembler, 1, 11, fragment_make(5, 1, 2, 1, 'a')), 1);
	CHECK_INT(feed(assembler, 1, 11, fragment_make(5, 0, 2, FRAME_PAYLOAD_MAX, 'a')), 0);
	frame_assembler_reset(assembler);
	CHECK_INT(feed(assembler, 1, 11, fragment_make(5, 1, 2, 1, 'a')), 0);
	CHECK_INT(frame_assembler_bytes(assembler), 0);
	frame_assembler_free(assembler);
	frame_assembler_free(NULL);
}

/* Many senders that never finish cost a bounded amount, and do not shut out who can still be
 * served. */
static void hoarders(void)
{
	struct frame_assembler *assembler = frame_assembler_new();
	int rc = 0;

	/* A header that claims 8 MiB costs what came with it. */
	CHECK_INT(
	    feed(assembler, 1, 1, fragment_make(1, 0, FRAME_FRAGMENTS_MAX, FRAME_PAYLOAD_MAX, 'a')),
	    0);
	CHECK_INT(frame_assembler_bytes(assembler), FRAME_PAYLOAD_MAX);
	for (uint32_t sender = 2; sender < 20 && !rc; sender++)
		for (uint16_t part = 0; part < FRAME_FRAGMENTS_MAX - 1 && !rc; part++)
			rc = feed(
			    assembler, 1, sender,
			    fragment_make(1, part, FRAME_FRAGMENTS_MAX, FRAME_PAYLOAD_MAX, 'a'));
	CHECK_INT(rc, -ENOBUFS);
	CHECK(frame_assembler_bytes(assembler) <= FRAME_OPEN_MAX);
	CHECK_INT(feed(assembler, 99, 1, fragment_make(1, 0, 1, 100, 'a')), 1);
	frame_assembler_free(assembler);
}

int main(void)
{
	RUN(layout);
	RUN(counts);
	RUN(malformed);
	RUN(single);
	RUN(interleaved);
	RUN(largest);
	RUN(room);
	RUN(joined_in_the_middle);
	RUN(out_of_order);
	RUN(sender_gone);
	RUN(hoarders);
	return 0;
}
