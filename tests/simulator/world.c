/* The simulated world. One event queue; everything that happens is an event with a time drawn from the seed. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/wire.h"
#include "tests/simulator/world.h"

#define DETECT_MS 1000 /* totem's token: a change of the membership is seen after it */

enum happening {
	HAPPEN_TICK,
	HAPPEN_MESSAGE,
	HAPPEN_VIEW_QUORUM,
	HAPPEN_VIEW_MEMBERS,
	HAPPEN_PERSISTED,
	HAPPEN_LOADED,
	HAPPEN_FENCE_ACT,
	HAPPEN_FENCE_DONE,
	HAPPEN_START_GATE,
	HAPPEN_QEMU,
	HAPPEN_START_DONE,
	HAPPEN_INSPECT,
	HAPPEN_STOP,
	HAPPEN_WATCH_FULL,
	HAPPEN_WATCH_ONE,
	HAPPEN_VERDICTS,
	HAPPEN_MIGRATE_GATE,
	HAPPEN_MIGRATED,
};

#define MIGRATE_ID 50 /* gate questions: the guest is id % 50, an incoming migration has 50 in it */
#define CLONE_GUEST 49

struct world_event {
	struct world_event *next;
	uint64_t at_ms;
	uint64_t order;
	enum happening what;
	size_t host;
	uint32_t run;       /* of the daemon it is for; 0: of no daemon */
	uint32_t boot;
	uint32_t view;
	uint64_t id;
	uint64_t op;
	size_t guest;
	size_t target;
	uint32_t level;
	uint32_t helpers;
	uint32_t from;
	bool ok;
	bool by_core;
	char *text;
	size_t n_ids;
	uint32_t ids[WORLD_HOSTS_MAX];
	uint32_t pids[WORLD_HOSTS_MAX];
	bool flag;
	struct json_object *facts;
	uint64_t promised, facts_term;
	bool replace;
};

static void host_step(struct world *w, struct world_host *host, const struct core_event *event);

uint64_t world_random(struct world *w, uint64_t below)
{
	/* xorshift64*: good enough to be random, small enough to be the same everywhere. */
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return below ? (w->random * 2685821657736338717ull >> 16) % below : 0;
}

static uint64_t between(struct world *w, uint64_t low, uint64_t high)
{
	return low + world_random(w, high - low + 1);
}

__attribute__((format(printf, 2, 3)))
static void say(struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->loud)
		return;
	if (!w->untimed)
		fprintf(w->out, "%7llu.%03llu ", (unsigned long long)(w->now_ms / 1000),
			(unsigned long long)(w->now_ms % 1000));
	va_start(args, format);
	vfprintf(w->out, format, args);
	va_end(args);
	fputc('\n', w->out);
}

__attribute__((format(printf, 2, 3)))
static void fail(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->failed)
		return;
	w->failed = true;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	say(w, "FAILED: %s", w->failure);
}

static void event_insert(struct world *w, struct world_event *ev)
{
	struct world_event **at = &w->events;

	while (*at && (*at)->at_ms <= ev->at_ms)
		at = &(*at)->next;
	ev->next = *at;
	*at = ev;
}

static struct world_event *event_add(struct world *w, enum happening what, size_t host, uint64_t in_ms)
{
	struct world_event *ev = calloc(1, sizeof(*ev));

	if (!ev)
		abort();
	ev->what = what;
	ev->host = host;
	ev->run = w->hosts[host].runs;
	ev->boot = w->hosts[host].boots;
	ev->at_ms = w->now_ms + in_ms;
	ev->order = ++w->next_event;
	ev->helpers = w->hosts[host].helpers;
	event_insert(w, ev);
	return ev;
}

static void event_free(struct world_event *ev)
{
	free(ev->text);
	json_object_put(ev->facts);
	free(ev);
}

static size_t host_index(struct world *w, struct world_host *host)
{
	return (size_t)(host - w->hosts);
}

static bool reaches(struct world *w, size_t a, size_t b)
{
	return w->hosts[a].power && w->hosts[b].power && w->hosts[a].side == w->hosts[b].side;
}

static void guest_spec(struct world *w, size_t guest, struct spec_fact *spec)
{
	memset(spec, 0, sizeof(*spec));
	snprintf(spec->uuid, sizeof(spec->uuid), "00000000-0000-4000-8000-%012zu", guest + 1);
	snprintf(spec->name, sizeof(spec->name), "vm%zu", guest + 1);
	snprintf(spec->def_hash, sizeof(spec->def_hash), "hash%zu", guest + 1);
	spec->protected = true;
	spec->memory_mib = 64;
	spec->n_disks = 1;
	snprintf(spec->disks[0].id, sizeof(spec->disks[0].id), "file:place:%s.img", spec->name);
	spec->disks[0].writable = true;
	if (!w->spec_changed[guest])
		return;
	spec->memory_mib = w->spec_over[guest].memory_mib;
	memcpy(spec->group, w->spec_over[guest].group, sizeof(spec->group));
	memcpy(spec->allow, w->spec_over[guest].allow, sizeof(spec->allow));
	memcpy(spec->deny, w->spec_over[guest].deny, sizeof(spec->deny));
}

