/* One disk: its own image and everything behind it, each of which can only lower the verdict. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/diskid.h"
#include "storage-check/judge_disk.h"
#include "storage-check/survey_private.h"

void opinion_lower(struct opinion *opinion, enum verdict verdict, const char *format, ...)
{
	va_list args;

	if (opinion->reason[0] && verdict >= opinion->verdict)
		return;
	if (verdict < opinion->verdict)
		opinion->verdict = verdict;
	va_start(args, format);
	vsnprintf(opinion->reason, sizeof(opinion->reason), format, args);
	va_end(args);
}

/* One walk over the images of a disk. */
struct trial {
	const struct bench *bench;
	const struct domxml_disk *disk;
	struct opinion *opinion;
	bool top; /* nothing but links so far */
};

static void device_judge(const struct bench *bench, const struct domxml_disk *disk,
			 const char *path, bool writable, struct opinion *opinion);

static void chain_add(struct opinion *opinion, const char *name)
{
	size_t n = opinion->chain ? json_object_array_length(opinion->chain) : 0;

	if (!opinion->chain)
		return;
	if (n &&
	    !strcmp(json_object_get_string(json_object_array_get_idx(opinion->chain, n - 1)), name))
		return;
	json_object_array_add(opinion->chain, json_object_new_string(name));
}

/* Firmware code comes with the host's packages: it has to be there, not to be shared. */
static bool disk_is_code(const struct domxml_disk *disk)
{
	return !strcmp(disk->what, "loader");
}

/* What identify said on the owner's host about this disk: "file:PLACE-ID:NAME". */
static void identity_judge(const struct trial *trial, const struct survey_file *file)
{
	const struct request_instance *instance = trial->bench->instance;
	const char *name = strrchr(file->path, '/') + 1;
	char id[DISKID_SIZE];

	snprintf(id, sizeof(id), "file:%s:%s", file->folder->place_id, name);
	for (size_t i = 0; i < instance->n_disks; i++) {
		const struct request_disk *known = &instance->disks[i];

		if (strcmp(known->target, trial->disk->target) || !known->id ||
		    strncmp(known->id, "file:", 5))
			continue;
		if (strcmp(known->id, id))
			opinion_lower(trial->opinion, VERDICT_LOCAL,
				      "%s on %s is another file than on %s", file->path,
				      trial->bench->self, instance->owner);
	}
}

static bool file_readable(const struct trial *trial, const struct survey_file *file, bool writable)
{
	const char *self = trial->bench->self;
	int error = file->read_error ? file->read_error : writable ? file->write_error : 0;

	if (!error)
		return true;
	/*
	 * The storage is the right one (or that was judged before): a file that is not there is no
	 * proof.
	 */
	if (error == -ENOENT)
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s does not exist on %s",
			      file->path, self);
	else if (error == -EROFS)
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s is read-only on %s", file->path,
			      self);
	else
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s cannot open %s for %s: %s", self,
			      file->path, file->read_error ? "reading" : "writing",
			      strerror(-error));
	return false;
}

static void header_judge(const struct trial *trial, const struct survey_step *step, bool writable)
{
	const struct survey_file *file = step->file;

	if (strcmp(step->format, "qcow2") && strcmp(step->format, "qcow"))
		return;
	if (file->header_error == -ENODATA)
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s is no %s image", file->path,
			      step->format);
	else if (file->header_error && file->header_error != -ERANGE)
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "the header of %s is damaged",
			      file->path);
	else if (!file->header_error && file->header.corrupt && writable)
		opinion_lower(trial->opinion, VERDICT_UNKNOWN,
			      "%s is marked corrupt: QEMU will not write it", file->path);
}

/* An optional medium that is missing is left out by libvirt, so it holds nobody up. */
static bool optional_missing(const struct trial *trial, const struct survey_file *file)
{
	int error = file->folder->state == SURVEY_SEEN ? file->folder->error : 0;

	if (file->state == SURVEY_SEEN)
		error = file->read_error;
	if (!trial->disk->optional || (error != -ENOENT && error != -ENOTDIR))
		return false;
	opinion_lower(trial->opinion, VERDICT_SHARED, "%s is not on %s, and optional", file->path,
		      trial->bench->self);
	return true;
}

