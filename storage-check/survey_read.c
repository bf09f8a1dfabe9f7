/* What the children of a survey answered, read by the parent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
#include "storage-check/survey_private.h"

static int header_get(struct json_object *obj, struct qcow *header)
{
	struct json_object *error;

	memset(header, 0, sizeof(*header));
	if (!json_object_object_get_ex(obj, "header_error", &error))
		return -EBADMSG;
	if (json_object_get_int(error))
		return json_object_get_int(error);
	if (json_copy_string(obj, "backing", header->backing, sizeof(header->backing)) ||
	    json_copy_string(obj, "backing_format", header->backing_format,
			     sizeof(header->backing_format)))
		return -EBADMSG;
	header->data_file = json_bool_or(obj, "data_file", true);
	header->encrypted = json_bool_or(obj, "encrypted", true);
	header->corrupt = json_bool_or(obj, "corrupt", true);
	return 0;
}

static void beacons_get(struct survey *survey, struct survey_folder *folder,
			struct json_object *obj)
{
	struct json_object *beacons;

	free(folder->beacons);
	folder->beacons = NULL;
	folder->n_beacons = 0;
	if (json_get_object(obj, "beacons", &beacons))
		return;
	json_object_object_foreach(beacons, host, item)
	{
		struct beacon *beacon = survey_grow(survey, (void **)&folder->beacons,
						    &folder->n_beacons, sizeof(*beacon));
		struct json_object *age;

		if (!beacon)
			return;
		snprintf(beacon->host, sizeof(beacon->host), "%s", host);
		json_copy_string(item, "nonce", beacon->nonce, sizeof(beacon->nonce));
		json_copy_string(item, "place", beacon->place, sizeof(beacon->place));
		if (json_object_object_get_ex(item, "age_s", &age))
			beacon->age_s = json_object_get_int64(age);
	}
}

static void folder_get(struct survey *survey, struct survey_folder *folder, struct json_object *obj)
{
	struct json_object *error;

	folder->state = SURVEY_SEEN;
	if (json_object_object_get_ex(obj, "error", &error)) {
		folder->error = json_object_get_int(error);
		return;
	}
	if (!folder->real)
		folder->real = survey_copy(survey, json_string_or(obj, "real", ""));
	if (!folder->fs)
		folder->fs = survey_copy(survey, json_string_or(obj, "fs", ""));
	folder->readonly = json_bool_or(obj, "readonly", false);
	json_copy_string(obj, "place_id", folder->place_id, sizeof(folder->place_id));
	beacons_get(survey, folder, obj);
}

static int error_get(struct json_object *obj, const char *key)
{
	struct json_object *error;

	return json_object_object_get_ex(obj, key, &error) ? json_object_get_int(error) : 0;
}

static void file_get(struct survey *survey, struct json_object *obj)
{
	struct survey_file *file = survey_file_get(survey, json_string_or(obj, "path", ""));
	const char *link = json_string_or(obj, "link", NULL);

	if (!file)
		return;
	file->state = SURVEY_SEEN;
	file->read_error = error_get(obj, "read");
	file->write_error = error_get(obj, "write");
	file->block = json_bool_or(obj, "block", false);
	free(file->link);
	file->link = link ? survey_copy(survey, link) : NULL;
	file->header_error = header_get(obj, &file->header);
}

static void overlay_get(struct survey *survey, struct json_object *obj)
{
	struct survey_overlay *overlay =
	    survey_grow(survey, (void **)&survey->overlays, &survey->n_overlays, sizeof(*overlay));

	if (!overlay)
		return;
	overlay->path = survey_copy(survey, json_string_or(obj, "path", "/"));
	overlay->backing = survey_copy(survey, json_string_or(obj, "backing", "/"));
}

static void line_get(struct survey *survey, struct survey_folder *folder, struct json_object *obj)
{
	const char *kind = json_string_or(obj, "t", "");

	if (!strcmp(kind, "folder")) {
		folder_get(survey, folder, obj);
	} else if (!strcmp(kind, "file")) {
		file_get(survey, obj);
	} else if (!strcmp(kind, "overlay")) {
		overlay_get(survey, obj);
	} else if (!strcmp(kind, "scan")) {
		folder->scanned = true;
		folder->scan_partial = json_bool_or(obj, "partial", true);
	}
}

/*
 * The next complete line of a child's output as JSON; a child that was killed may have left half a
 * line.
 */
static struct json_object *line_next(const char **text)
{
	struct json_object *obj = NULL;
	size_t len;

	if (!*text || !strchr(*text, '\n'))
		return NULL;
	len = strcspn(*text, "\n");
	if (json_parse(*text, len, &obj))
		obj = json_object_new_object();
	*text += len + 1;
	return obj;
}

void folder_read(struct survey *survey, struct survey_folder *folder, const struct probe *probe)
{
	const char *text = probe->output;
	struct json_object *obj;

	while ((obj = line_next(&text))) {
		line_get(survey, folder, obj);
		json_object_put(obj);
	}
	if (probe->end != PROBE_DONE || folder->state != SURVEY_SEEN) {
		folder->state = SURVEY_LOST;
		folder->end = probe->end == PROBE_DONE ? PROBE_FAILED : probe->end;
	}
	if (folder->scan && !folder->scanned)
		folder->scanned = folder->scan_partial = true;
	/* What is still wanted was not answered: it is not asked for again. */
	for (size_t i = 0; i < survey->files.n; i++) {
		struct survey_file *file = survey->files.items[i];

		if (file->folder == folder && file->state == SURVEY_WANTED)
			file->state = SURVEY_LOST;
	}
}

void device_read(struct survey *survey, struct survey_device *device, const struct probe *probe)
{
	const char *text = probe->output;
	struct json_object *obj = probe->end == PROBE_DONE ? line_next(&text) : NULL;

	device->end = probe->end == PROBE_DONE && !obj ? PROBE_FAILED : probe->end;
	device->state = obj ? SURVEY_SEEN : SURVEY_LOST;
	if (!obj)
		return;
	device->error = error_get(obj, "error");
	device->readonly = json_bool_or(obj, "readonly", false);
	if (!device->error)
		device->id = survey_copy(survey, json_string_or(obj, "id", ""));
	device->header_error = header_get(obj, &device->header);
	json_object_put(obj);
}
