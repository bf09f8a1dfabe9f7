/* What will happen, soonest first: a heap by time, and by order where times are equal. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/inner.h"

static bool is_before(const struct world_event *a, const struct world_event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void event_insert(struct world *w, struct world_event *ev)
{
	size_t at = w->n_heap++;

	if (w->n_heap > w->heap_room) {
		w->heap_room = w->heap_room ? w->heap_room * 2 : 1024;
		w->heap = realloc(w->heap, sizeof(struct world_event *) * w->heap_room);
		if (!w->heap)
			abort();
	}
	ev->order = ++w->next_event;
	while (at && is_before(ev, w->heap[(at - 1) / 2])) {
		w->heap[at] = w->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	w->heap[at] = ev;
}

static struct world_event *event_next(struct world *w)
{
	struct world_event *first = w->heap[0], *last = w->heap[--w->n_heap];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < w->n_heap) {
		if (child + 1 < w->n_heap && is_before(w->heap[child + 1], w->heap[child]))
			child++;
		if (!is_before(w->heap[child], last))
			break;
		w->heap[at] = w->heap[child];
		at = child;
	}
	w->heap[at] = last;
	return first;
}

struct world_event *event_add(struct world *w, enum happening what, size_t host, uint64_t in_ms)
{
	struct world_event *ev = w->unused;

	if (ev)
		w->unused = ev->next;
	else
		ev = malloc(sizeof(*ev));
	if (!ev)
		abort();
	memset(ev, 0, sizeof(*ev));
	ev->what = what;
	ev->host = host;
	ev->run = w->hosts[host].runs;
	ev->boot = w->hosts[host].boots;
	ev->at_ms = w->now_ms + in_ms;
	ev->helpers = w->hosts[host].helpers;
	event_insert(w, ev);
	return ev;
}

static void event_end(struct world *w, struct world_event *ev)
{
	if (ev->parcel)
		parcel_release(ev->parcel);
	ev->parcel = NULL;
	ev->next = w->unused;
	w->unused = ev;
}

void events_free(struct world *w)
{
	for (size_t i = 0; i < w->n_heap; i++)
		event_end(w, w->heap[i]);
	for (size_t h = 0; h < w->n_hosts; h++)
		while (w->hosts[h].held) {
			struct world_event *next = w->hosts[h].held->next;

			event_end(w, w->hosts[h].held);
			w->hosts[h].held = next;
		}
	while (w->unused) {
		struct world_event *next = w->unused->next;

		free(w->unused);
		w->unused = next;
	}
	free(w->heap);
	w->heap = NULL;
	w->n_heap = w->heap_room = 0;
}

/* What is libvirt's, QEMU's or corosync's goes on without hamond. */
static bool needs_no_daemon(enum happening what)
{
	return what == HAPPEN_START_GATE || what == HAPPEN_QEMU || what == HAPPEN_MIGRATED ||
		what == HAPPEN_MIGRATE_CONFIRM || what == HAPPEN_MIGRATE_QEMU || what == HAPPEN_RING || what == HAPPEN_WATCHDOG_PET ||
		what == HAPPEN_WATCHDOG_BITE;
}

/* Whether the event still has somebody to happen to. */
static bool event_is_alive(struct world *w, struct world_event *ev)
{
	struct world_host *host = &w->hosts[ev->host];

	if (ev->what == HAPPEN_FENCE_ACT)
		return true;
	if (!host->power || host->boots != ev->boot)
		return false;
	/* A view is the newest or nothing. */
	if ((ev->what == HAPPEN_VIEW_QUORUM || ev->what == HAPPEN_VIEW_MEMBERS || ev->what == HAPPEN_RING) &&
	    ev->view != w->view)
		return false;
	if (!host->daemon)
		return needs_no_daemon(ev->what);
	if (ev->run && ev->run != host->runs)
		return false;
	if (ev->what == HAPPEN_MESSAGE)
		return message_is_deliverable(w, ev);
	return true;
}

