/*
 * A domain's XML: whatever it is, it is parsed or refused with a reason, and its redacted form
 * parses again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/diskid.h"
#include "hamon/common/domxml.h"
#include "storage-check/imgspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void disks_use(const struct domxml *dom)
{
	for (size_t i = 0; i < dom->n_disks; i++) {
		const struct domxml_disk *disk = &dom->disks[i];
		char id[DISKID_SIZE];
		const char *why = NULL;
		char *spec;

		assert(disk->target && disk->what && disk->type);
		assert((disk->kind != DOMXML_FILE && disk->kind != DOMXML_BLOCK) ||
		       disk->source[0] == '/');
		if (disk->kind != DOMXML_NETWORK)
			continue;
		if (!diskid_network(disk, id, sizeof(id)))
			assert(strlen(id) < sizeof(id));
		spec = image_spec_of_network(disk, &why);
		assert(spec || why);
		free(spec);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[DOMXML_ERROR_SIZE] = "";
	struct domxml *dom = NULL;
	char *text = NULL, *again = NULL;
	int rc = domxml_parse((const char *)data, size, &dom, error, sizeof(error));

	assert(rc ? !dom && error[0] : dom && dom->name[0]);
	if (dom)
		disks_use(dom);
	domxml_free(dom);
	if (!domxml_redact((const char *)data, size, &text))
		assert(!domxml_redact(text, strlen(text), &again));
	free(text);
	free(again);
	return 0;
}
