/*
 * The identities of a domain's disks, for reports and for the start gate. Those that need the file system are found
 * in a process of its own with a bound (see resolver.h and the hook); what it did not say in time falls back
 * to this host's path.
 */
#ifndef HAMON_EVACUATE_DISKS_H
#define HAMON_EVACUATE_DISKS_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json_object.h>

#include "hamon/common/domxml.h"

/* True when at least one disk's identity needs the file system. */
bool disks_need_files(const struct domxml *dom);

/*
 * In the process that may block: writes {"n":index,"id":..,"place":..|null} for each such disk, a line each, as soon as
 * it is known. 0 or -errno of the writing.
 */
int disks_resolve(const struct domxml *dom, int fd);

struct disks {
	/* [{"target","what","id","writable","shareable","place","source"}]; empty drives are left out */
	struct json_object *list;
	struct json_object *places; /* ["/srv/a"], each once */
	bool timed_out; /* one is missing from lines: its place did not answer */
	/*
	 * to be looked at again: one has only this host's path (its folder is not marked yet), or the folders of
	 * backing images (evacuate/chain.h) were not all told
	 */
	bool local;
};

/* Puts together what is known from the XML and from lines; *ret owns two references (disks_free). */
void disks_build(const struct domxml *dom, const char *lines, size_t len, struct disks *ret);
void disks_free(struct disks *disks);

#endif