static size_t guest_number(const char *uuid)
{
	return (size_t)atoi(uuid + 24) - 1;
}

/* --- invariant: one writer --- */

static void writers_check(struct world *w)
{
	for (size_t g = 0; g < w->n_guests; g++) {
		size_t first = 0;

		for (size_t h = 0; h < w->n_hosts; h++) {
			if (!w->hosts[h].power || !w->hosts[h].guests[g].qemu)
				continue;
			if (first)
				fail(w, "vm%zu runs on %s and on %s", g + 1, w->hosts[first - 1].name,
				     w->hosts[h].name);
			first = h + 1;
		}
	}
}

size_t world_runs_on(struct world *w, size_t guest)
{
	for (size_t h = 0; h < w->n_hosts; h++)
		if (w->hosts[h].power && w->hosts[h].guests[guest].qemu && w->hosts[h].guests[guest].running)
			return h + 1;
	return 0;
}

/* --- what a core is told of its host --- */

static void report_fill(struct world *w, struct world_host *host, size_t g, struct instance_report *report)
{
	memset(report, 0, sizeof(*report));
	guest_spec(w, g, &report->spec);
	report->state = host->guests[g].qemu ? INSTANCE_RUNNING : host->guests[g].incoming ?
		INSTANCE_INCOMING : INSTANCE_ABSENT;
	report->stop_reason = host->guests[g].qemu ? STOP_NONE : host->guests[g].stop_reason;
	report->defined = true;
	report->host_shutting_down = host->shutting_down;
}

static void host_report(struct world *w, struct world_host *host, bool reported)
{
	struct host_report report = { .gate_loaded = !host->gate_missing, .libvirt_ok = true,
		.reported = reported, .shutting_down = host->shutting_down, .free_mib = host->free_mib };
	struct core_event event = { .type = EV_HOST_REPORT, .host_report = &report };

	snprintf(report.boot_id, sizeof(report.boot_id), "%s-boot%u", host->name, host->boots);
	snprintf(report.nonce, sizeof(report.nonce), "nonce%u", host->runs);
	host_step(w, host, &event);
}

static void watch_full(struct world *w, struct world_host *host)
{
	struct instance_report reports[WORLD_GUESTS_MAX];
	struct core_event event = { .type = EV_REPORTS };
	size_t n = 0;

	/* A definition exists where the guest runs or last ran. */
	for (size_t g = 0; g < w->n_guests; g++)
		if (host->guests[g].qemu || host->guests[g].incoming || host->guests[g].stop_reason != STOP_NONE)
			report_fill(w, host, g, &reports[n++]);
	event.reports.full = true;
	event.reports.n = n;
	event.reports.reports = reports;
	host_step(w, host, &event);
	host_report(w, host, true);
	event_add(w, HAPPEN_VERDICTS, host_index(w, host), 50);
}

static void watch_one(struct world *w, struct world_host *host, size_t g)
{
	struct instance_report report;
	struct core_event event = { .type = EV_REPORTS };

	report_fill(w, host, g, &report);
	report.fresh_event = true;
	event.reports.n = 1;
	event.reports.reports = &report;
	host_step(w, host, &event);
}

static void verdicts_tell(struct world *w, struct world_host *host)
{
	struct verdict_report reports[WORLD_GUESTS_MAX];
	struct core_event event = { .type = EV_VERDICTS };

	for (size_t g = 0; g < w->n_guests; g++) {
		struct spec_fact spec;

		guest_spec(w, g, &spec);
		memset(&reports[g], 0, sizeof(reports[g]));
		memcpy(reports[g].uuid, spec.uuid, sizeof(spec.uuid));
		reports[g].verdict = host->guests[g].verdict;
	}
	event.verdicts.n = w->n_guests;
	event.verdicts.verdicts = reports;
	host_step(w, host, &event);
	event_add(w, HAPPEN_VERDICTS, host_index(w, host), 3000);
}

/* --- membership --- */

/* Each reachable set of hosts sees its new membership a token later; quorum and group are told in either order. */
static void view_change(struct world *w)
{
	w->view++;
	for (size_t h = 0; h < w->n_hosts; h++) {
		uint64_t in_ms = between(w, DETECT_MS, DETECT_MS * 2);
		struct world_event *quorum, *members;

		if (!w->hosts[h].power)
			continue;
		quorum = event_add(w, HAPPEN_VIEW_QUORUM, h, in_ms + world_random(w, 5));
		members = event_add(w, HAPPEN_VIEW_MEMBERS, h, in_ms + world_random(w, 5));
		quorum->view = members->view = w->view;
		quorum->run = members->run = 0;
	}
}

static void quorum_tell(struct world *w, struct world_host *host)
{
	uint32_t nodes[WORLD_HOSTS_MAX];
	struct core_event event = { .type = EV_QUORUM };
	size_t self = host_index(w, host);

	for (size_t h = 0; h < w->n_hosts; h++)
		if (reaches(w, self, h))
			nodes[event.quorum.n++] = w->hosts[h].nodeid;
	event.quorum.nodeids = nodes;
	event.quorum.quorate = event.quorum.n * 2 > w->n_hosts || (w->two_node && event.quorum.n == 1 &&
			host->quorate_told);
	host->quorate_told |= event.quorum.quorate;
	host_step(w, host, &event);
}

