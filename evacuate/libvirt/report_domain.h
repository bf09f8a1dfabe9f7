/* One domain as the watch reports it: read from libvirt by calls that wait neither for its job nor for its QEMU. */
#ifndef HAMON_EVACUATE_LIBVIRT_REPORT_DOMAIN_H
#define HAMON_EVACUATE_LIBVIRT_REPORT_DOMAIN_H

#include <stdbool.h>
#include <json-c/json_object.h>
#include <libvirt/libvirt.h>

#include "evacuate/disks.h"
#include "hamon/common/domxml.h"

struct domain_report {
	struct json_object *obj; /* all but "event", "disks", "places" */
	struct domxml *dom; /* of the live definition while it runs, else of the inactive one; NULL: unusable */
	char *xml; /* the text of dom */
	bool active;
	bool persistent;
	bool probe; /* hamon's own, not to be reported */
};

/* 0, -ENOENT when there is no such domain any more, -EIO when libvirt fails (its last error says why). */
int report_read(virConnectPtr conn, const char *uuid, const char *run_dir,
		struct domain_report *ret);

/* Adds what the resolver told (lines may be NULL). ret_unmarked: a disk has no identity beyond this host's path. */
void report_add_disks(struct domain_report *report, const char *lines, size_t len,
		      bool *ret_unmarked);
void report_free(struct domain_report *report);

#endif
