/* Fuzz target: a request to the control socket, as the bytes that a client put into the ring. */
#include <stdlib.h>
#include <string.h>

#include "hamon/control_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_message message = { 0 };
	struct control_message_error error = { 0 };

	if (!control_message_parse(data, size, &message, &error)) {
		if (!message.obj || !message.verb || !*message.verb)
			abort();
		(void)control_access(message.verb);
		(void)control_verb_suggest(message.verb);
		json_object_put(message.obj);
	} else if (!error.code || !*error.message || strlen(error.message) >= sizeof(error.message)) {
		abort();
	}
	return 0;
}