static void members_tell(struct world *w, struct world_host *host)
{
	struct core_member members[WORLD_HOSTS_MAX];
	struct core_event event = { .type = EV_MEMBERS };
	size_t self = host_index(w, host);

	for (size_t h = 0; h < w->n_hosts; h++) {
		if (!reaches(w, self, h) || !w->hosts[h].daemon)
			continue;
		members[event.members.n].nodeid = w->hosts[h].nodeid;
		members[event.members.n++].pid = w->hosts[h].runs;
	}
	event.members.members = members;
	host_step(w, host, &event);
}

/* The group changes at once when a daemon comes or goes; quorum does not. */
static void group_change(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++)
		if (w->hosts[h].power && w->hosts[h].daemon) {
			struct world_event *ev = event_add(w, HAPPEN_VIEW_MEMBERS, h, 2);

			ev->view = w->view;
		}
}

/* --- the store --- */

static void store_put(struct store *store, struct json_object *fact)
{
	struct stored_fact *entry;
	char key[160];

	snprintf(key, sizeof(key), "%s/%s", json_object_get_string(json_object_object_get(fact, "kind")),
		 json_object_get_string(json_object_object_get(fact, "key")));
	for (entry = store->facts; entry && strcmp(entry->key, key);)
		entry = entry->next;
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		strcpy(entry->key, key);
		entry->next = store->facts;
		store->facts = entry;
	}
	free(entry->text);
	entry->text = strdup(json_object_to_json_string_ext(fact, JSON_C_TO_STRING_PLAIN));
}

static void store_clear(struct store *store)
{
	while (store->facts) {
		struct stored_fact *next = store->facts->next;

		free(store->facts->text);
		free(store->facts);
		store->facts = next;
	}
}

static void store_apply(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_PERSISTED };

	if (ev->replace)
		store_clear(&host->store);
	for (size_t i = 0; i < json_object_array_length(ev->facts); i++)
		store_put(&host->store, json_object_array_get_idx(ev->facts, i));
	host->store.promised = ev->promised;
	host->store.facts_term = ev->facts_term;
	event.persisted.persist_id = ev->id;
	host_step(w, host, &event);
}

static void store_load(struct world *w, struct world_host *host)
{
	struct core_event event = { .type = EV_LOADED };
	struct json_object *array = json_object_new_array();
	struct wire *wire = NULL;
	char error[256];

	for (struct stored_fact *fact = host->store.facts; fact; fact = fact->next)
		json_object_array_add(array, json_tokener_parse(fact->text));
	if (wire_facts_decode(array, &wire, &event.loaded.n_facts, &event.loaded.facts, error, sizeof(error)))
		fail(w, "%s: its own store is refused: %s", host->name, error);
	event.loaded.ok = !host->store_corrupt;
	event.loaded.promised = host->store.promised;
	event.loaded.facts_term = host->store.facts_term;
	host_step(w, host, &event);
	wire_free(wire);
	json_object_put(array);
}

static void persist(struct world *w, struct world_host *host, const struct core_action *act)
{
	uint64_t in_ms = between(w, 1, 8);
	struct world_event *ev;

	if (host->store.busy_until_ms > w->now_ms)
		in_ms += host->store.busy_until_ms - w->now_ms;
	else
		host->store.busy_until_ms = w->now_ms;
	/* One writer, in order: nothing overtakes. */
	host->store.busy_until_ms = w->now_ms + in_ms;
	ev = event_add(w, HAPPEN_PERSISTED, host_index(w, host), in_ms);
	ev->id = act->persist.id;
	ev->promised = act->persist.promised;
	ev->facts_term = act->persist.facts_term;
	ev->replace = act->persist.replace;
	ev->facts = json_object_new_array();
	for (size_t i = 0; i < act->persist.n_facts; i++)
		json_object_array_add(ev->facts, wire_fact_encode(&act->persist.facts[i]));
}

/* --- actions --- */

static void multicast(struct world *w, struct world_host *host, const struct core_message *msg)
{
	char *text = wire_message_encode(msg);
	size_t self = host_index(w, host);
	uint64_t in_ms = between(w, 1, 3);

	/* One agreed order: nothing overtakes. */
	if (w->now_ms + in_ms < w->last_message_ms)
		in_ms = w->last_message_ms - w->now_ms;
	w->last_message_ms = w->now_ms + in_ms;
	for (size_t h = 0; h < w->n_hosts; h++) {
		struct world_event *ev;

		if (!reaches(w, self, h) || !w->hosts[h].daemon)
			continue;
		ev = event_add(w, HAPPEN_MESSAGE, h, in_ms);
		ev->from = host->nodeid;
		ev->view = w->view;
		ev->target = self;
		ev->text = strdup(text);
	}
	free(text);
}

static size_t host_of_node(struct world *w, uint32_t nodeid)
{
	for (size_t h = 0; h < w->n_hosts; h++)
		if (w->hosts[h].nodeid == nodeid)
			return h;
	return 0;
}

