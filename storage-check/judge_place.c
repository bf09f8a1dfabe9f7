/*
 * Is this folder the owner's storage? Proof is the owner's current nonce, read by this host itself.
 */
#include <errno.h>
#include <string.h>

#include "storage-check/judge_disk.h"
#include "storage-check/survey_private.h"

/*
 * The owner's place for a folder of this host. One of the same path must be the one; only a folder
 * that the owner knows by another path (links) may be found by its mark.
 */
static const struct request_place *place_find(const struct request_instance *instance,
					      const struct survey_folder *folder)
{
	for (size_t i = 0; i < instance->n_places; i++)
		if (!strcmp(instance->places[i].path, folder->path) ||
		    !strcmp(instance->places[i].path, folder->real))
			return &instance->places[i];
	for (size_t i = 0; i < instance->n_places; i++)
		if (instance->places[i].place_id && folder->place_id[0] &&
		    !strcmp(instance->places[i].place_id, folder->place_id))
			return &instance->places[i];
	return NULL;
}

static const struct beacon *beacon_find(const struct survey_folder *folder, const char *host)
{
	for (size_t i = 0; i < folder->n_beacons; i++)
		if (!strcmp(folder->beacons[i].host, host))
			return &folder->beacons[i];
	return NULL;
}

static bool nonce_is(const struct beacon *beacon, const char *nonce)
{
	return nonce && nonce[0] && !strcmp(beacon->nonce, nonce);
}

/*
 * The owner wrote it for this very place of its own. A mark tells that too, where the owner has
 * announced it.
 */
static bool beacon_is_of(const struct beacon *beacon, const struct request_place *place)
{
	char digest[BEACON_PLACE_SIZE];

	beacon_place(place->path, digest);
	return place->place_id || !strcmp(beacon->place, digest);
}

static void proof_judge(const struct bench *bench, const struct survey_folder *folder,
			const struct request_place *place, struct opinion *opinion)
{
	const char *owner = bench->instance->owner, *self = bench->self;
	const struct beacon *beacon = beacon_find(folder, owner);

	if (!place)
		opinion_lower(opinion, VERDICT_UNKNOWN, "%s has announced no beacon for %s", owner,
			      folder->path);
	else if (!place->nonce)
		opinion_lower(opinion, VERDICT_UNKNOWN, "%s has written no beacon into %s", owner,
			      place->path);
	else if (place->place_id ? strcmp(place->place_id, folder->place_id) != 0 : !beacon)
		opinion_lower(opinion, VERDICT_LOCAL, "%s on %s is other storage than on %s",
			      folder->path, self, owner);
	else if (!beacon)
		opinion_lower(opinion, VERDICT_UNKNOWN,
			      "%s on %s has the mark of %s's storage but not its beacon: a copy, "
			      "or not yet seen",
			      folder->path, self, owner);
	else if (!nonce_is(beacon, place->nonce) && !nonce_is(beacon, place->previous_nonce))
		opinion_lower(
		    opinion, VERDICT_UNKNOWN,
		    "%s on %s has an old beacon of %s: a copy, or what was seen of it is stale",
		    folder->path, self, owner);
	else if (!beacon_is_of(beacon, place))
		opinion_lower(
		    opinion, VERDICT_UNKNOWN,
		    "%s on %s has %s's beacon for another of its places: the mounts are exchanged",
		    folder->path, self, owner);
}

void place_judge(const struct bench *bench, const struct survey_folder *folder,
		 struct opinion *opinion)
{
	const struct request_instance *instance = bench->instance;
	char why[OPINION_REASON_SIZE];

	if (folder->state != SURVEY_SEEN) {
		probe_describe(folder->end, folder->path, bench->survey->limits.probe_timeout_ms,
			       why, sizeof(why));
		opinion_lower(opinion, VERDICT_UNKNOWN, "%s", why);
	} else if (folder->error == -ENOENT || folder->error == -ENOTDIR) {
		opinion_lower(opinion, VERDICT_LOCAL, "%s has no folder %s", bench->self,
			      folder->path);
	} else if (folder->error) {
		opinion_lower(opinion, VERDICT_UNKNOWN, "%s cannot open %s: %s", bench->self,
			      folder->path, strerror(-folder->error));
	} else if (!instance->owner) {
		opinion_lower(opinion, VERDICT_UNKNOWN,
			      "%s (%s) is here; hamond alone can prove that other hosts have the "
			      "same storage there",
			      folder->path, folder->fs);
	} else if (strcmp(instance->owner, bench->self)) {
		proof_judge(bench, folder, place_find(instance, folder), opinion);
	}
}
