/* A beacon file, which anybody who can write to the storage may have made. */
#include <assert.h>
#include <stdint.h>

#include "storage-check/beacon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct beacon beacon;

	if (!beacon_parse((const char *)data, size, &beacon))
		assert(beacon_host_valid(beacon.host) && beacon_nonce_valid(beacon.nonce));
	return 0;
}
