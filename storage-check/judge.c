/* The verdict on an instance: the worst of its disks and of what ties it to one host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "storage-check/judge_disk.h"
#include "storage-check/survey_private.h"

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {"local", "unknown", "volume", "shared"};

	return names[verdict];
}

static const char *kind_name(enum domxml_kind kind)
{
	switch (kind) {
	case DOMXML_BLOCK:
		return "block";
	case DOMXML_NETWORK:
		return "network";
	case DOMXML_OTHER:
		return "other";
	case DOMXML_FILE:
	case DOMXML_EMPTY:
		break;
	}
	return "file";
}

/* Only a disk that the guest writes can be damaged by being another image's base. */
static bool disk_is_top(const struct domxml_disk *disk)
{
	return !disk->readonly && !strcmp(disk->what, "disk");
}

static void disk_prepare(struct survey *survey, const struct domxml_disk *disk)
{
	const char *why;
	char *spec;

	if (disk->kind == DOMXML_FILE)
		survey_add_file(survey, disk->source, disk->format, disk_is_top(disk));
	if (disk->kind == DOMXML_BLOCK)
		survey_add_device(survey, disk->source, disk->format);
	if (disk->kind == DOMXML_NETWORK) {
		spec = image_spec_of_network(disk, &why);
		if (spec)
			survey_add_image(survey, spec,
					 disk->source ? disk->source : disk->protocol);
		free(spec);
	}
	if (disk->backing)
		disk_prepare(survey, disk->backing);
}

void judge_prepare(struct survey *survey, const struct domxml *dom, bool nova)
{
	for (size_t i = 0; i < dom->n_disks; i++)
		if (!disk_is_cinders(dom, &dom->disks[i], nova))
			disk_prepare(survey, &dom->disks[i]);
}

/* Collects the verdicts on all parts of one instance. */
struct sum {
	struct json_object *disks;
	enum verdict worst;
	bool shared, volume;
	char reason[OPINION_REASON_SIZE + 80];
};

static void sum_add(struct sum *sum, const char *target, const struct opinion *opinion)
{
	size_t n = json_object_array_length(sum->disks);

	sum->shared |= opinion->verdict == VERDICT_SHARED;
	sum->volume |= opinion->verdict == VERDICT_VOLUME;
	if (n == 1 || opinion->verdict < sum->worst) {
		sum->worst = opinion->verdict;
		snprintf(sum->reason, sizeof(sum->reason), "%s: %s", target, opinion->reason);
	}
}

static void disk_add(const struct bench *bench, const struct domxml_disk *disk, struct sum *sum)
{
	struct opinion opinion = {VERDICT_SHARED, "", json_object_new_array()};
	struct json_object *obj = json_object_new_object();

	disk_judge(bench, disk, &opinion);
	json_put_string(obj, "target", disk->target);
	json_put_string(obj, "source", disk->source);
	json_put_string(obj, "kind", kind_name(disk->kind));
	json_put_bool(obj, "readonly", disk->readonly);
	json_put_string(obj, "verdict", verdict_name(opinion.verdict));
	json_put_string(obj, "reason", opinion.reason);
	json_object_object_add(obj, "chain", opinion.chain);
	json_object_array_add(sum->disks, obj);
	sum_add(sum, disk->target, &opinion);
}

static void device_add(const struct domxml_device *device, struct sum *sum)
{
	struct opinion opinion = {device->local ? VERDICT_LOCAL : VERDICT_UNKNOWN, "", NULL};
	struct json_object *obj = json_object_new_object();

	snprintf(opinion.reason, sizeof(opinion.reason), "%s", device->what);
	json_put_string(obj, "target", device->kind);
	json_put_string(obj, "source", NULL);
	json_put_string(obj, "kind", "device");
	json_put_bool(obj, "readonly", false);
	json_put_string(obj, "verdict", verdict_name(opinion.verdict));
	json_put_string(obj, "reason", opinion.reason);
	json_object_object_add(obj, "chain", json_object_new_array());
	json_object_array_add(sum->disks, obj);
	sum_add(sum, device->kind, &opinion);
}

