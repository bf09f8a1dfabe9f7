/* Fuzz target: the write-ahead log of a store. */
#include <stdlib.h>
#include <string.h>
#include <stdint.h>

#include "hamon/store/wal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[64] = "";
	FILE *f;
	int rc;

	if (!size)
		return 0;
	f = fmemopen((void *)(uintptr_t)data, size, "rb");
	if (!f)
		return 0;
	rc = wal_check(f, why, sizeof(why));
	if (!rc == !!*why || strlen(why) >= sizeof(why))
		abort();
	fclose(f);
	return 0;
}
