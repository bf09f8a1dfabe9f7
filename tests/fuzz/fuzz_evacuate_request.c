/* Requests of hamon-evacuate (the first byte chooses the verb), and what else is read as text: command lines, status
 * files, the resolver's lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "evacuate/disks.h"
#include "evacuate/libvirt/status.h"
#include "evacuate/procscan.h"
#include "evacuate/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char xml[] =
	"<domain type='qemu'><name>x</name><devices>"
	"<disk type='file' device='disk'><source file='/a/b'/><target dev='vda'/></disk>"
	"<disk type='block' device='disk'><source dev='/dev/b'/><target dev='vdb'/></disk>"
	"<disk type='network'><source protocol='nbd' name='e'><host name='h'/></source><target dev='vdc'/></disk>"
	"</devices></domain>";

static void lines_try(const char *text, size_t len)
{
	static struct domxml *dom;
	struct disks disks;

	if (!dom && domxml_parse(xml, sizeof(xml) - 1, &dom, NULL, 0))
		abort();
	disks_build(dom, text, len, &disks);
	if (json_object_array_length(disks.list) != 3)
		abort();
	disks_free(&disks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[REQUEST_ERROR_SIZE], op[8];
	const char *text = (const char *)data + 1;
	struct domain_status status;
	struct qemu_process qemu;
	struct request req;

	if (!size)
		return 0;
	if (!request_parse((enum request_verb)(data[0] % 7), text, size - 1, &req, error, sizeof(error),
			   op, sizeof(op))) {
		if (!req.op || !req.uri || !req.name || !req.xml || !req.why)
			abort();
		request_free(&req);
	}
	if (procscan_parse(text, size - 1, &qemu) && strlen(qemu.uuid) != 36)
		abort();
	status_parse(text, size - 1, &status);
	lines_try(text, size - 1);
	return 0;
}
