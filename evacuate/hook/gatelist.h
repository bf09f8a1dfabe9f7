/*
 * The start gate without hamond: the last synced list of who owns what, and the decision that it allows. Pure; the
 * list is read from disk elsewhere.
 */
#ifndef HAMON_EVACUATE_HOOK_GATELIST_H
#define HAMON_EVACUATE_HOOK_GATELIST_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json_object.h>

#include "hamon/common/domxml.h"

#define GATELIST_BYTES_MAX (4u << 20)
#define GATELIST_INSTANCES_MAX 16384
#define GATELIST_DISKS_MAX 256
#define GATELIST_REASON_SIZE 1024

struct gatelist_entry {
	char uuid[37]; /* lower case */
	const char *name;
	const char *owner; /* host, or "" when none is recorded */
	struct json_object *disks; /* array of strings, or NULL */
	bool self; /* owned by this host */
};

struct gatelist {
	struct json_object *json; /* the strings above live in it */
	struct gatelist_entry *entries;
	size_t n_entries;
	bool protect_all;
};

/*
 * Parses {"instances":[{"uuid","name","owner","disks":[..],"self"}],"protect":"all"|"opted-in"}. 0 and *ret (free it with
 * gatelist_free), or -EINVAL, -E2BIG, -ENOMEM: a list that is wrong anywhere is no list.
 */
int gatelist_parse(const char *text, size_t len, struct gatelist *ret);
void gatelist_free(struct gatelist *list);

enum gatelist_state {
	GATELIST_MISSING, /* hamond has never been synced here */
	GATELIST_BROKEN, /* unreadable, corrupt or too slow: everything counts as protected */
	GATELIST_KNOWN
};

/*
 * May this domain start here while hamond cannot be asked? dom is its definition, disks as of disks_build,
 * disks_unknown tells that a disk's place did not answer. Refuses what the list or the XML calls protected, and whatever
 * would write to a listed disk. list may be NULL unless state is GATELIST_KNOWN.
 * Returns true to allow; else reason says why, in one sentence.
 */
bool gatelist_allows(enum gatelist_state state, const struct gatelist *list, const struct domxml *dom,
		     struct json_object *disks, bool disks_unknown,
		     char reason[GATELIST_REASON_SIZE]);

#endif
