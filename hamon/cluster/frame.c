/* Fragments and their reassembly, see frame.h. */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/cluster/frame.h"

/* A message that is being put together. */
struct message {
	struct message *next;
	uint32_t nodeid, pid, msg_id;
	uint16_t frags, have;
	size_t len, size;
	uint8_t *data;
};

struct frame_assembler {
	struct message *open;
	uint8_t *told; /* the message handed out last, freed by the next call */
	size_t bytes;
};

static const uint8_t frame_magic[4] = {'H', 'M', 'N', '1'};

unsigned int frame_count(size_t len)
{
	if (!len || len > FRAME_MESSAGE_MAX)
		return 0;
	return (unsigned int)((len + FRAME_PAYLOAD_MAX - 1) / FRAME_PAYLOAD_MAX);
}

void frame_pack(uint8_t buf[FRAME_HEADER_SIZE], const struct frame_header *header)
{
	uint32_t msg_id = htole32(header->msg_id);
	uint16_t frag = htole16(header->frag), frags = htole16(header->frags);

	memset(buf, 0, FRAME_HEADER_SIZE);
	memcpy(buf, frame_magic, sizeof(frame_magic));
	buf[4] = FRAME_VERSION;
	memcpy(buf + 8, &msg_id, sizeof(msg_id));
	memcpy(buf + 12, &frag, sizeof(frag));
	memcpy(buf + 14, &frags, sizeof(frags));
}

int frame_unpack(const void *data, size_t len, struct frame_header *ret_header)
{
	const uint8_t *bytes = data;
	struct frame_header header;
	size_t payload;

	if (len < FRAME_HEADER_SIZE || memcmp(bytes, frame_magic, sizeof(frame_magic)))
		return -EBADMSG;
	if (bytes[4] != FRAME_VERSION)
		return -EPROTONOSUPPORT;
	if (bytes[5] || bytes[6] || bytes[7])
		return -EBADMSG;
	memcpy(&header.msg_id, bytes + 8, sizeof(header.msg_id));
	memcpy(&header.frag, bytes + 12, sizeof(header.frag));
	memcpy(&header.frags, bytes + 14, sizeof(header.frags));
	header.msg_id = le32toh(header.msg_id);
	header.frag = le16toh(header.frag);
	header.frags = le16toh(header.frags);
	if (header.frags < 1 || header.frags > FRAME_FRAGMENTS_MAX || header.frag >= header.frags)
		return -EBADMSG;
	payload = len - FRAME_HEADER_SIZE;
	if (payload < 1 || payload > FRAME_PAYLOAD_MAX)
		return -EBADMSG;
	if (header.frag + 1 < header.frags && payload != FRAME_PAYLOAD_MAX)
		return -EBADMSG;
	*ret_header = header;
	return 0;
}

struct frame_assembler *frame_assembler_new(void)
{
	return calloc(1, sizeof(struct frame_assembler));
}

void frame_assembler_free(struct frame_assembler *assembler)
{
	if (!assembler)
		return;
	frame_assembler_reset(assembler);
	free(assembler);
}

static struct message **message_find(struct frame_assembler *assembler, uint32_t nodeid,
				     uint32_t pid)
{
	struct message **link = &assembler->open;

	while (*link && ((*link)->nodeid != nodeid || (*link)->pid != pid))
		link = &(*link)->next;
	return link;
}

/* Takes a message out of the list; its data goes to the caller. */
static uint8_t *message_close(struct frame_assembler *assembler, struct message **link)
{
	struct message *message = *link;
	uint8_t *data = message->data;

	*link = message->next;
	assembler->bytes -= message->size;
	free(message);
	return data;
}

static int message_open(struct frame_assembler *assembler, uint32_t nodeid, uint32_t pid,
			const struct frame_header *header)
{
	struct message *message = calloc(1, sizeof(*message));

	if (!message)
		return -ENOMEM;
	message->nodeid = nodeid;
	message->pid = pid;
	message->msg_id = header->msg_id;
	message->frags = header->frags;
	message->next = assembler->open;
	assembler->open = message;
	return 0;
}

/*
 * Room for one more fragment. It grows with what really came, by doubling: a header alone, which
 * may claim 8 MiB, costs nothing.
 */
static int message_reserve(struct frame_assembler *assembler, struct message *message, size_t more)
{
	size_t limit = (size_t)message->frags * FRAME_PAYLOAD_MAX, size = message->size * 2;
	uint8_t *data;

	if (message->len + more <= message->size)
		return 0;
	if (size < message->len + more)
		size = message->len + more;
	if (size > limit)
		size = limit;
	if (assembler->bytes - message->size + size > FRAME_OPEN_MAX)
		return -ENOBUFS;
	data = realloc(message->data, size);
	if (!data)
		return -ENOMEM;
	assembler->bytes += size - message->size;
	message->data = data;
	message->size = size;
	return 0;
}

static int message_add(struct frame_assembler *assembler, struct message **link,
		       const uint8_t *payload, size_t len)
{
	struct message *message = *link;
	int rc = message_reserve(assembler, message, len);

	if (rc) {
		free(message_close(assembler, link));
		return rc;
	}
	memcpy(message->data + message->len, payload, len);
	message->len += len;
	message->have++;
	return 0;
}

int frame_assembler_feed(struct frame_assembler *assembler, uint32_t nodeid, uint32_t pid,
			 const void *data, size_t len, const void **ret_msg, size_t *ret_len)
{
	struct message **link = message_find(assembler, nodeid, pid);
	const uint8_t *payload = (const uint8_t *)data + FRAME_HEADER_SIZE;
	struct frame_header header;
	bool broken = false;
	int rc;

	free(assembler->told);
	assembler->told = NULL;
	rc = frame_unpack(data, len, &header);
	if (rc) {
		if (*link)
			free(message_close(assembler, link));
		return rc;
	}
	if (*link && (header.frag != (*link)->have || header.msg_id != (*link)->msg_id ||
		      header.frags != (*link)->frags)) {
		free(message_close(assembler, link));
		broken = true;
	}
	if (header.frag) {
		if (broken)
			return -EBADMSG;
		if (!*link)
			return 0;
	} else if (header.frags == 1) {
		/* The common case needs no copy. */
		*ret_msg = payload;
		*ret_len = len - FRAME_HEADER_SIZE;
		return 1;
	} else {
		rc = message_open(assembler, nodeid, pid, &header);
		if (rc)
			return rc;
		link = &assembler->open;
	}
	rc = message_add(assembler, link, payload, len - FRAME_HEADER_SIZE);
	if (rc)
		return rc;
	if ((*link)->have < (*link)->frags)
		return 0;
	*ret_len = (*link)->len;
	assembler->told = message_close(assembler, link);
	*ret_msg = assembler->told;
	return 1;
}

void frame_assembler_forget(struct frame_assembler *assembler, uint32_t nodeid, uint32_t pid)
{
	struct message **link = message_find(assembler, nodeid, pid);

	if (*link)
		free(message_close(assembler, link));
}

void frame_assembler_reset(struct frame_assembler *assembler)
{
	while (assembler->open)
		free(message_close(assembler, &assembler->open));
	free(assembler->told);
	assembler->told = NULL;
}

size_t frame_assembler_bytes(const struct frame_assembler *assembler)
{
	return assembler->bytes;
}