static void migrate_begin(struct world *w, struct world_host *host, size_t guest)
{
	struct world_event *ev;

	host->guests[guest].incoming = true;
	say(w, "%s takes vm%zu in", host->name, guest + 1);
	ev = event_add(w, HAPPEN_MIGRATED, host_index(w, host), w->migrate_ms);
	ev->guest = guest;
	ev->target = w->migrate_from;
	ev->run = 0;
	event_add(w, HAPPEN_WATCH_ONE, host_index(w, host), 10)->guest = guest;
}

static void gate_answered(struct world *w, struct world_host *host, const struct core_action *act)
{
	size_t guest = act->gate.id % MIGRATE_ID;
	struct guest_here *here;
	struct world_event *ev;

	if (guest == CLONE_GUEST) {
		say(w, "the gate of %s says %s", host->name, act->gate.allow ? "yes" : "no");
		return;
	}
	here = &host->guests[guest];
	if (!here->start_job)
		return;
	if (act->gate.id % (2 * MIGRATE_ID) >= MIGRATE_ID) {
		here->start_job = here->gate_asked = false;
		if (act->gate.allow)
			migrate_begin(w, host, guest);
		return;
	}
	here->gate_asked = false;
	if (!act->gate.allow) {
		here->start_job = false;
		w->refusals++;
		return;
	}
	/* Granted: from here libvirtd goes on by itself, quickly or not. */
	ev = event_add(w, HAPPEN_QEMU, host_index(w, host), w->grant_ms ? w->grant_ms :
		       world_random(w, 10) ? 5 : between(w, 500, 6000));
	ev->guest = guest;
	ev->run = 0;
}

static void qemu_start(struct world *w, struct world_host *host, size_t guest)
{
	struct guest_here *here = &host->guests[guest];

	if (!here->start_job)
		return;
	here->start_job = false;
	w->starts++;
	here->qemu = true;
	here->running = true;
	here->stop_reason = STOP_BY_API; /* of the next stop, until another reason is known */
	say(w, "%s starts vm%zu", host->name, guest + 1);
	writers_check(w);
	event_add(w, HAPPEN_WATCH_ONE, host_index(w, host), 10)->guest = guest;
}

static void action_take(struct world *w, struct world_host *host, const struct core_action *act)
{
	size_t self = host_index(w, host);
	struct world_event *ev;

	switch (act->type) {
	case ACT_SEND:
		multicast(w, host, act->send);
		break;
	case ACT_PERSIST:
		persist(w, host, act);
		break;
	case ACT_FENCE:
		w->fences++;
		say(w, "%s fences %s (level %u)", host->name, act->fence.host->name, act->fence.level);
		ev = event_add(w, HAPPEN_FENCE_ACT, self, between(w, 20, 400));
		ev->op = act->fence.op;
		ev->target = host_of_node(w, act->fence.host->nodeid);
		ev->run = 0; /* what was sent to the device arrives, whatever happens here */
		break;
	case ACT_START:
		ev = event_add(w, HAPPEN_START_GATE, self, between(w, 20, 300));
		ev->op = act->instance.op;
		ev->guest = guest_number(act->instance.spec->uuid);
		ev->by_core = true;
		ev->run = 0; /* libvirtd goes on with a job whose caller was killed */
		break;
	case ACT_INSPECT:
		ev = event_add(w, HAPPEN_INSPECT, self, between(w, 5, 50));
		ev->op = act->instance.op;
		ev->guest = guest_number(act->instance.spec->uuid);
		break;
	case ACT_STOP:
		ev = event_add(w, HAPPEN_STOP, self, between(w, 5, 100));
		ev->op = act->instance.op;
		ev->guest = guest_number(act->instance.spec->uuid);
		break;
	case ACT_TIDY:
		say(w, "%s removes its stale definition of %s", host->name, act->instance.spec->name);
		host->guests[guest_number(act->instance.spec->uuid)].stop_reason = STOP_NONE;
		break;
	case ACT_END_HELPERS:
		host->helpers++;
		break;
	case ACT_GATE_REPLY:
		gate_answered(w, host, act);
		break;
	case ACT_REPLY:
		say(w, "%s answers: %s%s%s", host->name, act->reply.code, act->reply.code[0] ? ": " : "",
		    act->reply.text);
		break;
	case ACT_NOTE:
		say(w, "%s: %s: %s", host->name, act->note->kind, act->note->text);
		break;
	}
}

static void tick_arm(struct world *w, struct world_host *host)
{
	uint64_t at_ms = core_deadline(host->core) - host->clock_ms;

	event_add(w, HAPPEN_TICK, host_index(w, host), at_ms > w->now_ms ? at_ms - w->now_ms : 0)->id =
		++host->tick_event;
}

static void host_step(struct world *w, struct world_host *host, const struct core_event *event)
{
	const struct core_action *acts;
	size_t n;

	w->steps++;
	n = core_step(host->core, w->now_ms + host->clock_ms, event, &acts);
	for (size_t i = 0; i < n; i++)
		action_take(w, host, &acts[i]);
	tick_arm(w, host);
}

/* --- events --- */

static void message_take(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_MESSAGE };
	struct wire *wire;
	char error[256];

	if (wire_message_decode(ev->text, strlen(ev->text), ev->from, &wire, &event.message, error,
				sizeof(error))) {
		fail(w, "%s refuses a message of node %u: %s", host->name, ev->from, error);
		return;
	}
	host_step(w, host, &event);
	wire_free(wire);
}

