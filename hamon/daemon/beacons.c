/*
 * This host's beacons: a file with its nonce in every place where its instances' disks lie, by which the others prove that they
 * reach the same storage. All of them in every beacon_interval; a place that is new at once, and by itself: in a recovery one
 * comes with each instance, and a round of all takes a process for each place, or for some of one folder.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <json-c/json.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#define SOON_MS 200
#define NONCE_INTERVAL_MS 600000
#define PLACES_MAX (2 * CORE_INSTANCES_MAX) /* under Nova each instance has a folder of its own */

static void nonce_make(char nonce[CORE_NONCE_SIZE])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
}

/* The places of this host's own instances, each once: {PATH: true, ..}. */
static struct json_object *places_own(struct daemon *d)
{
	struct json_object *places = json_object_new_object();
	struct core_instance_view view;

	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		if (!core_instance(d->core, i, &view) || view.place->owner != d->settings.self)
			continue;
		for (uint32_t k = 0; k < view.spec->n_places && json_object_object_length(places) < PLACES_MAX; k++)
			json_put_bool(places, view.spec->places[k], true);
	}
	return places;
}

/* What has no beacon with this nonce yet, or all of it. A place that is not ours any more is forgotten, for it may come back changed. */
static struct json_object *places_due(struct daemon *d, bool whole)
{
	struct json_object *places = places_own(d), *list = json_object_new_array(), *lit = json_object_new_object();

	json_object_object_foreach(places, path, unused) {
		(void)unused;
		if (whole || !json_bool_or(d->beacons_lit, path, false))
			json_object_array_add(list, json_object_new_string(path));
		else
			json_put_bool(lit, path, true);
	}
	json_object_put(places);
	json_object_put(d->beacons_lit);
	d->beacons_lit = lit;
	return list;
}

static void beacon_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	const char *path = json_string_or(obj, "path", "?");
	struct daemon *d = user;

	if (strcmp(json_string_or(obj, "type", ""), "place"))
		return;
	if (json_bool_or(obj, "ok", false))
		json_put_bool(d->beacons_lit, path, true);
	else
		daemon_log(d, "storage place %s: %s", path, json_string_or(obj, "error", "not usable"));
}

static void beacon_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct daemon *d = user;

	d->beacon = NULL;
	d->beacon_rest_ms = storage_rest_until_ms(d->beacon_began_ms);
	if (d->beacon_due_ms < d->beacon_rest_ms)
		d->beacon_due_ms = d->beacon_rest_ms;
	/* The beacons are out: now their nonce may be announced. */
	watch_host_report(d);
}

static void beacon_begin(struct daemon *d)
{
	uint64_t now_ms = clock_boot_ms();
	bool whole = now_ms >= d->beacon_whole_ms || !d->host.nonce[0] || now_ms >= d->nonce_due_ms;
	struct json_object *input, *places = places_due(d, whole);

	d->beacon_began_ms = now_ms;
	if (whole)
		d->beacon_whole_ms = now_ms + d->config->storage.beacon_interval_ms;
	d->beacon_due_ms = d->beacon_whole_ms;
	if (!json_object_array_length(places)) {
		json_object_put(places);
		return;
	}
	if (!d->host.nonce[0] || now_ms >= d->nonce_due_ms) {
		nonce_make(d->host.nonce);
		d->nonce_due_ms = now_ms + NONCE_INTERVAL_MS;
	}
	input = json_object_new_object();
	json_put_string(input, "op", "beacon");
	json_put_string(input, "self", daemon_self_name(d));
	json_put_string(input, "nonce", d->host.nonce);
	json_put_string(input, "boot_id", d->settings.boot_id);
	json_object_object_add(input, "places", places);
	json_object_object_add(input, "peers", json_object_new_array());
	json_put_u64(input, "probe_timeout_ms", d->config->storage.probe_timeout_ms);
	d->beacon = daemon_helper(d, "hamon-storage", "beacon", input,
				  3 * d->config->storage.probe_timeout_ms + 2000, TAG_PROBE, beacon_on_line,
				  beacon_on_exit, d);
}

void beacons_soon(struct daemon *d, bool whole)
{
	uint64_t soon_ms = clock_boot_ms() + SOON_MS;

	if (soon_ms < d->beacon_rest_ms)
		soon_ms = d->beacon_rest_ms;
	if (whole && d->beacon_whole_ms > soon_ms)
		d->beacon_whole_ms = soon_ms;
	if (d->beacon_due_ms > soon_ms)
		d->beacon_due_ms = soon_ms;
}

void beacons_tick(struct daemon *d)
{
	if (!d->beacon && clock_boot_ms() >= d->beacon_due_ms)
		beacon_begin(d);
}
