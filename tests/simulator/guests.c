/* Guests, as libvirt of each host has them: starts with the gate's leave, ends, and what hamond asks and orders of them. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/inner.h"

/* A question to the gate is about a guest: the low bits of its id say which, and what kind of start it is. */
#define GATE_GUESTS 4096
#define GATE_KINDS 4

enum gate_kind {
	GATE_KIND_START,
	GATE_KIND_MIGRATE,
	GATE_KIND_CLONE,
	GATE_KIND_INCOMING, /* the QEMU of a migration that was let in: it looks like any other start */
};

#define HELPER_PATIENCE_MS 60000

static uint64_t gate_id(struct world *w, enum gate_kind kind, size_t guest)
{
	return (++w->next_gate * GATE_KINDS + kind) * GATE_GUESTS + guest;
}

void gate_answered(struct world *w, struct world_host *host, const struct core_action *act)
{
	size_t guest = act->gate.id % GATE_GUESTS;
	enum gate_kind kind = act->gate.id / GATE_GUESTS % GATE_KINDS;
	struct guest_here *here = &host->guests[guest];
	struct world_event *ev;

	if (kind == GATE_KIND_CLONE) {
		say(w, "the gate of %s says %s", host->name, act->gate.allow ? "yes" : "no");
		return;
	}
	if (act->gate.allow)
		oracle_gate(w, host, guest, kind == GATE_KIND_MIGRATE || kind == GATE_KIND_INCOMING);
	if (!here->start_job)
		return;
	if (kind == GATE_KIND_MIGRATE && act->gate.allow && w->swarm.asks_twice) {
		here->gate_asked = false;
		ev = event_add(w, HAPPEN_MIGRATE_QEMU, host_index(w, host), world_random(w, 10) ? between(w, 1, 200) :
			       between(w, 200, 8000));
		ev->guest = guest;
		ev->run = 0;
		return;
	}
	if (kind == GATE_KIND_MIGRATE || kind == GATE_KIND_INCOMING) {
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
	here->lock_wait = w->swarm.lock_percent && world_random(w, 100) < w->swarm.lock_percent;
	/* Granted: from here libvirtd goes on by itself, quickly or not. */
	ev = event_add(w, HAPPEN_QEMU, host_index(w, host), w->grant_ms ? w->grant_ms :
		       here->lock_wait ? between(w, 3000, 30000) :
		       world_random(w, 10) ? 5 : between(w, 500, 6000));
	ev->guest = guest;
	ev->run = 0;
}

void qemu_start(struct world *w, struct world_host *host, size_t guest)
{
	struct guest_here *here = &host->guests[guest];
	struct world_event *ev;

	if (!here->start_job)
		return;
	if (host->libvirt_hung) {
		ev = event_add(w, HAPPEN_QEMU, host_index(w, host), 1000);
		ev->guest = guest;
		ev->run = 0;
		return;
	}
	here->start_job = here->lock_wait = false;
	if (w->swarm.memory && host_free_mib(w, host) < (w->spec_changed[guest] ? w->spec_over[guest].memory_mib : 64)) {
		say(w, "%s has no memory for vm%zu", host->name, guest + 1);
		return;
	}
	w->starts++;
	here->qemu = here->running = here->defined = true;
	here->stop_reason = STOP_BY_API; /* of the next stop, until another reason is known */
	say(w, "%s starts vm%zu", host->name, guest + 1);
	writers_check(w, guest);
	if (!here->by_core && w->ledger)
		ledger_intent(w, guest, WISH_RUNNING);
	if (here->by_core && here->op) {
		ev = event_add(w, HAPPEN_START_BEGUN, host_index(w, host), 1);
		ev->op = here->op;
		ev->helpers = here->op_helpers;
	}
	event_add(w, HAPPEN_WATCH_ONE, host_index(w, host), 10)->guest = guest;
}

/* As its start helper finds: it is not among those that are recovered, and this is not the host that it is left to. */
static bool is_excluded(struct world *w, struct world_host *host, size_t guest)
{
	struct core_instance_view view;

	if (!w->swarm.excluded || guest)
		return false;
	for (size_t i = 0; i < core_instance_count(host->core); i++)
		if (core_instance(host->core, i, &view) && guest_number(view.spec->uuid) == guest)
			return view.place->home != host->nodeid && !view.place->by_hand;
	return false;
}

void start_gate(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct guest_here *here = &host->guests[ev->guest];
	struct gate_query query = { .op = GATE_START, .protected = true };
	struct core_event event = { .type = EV_GATE, .gate = &query };
	bool fails = ev->by_core && (world_random(w, 100) < w->start_failures_percent || host->starts_fail);
	struct world_event *done;

	/* Its helper proves the disks before anything else. */
	fails |= ev->by_core && here->verdict == VERDICT_UNKNOWN && w->ledger;
	here->excluded = ev->by_core && !fails && is_excluded(w, host, ev->guest);
	fails |= here->excluded;
	if (ev->by_core) {
		done = event_add(w, HAPPEN_START_DONE, ev->host, between(w, 1600, 2200));
		done->op = ev->op;
		done->guest = ev->guest;
		done->helpers = ev->helpers;
		done->id = w->now_ms;
	}
	if (here->qemu || here->start_job || here->incoming || fails)
		return;
	if (!host->daemon || host->frozen || host->libvirt_hung)
		return; /* the hook's own list refuses what is protected */
	here->start_job = true;
	here->gate_asked = true;
	here->by_core = ev->by_core;
	here->op = ev->op;
	here->op_helpers = ev->helpers;
	query.id = gate_id(w, GATE_KIND_START, ev->guest);
	guest_spec(w, ev->guest, &query.spec);
	host_step(w, host, &event);
}

void start_begun(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_START_BEGUN, .start.op = ev->op };

	if (ev->helpers == host->helpers)
		host_step(w, host, &event);
}