static void fence_act(struct world *w, struct world_event *ev)
{
	struct world_event *done;
	bool broken = w->hosts[ev->target].device_broken;

	if (!w->hosts[ev->host].power || w->hosts[ev->host].boots != ev->boot)
		return; /* the host that spoke to the device died before */
	if (!broken)
		world_power_off(w, ev->target + 1);
	done = event_add(w, HAPPEN_FENCE_DONE, ev->host, between(w, 10, 200));
	done->op = ev->op;
	done->ok = !broken;
	done->helpers = ev->helpers;
	done->run = ev->run;
}

static void fence_done(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_FENCE_RESULT };

	if (ev->helpers != host->helpers)
		return;
	event.fence.op = ev->op;
	event.fence.off = ev->ok;
	strcpy(event.fence.device, "power");
	strcpy(event.fence.detail, ev->ok ? "reads off" : "unreachable");
	host_step(w, host, &event);
}

static void start_gate(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct guest_here *here = &host->guests[ev->guest];
	struct gate_query query = { .op = GATE_START, .protected = true };
	struct core_event event = { .type = EV_GATE, .gate = &query };
	bool fails = ev->by_core && (world_random(w, 100) < w->start_failures_percent || host->starts_fail);
	struct world_event *done;

	if (ev->by_core) {
		done = event_add(w, HAPPEN_START_DONE, ev->host, between(w, 1600, 2200));
		done->op = ev->op;
		done->guest = ev->guest;
		done->helpers = ev->helpers;
	}
	if (here->qemu || here->start_job || fails)
		return;
	if (!host->daemon || host->frozen)
		return; /* the hook's own list refuses what is protected */
	here->start_job = true;
	here->gate_asked = true;
	query.id = ++w->next_gate * 2 * MIGRATE_ID + ev->guest;
	guest_spec(w, ev->guest, &query.spec);
	host_step(w, host, &event);
}

static void start_done(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_START_RESULT };

	if (ev->helpers != host->helpers)
		return;
	event.start.op = ev->op;
	event.start.ok = host->guests[ev->guest].qemu;
	event.start.retry_elsewhere = true;
	strcpy(event.start.detail, event.start.ok ? "verified" : "it did not start");
	host_step(w, host, &event);
}

static void inspect_done(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_INSPECT_RESULT };

	event.inspect.op = ev->op;
	event.inspect.known = true;
	event.inspect.job = host->guests[ev->guest].start_job;
	event.inspect.qemu = host->guests[ev->guest].qemu;
	event.inspect.running = host->guests[ev->guest].running;
	host_step(w, host, &event);
}

/* The memory is over: the guest stops here and goes on there at one instant, if both hosts still live. */
static void migrated(struct world *w, struct world_host *target, struct world_event *ev)
{
	struct world_host *source = &w->hosts[ev->target];
	size_t g = ev->guest;

	if (!target->guests[g].incoming)
		return;
	target->guests[g].incoming = false;
	if (source->power && source->guests[g].qemu) {
		source->guests[g].qemu = source->guests[g].running = false;
		source->guests[g].stop_reason = STOP_MIGRATED;
		target->guests[g].qemu = target->guests[g].running = true;
		target->guests[g].stop_reason = STOP_BY_API;
		say(w, "vm%zu goes on on %s", g + 1, target->name);
		event_add(w, HAPPEN_WATCH_ONE, ev->target, 10)->guest = g;
	} else {
		say(w, "the migration of vm%zu to %s failed: its source is gone", g + 1, target->name);
	}
	writers_check(w);
	event_add(w, HAPPEN_WATCH_ONE, host_index(w, target), 10)->guest = g;
}

static void migrate_gate(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct gate_query query = { .op = GATE_MIGRATE_IN, .protected = true };
	struct core_event event = { .type = EV_GATE, .gate = &query };

	host->guests[ev->guest].start_job = host->guests[ev->guest].gate_asked = true;
	query.id = ++w->next_gate * 2 * MIGRATE_ID + MIGRATE_ID + ev->guest;
	guest_spec(w, ev->guest, &query.spec);
	host_step(w, host, &event);
}

static void stop_done(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_STOP_RESULT };

	say(w, "%s ends vm%zu", host->name, ev->guest + 1);
	host->guests[ev->guest].qemu = false;
	host->guests[ev->guest].running = false;
	event.stop.op = ev->op;
	event.stop.gone = true;
	host_step(w, host, &event);
	watch_one(w, host, ev->guest);
}

/* Whether the event still has somebody to happen to. */
static bool event_is_alive(struct world *w, struct world_event *ev)
{
	struct world_host *host = &w->hosts[ev->host];

	if (ev->what == HAPPEN_FENCE_ACT)
		return true;
	if (!host->power || host->boots != ev->boot || !host->daemon)
		return (ev->what == HAPPEN_START_GATE || ev->what == HAPPEN_QEMU || ev->what == HAPPEN_MIGRATED) &&
			host->power && host->boots == ev->boot;
	if (ev->run && ev->run != host->runs)
		return false;
	/* A view is the newest or nothing; a message crosses no change of sides: some got it, others did not. */
	if (ev->what == HAPPEN_VIEW_QUORUM || ev->what == HAPPEN_VIEW_MEMBERS)
		return ev->view == w->view;
	if (ev->what == HAPPEN_MESSAGE && ev->view != w->view)
		return ev->target == ev->host || reaches(w, ev->target, ev->host);
	return true;
}

