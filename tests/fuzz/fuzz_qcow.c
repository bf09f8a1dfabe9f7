/* The first bytes of an image. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "hamon/common/qcow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qcow qcow;

	if (!qcow_parse(data, size, &qcow))
		assert(strlen(qcow.backing) < sizeof(qcow.backing) && qcow.version >= 1 &&
		       qcow.version <= 3);
	return 0;
}
