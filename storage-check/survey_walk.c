/*
 * Following an image's chain by what was seen of it: symbolic links, headers, and what qemu-img
 * said.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage-check/survey_private.h"

/*
 * Schemes whose server every host can reach under the same name. A "json:" may hide a local file.
 */
static bool name_is_network(const char *name)
{
	static const char *const schemes[] = {
	    "nbd://", "nbd+tcp://", "iscsi://", "rbd:",	  "gluster://", "gluster+tcp://",
	    "nfs://", "http://",    "https://", "ftp://", "ftps://",	"ssh://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (!strncmp(name, schemes[i], strlen(schemes[i])))
			return true;
	return false;
}

/* Where a walk is. */
struct walk {
	const struct survey *survey;
	survey_walk_fn fn;
	void *user;
	char path[PATH_MAX];
	char folder[PATH_MAX]; /* what relative names of the image at path are relative to */
	const char *format;    /* "" when the overlay does not say: then QEMU looks at the header */
};

static void walk_go(struct walk *walk);

static bool walk_call(const struct walk *walk, struct survey_step step)
{
	return walk->fn(walk->user, &step);
}

/*
 * One name of qemu-img's answer: a file of this host, with the links that lead to it, or the
 * network's.
 */
static bool image_name_walk(const struct walk *walk, const struct survey_image *image,
			    const char *name)
{
	struct survey_step step = {.name = name, .image = image, .format = "raw"};
	struct walk file = *walk;

	if (path_resolve(walk->folder, name, file.path)) {
		path_split(file.path, file.folder, NULL);
		file.format = "raw"; /* what is behind it comes next in the answer */
		walk_go(&file);
		return true;
	}
	if (!name_is_network(name)) {
		step.image = NULL;
		step.problem = "hamon cannot tell where it lies";
	}
	return walk_call(walk, step);
}

/* What lies behind the first name of qemu-img's answer. */
static void image_walk(const struct walk *walk, const struct survey_image *image)
{
	for (size_t i = 1; i < image->n_chain; i++)
		if (!image_name_walk(walk, image, image->chain[i]))
			return;
}

/* The rest of the chain is qemu-img's to say. */
static void image_continue(struct walk *walk, const char *format)
{
	char *spec = image_spec_of_file(walk->path, format);
	struct survey_step step = {.name = walk->path, .format = format, .spec = spec};

	if (spec)
		step.image = survey_image(walk->survey, spec);
	if (walk_call(walk, step) && step.image && step.image->state == SURVEY_SEEN &&
	    !step.image->error)
		image_walk(walk, step.image);
	free(spec);
}

/* Goes to the backing file that a header names; false when the walk is at its end. */
static bool header_follow(struct walk *walk, int error, const struct qcow *header)
{
	char next[PATH_MAX];

	if (error == -ENODATA || error == -EBADMSG)
		return false;
	if (!error && !header->data_file && !header->backing[0])
		return false;
	if (error || header->data_file || walk->survey->deep ||
	    !path_resolve(walk->folder, header->backing, next)) {
		image_continue(walk, walk->format[0] ? walk->format : "qcow2");
		return false;
	}
	strcpy(walk->path, next);
	path_split(walk->path, walk->folder, NULL);
	walk->format = header->backing_format;
	return true;
}

static bool format_has_header(const char *format)
{
	return !format[0] || !strcmp(format, "qcow2") || !strcmp(format, "qcow");
}

/* One image; true when walk->path is another one now. */
static bool walk_step(struct walk *walk)
{
	const struct survey_file *file = survey_file(walk->survey, walk->path);
	char here[PATH_MAX], next[PATH_MAX];

	if (!walk_call(
		walk,
		(struct survey_step){.name = walk->path, .file = file, .format = walk->format}) ||
	    !file || file->state != SURVEY_SEEN || file->read_error)
		return false;
	if (file->link) {
		/*
		 * QEMU opens the link by its own name: what its image names is relative to the
		 * link.
		 */
		path_split(walk->path, here, NULL);
		if (!path_resolve(here, file->link, next))
			return false;
		strcpy(walk->path, next);
		return true;
	}
	if (file->block || !strcmp(walk->format, "raw"))
		return false;
	if (format_has_header(walk->format))
		return header_follow(walk, file->header_error, &file->header);
	image_continue(walk, walk->format);
	return false;
}

static void walk_go(struct walk *walk)
{
	for (int depth = 0; depth < SURVEY_CHAIN_MAX; depth++)
		if (!walk_step(walk))
			return;
	walk_call(walk, (struct survey_step){
			    .name = walk->path,
			    .problem = "its chain has too many images or goes round in a circle"});
}

void survey_walk(const struct survey *survey, const char *path, const char *format,
		 survey_walk_fn fn, void *user)
{
	struct walk walk = {
	    .survey = survey, .fn = fn, .user = user, .format = format ? format : "raw"};

	snprintf(walk.path, sizeof(walk.path), "%s", path);
	path_split(path, walk.folder, NULL);
	walk_go(&walk);
}

void survey_walk_device(const struct survey *survey, const struct survey_device *device,
			const char *format, survey_walk_fn fn, void *user)
{
	struct walk walk = {
	    .survey = survey, .fn = fn, .user = user, .format = format ? format : "raw"};

	if (device->state != SURVEY_SEEN || device->error || !strcmp(walk.format, "raw"))
		return;
	snprintf(walk.path, sizeof(walk.path), "%s", device->path);
	path_split(device->path, walk.folder, NULL);
	if (!format_has_header(walk.format))
		image_continue(&walk, walk.format);
	else if (header_follow(&walk, device->header_error, &device->header))
		walk_go(&walk);
}

void survey_walk_image(const struct survey *survey, const struct survey_image *image,
		       survey_walk_fn fn, void *user)
{
	struct walk walk = {.survey = survey, .fn = fn, .user = user, .folder = "/"};

	if (image->state == SURVEY_SEEN && !image->error)
		image_walk(&walk, image);
}
