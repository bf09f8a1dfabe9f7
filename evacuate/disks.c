/* Identities of disks, with what can block kept apart from what cannot. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "evacuate/disks.h"
#include "hamon/common/diskid.h"
#include "hamon/common/json.h"

static bool disk_needs_files(const struct domxml_disk *disk)
{
	return disk->source && (disk->kind == DOMXML_FILE || disk->kind == DOMXML_BLOCK);
}

bool disks_need_files(const struct domxml *dom)
{
	for (size_t i = 0; i < dom->n_disks; i++) {
		if (disk_needs_files(&dom->disks[i]))
			return true;
	}
	return false;
}

int disks_resolve(const struct domxml *dom, int fd)
{
	int rc = 0;

	for (size_t i = 0; i < dom->n_disks && !rc; i++) {
		struct json_object *line;
		struct diskid id;

		/* What has no identity at all, as a file in a folder that is missing, is still an answer. */
		if (!disk_needs_files(&dom->disks[i]))
			continue;
		if (diskid_of(&dom->disks[i], &id))
			id.id[0] = id.place[0] = '\0';
		line = json_object_new_object();
		json_put_u64(line, "n", i);
		json_put_string(line, "id", id.id[0] ? id.id : NULL);
		json_put_string(line, "place", id.place[0] ? id.place : NULL);
		rc = json_write_line(fd, line);
		json_object_put(line);
	}
	return rc;
}

static bool place_known(struct json_object *places, const char *place)
{
	for (size_t i = 0; i < json_object_array_length(places); i++) {
		if (!strcmp(json_object_get_string(json_object_array_get_idx(places, i)), place))
			return true;
	}
	return false;
}

/* The line about disk n, a new reference, or NULL. Lines come in the order of the disks, one cut off at the end. */
static struct json_object *line_next(const char **lines, size_t *len, size_t n)
{
	const char *end = *len ? memchr(*lines, '\n', *len) : NULL;
	struct json_object *line;
	size_t line_len;

	if (!end)
		return NULL;
	line_len = (size_t)(end - *lines);
	if (json_parse(*lines, line_len, &line))
		return NULL;
	if (json_u64_or(line, "n", UINT64_MAX) != n) {
		json_object_put(line);
		return NULL;
	}
	*lines += line_len + 1;
	*len -= line_len + 1;
	return line;
}

/*
 * The identity without the file system. A kind that hamon cannot follow (a pool's volume, vhost-user) gets the words of
 * the XML: equal words count as the same disk, which refuses rather than allows.
 */
static void id_from_xml(const struct domxml_disk *disk, char *id, size_t size)
{
	if (disk->kind == DOMXML_NETWORK && !diskid_network(disk, id, size))
		return;
	if (disk_needs_files(disk))
		snprintf(id, size, "path:%s", disk->source);
	else
		snprintf(id, size, "other:%s:%s", disk->type, disk->source ? disk->source : "");
}

/*
 * A file in a marked folder by its plain path too: until its folder's mark was seen, whoever reported the same file named
 * it so.
 */
static void path_put(struct json_object *obj, const char *id, const char *place)
{
	const char *name = id && place && !strncmp(id, "file:", 5) ? strchr(id + 5, ':') : NULL;
	char path[DISKID_SIZE];

	if (!name)
		return;
	snprintf(path, sizeof(path), "path:%s/%s", strcmp(place, "/") ? place : "", name + 1);
	json_put_string(obj, "path", path);
}

void disks_build(const struct domxml *dom, const char *lines, size_t len, struct disks *ret)
{
	struct disks disks = { .list = json_object_new_array(), .places = json_object_new_array() };
	struct json_object *end;

	for (size_t i = 0; i < dom->n_disks; i++) {
		const struct domxml_disk *disk = &dom->disks[i];
		struct json_object *obj, *line = NULL;
		const char *known = NULL, *place = NULL;
		char id[DISKID_SIZE];

		if (disk->kind == DOMXML_EMPTY)
			continue;
		if (disk_needs_files(disk)) {
			line = line_next(&lines, &len, i);
			disks.timed_out |= !line;
			known = json_string_or(line, "id", NULL);
			place = json_string_or(line, "place", NULL);
			disks.local |= !known || !diskid_is_global(known);
		}
		if (!known)
			id_from_xml(disk, id, sizeof(id));
		obj = json_object_new_object();
		json_put_string(obj, "target", disk->target);
		json_put_string(obj, "what", disk->what);
		json_put_string(obj, "id", known ? known : id);
		json_put_bool(obj, "writable", !disk->readonly);
		json_put_bool(obj, "shareable", disk->shareable);
		json_put_string(obj, "place", place);
		path_put(obj, known, place);
		json_put_string(obj, "source", disk->source);
		json_object_array_add(disks.list, obj);
		if (place && !place_known(disks.places, place))
			json_object_array_add(disks.places, json_object_new_string(place));
		json_object_put(line);
	}
	for (size_t i = 0; i < dom->n_disks; i++) {
		struct json_object *line;

		while ((line = line_next(&lines, &len, i))) {
			const char *place = json_string_or(line, "chain", NULL);

			if (place && !place_known(disks.places, place))
				json_object_array_add(disks.places, json_object_new_string(place));
			json_object_put(line);
		}
	}
	end = line_next(&lines, &len, dom->n_disks);
	disks.local |= disks_need_files(dom) && !end;
	json_object_put(end);
	*ret = disks;
}

void disks_free(struct disks *disks)
{
	json_object_put(disks->list);
	json_object_put(disks->places);
	disks->list = disks->places = NULL;
}
