/*
 * A request from any bytes: an agent's input made of it says what was asked for, and nothing else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fencing/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void input_check(const char *input, size_t len, size_t options)
{
	size_t lines = 0;

	for (size_t i = 0; i < len; i++) {
		lines += input[i] == '\n';
		if (!input[i])
			abort();
	}
	if (lines != options + 1 || strncmp(input, "action=off\n", 11) ||
	    strstr(input, "\naction="))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fence_request request;
	struct failure failure = { 0 };
	char *input = NULL;
	size_t len = 0;
	int rc = request_parse(&request, (const char *)data, size, &failure);

	if (!rc != (failure.what == FAILURE_NONE) || (rc && !failure.text[0]))
		abort();
	if (!rc) {
		if (request.agent[0] != '/' || !request.timeout_ms || !request.status_timeout_ms)
			abort();
		if (!options_input(&request.options, "off", &input, &len))
			input_check(input, len, request.options.count);
		options_input_free(input, len);
	}
	request_clear(&request);
	return 0;
}
