/*
 * Backing, continuously: this host's own verdict on every instance of the others. Those of a host that is being lost are checked at once,
 * so that the proof is there when the certificate is; otherwise all are, now and then, and in between only what has changed or is
 * not proven: in a recovery one instance changes after the other, and each check of one takes processes of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#define CHECK_INTERVAL_MS 30000
#define WHOLE_REST 19           /* the checks of all take a twentieth of the time, however many instances the others have */
#define WHOLE_MAX_MS 600000
#define CHECK_SOON_MS 3000      /* while verdicts are still bad or new */
#define CHECK_SOON_FOR_MS 60000
#define REST 9                  /* what instances that change set off takes a tenth of the time: a recovery changes one after the other */
#define REST_MAX_MS 10000
#define FRESH_MS 10000          /* a proof this young needs no repetition before a start */

uint64_t storage_rest_until_ms(uint64_t began_ms)
{
	uint64_t now_ms = clock_boot_ms(), rest_ms = REST * (now_ms - began_ms);

	return now_ms + (rest_ms < REST_MAX_MS ? rest_ms : REST_MAX_MS);
}

static struct verdict_report *verdict_slot(struct daemon *d, const char *uuid, size_t *ret_index)
{
	for (size_t i = 0; i < d->n_verdicts; i++)
		if (!strcmp(d->verdicts[i].uuid, uuid)) {
			*ret_index = i;
			return &d->verdicts[i];
		}
	return NULL;
}

static bool is_proven(const struct verdict_report *verdict)
{
	return !verdict->held && (verdict->verdict == VERDICT_SHARED || verdict->verdict == VERDICT_VOLUME);
}

bool storage_is_fresh(struct daemon *d, const char *uuid)
{
	size_t i;
	const struct verdict_report *verdict = verdict_slot(d, uuid, &i);

	return verdict && is_proven(verdict) && clock_boot_ms() - d->verdicts_ms[i] < FRESH_MS;
}

/* --- verdicts --- */

/* The id of the one place of an instance whose disks all lie there, from their identities; NULL where it is not so simple. */
static const char *place_id_of(const struct spec_fact *spec, char id[CORE_UUID_SIZE])
{
	static const char prefix[] = "file:";

	if (spec->n_places != 1)
		return NULL;
	for (uint32_t i = 0; i < spec->n_disks; i++)
		if (!strncmp(spec->disks[i].id, prefix, strlen(prefix)) &&
		    strlen(spec->disks[i].id) > strlen(prefix) + CORE_UUID_SIZE) {
			memcpy(id, spec->disks[i].id + strlen(prefix), CORE_UUID_SIZE - 1);
			id[CORE_UUID_SIZE - 1] = '\0';
			return id;
		}
	return NULL;
}

/* The host by whose beacons an instance is judged. */
static uint32_t home_of(const struct core_instance_view *view)
{
	return view->place->home ? view->place->home : view->place->owner;
}

/* What hamon-storage must know of one instance to judge it: its definition, and its owner's beacons. */
struct json_object *storage_instance_request(struct daemon *d, const struct core_instance_view *view)
{
	struct json_object *obj = json_object_new_object(), *places = json_object_new_array();
	uint32_t home = home_of(view);
	const struct host_fact *owner = NULL;
	struct core_host_view host;
	char place_id[CORE_UUID_SIZE];

	for (size_t i = 0; i < core_host_count(d->core); i++)
		if (core_host(d->core, i, &host) && host.nodeid == home)
			owner = host.fact;
	for (uint32_t i = 0; i < view->spec->n_places; i++) {
		struct json_object *place = json_object_new_object();

		json_put_string(place, "path", view->spec->places[i]);
		if (place_id_of(view->spec, place_id))
			json_put_string(place, "place_id", place_id);
		if (owner && owner->nonce[0])
			json_put_string(place, "nonce", owner->nonce);
		if (owner && owner->nonce_before[0])
			json_put_string(place, "previous_nonce", owner->nonce_before);
		json_object_array_add(places, place);
	}
	json_put_string(obj, "uuid", view->spec->uuid);
	json_put_string(obj, "name", view->spec->name);
	json_put_string(obj, "owner", daemon_host_name(d, home));
	json_put_string(obj, "xml", def_find(d, view->spec->def_hash));
	json_object_object_add(obj, "places", places);
	json_object_object_add(obj, "devices", json_object_new_array());
	return obj;
}

static enum verdict verdict_read(const char *word)
{
	for (unsigned int v = VERDICT_UNKNOWN; v <= VERDICT_VOLUME; v++)
		if (!strcmp(word, verdict_name((enum verdict)v)))
			return (enum verdict)v;
	return VERDICT_UNKNOWN;
}

