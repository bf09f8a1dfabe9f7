/* The start gate's list on disk, and decisions by whatever it holds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "evacuate/disks.h"
#include "evacuate/hook/gatelist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char xml[] =
	"<domain type='qemu'><name>x</name><uuid>01234567-89ab-cdef-0123-456789abcdef</uuid><devices>"
	"<disk type='file' device='disk'><source file='/a/b'/><target dev='vda'/></disk></devices></domain>";
static const char lines[] = "{\"n\":0,\"id\":\"file:p:a\",\"place\":\"/a\"}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char reason[GATELIST_REASON_SIZE];
	struct gatelist list;
	struct domxml *dom;
	struct disks disks;

	if (gatelist_parse((const char *)data, size, &list))
		return 0;
	if (!domxml_parse(xml, sizeof(xml) - 1, &dom, NULL, 0)) {
		disks_build(dom, lines, sizeof(lines) - 1, &disks);
		if (!gatelist_allows(GATELIST_KNOWN, &list, dom, disks.list, true, reason) &&
		    !memchr(reason, '\0', sizeof(reason)))
			abort();
		disks_free(&disks);
		domxml_free(dom);
	}
	gatelist_free(&list);
	return 0;
}
