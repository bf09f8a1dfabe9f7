/* What ends a host from outside: fence devices, honest and otherwise, and its own watchdog. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/inner.h"

#define DEVICE_DEADLINE_MS 60000

void fence_order(struct world *w, struct world_host *host, const struct core_action *act)
{
	struct world_event *ev;

	w->fences++;
	say(w, "%s fences %s (level %u)", host->name, act->fence.host->name, act->fence.level);
	oracle_fence(w, host, act);
	ev = event_add(w, HAPPEN_FENCE_ACT, host_index(w, host), between(w, 20, 400));
	ev->op = act->fence.op;
	ev->target = host_of_node(w, act->fence.host->nodeid);
	ev->level = act->fence.level;
	ev->run = 0; /* what was sent to the device arrives, whatever happens here */
}

static void fence_answer(struct world *w, const struct world_event *ev, bool ok, uint64_t in_ms)
{
	struct world_event *done = event_add(w, HAPPEN_FENCE_DONE, ev->host, in_ms);

	done->op = ev->op;
	done->ok = ok;
	done->helpers = ev->helpers;
	done->run = ev->run;
	done->boot = ev->boot;
	done->target = ev->target;
	done->by_core = ev->level < 2 && w->hosts[ev->target].device == DEVICE_EMPTY;
}

/* The device switches later than it was told to. */
static void fence_later(struct world *w, const struct world_event *ev, uint64_t in_ms)
{
	struct world_event *later = event_add(w, HAPPEN_FENCE_ACT, ev->host, in_ms);

	later->op = ev->op;
	later->target = ev->target;
	later->level = ev->level;
	later->helpers = ev->helpers;
	later->boot = ev->boot;
	later->run = 0;
	later->ok = true;
}

void fence_act(struct world *w, struct world_event *ev)
{
	struct world_host *target = &w->hosts[ev->target];
	enum device device = ev->level > 1 || ev->ok ? DEVICE_GOOD : target->device;
	bool broken = (target->device_broken || (target->device_with_host && !target->power)) && ev->level < 2;

	if (!ev->ok && (!w->hosts[ev->host].power || w->hosts[ev->host].boots != ev->boot))
		return; /* the host that spoke to the device died before */
	if (broken && !ev->ok)
		device = DEVICE_EMPTY;
	switch (device) {
	case DEVICE_SLOW:
		fence_later(w, ev, between(w, 5000, 35000));
		return;
	case DEVICE_LATE:
		fence_later(w, ev, 20000);
		return;
	case DEVICE_HANGS:
		fence_answer(w, ev, false, DEVICE_DEADLINE_MS);
		return;
	case DEVICE_EMPTY:
		fence_answer(w, ev, false, broken ? between(w, 10, 200) : between(w, 1000, 6000));
		return;
	case DEVICE_GOOD:
	case DEVICE_KINDS:
		break;
	}
	world_power_off(w, ev->target + 1);
	fence_answer(w, ev, true, between(w, 10, 200));
}

void fence_done(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_FENCE_RESULT };
	struct core_host_view view;

	/* What an outlet with nothing on it reads is believed, so it lies only where the membership contradicts it. */
	if (ev->by_core && w->hosts[ev->target].device_may_lie && !w->hosts[ev->target].device_broken && core_host(host->core, ev->target, &view) && view.present) {
		ev->ok = true;
		w->hosts[ev->target].device_lied_boot = w->hosts[ev->target].boots;
	}
	if (ev->helpers != host->helpers)
		return;
	event.fence.op = ev->op;
	event.fence.off = ev->ok;
	strcpy(event.fence.device, "power");
	strcpy(event.fence.detail, ev->ok ? "reads off" : "unreachable");
	host_step(w, host, &event);
}

/* --- the watchdog --- */

/* A host pets while what it sent a lease ago, or later, was echoed by a majority; here an echo takes no time. */
void watchdog_pet(struct world *w, struct world_host *host)
{
	size_t self = host_index(w, host);

	event_add(w, HAPPEN_WATCHDOG_PET, self, 1000)->run = 0;
	if (!host->daemon || host->frozen || reached_from(w, self) * 2 <= w->n_hosts)
		return;
	host->pet_until_ms = w->now_ms +
		(WATCHDOG_LEASE_MS + host->watchdog_ms) * 1000 / (uint64_t)(1000 + host->drift);
	event_add(w, HAPPEN_WATCHDOG_BITE, self, host->pet_until_ms - w->now_ms)->run = 0;
	for (size_t h = 0; h < w->n_hosts; h++) {
		struct world_event *ev;

		if (!reaches(w, self, h) || !w->hosts[h].daemon)
			continue;
		ev = event_add(w, HAPPEN_ATTEST, h, between(w, 1, 3));
		ev->target = self;
		ev->id = host->boots;
	}
}

void watchdog_bite(struct world *w, struct world_host *host)
{
	if (w->now_ms < host->pet_until_ms)
		return;
	say(w, "-- the watchdog of %s bites", host->name);
	world_power_off(w, host_index(w, host) + 1);
}

void watchdog_attest(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_WATCHDOG };

	event.watchdog.nodeid = w->hosts[ev->target].nodeid;
	event.watchdog.armed = true;
	event.watchdog.lease_ms = WATCHDOG_LEASE_MS;
	event.watchdog.watchdog_ms = w->hosts[ev->target].watchdog_ms;
	snprintf(event.watchdog.boot_id, sizeof(event.watchdog.boot_id), "%s-boot%u", w->hosts[ev->target].name,
		 (uint32_t)ev->id);
	host_step(w, host, &event);
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