static void verdict_take(struct daemon *d, struct json_object *obj)
{
	struct verdict_report report = { .verdict = verdict_read(json_string_or(obj, "verdict", "")) };
	struct verdict_report *slot;
	const char *held = json_string_or(obj, "held", NULL);
	size_t i;

	if (json_copy_string(obj, "uuid", report.uuid, sizeof(report.uuid)))
		return;
	report.held = held != NULL;
	snprintf(report.reason, sizeof(report.reason), "%s", held ? held : json_string_or(obj, "reason", ""));
	slot = verdict_slot(d, report.uuid, &i);
	if (!slot) {
		if (d->n_verdicts == CORE_INSTANCES_MAX)
			d->n_verdicts = 0; /* told again from the start: the old ones are of instances long gone */
		i = d->n_verdicts++;
		slot = &d->verdicts[i];
		memset(slot, 0, sizeof(*slot));
		memcpy(slot->uuid, report.uuid, sizeof(slot->uuid));
		slot->verdict = (enum verdict)-1;
	}
	d->verdicts_ms[i] = clock_boot_ms();
	if (slot->verdict == report.verdict && slot->held == report.held && !strcmp(slot->reason, report.reason))
		return;
	*slot = report;
	d->verdicts_changed_ms = clock_boot_ms();
	d->verdicts_new[i] = true;
}

/* In one message: the helper has told all of them in one moment. */
static void verdicts_tell(struct daemon *d)
{
	struct verdict_report *list = calloc(d->n_verdicts + 1, sizeof(*list));
	struct core_event event = { .type = EV_VERDICTS };

	if (!list) {
		d->verdicts_resend = true;
		return;
	}
	for (size_t i = 0; i < d->n_verdicts; i++)
		if (d->verdicts_new[i])
			list[event.verdicts.n++] = d->verdicts[i];
	memset(d->verdicts_new, 0, sizeof(d->verdicts_new));
	event.verdicts.verdicts = list;
	if (event.verdicts.n)
		daemon_event(d, &event);
	free(list);
}

static void check_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	const char *type = json_string_or(obj, "type", "");

	if (!strcmp(type, "verdict"))
		verdict_take(user, obj);
	else if (!strcmp(type, "result"))
		verdicts_tell(user);
}

static uint64_t whole_pause_ms(uint64_t took_ms)
{
	uint64_t rest_ms = WHOLE_REST * took_ms;

	if (rest_ms > WHOLE_MAX_MS)
		rest_ms = WHOLE_MAX_MS;
	return rest_ms > CHECK_INTERVAL_MS ? rest_ms : CHECK_INTERVAL_MS;
}

/* What is not proven is asked again after the interval, however seldom all are. */
static void check_due_set(struct daemon *d, uint64_t now_ms)
{
	d->check_due_ms = now_ms + CHECK_INTERVAL_MS;
	if (d->check_due_ms > d->check_whole_ms)
		d->check_due_ms = d->check_whole_ms;
}

static void check_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct daemon *d = user;
	bool all_good = !d->check_partial;
	uint64_t now_ms = clock_boot_ms();

	verdicts_tell(d); /* of a helper that died before it told its result; the step after it must not begin another one beside it */
	d->check = NULL;
	d->check_rest_ms = storage_rest_until_ms(d->check_began_ms);
	if (d->check_whole)
		d->check_whole_ms = now_ms + whole_pause_ms(now_ms - d->check_began_ms);
	if (d->check_again) {
		d->check_due_ms = now_ms;
		return;
	}
	for (size_t i = 0; i < d->n_verdicts; i++)
		all_good &= d->verdicts[i].verdict == VERDICT_SHARED || d->verdicts[i].verdict == VERDICT_VOLUME;
	check_due_set(d, now_ms);
	if (!all_good && now_ms <= d->verdicts_changed_ms + CHECK_SOON_FOR_MS && d->check_due_ms > now_ms + CHECK_SOON_MS)
		d->check_due_ms = now_ms + CHECK_SOON_MS;
	if (d->check_rested && d->check_due_ms > d->check_rest_ms)
		d->check_due_ms = d->check_rest_ms;
}

#define DIGEST_EMPTY 1469598103934665603u
#define DIGEST_PRIME 1099511628211u
#define MIX(value) (digest = (digest ^ (uint64_t)(value)) * DIGEST_PRIME)

/* Of each host by itself what a verdict on its instances hangs on; returned, of all. */
static uint64_t hosts_digest(struct daemon *d)
{
	uint64_t digest, all = DIGEST_EMPTY;
	struct core_host_view host;

	d->n_host_digests = 0;
	for (size_t i = 0; i < core_host_count(d->core); i++) {
		if (!core_host(d->core, i, &host))
			continue;
		digest = DIGEST_EMPTY;
		MIX(host.nodeid);
		MIX(host.fact->state == HOST_LOST);
		MIX(host.present);
		for (const char *c = host.fact->nonce; *c; c++)
			MIX(*c);
		d->host_digests[d->n_host_digests].nodeid = host.nodeid;
		d->host_digests[d->n_host_digests++].digest = digest;
		all = (all ^ digest) * DIGEST_PRIME;
	}
	return all;
}

/* What a verdict is about: the instance, its host, and the one whose beacons it is judged by. */
static int64_t question_digest(const struct daemon *d, const struct core_instance_view *view)
{
	uint32_t home = home_of(view);
	uint64_t digest = DIGEST_EMPTY;

	MIX(view->spec->version.counter);
	MIX(view->spec->version.term);
	MIX(home);
	for (size_t i = 0; i < d->n_host_digests; i++)
		if (d->host_digests[i].nodeid == home || d->host_digests[i].nodeid == view->place->owner)
			MIX(d->host_digests[i].digest);
	return (int64_t)digest;
}