static void event_happen(struct world *w, struct world_event *ev)
{
	struct world_host *host = &w->hosts[ev->host];

	switch (ev->what) {
	case HAPPEN_TICK:
		if (ev->id == host->tick_event)
			host_step(w, host, &(struct core_event){ .type = EV_TICK });
		break;
	case HAPPEN_MESSAGE:
		message_take(w, host, ev);
		break;
	case HAPPEN_VIEW_QUORUM:
		quorum_tell(w, host);
		break;
	case HAPPEN_VIEW_MEMBERS:
		members_tell(w, host);
		break;
	case HAPPEN_PERSISTED:
		store_apply(w, host, ev);
		break;
	case HAPPEN_LOADED:
		store_load(w, host);
		break;
	case HAPPEN_FENCE_ACT:
		fence_act(w, ev);
		break;
	case HAPPEN_FENCE_DONE:
		fence_done(w, host, ev);
		break;
	case HAPPEN_START_GATE:
		start_gate(w, host, ev);
		break;
	case HAPPEN_QEMU:
		qemu_start(w, host, ev->guest);
		break;
	case HAPPEN_START_DONE:
		start_done(w, host, ev);
		break;
	case HAPPEN_INSPECT:
		inspect_done(w, host, ev);
		break;
	case HAPPEN_STOP:
		stop_done(w, host, ev);
		break;
	case HAPPEN_WATCH_FULL:
		watch_full(w, host);
		break;
	case HAPPEN_WATCH_ONE:
		watch_one(w, host, ev->guest);
		break;
	case HAPPEN_VERDICTS:
		verdicts_tell(w, host);
		break;
	case HAPPEN_MIGRATE_GATE:
		migrate_gate(w, host, ev);
		break;
	case HAPPEN_MIGRATED:
		migrated(w, host, ev);
		break;
	}
}

void world_run(struct world *w, uint64_t for_ms)
{
	uint64_t until_ms = w->now_ms + for_ms;

	while (w->events && w->events->at_ms <= until_ms && !w->failed) {
		struct world_event *ev = w->events;
		struct world_host *host = &w->hosts[ev->host];

		w->events = ev->next;
		w->now_ms = ev->at_ms;
		if (host->frozen && host->power && ev->what != HAPPEN_FENCE_ACT && ev->what != HAPPEN_QEMU &&
		    ev->what != HAPPEN_MIGRATED &&
		    event_is_alive(w, ev)) {
			/* It happens when the process goes on, in the same order. */
			struct world_event **at = &host->held;

			while (*at)
				at = &(*at)->next;
			ev->next = NULL;
			*at = ev;
			continue;
		}
		if (event_is_alive(w, ev))
			event_happen(w, ev);
		event_free(ev);
	}
	if (!w->failed)
		w->now_ms = until_ms;
}

/* --- faults --- */

void world_daemon_start(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];
	struct core_host_config configs[WORLD_HOSTS_MAX];
	struct core_event event = { .type = EV_CONFIG };
	struct core_settings settings = {
		.self = host->nodeid, .start_grace_ms = 30000, .failure_window_ms = 300000,
		.max_failed_hosts = w->max_failed_hosts, .beat_ms = 1000, .coordinator_timeout_ms = 4000, .tilt_ms = 3000,
		.parallel_starts = 4, .attempts = 3, .retry_delay_ms = 10000, .fence_backoff_ms = 5000,
		.fence_backoff_max_ms = 60000, .late_effect_ms = 10000,
	};

	if (!host->power || host->daemon)
		return;
	host->daemon = true;
	host->runs++;
	host->frozen = false;
	snprintf(settings.boot_id, sizeof(settings.boot_id), "%s-boot%u", host->name, host->boots);
	core_free(host->core);
	host->core = core_new(&settings);
	memset(configs, 0, sizeof(configs));
	for (size_t h = 0; h < w->n_hosts; h++) {
		configs[h].nodeid = w->hosts[h].nodeid;
		strcpy(configs[h].name, w->hosts[h].name);
		configs[h].votes = 1;
		configs[h].fence_levels = 1;
		configs[h].fence_delay_ms = w->two_node && h == 0 ? 3000 : w->fence_delay_ms;
	}
	event.config.n = w->n_hosts;
	event.config.hosts = configs;
	event.config.two_node = w->two_node;
	host_step(w, host, &event);
	host_report(w, host, false);
	event_add(w, HAPPEN_LOADED, number - 1, between(w, 5, 50));
	event_add(w, HAPPEN_VIEW_QUORUM, number - 1, between(w, 5, 50))->view = w->view;
	event_add(w, HAPPEN_WATCH_FULL, number - 1, between(w, 100, 600));
	group_change(w);
}

