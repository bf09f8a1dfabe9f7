/* A request to hamon-storage, as each of its operations reads it. */
#include <assert.h>
#include <stdint.h>

#include "storage-check/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum request_kind kinds[] = {REQUEST_BEACON, REQUEST_CHECK, REQUEST_IDENTIFY};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct request request;
		int rc = request_parse(kinds[i], (const char *)data, size, &request);

		assert(rc ? request.error[0] : !request.error[0] && request.op);
		request_clear(&request);
	}
	return 0;
}
