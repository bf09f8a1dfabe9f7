/*
 * A survey: what was asked for, and what children found out. Nothing here touches storage itself.
 */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "storage-check/survey_private.h"

static int key_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void *survey_index_find(const struct survey_index *index, const char *key)
{
	void *const *node = tfind(&key, (void *const *)&index->tree, key_compare);

	return node ? *node : NULL;
}

void *survey_grow(struct survey *survey, void **array, size_t *n, size_t size)
{
	char *grown;

	if (*n >= SURVEY_OBJECTS_MAX) {
		survey->failed = -E2BIG;
		return NULL;
	}
	/* Room doubles: powers of two are where it is full. */
	if (!(*n & (*n - 1))) {
		grown = realloc(*array, (*n ? *n * 2 : 1) * size);
		if (!grown) {
			survey->failed = -ENOMEM;
			return NULL;
		}
		*array = grown;
	}
	memset((char *)*array + *n * size, 0, size);
	return (char *)*array + (*n)++ * size;
}

char *survey_copy(struct survey *survey, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		survey->failed = -ENOMEM;
	return copy;
}

void *survey_index_get(struct survey *survey, struct survey_index *index, const char *key,
		       size_t size)
{
	void *item = survey_index_find(index, key), **slot;

	if (item)
		return item;
	slot = survey_grow(survey, (void **)&index->items, &index->n, sizeof(*slot));
	if (!slot)
		return NULL;
	item = calloc(1, size);
	if (item)
		*(char **)item = strdup(key);
	if (!item || !*(char **)item || !tsearch(item, &index->tree, key_compare)) {
		if (item)
			free(*(char **)item);
		free(item);
		index->n--;
		survey->failed = -ENOMEM;
		return NULL;
	}
	return *slot = item;
}

struct survey *survey_new(const struct survey_limits *limits)
{
	struct survey *survey = calloc(1, sizeof(*survey));

	if (survey)
		survey->limits = *limits;
	return survey;
}

int survey_failed(const struct survey *survey)
{
	return survey->failed;
}

static void nothing_free(void *item)
{
	(void)item;
}

static void index_free(struct survey_index *index, void (*clear)(void *item))
{
	tdestroy(index->tree, nothing_free);
	for (size_t i = 0; i < index->n; i++) {
		if (clear)
			clear(index->items[i]);
		free(*(char **)index->items[i]);
		free(index->items[i]);
	}
	free(index->items);
}

static void folder_clear(void *item)
{
	struct survey_folder *folder = item;

	free(folder->real);
	free(folder->fs);
	free(folder->beacons);
}

static void file_clear(void *item)
{
	free(((struct survey_file *)item)->link);
}

static void device_clear(void *item)
{
	free(((struct survey_device *)item)->id);
}

static void image_clear(void *item)
{
	struct survey_image *image = item;

	for (size_t i = 0; i < image->n_chain; i++)
		free(image->chain[i]);
	free(image->chain);
	free(image->what);
	free(image->error);
}

void survey_free(struct survey *survey)
{
	if (!survey)
		return;
	index_free(&survey->folders, folder_clear);
	index_free(&survey->files, file_clear);
	index_free(&survey->devices, device_clear);
	index_free(&survey->images, image_clear);
	index_free(&survey->names, NULL);
	for (size_t i = 0; i < survey->n_targets; i++) {
		free(survey->targets[i].path);
		free(survey->targets[i].format);
	}
	for (size_t i = 0; i < survey->n_overlays; i++) {
		free(survey->overlays[i].path);
		free(survey->overlays[i].backing);
	}
	free(survey->targets);
	free(survey->overlays);
	free(survey->hosts);
	free(survey);
}

void survey_set_deep(struct survey *survey)
{
	survey->deep = true;
}

void survey_set_all_hosts(struct survey *survey)
{
	survey->all_hosts = true;
}

void survey_add_host(struct survey *survey, const char *host)
{
	char(*slot)[BEACON_HOST_SIZE];

	for (size_t i = 0; i < survey->n_hosts; i++)
		if (!strcmp(survey->hosts[i], host))
			return;
	slot = survey_grow(survey, (void **)&survey->hosts, &survey->n_hosts, sizeof(*slot));
	if (slot)
		snprintf(*slot, sizeof(*slot), "%s", host);
}

struct survey_file *survey_file_get(struct survey *survey, const char *path)
{
	struct survey_file *file = survey_index_get(survey, &survey->files, path, sizeof(*file));
	char folder[PATH_MAX];

	if (!file || file->folder)
		return file;
	path_split(path, folder, NULL);
	file->folder = survey_index_get(survey, &survey->folders, folder, sizeof(*file->folder));
	return file->folder ? file : NULL;
}

static void target_add(struct survey *survey, const char *path, const char *format, bool top,
		       bool device)
{
	struct survey_target *target =
	    survey_grow(survey, (void **)&survey->targets, &survey->n_targets, sizeof(*target));

	if (!target)
		return;
	target->path = survey_copy(survey, path);
	target->format = format ? survey_copy(survey, format) : NULL;
	target->top = top;
	target->device = device;
}

static bool format_is_raw(const char *format)
{
	return !format || !strcmp(format, "raw");
}

void survey_add_file(struct survey *survey, const char *path, const char *format, bool top)
{
	struct survey_file *file = survey_file_get(survey, path);

	if (!file)
		return;
	file->raw |= format_is_raw(format);
	target_add(survey, path, format, top, false);
}

void survey_add_folder(struct survey *survey, const char *path)
{
	survey_index_get(survey, &survey->folders, path, sizeof(struct survey_folder));
}

void survey_add_device(struct survey *survey, const char *path, const char *format)
{
	if (survey_index_get(survey, &survey->devices, path, sizeof(struct survey_device)))
		target_add(survey, path, format, false, true);
}

void survey_add_image(struct survey *survey, const char *spec, const char *what)
{
	struct survey_image *image =
	    survey_index_get(survey, &survey->images, spec, sizeof(*image));

	if (image && !image->what)
		image->what = survey_copy(survey, what);
}

struct survey_folder *survey_folder(const struct survey *survey, const char *path)
{
	return survey_index_find(&survey->folders, path);
}

struct survey_folder *survey_folder_at(const struct survey *survey, size_t i)
{
	return i < survey->folders.n ? survey->folders.items[i] : NULL;
}

struct survey_file *survey_file(const struct survey *survey, const char *path)
{
	return survey_index_find(&survey->files, path);
}

struct survey_device *survey_device(const struct survey *survey, const char *path)
{
	return survey_index_find(&survey->devices, path);
}

struct survey_image *survey_image(const struct survey *survey, const char *spec)
{
	return survey_index_find(&survey->images, spec);
}

/* The same path with its folder's real path, where that is known. */
static void path_canonical(const struct survey *survey, const char *path, char real[PATH_MAX])
{
	const struct survey_folder *folder;
	const char *name;

	path_split(path, real, &name);
	folder = survey_folder(survey, real);
	if (folder && folder->real)
		snprintf(real, PATH_MAX, "%s", folder->real);
	if (strlen(real) + strlen(name) + 2 <= PATH_MAX) {
		strcat(real, "/");
		strcat(real, name);
	}
}

const struct survey_overlay *survey_overlay_of(const struct survey *survey, const char *path)
{
	char ours[PATH_MAX], theirs[PATH_MAX];

	path_canonical(survey, path, ours);
	for (size_t i = 0; i < survey->n_overlays; i++) {
		path_canonical(survey, survey->overlays[i].backing, theirs);
		if (!strcmp(ours, theirs))
			return &survey->overlays[i];
	}
	return NULL;
}