static bool file_judge(struct trial *trial, const struct survey_step *step)
{
	const struct survey_file *file = step->file;
	bool writable = trial->top && !trial->disk->readonly;

	chain_add(trial->opinion, file->path);
	if (optional_missing(trial, file))
		return false;
	if (!disk_is_code(trial->disk) || file->folder->state != SURVEY_SEEN)
		place_judge(trial->bench, file->folder, trial->opinion);
	if (file->state != SURVEY_SEEN) {
		if (disk_is_code(trial->disk) && file->folder->error)
			opinion_lower(trial->opinion, VERDICT_LOCAL, "%s does not exist on %s",
				      file->path, trial->bench->self);
		/*
		 * The folder's trouble has been said; what is left is a child that lost this file
		 * alone.
		 */
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s could not be looked at",
			      file->path);
		return false;
	}
	if (disk_is_code(trial->disk) && file->read_error == -ENOENT)
		opinion_lower(trial->opinion, VERDICT_LOCAL, "%s does not exist on %s", file->path,
			      trial->bench->self);
	if (!file_readable(trial, file, writable))
		return false;
	header_judge(trial, step, writable);
	if (trial->top)
		identity_judge(trial, file);
	trial->top = false;
	return true;
}

static bool image_judge(struct trial *trial, const struct survey_step *step)
{
	const struct survey_image *image = step->image;
	char why[OPINION_REASON_SIZE];

	if (image->state != SURVEY_SEEN) {
		probe_describe(image->end, image->what,
			       trial->bench->survey->limits.probe_timeout_ms, why, sizeof(why));
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s", why);
		return false;
	}
	if (image->error) {
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s cannot open %s: %s",
			      trial->bench->self, image->what, image->error);
		return false;
	}
	chain_add(trial->opinion, step->name);
	return true;
}

static bool step_judge(void *user, const struct survey_step *step)
{
	struct trial *trial = user;

	if (step->problem) {
		chain_add(trial->opinion, step->name);
		opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s: %s", step->name, step->problem);
		return false;
	}
	if (step->file && step->file->state == SURVEY_SEEN && step->file->link)
		return true;
	if (step->file && step->file->state == SURVEY_SEEN && step->file->block) {
		device_judge(trial->bench, trial->disk, step->file->path,
			     trial->top && !trial->disk->readonly, trial->opinion);
		return false;
	}
	if (step->file)
		return file_judge(trial, step);
	if (step->image)
		return image_judge(trial, step);
	opinion_lower(trial->opinion, VERDICT_UNKNOWN, "%s was not looked at", step->name);
	return false;
}

static const char *identity_find(const struct request_instance *instance,
				 const struct domxml_disk *disk, const char *path)
{
	for (size_t i = 0; i < instance->n_devices; i++)
		if (!strcmp(instance->devices[i].path, path))
			return instance->devices[i].identity;
	for (size_t i = 0; i < instance->n_disks; i++)
		if (!strcmp(instance->disks[i].target, disk->target))
			return instance->disks[i].id;
	return NULL;
}

static void device_compare(const struct bench *bench, const struct survey_device *device,
			   const char *identity, struct opinion *opinion)
{
	const char *owner = bench->instance->owner;

	if (!owner)
		opinion_lower(
		    opinion, VERDICT_UNKNOWN,
		    "%s (%s) is here; hamond alone can prove that other hosts see the same device",
		    device->path, device->id);
	else if (!strcmp(owner, bench->self))
		return;
	else if (!identity || !diskid_is_global(identity))
		opinion_lower(opinion, VERDICT_UNKNOWN,
			      "%s on %s has no identity that holds on other hosts", device->path,
			      owner);
	else if (!diskid_is_global(device->id))
		opinion_lower(opinion, VERDICT_UNKNOWN,
			      "%s on %s has no identity that holds on other hosts", device->path,
			      bench->self);
	else if (strcmp(identity, device->id))
		opinion_lower(opinion, VERDICT_LOCAL, "%s is %s on %s but %s on %s", device->path,
			      device->id, bench->self, identity, owner);
}

