/*
 * beacon: this host's beacon into every place, and the others' out of it. One child for each place; but places of one folder,
 * as Nova's servers have, share children, for there are many of them and they are most likely of one file system. What a child of several
 * has not told in time is asked once more, each place by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "storage-check/helper.h"
#include "storage-check/probe.h"

#define GROUP_MIN 4  /* places of one folder that are worth a common child */
#define GROUP_MAX 16 /* and as many as it sees to within the time of one */

/* One child, and the places that it sees to, by their numbers in the request. */
struct beacon_job {
	const struct request *request;
	size_t places[GROUP_MAX];
	size_t n;
	char key[PATH_MAX + 16];
};

struct beacon_round {
	const struct request *request;
	struct json_object **answers; /* of each place; NULL: none yet */
	struct beacon_job *jobs;
	struct probe *probes;
	size_t n;
};

static struct json_object *line_new(const char *path, const char *error)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "place");
	json_put_string(obj, "path", path);
	json_put_bool(obj, "ok", !error);
	json_put_bool(obj, "writable", false);
	json_put_string(obj, "place_id", NULL);
	json_put_string(obj, "fs", "");
	json_object_object_add(obj, "peers", json_object_new_object());
	json_put_string(obj, "error", error);
	return obj;
}

static void peers_put(const struct request *request, const struct place *place,
		      struct json_object *obj)
{
	struct json_object *peers = json_object_new_object(), *peer;
	struct beacon beacon;

	for (size_t i = 0; i < request->n_peers; i++) {
		if (place_beacon_read(place, request->peers[i], &beacon))
			continue;
		peer = json_object_new_object();
		json_put_string(peer, "nonce", beacon.nonce);
		json_put_string(peer, "boot_id", beacon.boot_id);
		json_object_object_add(peers, beacon.host, peer);
	}
	json_object_object_add(obj, "peers", peers);
}

static void error_put(struct json_object *obj, const char *what, int rc)
{
	char text[256];

	if (rc == -EBADMSG)
		snprintf(text, sizeof(text),
			 "%s: its file is damaged; remove it to have a new one made", what);
	else
		snprintf(text, sizeof(text), "%s: %s", what, strerror(-rc));
	json_put_bool(obj, "ok", false);
	json_put_string(obj, "error", text);
}

/* A place that cannot be written is still read: what is seen in it counts. */
static struct json_object *place_answer(const struct request *request, const char *path)
{
	struct json_object *obj = line_new(path, NULL);
	char id[DISKID_UUID_SIZE];
	struct place place;
	int rc = place_open(path, &place);

	if (rc) {
		error_put(obj, "the folder", rc);
		return obj;
	}
	json_put_string(obj, "real", place.real);
	json_put_string(obj, "fs", place.fs);
	rc = place_mark(&place, request->self);
	if (rc) {
		error_put(obj, "its mark .hamon/place-id", rc);
	} else {
		rc = place_beacon_write(&place, &request->beacon);
		if (rc)
			error_put(obj, "the beacon", rc);
	}
	json_put_bool(obj, "writable", !rc);
	if (!place_id_read(&place, id))
		json_put_string(obj, "place_id", id);
	peers_put(request, &place, obj);
	place_close(&place);
	return obj;
}

/* The child: a line for each of its places, in their order. */
static void beacon_job(void *arg, int out)
{
	struct beacon_job *job = arg;

	for (size_t i = 0; i < job->n; i++) {
		struct json_object *obj = place_answer(job->request, job->request->places[job->places[i]]);

		json_write_line(out, obj);
		json_object_put(obj);
	}
}

/* --- rounds --- */

static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static bool same_folder(const char *a, const char *b)
{
	return folder_len(a) == folder_len(b) && !strncmp(a, b, folder_len(a));
}

static struct beacon_job *job_add(struct beacon_round *round, size_t place)
{
	struct beacon_job *job = &round->jobs[round->n];
	const char *path = round->request->places[place];

	job->request = round->request;
	job->places[0] = place;
	job->n = 1;
	snprintf(job->key, sizeof(job->key), "beacon:%s", path);
	round->probes[round->n++] = (struct probe){.key = job->key, .run = beacon_job, .arg = job};
	return job;
}

static void alone_plan(struct beacon_round *round)
{
	round->n = 0;
	for (size_t i = 0; i < round->request->n_places; i++)
		if (!round->answers[i])
			job_add(round, i);
}

/* Neighbours in the request, which are as hamond knows the instances. */
static void groups_plan(struct beacon_round *round)
{
	const struct request *request = round->request;
	size_t next;

	round->n = 0;
	for (size_t i = 0; i < request->n_places; i = next) {
		struct beacon_job *job = job_add(round, i);

		for (next = i + 1; next < request->n_places && next - i < GROUP_MAX &&
				   same_folder(request->places[i], request->places[next]);)
			next++;
		if (next - i < GROUP_MIN) {
			next = i + 1;
			continue;
		}
		for (size_t k = i + 1; k < next; k++)
			job->places[job->n++] = k;
		snprintf(job->key, sizeof(job->key), "beacons:%s", request->places[i]);
	}
}

/* What a child has told, to its end or not. */
static void job_take(struct beacon_round *round, const struct beacon_job *job, const struct probe *probe)
{
	const char *text = probe->output ? probe->output : "", *end;

	for (size_t i = 0; i < job->n && (end = strchr(text, '\n')); i++, text = end + 1)
		if (json_parse(text, (size_t)(end - text), &round->answers[job->places[i]]))
			round->answers[job->places[i]] = NULL;
}

/* For what has no answer after the last round: why. */
static void job_give_up(struct beacon_round *round, const struct beacon_job *job, const struct probe *probe)
{
	const char *path = round->request->places[job->places[0]];
	char why[PATH_MAX + 80];

	if (round->answers[job->places[0]])
		return;
	probe_describe(probe->end, path, round->request->probe_timeout_ms, why, sizeof(why));
	round->answers[job->places[0]] = line_new(path, why);
}

static void round_run(struct beacon_round *round, const struct probe_limits *limits, bool last)
{
	probe_run(round->probes, round->n, limits);
	for (size_t i = 0; i < round->n; i++) {
		job_take(round, &round->jobs[i], &round->probes[i]);
		if (last || round->jobs[i].n == 1)
			job_give_up(round, &round->jobs[i], &round->probes[i]);
		probe_clear(&round->probes[i]);
	}
}

int beacon_run(const struct request *request, const char *lock_dir)
{
	const struct probe_limits limits = {
	    .lock_dir = lock_dir,
	    .parallel = HELPER_PARALLEL,
	    .timeout_ms = request->probe_timeout_ms,
	    .until_ms = clock_boot_ms() + HELPER_ROUNDS * request->probe_timeout_ms,
	};
	struct beacon_round round = {
	    .request = request,
	    .answers = calloc(request->n_places + 1, sizeof(*round.answers)),
	    .probes = calloc(request->n_places + 1, sizeof(*round.probes)),
	    .jobs = calloc(request->n_places + 1, sizeof(*round.jobs)),
	};
	int rc = round.answers && round.probes && round.jobs ? 0 : -ENOMEM;

	if (!rc) {
		groups_plan(&round);
		round_run(&round, &limits, false);
		alone_plan(&round);
		round_run(&round, &limits, true);
	}
	for (size_t i = 0; i < request->n_places && !rc; i++) {
		json_write_line(1, round.answers[i]);
		json_object_put(round.answers[i]);
	}
	free(round.answers);
	free(round.probes);
	free(round.jobs);
	return rc;
}