void start_done(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_START_RESULT };
	struct guest_here *here = &host->guests[ev->guest];
	bool dies;

	if (ev->helpers != host->helpers)
		return;
	/* The helper has patience with locks, and no answer while libvirtd hangs. */
	if (((here->start_job && here->lock_wait) || host->libvirt_hung) && w->now_ms < ev->id + HELPER_PATIENCE_MS) {
		struct world_event *later = event_add(w, HAPPEN_START_DONE, ev->host, 700);

		later->op = ev->op;
		later->guest = ev->guest;
		later->helpers = ev->helpers;
		later->id = ev->id;
		return;
	}
	dies = w->swarm.helper_death_percent && world_random(w, 100) < w->swarm.helper_death_percent;
	event.start.op = ev->op;
	event.start.ok = here->qemu && here->running && !host->libvirt_hung && !dies;
	if (event.start.ok && here->only_moved) {
		say(w, "%s has vm%zu, stopped", host->name, ev->guest + 1);
		here->qemu = here->running = false;
		here->stop_reason = STOP_BY_API;
		event.start.stopped = true;
		event_add(w, HAPPEN_WATCH_ONE, ev->host, 10)->guest = ev->guest;
	}
	event.start.excluded = here->excluded && !event.start.ok && !dies;
	strcpy(event.start.detail, event.start.ok ? "verified" : dies ? "its helper died" : "it did not start");
	host_step(w, host, &event);
}

void inspect_done(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_INSPECT_RESULT };

	event.inspect.op = ev->op;
	event.inspect.known = !host->libvirt_hung;
	event.inspect.job = host->guests[ev->guest].start_job;
	event.inspect.qemu = host->guests[ev->guest].qemu || host->guests[ev->guest].incoming;
	event.inspect.running = host->guests[ev->guest].running;
	host_step(w, host, &event);
}

void stop_done(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_STOP_RESULT };

	say(w, "%s ends vm%zu", host->name, ev->guest + 1);
	host->guests[ev->guest].qemu = false;
	host->guests[ev->guest].running = false;
	host->guests[ev->guest].outgoing = host->guests[ev->guest].incoming = false;
	event.stop.op = ev->op;
	event.stop.gone = true;
	host_step(w, host, &event);
	watch_one(w, host, ev->guest);
}

