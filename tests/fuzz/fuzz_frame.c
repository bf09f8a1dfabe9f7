/*
 * The parser and the reassembly of fragments. Input: records of u8 sender (low two bits; 4 = it
 * leaves, 8 = all is reset), u16 length and so many bytes; 0xffff stands for a fragment whose
 * payload is filled up to the full size, so that short inputs reach long messages.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/cluster/frame.h"

static void fragment_feed(struct frame_assembler *assembler, uint32_t sender, const uint8_t *data,
			  size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	const void *message;
	size_t message_len;

	if (!copy)
		abort();
	memcpy(copy, data, len);
	if (frame_assembler_feed(assembler, 1 + sender / 2, 100 + sender % 2, copy, len, &message,
				 &message_len) == 1) {
		volatile uint8_t sum = 0;

		if (!message_len || message_len > FRAME_MESSAGE_MAX)
			abort();
		for (size_t i = 0; i < message_len; i += 97)
			sum = (uint8_t)(sum + ((const uint8_t *)message)[i]);
		sum = (uint8_t)(sum + ((const uint8_t *)message)[message_len - 1]);
	}
	if (frame_assembler_bytes(assembler) > FRAME_OPEN_MAX)
		abort();
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t full[FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX];
	struct frame_assembler *assembler = frame_assembler_new();

	if (!assembler)
		abort();
	while (size >= 3) {
		uint8_t sender = data[0];
		size_t len = (size_t)data[1] | (size_t)data[2] << 8;
		int is_full = len == 0xffff;

		data += 3;
		size -= 3;
		if (is_full)
			len = FRAME_HEADER_SIZE;
		if (len > size)
			len = size;
		if (sender & 8)
			frame_assembler_reset(assembler);
		if (sender & 4)
			frame_assembler_forget(assembler, 1 + (sender & 3u) / 2,
					       100 + (sender & 1u));
		if (is_full && len == FRAME_HEADER_SIZE) {
			memcpy(full, data, FRAME_HEADER_SIZE);
			fragment_feed(assembler, sender & 3, full, sizeof(full));
		} else {
			fragment_feed(assembler, sender & 3, data, len);
		}
		data += len;
		size -= len;
	}
	frame_assembler_free(assembler);
	return 0;
}
