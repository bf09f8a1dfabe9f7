/* The list of owners on disk, and the decision by it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evacuate/hook/gatelist.h"
#include "evacuate/request.h"
#include "hamon/common/diskid.h"
#include "hamon/common/json.h"

static bool disks_are_strings(struct json_object *disks)
{
	size_t n = json_object_array_length(disks);

	if (n > GATELIST_DISKS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!json_object_is_type(json_object_array_get_idx(disks, i), json_type_string))
			return false;
	}
	return true;
}

static int entry_parse(struct json_object *obj, struct gatelist_entry *ret)
{
	struct gatelist_entry entry = { .name = "", .owner = "" };
	const char *uuid;
	int rc;

	if (json_get_string(obj, "uuid", &uuid) || !uuid_normalize(uuid, entry.uuid))
		return -EINVAL;
	rc = json_get_string(obj, "name", &entry.name);
	if (rc && rc != -ENOENT)
		return -EINVAL;
	rc = json_get_string(obj, "owner", &entry.owner);
	if (rc && rc != -ENOENT)
		return -EINVAL;
	rc = json_get_bool(obj, "self", &entry.self);
	if (rc && rc != -ENOENT)
		return -EINVAL;
	rc = json_get_array(obj, "disks", &entry.disks);
	if ((rc && rc != -ENOENT) || (!rc && !disks_are_strings(entry.disks)))
		return -EINVAL;
	*ret = entry;
	return 0;
}

static int entries_parse(struct json_object *array, struct gatelist *list)
{
	size_t n = json_object_array_length(array);

	if (n > GATELIST_INSTANCES_MAX)
		return -E2BIG;
	list->entries = calloc(n ? n : 1, sizeof(*list->entries));
	if (!list->entries)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int rc = entry_parse(json_object_array_get_idx(array, i), &list->entries[i]);

		if (rc)
			return rc;
		list->n_entries++;
	}
	return 0;
}

int gatelist_parse(const char *text, size_t len, struct gatelist *ret)
{
	struct gatelist list = { 0 };
	struct json_object *array;
	const char *protect;
	int rc;

	if (len > GATELIST_BYTES_MAX)
		return -E2BIG;
	rc = json_parse(text, len, &list.json);
	if (rc)
		return rc;
	if (json_get_array(list.json, "instances", &array) ||
	    json_get_string(list.json, "protect", &protect))
		rc = -EINVAL;
	if (!rc) {
		list.protect_all = !strcmp(protect, "all");
		if (!list.protect_all && strcmp(protect, "opted-in"))
			rc = -EINVAL;
	}
	if (!rc)
		rc = entries_parse(array, &list);
	if (rc) {
		gatelist_free(&list);
		return rc;
	}
	*ret = list;
	return 0;
}

void gatelist_free(struct gatelist *list)
{
	free(list->entries);
	json_object_put(list->json);
	memset(list, 0, sizeof(*list));
}

/* This host's plain paths mean the same disk only in an entry of this host; any other identity means it everywhere. */
static bool entry_has_disk(const struct gatelist_entry *entry, const char *id)
{
	size_t n = entry->disks ? json_object_array_length(entry->disks) : 0;

	if (!entry->self && !diskid_is_global(id))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(json_object_get_string(json_object_array_get_idx(entry->disks, i)), id))
			return true;
	}
	return false;
}

/* The entry of another instance whose disk this one would write to, and that disk. */
static const struct gatelist_entry *clash_find(const struct gatelist *list,
					       struct json_object *disks, const char **ret_id)
{
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);
		const char *id = json_string_or(disk, "id", "");

		/* Several writers of a shareable disk are what its owner asked for. */
		if (!json_bool_or(disk, "writable", true) || json_bool_or(disk, "shareable", false))
			continue;
		for (size_t j = 0; j < list->n_entries; j++) {
			/* Its folder may have been marked after the list was written: then it is listed by its path. */
			if (!entry_has_disk(&list->entries[j], id) &&
			    !entry_has_disk(&list->entries[j], json_string_or(disk, "path", id)))
				continue;
			*ret_id = id;
			return &list->entries[j];
		}
	}
	return NULL;
}

static bool __attribute__((format(printf, 2, 3))) refuse(char *reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, GATELIST_REASON_SIZE, fmt, ap);
	va_end(ap);
	return false;
}

static const struct gatelist_entry *entry_find(const struct gatelist *list, const char *uuid)
{
	for (size_t i = 0; i < list->n_entries; i++) {
		if (!strcmp(list->entries[i].uuid, uuid))
			return &list->entries[i];
	}
	return NULL;
}

static bool list_allows(const struct gatelist *list, const struct domxml *dom,
			struct json_object *disks, bool disks_unknown, char *reason)
{
	const struct gatelist_entry *entry = entry_find(list, dom->uuid);
	const char *id;

	if (entry)
		return refuse(reason,
			      "it is protected and was last owned by %s, and whether that still holds "
			      "is not known while hamond does not answer here",
			      entry->self ? "this host" : entry->owner[0] ? entry->owner : "no host");
	entry = clash_find(list, disks, &id);
	if (entry)
		return refuse(reason, "it would write to %s, a disk of the protected instance %s (%s)",
			      id, entry->name, entry->uuid);
	if (dom->meta.protect == 1 || (dom->meta.protect < 0 && list->protect_all))
		return refuse(reason, "it is protected, and hamond, which would claim it for this host, "
				      "does not answer here");
	if (disks_unknown && list->n_entries)
		return refuse(reason, "the storage of one of its disks does not answer, so whether it "
				      "belongs to a protected instance is not known");
	return true;
}

bool gatelist_allows(enum gatelist_state state, const struct gatelist *list, const struct domxml *dom,
		     struct json_object *disks, bool disks_unknown,
		     char reason[GATELIST_REASON_SIZE])
{
	switch (state) {
	case GATELIST_KNOWN:
		return list_allows(list, dom, disks, disks_unknown, reason);
	case GATELIST_MISSING:
		if (dom->meta.protect == 1)
			return refuse(reason, "it is protected, and hamond does not answer here");
		return true;
	case GATELIST_BROKEN:
		break;
	}
	if (dom->meta.protect == 0)
		return true;
	return refuse(reason, "hamond does not answer here and its list of protected instances "
			      "cannot be read");
}
