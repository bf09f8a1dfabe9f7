/* The invariants (I1 to I15, as doc/architecture.md lists them) that concern what is committed: which change of a fact the truth allows. */
#include <string.h>

#include "tests/simulator/ledger.h"

#define PROOF_AGE_MS 10000
#define FAILURE_WINDOW_MS 300000 /* as in the daemons' settings */

/* The boot that the certificate names is over, whatever the daemons believe. */
static void certificate_check(struct world *w, const struct host_fact *fact)
{
	const struct world_host *host = &w->hosts[host_of_node(w, fact->nodeid)];
	char boot[CORE_UUID_SIZE];

	snprintf(boot, sizeof(boot), "%s-boot%u", host->name, host->boots);
	if (host->power && !strcmp(boot, fact->certificate.boot_id) && host->device_lied_boot != host->boots)
		fail(w, "I3: %s is certified dead by %s, and lives in that very boot", host->name,
		     proof_method_name(fact->certificate.method));
}

static void admission_check(struct world *w, const struct host_fact *fact)
{
	const struct world_host *host = &w->hosts[host_of_node(w, fact->nodeid)];

	for (size_t g = 0; host->power && !w->two_node && g < w->n_guests; g++) {
		const struct ledger_place *place = &w->ledger->places[g];

		if (host->guests[g].qemu && place->known && !place->deleted && place->owner != fact->nodeid &&
		    place->joint != fact->nodeid)
			fail(w, "I10: %s is admitted and still runs vm%zu of node %u", host->name, g + 1, place->owner);
	}
}

/* Who left in order is never fenced: what it runs would be lost with it. */
static void leave_check(struct world *w, const struct host_fact *fact)
{
	const struct world_host *host = &w->hosts[host_of_node(w, fact->nodeid)];

	for (size_t g = 0; host->power && !host->daemon && g < w->n_guests; g++)
		if (host->guests[g].qemu && !w->ledger->places[g].deleted)
			fail(w, "L1: %s is said to have left in order, and runs vm%zu", host->name, g + 1);
}

static uint32_t brake_limit(const struct world *w)
{
	uint32_t limit = (uint32_t)w->n_hosts * w->max_failed_share_percent / 100;

	if (w->max_failed_hosts)
		return w->max_failed_hosts;
	return limit ? limit : 1;
}

/* Nothing is to be fenced when more failed than the limit; what the brake let pass before that goes on. */
void ledger_brake_check(struct world *w, const struct host_fact *fact)
{
	uint32_t failed = 0;

	/* Of two, each alone commits its own. */
	if (w->two_node || fact->released)
		return;

	for (size_t h = 0; h < w->n_hosts; h++) {
		const struct ledger_host *host = &w->ledger->hosts[h];

		failed += (host->fact.state == HOST_LOST || host->fact.state == HOST_DEAD ||
			   host->fact.state == HOST_QUARANTINED) && !host->fact.released &&
			host->lost_ms && w->now_ms - host->lost_ms < FAILURE_WINDOW_MS - 20000;
	}
	if (failed > brake_limit(w))
		fail(w, "I7: %s is to be fenced, the %uth host in the window; the limit is %u", fact->name, failed,
		     brake_limit(w));
}

void ledger_host_check(struct world *w, const struct ledger_host *old, const struct host_fact *fact)
{
	if (fact->epoch < old->fact.epoch && !w->two_node)
		fail(w, "I10: the epoch of %s went back from %llu to %llu", fact->name,
		     (unsigned long long)old->fact.epoch, (unsigned long long)fact->epoch);
	if (fact->state == HOST_DEAD && old->fact.state != HOST_DEAD && old->fact.state != HOST_QUARANTINED)
		certificate_check(w, fact);
	if (fact->state == HOST_ADMITTED && old->fact.state != HOST_ADMITTED)
		admission_check(w, fact);
	if (fact->state == HOST_LEFT && old->fact.state != HOST_LEFT)
		leave_check(w, fact);
	if (fact->fence_intent && !old->fact.fence_intent && !w->ledger->opening && !w->two_node && (fact->maintenance || w->ledger->frozen))
		fail(w, "brake: %s is to be fenced in maintenance", fact->name);
}

