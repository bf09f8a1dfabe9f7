/*
 * Fragments of the messages between hamonds: a header of 16 bytes before each, and their
 * reassembly. The bytes come from the network; nothing in them is believed before it is checked.
 * Pure: no I/O.
 *
 * Header, little endian: "HMN1", u8 version = 1, u8 flags = 0, u16 reserved = 0, u32 message id,
 * u16 fragment (from 0), u16 fragments (of the message, from 1). Every fragment but the last has a
 * payload of exactly FRAME_PAYLOAD_MAX bytes, the last one 1 to FRAME_PAYLOAD_MAX. A sender sends
 * one message after the other, and the group delivers in order, so one message at a time is open
 * for each sender.
 */
#ifndef HAMON_CLUSTER_FRAME_H
#define HAMON_CLUSTER_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_SIZE 16
#define FRAME_VERSION 1
/* Bytes; with its header below corosync's own fragmenting. */
#define FRAME_PAYLOAD_MAX (32 * 1024)
#define FRAME_MESSAGE_MAX (8 * 1024 * 1024) /* bytes of a whole message */
#define FRAME_FRAGMENTS_MAX (FRAME_MESSAGE_MAX / FRAME_PAYLOAD_MAX)
#define FRAME_OPEN_MAX (64 * 1024 * 1024) /* bytes of all messages that are being put together */

struct frame_header {
	uint32_t msg_id;
	uint16_t frag, frags;
};

/* How many fragments a message of len bytes makes; 0 when it is empty or too long. */
unsigned int frame_count(size_t len);

void frame_pack(uint8_t buf[FRAME_HEADER_SIZE], const struct frame_header *header);

/*
 * Checks one fragment of len bytes. 0; -EBADMSG when it is malformed; -EPROTONOSUPPORT when it is
 * of another version. *ret_header is untouched on failure; the payload follows the header.
 */
int frame_unpack(const void *data, size_t len, struct frame_header *ret_header);

struct frame_assembler;

struct frame_assembler *frame_assembler_new(void); /* NULL: out of memory */
void frame_assembler_free(struct frame_assembler *assembler);

/*
 * Takes one fragment of a sender. 1 when it completes a message: *ret_msg and *ret_len are set and
 * borrowed until the next call for this assembler (or until data goes). 0 when more is to come, or
 * when the fragment is of a message whose beginning was not seen (this process joined in the
 * middle, or refused it). -EBADMSG when it is malformed or out of order, -EPROTONOSUPPORT for
 * another version, -ENOBUFS when FRAME_OPEN_MAX is reached, -ENOMEM; the sender's open message is
 * dropped then.
 */
int frame_assembler_feed(struct frame_assembler *assembler, uint32_t nodeid, uint32_t pid,
			 const void *data, size_t len, const void **ret_msg, size_t *ret_len);

/* Drops what a sender that is gone has left open; or what all have. */
void frame_assembler_forget(struct frame_assembler *assembler, uint32_t nodeid, uint32_t pid);
void frame_assembler_reset(struct frame_assembler *assembler);

/* Bytes that are held. */
size_t frame_assembler_bytes(const struct frame_assembler *assembler);

#endif
