/* What qemu-img prints about images that somebody else made. */
#include <assert.h>
#include <stdint.h>

#include "storage-check/imginfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char **names = NULL;
	size_t n = 0;
	int rc = imginfo_parse((const char *)data, size, &names, &n);

	assert(rc ? !names && !n : n > 0 && n <= IMGINFO_CHAIN_MAX && names[n - 1][0]);
	imginfo_free(names, n);
	return 0;
}