/* The power is gone, and with it all that ran. */
void guests_vanish(struct world *w, struct world_host *host)
{
	for (size_t g = 0; g < w->n_guests; g++) {
		struct guest_here *here = &host->guests[g];

		here->qemu = here->running = here->start_job = here->lock_wait = false;
		here->gate_asked = here->incoming = here->outgoing = false;
		here->stop_reason = STOP_NONE;
	}
}

/* --- people --- */

void world_guest_start(struct world *w, size_t number, size_t guest)
{
	if (w->hosts[number - 1].power)
		event_add(w, HAPPEN_START_GATE, number - 1, 1)->guest = guest - 1;
}

void world_guest_stop(struct world *w, size_t number, size_t guest, enum stop_reason reason)
{
	struct world_host *host = &w->hosts[number - 1];
	struct guest_here *here = &host->guests[guest - 1];

	if (!here->qemu || host->paused)
		return;
	say(w, "-- vm%zu on %s ends (%s)", guest, host->name, reason == STOP_CRASH ? "killed" : "shut down");
	if (w->ledger && reason != STOP_CRASH && !host->shutting_down)
		ledger_intent(w, guest - 1, WISH_STOPPED);
	here->qemu = here->running = here->outgoing = false;
	here->stop_reason = reason;
	event_add(w, HAPPEN_WATCH_ONE, number - 1, 10)->guest = guest - 1;
}

void world_guest_undefine(struct world *w, size_t number, size_t guest)
{
	struct world_host *host = &w->hosts[number - 1];
	struct guest_here *here = &host->guests[guest - 1];

	if (!host->power || host->paused || here->qemu || here->start_job || here->incoming || !here->defined)
		return;
	say(w, "-- vm%zu is undefined on %s", guest, host->name);
	here->defined = false;
	here->undefined = true;
	if (w->ledger)
		ledger_deleting(w, guest - 1);
	event_add(w, HAPPEN_WATCH_ONE, number - 1, 10)->guest = guest - 1;
}

void world_clone_start(struct world *w, size_t number, size_t guest)
{
	struct gate_query query = { .op = GATE_START };
	struct core_event event = { .type = EV_GATE, .gate = &query };
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || !host->daemon || host->paused || host->frozen)
		return;
	query.id = gate_id(w, GATE_KIND_CLONE, guest - 1);
	guest_spec(w, guest - 1, &query.spec);
	query.spec.protected = false;
	snprintf(query.spec.uuid, sizeof(query.spec.uuid), "00000000-0000-4000-8000-%012d", 999);
	snprintf(query.spec.name, sizeof(query.spec.name), "clone-of-vm%zu", guest);
	host_step(w, host, &event);
}

/* --- live migration: the gate's part --- */

void migrate_gate(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct gate_query query = { .op = GATE_MIGRATE_IN, .protected = true };
	struct core_event event = { .type = EV_GATE, .gate = &query };

	if (host->guests[ev->guest].start_job || host->guests[ev->guest].qemu || host->guests[ev->guest].incoming)
		return;
	host->guests[ev->guest].start_job = host->guests[ev->guest].gate_asked = true;
	query.id = gate_id(w, GATE_KIND_MIGRATE, ev->guest);
	guest_spec(w, ev->guest, &query.spec);
	host_step(w, host, &event);
}

/* Under the same job libvirtd prepares the QEMU that the guest comes into, and asks again. */
void migrate_qemu(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct gate_query query = { .op = GATE_START, .protected = true };
	struct core_event event = { .type = EV_GATE, .gate = &query };
	struct guest_here *here = &host->guests[ev->guest];

	if (!here->start_job || here->gate_asked)
		return;
	if (!host->daemon || host->frozen || host->libvirt_hung) {
		here->start_job = false;
		return;
	}
	here->gate_asked = true;
	query.id = gate_id(w, GATE_KIND_INCOMING, ev->guest);
	guest_spec(w, ev->guest, &query.spec);
	host_step(w, host, &event);
}