/* It is another question than the one that was asked last, or the answer was no proof. */
static bool check_is_due(struct daemon *d, const struct core_instance_view *view)
{
	struct json_object *asked;
	size_t i;
	const struct verdict_report *verdict = verdict_slot(d, view->spec->uuid, &i);

	return !verdict || !is_proven(verdict) || !json_object_object_get_ex(d->checked, view->spec->uuid, &asked) ||
		json_object_get_int64(asked) != question_digest(d, view);
}

static void check_begin(struct daemon *d)
{
	struct json_object *input, *list = json_object_new_array();
	uint64_t now_ms = clock_boot_ms();
	struct core_instance_view view;

	d->check_again = d->check_rested = d->check_partial = false;
	d->check_began_ms = now_ms;
	d->check_whole = now_ms >= d->check_whole_ms;
	if (d->check_whole || !d->checked) {
		json_object_put(d->checked);
		d->checked = json_object_new_object();
	}
	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		if (!core_instance(d->core, i, &view) || view.place->owner == d->settings.self)
			continue;
		if (!def_find(d, view.spec->def_hash)) {
			d->check_partial |= view.spec->def_hash[0] != '\0'; /* on its way: defs_tick asks for it */
			continue;
		}
		if (!d->check_whole && !check_is_due(d, &view))
			continue;
		json_object_array_add(list, storage_instance_request(d, &view));
		json_object_object_add(d->checked, view.spec->uuid, json_object_new_int64(question_digest(d, &view)));
	}
	if (d->check_whole)
		d->check_whole_ms = now_ms + CHECK_INTERVAL_MS;
	check_due_set(d, now_ms);
	if (d->check_partial && d->check_due_ms > now_ms + CHECK_SOON_MS)
		d->check_due_ms = now_ms + CHECK_SOON_MS;
	if (!json_object_array_length(list)) {
		json_object_put(list);
		return;
	}
	input = json_object_new_object();
	json_put_string(input, "op", "verdicts");
	json_put_string(input, "plane", nova_is_plane(d) ? "nova" : NULL);
	json_put_string(input, "self", daemon_self_name(d));
	json_put_u64(input, "probe_timeout_ms", d->config->storage.probe_timeout_ms);
	json_object_object_add(input, "instances", list);
	d->check = daemon_helper(d, "hamon-storage", "check", input,
				 5 * d->config->storage.probe_timeout_ms + 5000, TAG_PROBE, check_on_line,
				 check_on_exit, d);
}

static uint64_t instances_digest(struct daemon *d)
{
	uint64_t digest = DIGEST_EMPTY;
	struct core_instance_view view;

	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		if (!core_instance(d->core, i, &view))
			continue;
		MIX(i);
		MIX(question_digest(d, &view));
	}
	return digest;
}

/* This host's own, into which beacons belong. */
static uint64_t folders_digest(struct daemon *d)
{
	uint64_t digest = DIGEST_EMPTY;
	struct core_instance_view view;

	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		if (!core_instance(d->core, i, &view) || view.place->owner != d->settings.self)
			continue;
		MIX(i);
		for (uint32_t k = 0; k < view.spec->n_places; k++)
			for (const char *c = view.spec->places[k]; *c; c++)
				MIX(*c);
	}
	return digest;
}

#undef MIX

/* After each step: lost hosts and new nonces are looked at at once, new or changed instances soon. */
void storage_step(struct daemon *d)
{
	uint64_t hosts = hosts_digest(d), instances = instances_digest(d), now_ms = clock_boot_ms();
	bool hosts_changed = hosts != d->hosts_digest;
	uint64_t folders;

	if (!hosts_changed && instances == d->instances_digest)
		return;
	d->hosts_digest = hosts;
	d->instances_digest = instances;
	d->verdicts_changed_ms = now_ms;
	folders = folders_digest(d);
	if (hosts_changed || folders != d->folders_digest)
		beacons_soon(d, hosts_changed);
	d->folders_digest = folders;
	if (!d->check && (hosts_changed || now_ms >= d->check_rest_ms))
		check_begin(d);
	else if (!d->check && d->check_due_ms > d->check_rest_ms)
		d->check_due_ms = d->check_rest_ms;
	else if (d->check && hosts_changed)
		d->check_again = true; /* it may have been asked before what has changed now */
	else if (d->check)
		d->check_rested = true; /* the same, when it has rested */
}

void storage_tick(struct daemon *d)
{
	uint64_t now_ms = clock_boot_ms();

	beacons_tick(d);
	if (!d->check && now_ms >= d->check_due_ms)
		check_begin(d);
	if (d->verdicts_resend && d->n_verdicts) {
		struct core_event event = { .type = EV_VERDICTS };

		d->verdicts_resend = false;
		event.verdicts.n = d->n_verdicts;
		event.verdicts.verdicts = d->verdicts;
		daemon_event(d, &event);
	}
}