/* Follows links only: overlays name the file itself. */
struct final {
	const struct survey_file *file;
};

static bool final_step(void *user, const struct survey_step *step)
{
	((struct final *)user)->file = step->file;
	return step->file && step->file->link;
}

/* The file that a disk of an instance really is, when its folder was searched for overlays. */
static const struct survey_file *top_find(const struct survey *survey,
					  const struct domxml_disk *disk)
{
	struct final top = {NULL};

	if (disk->kind == DOMXML_FILE && disk_is_top(disk))
		survey_walk(survey, disk->source, disk->format, final_step, &top);
	return top.file;
}

/*
 * Why the instance must wait for a person although its storage can be reached; a new string or
 * NULL.
 */
static char *held_find(const struct survey *survey, const struct domxml *dom)
{
	char *text = NULL;
	int len = 0;

	for (size_t i = 0; i < dom->n_disks && !text && len >= 0; i++) {
		const struct domxml_disk *disk = &dom->disks[i];
		const struct survey_file *top = top_find(survey, disk);
		const struct survey_overlay *overlay =
		    top ? survey_overlay_of(survey, top->path) : NULL;

		if (disk->mirror)
			len = asprintf(&text, "a block job was copying %s", disk->target);
		else if (overlay)
			len = asprintf(&text, "%s's image %s is the backing file of %s",
				       disk->target, top->path, overlay->path);
	}
	return len < 0 ? NULL : text;
}

/* Whether the folders of the instance's own images were searched for overlays to their ends. */
static bool scan_complete(const struct survey *survey, const struct domxml *dom)
{
	for (size_t i = 0; i < dom->n_disks; i++) {
		const struct survey_file *top = top_find(survey, &dom->disks[i]);

		if (top && (top->folder->scan_partial || top->folder->state != SURVEY_SEEN))
			return false;
	}
	return true;
}

static void sum_put(const struct sum *sum, const char *self, struct json_object *obj)
{
	size_t n = json_object_array_length(sum->disks);
	enum verdict verdict = sum->worst;
	char text[160];

	if (!n) {
		json_put_string(obj, "verdict", verdict_name(VERDICT_SHARED));
		json_put_string(obj, "reason", "it has no disks");
		return;
	}
	/* Shared and volume are equally good; together they are called shared. */
	if (verdict > VERDICT_UNKNOWN)
		verdict = sum->shared ? VERDICT_SHARED : VERDICT_VOLUME;
	snprintf(text, sizeof(text), "%s reaches all %zu disks", self, n);
	json_put_string(obj, "verdict", verdict_name(verdict));
	json_put_string(obj, "reason", verdict > VERDICT_UNKNOWN && n > 1 ? text : sum->reason);
}

struct json_object *judge_instance(const struct survey *survey, const char *self,
				   const struct request_instance *instance)
{
	const struct bench bench = {survey, self, instance};
	struct json_object *obj = json_object_new_object();
	struct sum sum = {.disks = json_object_new_array(), .worst = VERDICT_SHARED};
	const struct domxml *dom = instance->dom;
	char *held = NULL;

	for (size_t i = 0; dom && i < dom->n_disks; i++)
		if (dom->disks[i].kind != DOMXML_EMPTY)
			disk_add(&bench, &dom->disks[i], &sum);
	for (size_t i = 0; dom && i < dom->n_devices; i++)
		device_add(&dom->devices[i], &sum);
	if (dom) {
		sum_put(&sum, self, obj);
		held = held_find(survey, dom);
	} else {
		json_put_string(obj, "verdict", verdict_name(VERDICT_UNKNOWN));
		json_put_string(obj, "reason", instance->error);
	}
	json_put_string(obj, "held", held);
	json_put_bool(obj, "scan_complete", dom && scan_complete(survey, dom));
	json_object_object_add(obj, "disks", sum.disks);
	free(held);
	return obj;
}
