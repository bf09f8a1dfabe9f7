/*
 * beacon: this host's beacon into every place, and the others' out of it. One child for each place.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "storage-check/helper.h"
#include "storage-check/probe.h"

struct beacon_job {
	const struct request *request;
	const char *path;
	char key[PATH_MAX + 16];
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

/* The child. A place that cannot be written is still read: what is seen in it counts. */
static void beacon_job(void *arg, int out)
{
	struct beacon_job *job = arg;
	struct json_object *obj = line_new(job->path, NULL);
	char id[DISKID_UUID_SIZE];
	struct place place;
	int rc = place_open(job->path, &place);

	if (rc) {
		error_put(obj, "the folder", rc);
		goto out;
	}
	json_put_string(obj, "real", place.real);
	json_put_string(obj, "fs", place.fs);
	rc = place_mark(&place, job->request->self);
	if (rc) {
		error_put(obj, "its mark .hamon/place-id", rc);
	} else {
		rc = place_beacon_write(&place, &job->request->beacon);
		if (rc)
			error_put(obj, "the beacon", rc);
	}
	json_put_bool(obj, "writable", !rc);
	if (!place_id_read(&place, id))
		json_put_string(obj, "place_id", id);
	peers_put(job->request, &place, obj);
	place_close(&place);
out:
	json_write_line(out, obj);
	json_object_put(obj);
}

static void answer_forward(const struct request *request, const char *path,
			   const struct probe *probe)
{
	struct json_object *obj = NULL;
	char why[PATH_MAX + 80];

	if (probe->end != PROBE_DONE ||
	    json_parse(probe->output ? probe->output : "", probe->output_len, &obj)) {
		probe_describe(probe->end, path, request->probe_timeout_ms, why, sizeof(why));
		obj = line_new(path, why);
	}
	json_write_line(1, obj);
	json_object_put(obj);
}

int beacon_run(const struct request *request, const char *lock_dir)
{
	const struct probe_limits limits = {
	    .lock_dir = lock_dir,
	    .parallel = HELPER_PARALLEL,
	    .timeout_ms = request->probe_timeout_ms,
	    .until_ms = clock_boot_ms() + HELPER_ROUNDS * request->probe_timeout_ms,
	};
	struct probe *probes = calloc(request->n_places + 1, sizeof(*probes));
	struct beacon_job *jobs = calloc(request->n_places + 1, sizeof(*jobs));
	int rc = probes && jobs ? 0 : -ENOMEM;

	for (size_t i = 0; i < request->n_places && !rc; i++) {
		jobs[i].request = request;
		jobs[i].path = request->places[i];
		snprintf(jobs[i].key, sizeof(jobs[i].key), "beacon:%s", jobs[i].path);
		probes[i] = (struct probe){.key = jobs[i].key, .run = beacon_job, .arg = &jobs[i]};
	}
	if (!rc)
		probe_run(probes, request->n_places, &limits);
	for (size_t i = 0; i < request->n_places && !rc; i++) {
		answer_forward(request, jobs[i].path, &probes[i]);
		probe_clear(&probes[i]);
	}
	free(probes);
	free(jobs);
	return rc;
}