void world_daemon_kill(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || !host->daemon)
		return;
	say(w, "-- the daemon of %s is killed", host->name);
	host->daemon = false;
	host->frozen = false;
	host->helpers++;
	/* Who still waits for the gate's answer is refused by the hook; what was granted goes on. */
	for (size_t g = 0; g < w->n_guests; g++) {
		if (host->guests[g].gate_asked)
			host->guests[g].start_job = false;
		host->guests[g].gate_asked = false;
	}
	group_change(w);
}

void world_power_off(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power)
		return;
	say(w, "-- %s loses its power", host->name);
	host->power = host->daemon = host->frozen = false;
	host->quorate_told = false;
	for (size_t g = 0; g < w->n_guests; g++) {
		host->guests[g].qemu = host->guests[g].running = host->guests[g].start_job = false;
		host->guests[g].gate_asked = host->guests[g].incoming = false;
		if (host->guests[g].stop_reason != STOP_NONE)
			host->guests[g].stop_reason = STOP_NONE;
	}
	view_change(w);
}

void world_power_on(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (host->power)
		return;
	host->power = true;
	host->boots++;
	host->shutting_down = false;
	host->clock_ms = world_random(w, 1000000000);
	host->store.busy_until_ms = 0;
	say(w, "-- %s boots (boot %u)", host->name, host->boots);
	view_change(w);
	world_daemon_start(w, number);
}

void world_freeze(struct world *w, size_t number, bool frozen)
{
	struct world_host *host = &w->hosts[number - 1];

	if (host->power && host->daemon && host->frozen != frozen) {
		say(w, "-- the daemon of %s %s", host->name, frozen ? "is frozen" : "goes on");
		host->frozen = frozen;
	}
	while (!host->frozen && host->held) {
		struct world_event *ev = host->held;

		host->held = ev->next;
		ev->at_ms = w->now_ms;
		event_insert(w, ev);
	}
}

void world_side(struct world *w, size_t number, uint32_t side)
{
	if (w->hosts[number - 1].side == side)
		return;
	say(w, "-- %s is on side %u of the network", w->hosts[number - 1].name, side);
	w->hosts[number - 1].side = side;
	view_change(w);
}

void world_heal(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++) {
		world_side(w, h + 1, 0);
		world_freeze(w, h + 1, false);
		w->hosts[h].device_broken = false;
	}
}

void world_store_hang(struct world *w, size_t number, uint64_t for_ms)
{
	say(w, "-- the disk of %s hangs for %llu ms", w->hosts[number - 1].name, (unsigned long long)for_ms);
	w->hosts[number - 1].store.busy_until_ms = w->now_ms + for_ms;
}

void world_guest_start(struct world *w, size_t number, size_t guest)
{
	if (w->hosts[number - 1].power)
		event_add(w, HAPPEN_START_GATE, number - 1, 1)->guest = guest - 1;
}

void world_guest_stop(struct world *w, size_t number, size_t guest, enum stop_reason reason)
{
	struct guest_here *here = &w->hosts[number - 1].guests[guest - 1];

	if (!here->qemu)
		return;
	say(w, "-- vm%zu on %s ends (%s)", guest, w->hosts[number - 1].name,
	    reason == STOP_CRASH ? "killed" : "shut down");
	here->qemu = here->running = false;
	here->stop_reason = reason;
	event_add(w, HAPPEN_WATCH_ONE, number - 1, 10)->guest = guest - 1;
}

void world_guest_migrate(struct world *w, size_t from, size_t to, size_t guest, uint64_t takes_ms)
{
	if (!w->hosts[to - 1].power || !w->hosts[from - 1].guests[guest - 1].qemu)
		return;
	w->migrate_ms = takes_ms;
	w->migrate_from = from - 1;
	event_add(w, HAPPEN_MIGRATE_GATE, to - 1, 1)->guest = guest - 1;
}

void world_clone_start(struct world *w, size_t number, size_t guest)
{
	struct gate_query query = { .op = GATE_START };
	struct core_event event = { .type = EV_GATE, .gate = &query };

	query.id = ++w->next_gate * 2 * MIGRATE_ID + CLONE_GUEST;
	guest_spec(w, guest - 1, &query.spec);
	query.spec.protected = false;
	snprintf(query.spec.uuid, sizeof(query.spec.uuid), "00000000-0000-4000-8000-%012d", 999);
	snprintf(query.spec.name, sizeof(query.spec.name), "clone-of-vm%zu", guest);
	host_step(w, &w->hosts[number - 1], &event);
}

void world_verdict(struct world *w, size_t number, size_t guest, enum verdict verdict)
{
	w->hosts[number - 1].guests[guest - 1].verdict = verdict;
}

void world_host_tell(struct world *w, size_t number)
{
	if (w->hosts[number - 1].power && w->hosts[number - 1].daemon)
		host_report(w, &w->hosts[number - 1], true);
}

void world_look(struct world *w, size_t number)
{
	if (w->hosts[number - 1].power && w->hosts[number - 1].daemon)
		watch_full(w, &w->hosts[number - 1]);
}

void world_daemon_leave(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];
	struct core_event event = { .type = EV_LEAVE };

	if (!host->power || !host->daemon)
		return;
	say(w, "-- the daemon of %s is stopped in order", host->name);
	host_step(w, host, &event);
	world_run(w, 50);
	world_daemon_kill(w, number);
}

