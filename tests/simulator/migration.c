/*
 * Live migration: libvirt's two hosts, and the network between them. With swarm.confirm it ends in two steps, as libvirt's does:
 * the guest goes on on the target while the source's QEMU still exists, paused, until the target's word reaches it.
 */
#include "tests/simulator/inner.h"

void world_guest_migrate(struct world *w, size_t from, size_t to, size_t guest, uint64_t takes_ms)
{
	if (!w->hosts[to - 1].power || !w->hosts[from - 1].guests[guest - 1].qemu)
		return;
	/* libvirt has one job at a time for a guest. */
	for (size_t h = 0; w->swarm.confirm && h < w->n_hosts; h++)
		if (w->hosts[h].guests[guest - 1].incoming || w->hosts[h].guests[guest - 1].outgoing)
			return;
	w->migrate_ms = takes_ms;
	w->migrate_from = from - 1;
	event_add(w, HAPPEN_MIGRATE_GATE, to - 1, 1)->guest = guest - 1;
}

void migrate_begin(struct world *w, struct world_host *host, size_t guest)
{
	struct world_event *ev;

	host->guests[guest].incoming = true;
	say(w, "%s takes vm%zu in", host->name, guest + 1);
	ev = event_add(w, HAPPEN_MIGRATED, host_index(w, host), w->migrate_ms);
	ev->guest = guest;
	ev->target = w->migrate_from;
	ev->id = w->hosts[w->migrate_from].boots;
	ev->run = 0;
	event_add(w, HAPPEN_WATCH_ONE, host_index(w, host), 10)->guest = guest;
}

static void confirm_add(struct world *w, struct world_event *ev, size_t source, uint64_t in_ms)
{
	struct world_event *later = event_add(w, HAPPEN_MIGRATE_CONFIRM, source, in_ms);

	later->guest = ev->guest;
	later->run = 0;
}

static void source_ends(struct world *w, struct world_host *source, size_t guest)
{
	struct guest_here *here = &source->guests[guest];

	here->qemu = here->running = here->outgoing = false;
	here->stop_reason = STOP_MIGRATED;
	if (w->swarm.takes_along && w->swarm.definitions && here->defined) {
		here->defined = false;
		here->undefined = true;
	}
	event_add(w, HAPPEN_WATCH_ONE, host_index(w, source), 10)->guest = guest;
}

/* The memory is over: the guest stops here and goes on there, if both hosts still live and reach each other. */
void migrated(struct world *w, struct world_host *target, struct world_event *ev)
{
	struct world_host *source = &w->hosts[ev->target];
	struct guest_here *there = &target->guests[ev->guest], *here = &source->guests[ev->guest];
	bool reachable = !w->swarm.confirm || reaches(w, ev->target, ev->host);

	if (!there->incoming)
		return;
	there->incoming = false;
	if (source->power && source->boots == ev->id && here->qemu && here->running && reachable &&
	    !(w->swarm.confirm && (source->libvirt_hung || target->libvirt_hung))) {
		there->qemu = there->running = there->defined = true;
		there->stop_reason = STOP_BY_API;
		here->running = false;
		say(w, "vm%zu goes on on %s", ev->guest + 1, target->name);
		here->outgoing = true;
		here->outgoing_to = ev->host;
		here->outgoing_boot = target->boots;
		if (w->swarm.confirm)
			confirm_add(w, ev, ev->target, between(w, 20, 3000));
		else
			source_ends(w, source, ev->guest);
	} else {
		say(w, "the migration of vm%zu to %s failed: its source is gone", ev->guest + 1, target->name);
	}
	writers_check(w, ev->guest);
	event_add(w, HAPPEN_WATCH_ONE, host_index(w, target), 10)->guest = ev->guest;
}

void migrate_confirm(struct world *w, struct world_host *source, struct world_event *ev)
{
	struct guest_here *here = &source->guests[ev->guest];
	struct world_host *target = &w->hosts[here->outgoing_to];

	if (!here->outgoing)
		return;
	if (!target->power || target->boots != here->outgoing_boot) {
		/* Its copy is gone for good, as its libvirt says or a person knows: the source goes on. */
		say(w, "vm%zu goes on on %s again", ev->guest + 1, source->name);
		if (w->ledger)
			ledger_intent(w, ev->guest, WISH_RUNNING); /* though it may have been stopped there meanwhile */
		here->outgoing = false;
		here->running = true;
		writers_check(w, ev->guest);
		event_add(w, HAPPEN_WATCH_ONE, ev->host, 10)->guest = ev->guest;
		return;
	}
	if (!reaches(w, ev->host, here->outgoing_to) || source->libvirt_hung || target->libvirt_hung) {
		confirm_add(w, ev, ev->host, 1000);
		return;
	}
	source_ends(w, source, ev->guest);
}
