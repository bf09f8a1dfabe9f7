/* The verdict on one disk; see judge.h. */
#ifndef HAMON_STORAGE_JUDGE_DISK_H
#define HAMON_STORAGE_JUDGE_DISK_H

#include "storage-check/judge.h"

#define OPINION_REASON_SIZE 512

/* What is thought of a disk so far: each finding can only lower it. */
struct opinion {
	enum verdict verdict;
	char reason[OPINION_REASON_SIZE];
	struct json_object *chain; /* names of the images that were walked, or NULL */
};

void opinion_lower(struct opinion *opinion, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Who judges, and for whom. */
struct bench {
	const struct survey *survey;
	const char *self;
	const struct request_instance *instance; /* owner NULL: self is alone */
};

/*
 * Cinder's volume, which is nowhere to be found before Nova attaches it on the host that takes the
 * instance: not a share that is mounted for it, nor a LUN. Nova writes its id as the serial, for
 * these alone.
 */
bool disk_is_cinders(const struct domxml *dom, const struct domxml_disk *disk, bool nova);

/* Judges disk and the backing images that its XML names; chain must be an array or NULL. */
void disk_judge(const struct bench *bench, const struct domxml_disk *disk, struct opinion *opinion);

/* Whether self sees the owner's storage in folder. */
void place_judge(const struct bench *bench, const struct survey_folder *folder,
		 struct opinion *opinion);

#endif