void world_shutdown(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power)
		return;
	say(w, "-- %s shuts down", host->name);
	host->shutting_down = true;
	host_report(w, host, true);
	for (size_t g = 1; g <= w->n_guests; g++)
		world_guest_stop(w, number, g, STOP_BY_API);
	world_run(w, 8000); /* other services take their time before hamond is stopped */
	world_daemon_leave(w, number);
	world_run(w, 500);
	world_power_off(w, number);
}

void world_store_lose(struct world *w, size_t number)
{
	struct store *store = &w->hosts[number - 1].store;

	say(w, "-- the store of %s is lost: it begins empty", w->hosts[number - 1].name);
	store_clear(store);
	store->promised = store->facts_term = 0;
}

void world_attest(struct world *w, size_t number, uint64_t lease_ms, uint64_t watchdog_ms)
{
	struct core_event event = { .type = EV_WATCHDOG };

	event.watchdog.nodeid = w->hosts[number - 1].nodeid;
	event.watchdog.armed = true;
	event.watchdog.lease_ms = lease_ms;
	event.watchdog.watchdog_ms = watchdog_ms;
	snprintf(event.watchdog.boot_id, sizeof(event.watchdog.boot_id), "%s-boot%u", w->hosts[number - 1].name,
		 w->hosts[number - 1].boots);
	for (size_t h = 0; h < w->n_hosts; h++)
		if (reaches(w, number - 1, h) && w->hosts[h].daemon)
			host_step(w, &w->hosts[h], &event);
}

void world_request(struct world *w, size_t number, const struct core_request *request)
{
	struct core_event event = { .type = EV_REQUEST, .request = request };

	if (w->hosts[number - 1].power && w->hosts[number - 1].daemon)
		host_step(w, &w->hosts[number - 1], &event);
}

struct core *world_coordinator(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++) {
		struct core_view view;

		if (!w->hosts[h].power || !w->hosts[h].daemon || w->hosts[h].frozen)
			continue;
		core_view(w->hosts[h].core, &view);
		if (view.coordinating)
			return w->hosts[h].core;
	}
	return NULL;
}

bool world_is_settled(struct world *w, char *why, size_t size)
{
	struct core *core = world_coordinator(w);
	size_t known = 0;

	if (!core) {
		snprintf(why, size, "nobody coordinates");
		return false;
	}
	for (size_t i = 0; i < core_instance_count(core); i++) {
		struct core_instance_view view;
		size_t guest, host;

		if (!core_instance(core, i, &view))
			continue;
		known++;
		guest = guest_number(view.spec->uuid);
		host = world_runs_on(w, guest);
		if (view.place->phase != PHASE_SETTLED) {
			snprintf(why, size, "%s is %s: %s", view.spec->name, phase_name(view.place->phase),
				 view.place->reason);
			return false;
		}
		if ((view.place->wish == WISH_RUNNING) != (host != 0)) {
			snprintf(why, size, "%s is wished %s and runs on %zu (0: nowhere)", view.spec->name,
				 wish_name(view.place->wish), host);
			return false;
		}
		if (host && w->hosts[host - 1].nodeid != view.place->owner) {
			snprintf(why, size, "%s runs on %s, but belongs to node %u", view.spec->name,
				 w->hosts[host - 1].name, view.place->owner);
			return false;
		}
		if (w->wish[guest] && view.place->wish != WISH_RUNNING) {
			snprintf(why, size, "%s lost its wish to run", view.spec->name);
			return false;
		}
	}
	if (known != w->n_guests) {
		snprintf(why, size, "%zu of %zu instances are known", known, w->n_guests);
		return false;
	}
	return true;
}

void world_init(struct world *w, uint64_t seed, size_t hosts, size_t guests)
{
	memset(w, 0, sizeof(*w));
	w->out = stdout;
	w->seed = seed;
	w->random = seed * 0x9e3779b97f4a7c15ull + 1;
	for (int i = 0; i < 8; i++)
		world_random(w, 2);
	w->n_hosts = hosts;
	w->n_guests = guests;
	w->two_node = hosts == 2;
	w->max_failed_hosts = 7;
	for (size_t h = 0; h < hosts; h++) {
		snprintf(w->hosts[h].name, sizeof(w->hosts[h].name), "h%zu", h + 1);
		w->hosts[h].nodeid = (uint32_t)h + 1;
		w->hosts[h].free_mib = 4096;
		for (size_t g = 0; g < WORLD_GUESTS_MAX; g++)
			w->hosts[h].guests[g].verdict = VERDICT_SHARED;
	}
}

void world_free(struct world *w)
{
	while (w->events) {
		struct world_event *next = w->events->next;

		event_free(w->events);
		w->events = next;
	}
	for (size_t h = 0; h < w->n_hosts; h++) {
		while (w->hosts[h].held) {
			struct world_event *next = w->hosts[h].held->next;

			event_free(w->hosts[h].held);
			w->hosts[h].held = next;
		}
		store_clear(&w->hosts[h].store);
		core_free(w->hosts[h].core);
	}
}
