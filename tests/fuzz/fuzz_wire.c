/* The decoder of messages: whatever is accepted must come out the same when it is written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct core_message *msg, *back;
	struct wire *wire, *wire_back;
	char error[256], *text, *again;

	if (wire_message_decode((const char *)data, size, 1, &wire, &msg, error, sizeof(error)))
		return 0;
	text = wire_message_encode(msg);
	if (!text || wire_message_decode(text, strlen(text), 1, &wire_back, &back, error, sizeof(error)))
		abort();
	again = wire_message_encode(back);
	if (!again || strcmp(text, again))
		abort();
	free(again);
	free(text);
	wire_free(wire_back);
	wire_free(wire);
	return 0;
}