static void device_judge(const struct bench *bench, const struct domxml_disk *disk,
			 const char *path, bool writable, struct opinion *opinion)
{
	const struct survey_device *device = survey_device(bench->survey, path);
	struct trial trial = {bench, disk, opinion, false};
	char why[OPINION_REASON_SIZE];

	chain_add(opinion, path);
	if (!device || device->state != SURVEY_SEEN) {
		probe_describe(device ? device->end : PROBE_SKIPPED, path,
			       bench->survey->limits.probe_timeout_ms, why, sizeof(why));
		opinion_lower(opinion, VERDICT_UNKNOWN, "%s", why);
		return;
	}
	if (device->error == -ENOENT || device->error == -ENXIO || device->error == -ENODEV) {
		opinion_lower(opinion, VERDICT_LOCAL, "%s has no device %s", bench->self, path);
		return;
	}
	if (device->error) {
		opinion_lower(opinion, VERDICT_UNKNOWN, "%s cannot open %s: %s", bench->self, path,
			      strerror(-device->error));
		return;
	}
	if (device->readonly && writable)
		opinion_lower(opinion, VERDICT_UNKNOWN, "%s is read-only on %s", path, bench->self);
	device_compare(bench, device, identity_find(bench->instance, disk, path), opinion);
	opinion_lower(opinion, VERDICT_VOLUME, "%s opened %s (%s)", bench->self, path, device->id);
	survey_walk_device(bench->survey, device, disk->format, step_judge, &trial);
}

static void network_judge(const struct bench *bench, const struct domxml_disk *disk,
			  struct opinion *opinion)
{
	struct trial trial = {bench, disk, opinion, false};
	const char *why = NULL;
	char *spec = image_spec_of_network(disk, &why);
	const struct survey_image *image = spec ? survey_image(bench->survey, spec) : NULL;
	struct survey_step step = {.image = image};
	char name[DISKID_SIZE];

	if (diskid_network(disk, name, sizeof(name)))
		snprintf(name, sizeof(name), "%s:%s", disk->protocol ? disk->protocol : "?",
			 disk->source ? disk->source : "");
	step.name = name;
	if (!image)
		opinion_lower(opinion, VERDICT_UNKNOWN, "%s: %s", name,
			      why ? why : "was not looked at");
	else if (image_judge(&trial, &step)) {
		opinion_lower(opinion, VERDICT_VOLUME, "%s opened %s", bench->self, name);
		survey_walk_image(bench->survey, image, step_judge, &trial);
	}
	free(spec);
}

static void other_judge(const struct domxml_disk *disk, struct opinion *opinion)
{
	if (!strcmp(disk->type, "nvme") || !strcmp(disk->type, "vhostuser"))
		opinion_lower(opinion, VERDICT_LOCAL, "a source of type %s belongs to one host",
			      disk->type);
	else
		opinion_lower(opinion, VERDICT_UNKNOWN,
			      "hamon cannot follow a source of type %.32s%s%s", disk->type,
			      disk->source ? ": " : "", disk->source ? disk->source : "");
}

bool disk_is_cinders(const struct domxml *dom, const struct domxml_disk *disk, bool nova)
{
	const char *serial = disk->serial;

	if (!nova || !dom->nova || !serial || strlen(serial) != 36)
		return false;
	for (size_t i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? serial[i] != '-'
							    : !isxdigit((unsigned char)serial[i]))
			return false;
	return true;
}

void disk_judge(const struct bench *bench, const struct domxml_disk *disk, struct opinion *opinion)
{
	struct trial trial = {bench, disk, opinion, true};

	if (bench->instance && bench->instance->dom &&
	    disk_is_cinders(bench->instance->dom, disk, bench->instance->nova)) {
		opinion_lower(opinion, VERDICT_VOLUME,
			      "Cinder's volume %s: Nova attaches it where the instance goes",
			      disk->serial);
		return;
	}
	switch (disk->kind) {
	case DOMXML_FILE:
		survey_walk(bench->survey, disk->source, disk->format, step_judge, &trial);
		break;
	case DOMXML_BLOCK:
		device_judge(bench, disk, disk->source, !disk->readonly, opinion);
		break;
	case DOMXML_NETWORK:
		network_judge(bench, disk, opinion);
		break;
	case DOMXML_OTHER:
		other_judge(disk, opinion);
		break;
	case DOMXML_EMPTY:
		break;
	}
	if (disk->backing)
		disk_judge(bench, disk->backing, opinion);
	if (disk->kind == DOMXML_FILE && !opinion->reason[0])
		opinion_lower(
		    opinion, VERDICT_SHARED,
		    disk_is_code(disk)
			? "%s has %s"
			: "%s opened %s, in storage that its owner's current beacon proves",
		    bench->self, disk->source);
}