/* Nobody can still run it there: a certificate covers the epoch that had it, or the host itself gave it back. */
static bool holder_is_over(struct world *w, size_t guest, uint32_t nodeid, uint64_t epoch)
{
	size_t slot = host_of_node(w, nodeid);
	const struct host_fact *fact = &w->ledger->hosts[slot].fact;
	const struct guest_here *here = &w->hosts[slot].guests[guest];

	if ((fact->state == HOST_DEAD || fact->state == HOST_QUARANTINED) && fact->certificate.epoch >= epoch)
		return true;
	/* Lost before it was admitted in its later epoch: that one may have it too. */
	if (fact->epoch > epoch && fact->state != HOST_LOST)
		return true;
	/* A start that waits at the gate has not been granted. */
	return !here->qemu && !(here->start_job && !here->gate_asked) && !here->incoming;
}

/*
 * Judged when it is decided: its commit may come minutes later, in the opening of a later term that carries it on.
 * Before the host starts anything it proves the disks itself.
 */
void ledger_assignment_check(struct world *w, const struct place_fact *fact)
{
	size_t guest = guest_number(fact->uuid);
	const struct world_host *host = &w->hosts[host_of_node(w, fact->owner)];
	const struct ledger_place *old = &w->ledger->places[guest];
	uint64_t bad_ms = host->guests[guest].told_bad_ms;

	if (fact->excluded && fact->phase == PHASE_ASSIGNED && fact->owner != fact->home && !fact->by_hand && !w->two_node)
		fail(w, "I13: vm%zu is left to its own host, and goes to %s", guest + 1, host->name);
	if (w->two_node || !old->known || old->deleted || fact->phase != PHASE_ASSIGNED ||
	    fact->generation <= old->sent_generation || fact->owner == fact->home || fact->accept_loss)
		return;
	/* While it was away nobody could be told; it proves them again itself, before it starts anything. */
	if (bad_ms && w->now_ms - bad_ms > PROOF_AGE_MS && w->now_ms - w->view_changed_ms > PROOF_AGE_MS)
		fail(w, "I8: vm%zu goes to %s, which has not proven its disks", guest + 1, host->name);
}

void ledger_place_check(struct world *w, size_t guest, const struct ledger_place *old, const struct place_fact *fact)
{
	if (!old->known || old->deleted) {
		if (old->recorded && fact->wish != old->intent && !old->loose && !w->two_node)
			fail(w, "I13: vm%zu was claimed anew, wished %s", guest + 1, wish_name(fact->wish));
		return;
	}
	if (w->two_node)
		return;
	if (fact->generation < old->generation)
		fail(w, "I6: the generation of vm%zu went back from %llu to %llu", guest + 1,
		     (unsigned long long)old->generation, (unsigned long long)fact->generation);
	if (fact->generation == old->generation && fact->owner != old->owner)
		fail(w, "I6: generation %llu of vm%zu has two owners, %u and %u",
		     (unsigned long long)fact->generation, guest + 1, old->owner, fact->owner);
	if (fact->owner != old->owner && fact->owner != old->joint) {
		if (!holder_is_over(w, guest, old->owner, old->owner_epoch))
			fail(w, "I2: vm%zu goes from node %u to node %u, and nothing proves that the first is over",
			     guest + 1, old->owner, fact->owner);
		if (old->joint && !holder_is_over(w, guest, old->joint,
						  w->ledger->hosts[host_of_node(w, old->joint)].fact.epoch))
			fail(w, "I2: vm%zu goes to node %u while node %u, where it was being migrated, may run it",
			     guest + 1, fact->owner, old->joint);
	}
	/* A migration's end: the source has it no more. */
	if (fact->owner != old->owner && fact->owner == old->joint &&
	    !holder_is_over(w, guest, old->owner, old->owner_epoch))
		fail(w, "I2: vm%zu is said to have left node %u, which still has it", guest + 1, old->owner);
	if (fact->phase == PHASE_ASSIGNED && fact->wish != WISH_RUNNING && !w->swarm.move_stopped)
		fail(w, "I13: vm%zu is to be started and is wished stopped", guest + 1);
	/* What is said behind it is right again: somebody stopped it and started it within one moment. */
	if (old->recorded && !old->loose && fact->wish != old->intent && old->sent_wish != old->intent && !w->two_node)
		fail(w, "I13: vm%zu is wished %s now; people want it %s, and that was committed", guest + 1,
		     wish_name(fact->wish), wish_name(old->intent));
}