/* A frozen daemon takes nothing in; of a paused host nothing goes on but its hardware, and what it has sent to a device. */
static bool event_is_held(const struct world_host *host, enum happening what)
{
	if (!host->power || what == HAPPEN_FENCE_ACT || what == HAPPEN_WATCHDOG_BITE)
		return false;
	if (host->paused)
		return true;
	return host->frozen && what != HAPPEN_QEMU && what != HAPPEN_MIGRATED && what != HAPPEN_MIGRATE_CONFIRM &&
		what != HAPPEN_MIGRATE_QEMU && what != HAPPEN_RING && what != HAPPEN_WATCHDOG_PET;
}

static void event_hold(struct world_host *host, struct world_event *ev)
{
	ev->next = NULL;
	ev->ring = 0; /* corosync has delivered it: it waits to be read */
	if (host->held)
		host->held_last->next = ev;
	else
		host->held = ev;
	host->held_last = ev;
}

static void tick(struct world *w, struct world_host *host, struct world_event *ev)
{
	if (ev->id != host->tick_event)
		return;
	host->tick_at_ms = 0;
	host_step(w, host, &(struct core_event){ .type = EV_TICK });
}

static void event_happen(struct world *w, struct world_event *ev)
{
	struct world_host *host = &w->hosts[ev->host];

	switch (ev->what) {
	case HAPPEN_TICK:		tick(w, host, ev); break;
	case HAPPEN_MESSAGE:		message_take(w, host, ev); break;
	case HAPPEN_RING:		ring_install(w, host, ev); break;
	case HAPPEN_VIEW_QUORUM:	quorum_tell(w, host); break;
	case HAPPEN_VIEW_MEMBERS:	members_tell(w, host); break;
	case HAPPEN_GROUP_DOWN:		host_step(w, host, &(struct core_event){ .type = EV_GROUP_DOWN }); break;
	case HAPPEN_PERSISTED:		store_apply(w, host, ev); break;
	case HAPPEN_LOADED:		store_load(w, host); break;
	case HAPPEN_FENCE_ACT:		fence_act(w, ev); break;
	case HAPPEN_FENCE_DONE:		fence_done(w, host, ev); break;
	case HAPPEN_START_GATE:		start_gate(w, host, ev); break;
	case HAPPEN_QEMU:		qemu_start(w, host, ev->guest); break;
	case HAPPEN_START_BEGUN:	start_begun(w, host, ev); break;
	case HAPPEN_START_DONE:		start_done(w, host, ev); break;
	case HAPPEN_INSPECT:		inspect_done(w, host, ev); break;
	case HAPPEN_STOP:		stop_done(w, host, ev); break;
	case HAPPEN_WATCH_FULL:		watch_full(w, host); break;
	case HAPPEN_WATCH_ONE:		watch_one(w, host, ev->guest); break;
	case HAPPEN_VERDICTS:		verdicts_tell(w, host); break;
	case HAPPEN_MIGRATE_GATE:	migrate_gate(w, host, ev); break;
	case HAPPEN_MIGRATE_QEMU:	migrate_qemu(w, host, ev); break;
	case HAPPEN_MIGRATED:		migrated(w, host, ev); break;
	case HAPPEN_MIGRATE_CONFIRM:	migrate_confirm(w, host, ev); break;
	case HAPPEN_WATCHDOG_PET:	watchdog_pet(w, host); break;
	case HAPPEN_WATCHDOG_BITE:	watchdog_bite(w, host); break;
	case HAPPEN_ATTEST:		watchdog_attest(w, host, ev); break;
	}
}

void world_run(struct world *w, uint64_t for_ms)
{
	uint64_t until_ms = w->now_ms + for_ms;

	while (w->n_heap && w->heap[0]->at_ms <= until_ms && !w->failed) {
		struct world_event *ev = event_next(w);

		w->now_ms = ev->at_ms > w->now_ms ? ev->at_ms : w->now_ms;
		if (event_is_held(&w->hosts[ev->host], ev->what) && event_is_alive(w, ev)) {
			event_hold(&w->hosts[ev->host], ev); /* it happens when the process goes on, in the same order */
			continue;
		}
		if (event_is_alive(w, ev))
			event_happen(w, ev);
		event_end(w, ev);
	}
	if (!w->failed)
		w->now_ms = until_ms;
}
