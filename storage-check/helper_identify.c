/* identify: the places and identities of one instance's disks, as this host sees them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/diskid.h"
#include "hamon/common/json.h"
#include "storage-check/helper.h"
#include "storage-check/judge.h"
#include "storage-check/survey.h"

struct found {
	const struct survey_file *top; /* the disk's own file, links followed */
	struct json_object *places;
};

static void place_add(struct json_object *places, const char *path)
{
	for (size_t i = 0; i < json_object_array_length(places); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(places, i)), path))
			return;
	json_object_array_add(places, json_object_new_string(path));
}

/* Every folder of a chain needs a beacon, not only the one of its first image. */
static bool found_step(void *user, const struct survey_step *step)
{
	struct found *found = user;

	if (!step->file || step->file->link || step->file->block)
		return true;
	if (!found->top)
		found->top = step->file;
	if (step->file->folder->real)
		place_add(found->places, step->file->folder->real);
	return true;
}

/* The same strings as diskid_of makes, from what the survey's children saw. */
static void file_identify(const struct survey *survey, const struct domxml_disk *disk,
			  struct json_object *places, struct diskid *ret)
{
	const struct survey_device *device;
	struct found found = {NULL, places};
	const char *name;

	snprintf(ret->id, sizeof(ret->id), "path:%s", disk->source);
	survey_walk(survey, disk->source, disk->format, found_step, &found);
	device = survey_device(survey, disk->source);
	if (device && device->id)
		snprintf(ret->id, sizeof(ret->id), "%s", device->id);
	if (!found.top || !found.top->folder->real)
		return;
	snprintf(ret->place, sizeof(ret->place), "%s", found.top->folder->real);
	name = strrchr(found.top->path, '/') + 1;
	if (found.top->folder->place_id[0])
		snprintf(ret->id, sizeof(ret->id), "file:%s:%s", found.top->folder->place_id, name);
	else
		snprintf(ret->id, sizeof(ret->id), "path:%s/%s",
			 strcmp(ret->place, "/") ? ret->place : "", name);
}

static void disk_identify(const struct survey *survey, const struct domxml_disk *disk,
			  struct json_object *places, struct json_object *disks)
{
	struct json_object *obj = json_object_new_object();
	const struct survey_device *device;
	struct diskid id = {"", ""};
	struct found found = {NULL, places};

	if (disk->kind == DOMXML_FILE) {
		file_identify(survey, disk, places, &id);
	} else if (disk->kind == DOMXML_BLOCK) {
		device = survey_device(survey, disk->source);
		snprintf(id.id, sizeof(id.id), "%s%s", device && device->id ? "" : "path:",
			 device && device->id ? device->id : disk->source);
		if (device)
			survey_walk_device(survey, device, disk->format, found_step, &found);
	} else if (disk->kind == DOMXML_NETWORK) {
		diskid_network(disk, id.id, sizeof(id.id));
	}
	json_put_string(obj, "target", disk->target);
	json_put_string(obj, "id", id.id[0] ? id.id : NULL);
	json_put_bool(obj, "writable", !disk->readonly);
	json_put_string(obj, "place", id.place[0] ? id.place : NULL);
	json_object_array_add(disks, obj);
}

/* Backing images that the XML names: their folders are places too. */
static void backing_identify(const struct survey *survey, const struct domxml_disk *disk,
			     struct json_object *places)
{
	struct diskid id;

	for (disk = disk->backing; disk; disk = disk->backing)
		if (disk->kind == DOMXML_FILE)
			file_identify(survey, disk, places, &id);
}

int identify_run(const struct request *request, const char *lock_dir, struct json_object *result)
{
	const struct survey_limits limits = {
	    .lock_dir = lock_dir,
	    .probe_timeout_ms = request->probe_timeout_ms,
	    .total_ms = HELPER_ROUNDS * request->probe_timeout_ms,
	    .parallel = HELPER_PARALLEL,
	};
	const struct domxml *dom = request->instances[0].dom;
	struct json_object *places = json_object_new_array(), *disks = json_object_new_array();
	struct survey *survey = survey_new(&limits);
	int rc;

	if (survey) {
		judge_prepare(survey, dom, false);
		survey_run(survey);
	}
	rc = survey ? survey_failed(survey) : -ENOMEM;
	for (size_t i = 0; i < dom->n_disks && !rc; i++) {
		const struct domxml_disk *disk = &dom->disks[i];

		/* Firmware code and empty drives are nobody's storage. */
		if (disk->kind == DOMXML_EMPTY || !strcmp(disk->what, "loader"))
			continue;
		disk_identify(survey, disk, places, disks);
		backing_identify(survey, disk, places);
	}
	json_object_object_add(result, "places", places);
	json_object_object_add(result, "disks", disks);
	survey_free(survey);
	return rc;
}
