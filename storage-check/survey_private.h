/* The inside of a survey, for the files of survey alone. */
#ifndef HAMON_STORAGE_SURVEY_PRIVATE_H
#define HAMON_STORAGE_SURVEY_PRIVATE_H

#include "storage-check/imgspec.h"
#include "hamon/common/imagepath.h"
#include "storage-check/survey.h"

/* Objects by their first member, a path or spec; stable pointers, in order of arrival. */
struct survey_index {
	void **items;
	size_t n;
	void *tree;
};

/* What a caller asked for: where walks begin. */
struct survey_target {
	char *path;
	char *format; /* or NULL */
	bool top, device;
};

struct survey {
	struct survey_limits limits;
	struct survey_index folders, files, devices, images;
	struct survey_index names; /* last parts of the paths of all top images */
	struct survey_target *targets;
	size_t n_targets;
	struct survey_overlay *overlays;
	size_t n_overlays;
	char (*hosts)[BEACON_HOST_SIZE];
	size_t n_hosts;
	bool deep, all_hosts;
	int failed;
};

void *survey_index_find(const struct survey_index *index, const char *key);
/* Finds or adds a zeroed object of size bytes; NULL fails the survey. */
void *survey_index_get(struct survey *survey, struct survey_index *index, const char *key,
		       size_t size);
char *survey_copy(struct survey *survey, const char *text);
/* Grows an array by one zeroed element; NULL fails the survey. */
void *survey_grow(struct survey *survey, void **array, size_t *n, size_t size);
struct survey_file *survey_file_get(struct survey *survey, const char *path);

/* The jobs that run in children, and what reads their answers in the parent. */
struct survey_job {
	struct survey *survey;
	void *object;
};

void folder_job(void *arg, int out);
void device_job(void *arg, int out);
void image_job(void *arg, int out);
/* Only qemu-img can tell its chain, and that takes long. */
bool image_is_slow(const struct survey_image *image);
void folder_read(struct survey *survey, struct survey_folder *folder, const struct probe *probe);
void device_read(struct survey *survey, struct survey_device *device, const struct probe *probe);
void image_read(struct survey *survey, struct survey_image *image, const struct probe *probe);

#endif
