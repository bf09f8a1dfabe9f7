/*
 * The rounds of a survey: walk as far as is known, look at what is new, until there is nothing new.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "storage-check/survey_private.h"

#define SLOW_CLOSE_MS 10000

/* One walk that collects what has to be looked at. */
struct collect {
	struct survey *survey;
	bool top; /* nothing but links so far: this is the instance's own image */
};

static void top_mark(struct survey *survey, struct survey_file *file)
{
	const char *name;
	char folder[PATH_MAX];

	if (file->top)
		return;
	file->top = true;
	if (file->folder)
		file->folder->scan = true;
	path_split(file->path, folder, &name);
	survey_index_get(survey, &survey->names, name, sizeof(char *));
}

static bool collect_step(void *user, const struct survey_step *step)
{
	struct collect *collect = user;
	struct survey *survey = collect->survey;
	struct survey_file *file;

	if (step->spec) {
		survey_add_image(survey, step->spec, step->name);
		return true;
	}
	if (step->problem || step->name[0] != '/')
		return true;
	file = survey_file_get(survey, step->name);
	if (!file)
		return false;
	if (collect->top)
		top_mark(survey, file);
	if (file->state == SURVEY_SEEN && !file->link)
		collect->top = false;
	if (file->state == SURVEY_SEEN && file->block)
		survey_index_get(survey, &survey->devices, file->path,
				 sizeof(struct survey_device));
	return true;
}

static void targets_collect(struct survey *survey)
{
	for (size_t i = 0; i < survey->n_targets && !survey->failed; i++) {
		struct survey_target *target = &survey->targets[i];
		struct collect collect = {survey, target->top};
		struct survey_device *device = survey_device(survey, target->path);

		if (!target->device)
			survey_walk(survey, target->path, target->format, collect_step, &collect);
		/* A device that the XML calls a file has an image's header too. */
		collect.top = false;
		if (device)
			survey_walk_device(survey, device, target->format, collect_step, &collect);
	}
	for (size_t i = 0; i < survey->images.n && !survey->failed; i++) {
		struct collect collect = {survey, false};

		survey_walk_image(survey, survey->images.items[i], collect_step, &collect);
	}
}

/* Whether a folder has to be visited: for the first time, or for files that turned up later. */
static bool folder_is_wanted(const struct survey *survey, struct survey_folder *folder)
{
	bool wanted = folder->state == SURVEY_WANTED;

	for (size_t i = 0; i < survey->files.n; i++) {
		struct survey_file *file = survey->files.items[i];

		if (file->folder != folder || file->state != SURVEY_WANTED)
			continue;
		/* A folder that did not answer is not asked again for its other files. */
		if (folder->state == SURVEY_LOST || folder->error)
			file->state = SURVEY_LOST;
		else
			wanted = true;
	}
	return wanted && folder->state != SURVEY_LOST;
}

struct round {
	struct survey *survey;
	struct probe *probes;
	struct survey_job *jobs;
	char (*keys)[PATH_MAX + 16];
	size_t n, room;
};

static void round_add(struct round *round, const char *kind, void *object, void (*run)(void *, int))
{
	if (round->n >= round->room)
		return;
	/* An object's first member is its path or spec. */
	snprintf(round->keys[round->n], sizeof(round->keys[0]), "%s:%s", kind, *(char **)object);
	round->jobs[round->n] = (struct survey_job){round->survey, object};
	round->probes[round->n] =
	    (struct probe){.key = round->keys[round->n], .run = run, .arg = &round->jobs[round->n]};
	round->n++;
}

/* libgfapi takes ten seconds to close a volume, and qemu-img speaks only after that. */
static void images_fill(struct round *round)
{
	struct survey *survey = round->survey;

	for (size_t i = 0; i < survey->images.n; i++) {
		struct survey_image *image = survey->images.items[i];
		size_t n = round->n;

		if (image->state == SURVEY_WANTED)
			round_add(round, "image", image, image_job);
		if (round->n > n && image_is_slow(image))
			round->probes[n].timeout_ms =
			    survey->limits.probe_timeout_ms + SLOW_CLOSE_MS;
	}
}

static void round_fill(struct round *round)
{
	struct survey *survey = round->survey;

	for (size_t i = 0; i < survey->folders.n; i++)
		if (folder_is_wanted(survey, survey->folders.items[i]))
			round_add(round, "folder", survey->folders.items[i], folder_job);
	for (size_t i = 0; i < survey->devices.n; i++)
		if (((struct survey_device *)survey->devices.items[i])->state == SURVEY_WANTED)
			round_add(round, "device", survey->devices.items[i], device_job);
	images_fill(round);
}

static void round_read(struct round *round)
{
	for (size_t i = 0; i < round->n; i++) {
		struct probe *probe = &round->probes[i];
		void *object = round->jobs[i].object;

		if (probe->run == folder_job)
			folder_read(round->survey, object, probe);
		else if (probe->run == device_job)
			device_read(round->survey, object, probe);
		else
			image_read(round->survey, object, probe);
		probe_clear(probe);
	}
}

/* One round; false when there was nothing to do. */
static bool round_run(struct survey *survey, const struct probe_limits *limits)
{
	size_t room = survey->folders.n + survey->devices.n + survey->images.n;
	struct round round = {.survey = survey, .room = room};
	bool more = false;

	round.probes = calloc(room + 1, sizeof(*round.probes));
	round.jobs = calloc(room + 1, sizeof(*round.jobs));
	round.keys = calloc(room + 1, sizeof(*round.keys));
	if (!round.probes || !round.jobs || !round.keys) {
		survey->failed = -ENOMEM;
		goto out;
	}
	round_fill(&round);
	if (round.n) {
		probe_run(round.probes, round.n, limits);
		round_read(&round);
		more = true;
	}
out:
	free(round.probes);
	free(round.jobs);
	free(round.keys);
	return more;
}

void survey_run(struct survey *survey)
{
	struct probe_limits limits = {
	    .lock_dir = survey->limits.lock_dir,
	    .parallel = survey->limits.parallel,
	    .timeout_ms = survey->limits.probe_timeout_ms,
	    .until_ms = clock_boot_ms() + survey->limits.total_ms,
	};

	/* Each round but the last sees one more image of some chain, so the rounds are bounded. */
	do
		targets_collect(survey);
	while (!survey->failed && round_run(survey, &limits));
}
