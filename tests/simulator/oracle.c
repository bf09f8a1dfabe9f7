/* The oracle: it knows which QEMU lives where, and what is on which disk. Invariants have their numbers (doc/architecture.md). */
#include <string.h>

#include "tests/simulator/ledger.h"

#define NOTICE_MS 1500 /* after a change of the membership is seen, before it must be acted upon */

/* I1. The end of a live migration is the hypervisor's own: its source is paused, and only its target runs beside it. */
void writers_check(struct world *w, size_t guest)
{
	size_t first = 0;

	for (size_t h = 0; h < w->n_hosts; h++) {
		const struct guest_here *here = &w->hosts[h].guests[guest];

		if (!w->hosts[h].power || !here->qemu)
			continue;
		if (first) {
			const struct guest_here *other = &w->hosts[first - 1].guests[guest];

			if ((here->outgoing && here->outgoing_to == first - 1 &&
			     here->outgoing_boot == w->hosts[first - 1].boots) ||
			    (other->outgoing && other->outgoing_to == h && other->outgoing_boot == w->hosts[h].boots))
				continue;
			fail(w, "I1: vm%zu runs on %s and on %s", guest + 1, w->hosts[first - 1].name, w->hosts[h].name);
		}
		first = h + 1;
	}
}

/* The membership has stood for so long that whoever acts must know it. */
static bool membership_is_settled(const struct world *w)
{
	return w->now_ms - w->view_changed_ms > 2 * DETECT_MS + w->swarm.order_ms + NOTICE_MS;
}

static void minority_check(struct world *w, const struct world_host *host, const char *what)
{
	size_t self = (size_t)(host - w->hosts);

	if (!w->two_node && membership_is_settled(w) && reached_from(w, self) * 2 <= w->n_hosts)
		fail(w, "I4: %s %s without quorum", host->name, what);
}

void oracle_fence(struct world *w, struct world_host *host, const struct core_action *act)
{
	size_t target = host_of_node(w, act->fence.host->nodeid);
	const struct host_fact *fact;

	if (!w->ledger)
		return;
	minority_check(w, host, "fences");
	if (membership_is_settled(w) && reaches(w, host_index(w, host), target))
		fail(w, "I3: %s fences %s, which is a member", host->name, w->hosts[target].name);
	fact = &w->ledger->hosts[target].fact;
	if (!w->two_node && (!fact->fence_intent || fact->epoch != act->fence.host->epoch))
		fail(w, "I5: %s fences %s, and the intent is on the disks of no majority", host->name,
		     w->hosts[target].name);
}

void oracle_start(struct world *w, struct world_host *host, const struct core_action *act)
{
	size_t guest = guest_number(act->instance.spec->uuid);
	const struct ledger_place *place;

	if (!w->ledger)
		return;
	place = &w->ledger->places[guest];
	minority_check(w, host, "starts an instance");
	if (w->two_node)
		return;
	if (!place->known || place->owner != host->nodeid || place->generation != act->instance.place->generation) {
		fail(w, "I5: %s starts generation %llu of vm%zu, and that is on the disks of no majority", host->name,
		     (unsigned long long)act->instance.place->generation, guest + 1);
		return;
	}
	if (place->deleted || (place->wish != WISH_RUNNING && !w->swarm.move_stopped))
		fail(w, "I13: %s starts vm%zu, which is %s", host->name, guest + 1,
		     place->deleted ? "deleted" : "wished stopped");
}

void oracle_gate(struct world *w, struct world_host *host, size_t guest, bool migrate)
{
	const struct ledger_place *place;

	if (!w->ledger || w->two_node)
		return;
	place = &w->ledger->places[guest];
	if (!place->known || place->deleted || (place->owner != host->nodeid &&
						(!migrate || place->joint != host->nodeid)))
		fail(w, "I5: the gate of %s lets vm%zu in, and no majority has it there", host->name, guest + 1);
}

/* --- the end --- */

static bool instance_is_settled(struct world *w, const struct core_instance_view *view, char *why, size_t size)
{
	size_t guest = guest_number(view->spec->uuid), host = world_runs_on(w, guest);
	enum wish wish;

	if (w->swarm.excluded && view->place->excluded && view->place->phase == PHASE_HELD && !host &&
	    w->hosts[host_of_node(w, view->place->home)].stays_off)
		return true;
	if (view->place->phase != PHASE_SETTLED)
		snprintf(why, size, "%s is %s: %s", view->spec->name, phase_name(view->place->phase),
			 view->place->reason);
	else if ((view->place->wish == WISH_RUNNING) != (host != 0))
		snprintf(why, size, "%s is wished %s and runs on %zu (0: nowhere)", view->spec->name,
			 wish_name(view->place->wish), host);
	else if (host && w->hosts[host - 1].nodeid != view->place->owner)
		snprintf(why, size, "%s runs on %s, but belongs to node %u", view->spec->name,
			 w->hosts[host - 1].name, view->place->owner);
	else if (w->ledger && !w->two_node && ledger_wish(w, guest, &wish) && view->place->wish != wish)
		snprintf(why, size, "%s lost its wish to be %s", view->spec->name, wish_name(wish));
	else
		return true;
	return false;
}

/* L1: every instance that is wished running runs once, where it belongs, and no incident is open. */
bool world_is_settled(struct world *w, char *why, size_t size)
{
	struct core *core = world_coordinator(w);
	size_t known = 0, deleted = 0;

	if (!core) {
		snprintf(why, size, "nobody coordinates");
		return false;
	}
	for (size_t i = 0; i < core_instance_count(core); i++) {
		struct core_instance_view view;

		if (!core_instance(core, i, &view))
			continue;
		known++;
		if (!instance_is_settled(w, &view, why, size))
			return false;
	}
	for (size_t g = 0; w->ledger && g < w->n_guests; g++)
		deleted += ledger_is_deleted(w, g);
	if (!w->two_node && known + deleted != w->n_guests) {
		snprintf(why, size, "%zu of %zu instances are known", known, w->n_guests - deleted);
		return false;
	}
	for (size_t i = 0; w->ledger && i < core_incident_count(core); i++)
		if (core_incident(core, i)->state != INCIDENT_CLOSED) {
			snprintf(why, size, "incident %s is %s", core_incident(core, i)->id,
				 incident_state_name(core_incident(core, i)->state));
			return false;
		}
	return true;
}
