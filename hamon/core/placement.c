/* Placement: which host may start an instance, and, for each that may not, why. */
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"

#define UNTOLD_PATIENCE_MS 10000 /* of a new coordinator, for the others' first word about storage */

static bool backing_suffices(const struct instance *inst, int slot, bool accept_loss)
{
	enum verdict verdict = inst->backing[slot].verdict;

	return accept_loss ||
		((verdict == VERDICT_SHARED || verdict == VERDICT_VOLUME) && !inst->backing[slot].held);
}

bool placement_is_movable(const struct core *core, const struct instance *inst)
{
	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		if (host->config.nodeid == inst->place.owner || host->fact.state != HOST_ADMITTED ||
		    !host_is_alive(host))
			continue;
		if (backing_suffices(inst, (int)i, inst->place.accept_loss))
			return true;
	}
	return false;
}

/* Where a plan puts an instance: a slot, or -1. */
static int planned_slot(const struct core *core, const struct instance *inst, const struct placement_terms *terms)
{
	return terms->planned ? (int)terms->planned->slot[inst - core->instances] - 1 : -1;
}

static const struct instance *group_mate(const struct core *core, const struct instance *inst, int slot,
					 const struct placement_terms *terms)
{
	uint32_t nodeid = core->hosts[slot].config.nodeid;

	for (size_t i = 0; inst->spec.group[0] && i < core->n_instances; i++) {
		const struct instance *other = &core->instances[i];
		bool there = other->place.owner == nodeid && other->place.phase != PHASE_WAITING &&
			other->place.phase != PHASE_HELD;

		if (other != inst && !other->spec.deleted && other->place.wish == WISH_RUNNING &&
		    (there || planned_slot(core, other, terms) == slot) && !strcmp(other->spec.group, inst->spec.group))
			return other;
	}
	return NULL;
}

/* By the recovery method. Not its own host, nor the one that a person wants. */
static bool host_is_kept_out(const struct core *core, const struct instance *inst, const struct host *host,
			     const struct placement_terms *terms)
{
	if (terms->wanted || host->config.nodeid == inst->place.home)
		return false;
	return core->settings.recovery_method == (host->config.reserved ? RECOVERY_AUTO : RECOVERY_RESERVED_HOST);
}

/* NULL when the host could take the instance but for memory and backing; else the reason. */
static const char *host_unfit(const struct core *core, const struct instance *inst, int slot,
			      const struct placement_terms *terms, char *buf, size_t size)
{
	const struct host *host = &core->hosts[slot];
	const struct instance *mate;

	if (host->fact.state != HOST_ADMITTED)
		return host_state_name(host->fact.state);
	if (!host->present || !host->daemon)
		return "its hamond is not running";
	if (!host->report_known || !host->report.libvirt_ok)
		return "its libvirtd does not answer";
	if (!host->report.gate_loaded)
		return "hamon's libvirt hook is not loaded";
	if (host->config.nodeid != core->settings.self &&
	    (!host->beat_synced || host->beat_term != core->promised))
		return "it has no snapshot yet";
	if (host->fact.maintenance)
		return "in maintenance";
	if (host->report.shutting_down)
		return "it is being shut down";
	if (inst->spec.allow[0] && !list_has(inst->spec.allow, host->config.name))
		return "not among its allowed hosts";
	if (list_has(inst->spec.deny, host->config.name))
		return "denied by its definition";
	if (terms->tried & UINT32_C(1) << slot)
		return "failed to start it before";
	if (host_is_kept_out(core, inst, host, terms))
		return host->config.reserved ? "reserved" : "not a reserved host";
	mate = group_mate(core, inst, slot, terms);
	if (mate) {
		snprintf(buf, size, "runs %s of the same group", LABEL(mate));
		return buf;
	}
	return NULL;
}

static void why_add(char *why, const char *host, const char *reason)
{
	size_t used = strlen(why);

	if (used < CORE_TEXT_SIZE - 1)
		snprintf(why + used, CORE_TEXT_SIZE - used, "%s%s: %s", used ? "; " : "", host, reason);
}

struct candidate {
	int slot;
	uint64_t free_mib;
	uint32_t starting; /* what it has to start already: the work is spread */
	bool home; /* its own disks: no proof of sharing is needed where it ran before */
	bool later; /* of the two kinds of hosts, the one that the recovery method takes when the other has none left */
	bool untouched; /* reserved, and nothing runs there: it stays so while one that is in use has room */
};

static uint32_t starting_on(const struct core *core, uint32_t nodeid)
{
	uint32_t starting = 0;

	for (size_t i = 0; i < core->n_instances; i++)
		starting += !core->instances[i].spec.deleted && core->instances[i].place.owner == nodeid &&
			core->instances[i].place.phase == PHASE_ASSIGNED;
	return starting;
}

static bool is_in_use(const struct core *core, uint32_t nodeid)
{
	for (size_t i = 0; i < core->n_instances; i++)
		if (!core->instances[i].spec.deleted && core->instances[i].place.owner == nodeid)
			return true;
	return false;
}

static bool candidate_is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->home != b->home)
		return a->home;
	if (a->later != b->later)
		return b->later;
	if (a->untouched != b->untouched)
		return b->untouched;
	if (a->starting != b->starting)
		return a->starting < b->starting;
	return a->free_mib > b->free_mib;
}

/* To a coordinator that has just begun not every host has told yet what it reaches: that is nothing for a person to decide. */
static bool host_is_untold(const struct core *core, const struct host *host, const struct backing *backing)
{
	return backing->verdict == VERDICT_UNKNOWN && !backing->reason[0] && host->present && host->daemon &&
		core->now_ms < core->active_since_ms + UNTOLD_PATIENCE_MS;
}

enum placement placement_choose(const struct core *core, const struct instance *inst, uint32_t wanted,
				int *ret_slot, char why[CORE_TEXT_SIZE])
{
	const struct placement_terms terms = { .wanted = wanted, .tried = inst->tried, .accept_loss = inst->place.accept_loss };

	return placement_choose_by(core, inst, &terms, ret_slot, why);
}

enum placement placement_choose_by(const struct core *core, const struct instance *inst, const struct placement_terms *terms,
				   int *ret_slot, char why[CORE_TEXT_SIZE])
{
	struct candidate best = { .slot = -1 };
	char unfit[CORE_TEXT_SIZE] = "", small[CORE_TEXT_SIZE] = "", unproven[CORE_TEXT_SIZE] = "", buf[128];
	bool any_fit = false, any_untold = false;

	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];
		struct candidate this = { .slot = (int)i };
		uint64_t reserved_mib;
		const char *reason;

		if (!host->configured || host->fact.forgotten || (terms->wanted && host->config.nodeid != terms->wanted))
			continue;
		this.home = host->config.nodeid == inst->place.home;
		if (!this.home && !backing_suffices(inst, (int)i, terms->accept_loss)) {
			const struct backing *backing = &inst->backing[i];

			if (host->fact.state == HOST_ADMITTED) {
				snprintf(buf, sizeof(buf), "%s, %.90s", verdict_name(backing->verdict),
					 backing->reason[0] ? backing->reason : "not checked yet");
				why_add(unproven, host->config.name, buf);
				any_untold |= host_is_untold(core, host, backing);
			}
			continue;
		}
		reason = host_unfit(core, inst, (int)i, terms, buf, sizeof(buf));
		if (reason) {
			any_fit |= host->fact.state == HOST_ADMITTED;
			why_add(unfit, host->config.name, reason);
			continue;
		}
		any_fit = true;
		reserved_mib = host->reserved_mib + (terms->planned ? terms->planned->reserved_mib[i] : 0);
		this.free_mib = host->report.free_mib > reserved_mib ? host->report.free_mib - reserved_mib : 0;
		if (this.free_mib < inst->spec.memory_mib) {
			size_t used = strlen(small);

			snprintf(small + used, sizeof(small) - used, "%s%s %llu", used ? ", " : "",
				 host->config.name, (unsigned long long)this.free_mib);
			continue;
		}
		this.starting = starting_on(core, host->config.nodeid) + (terms->planned ? terms->planned->starting[i] : 0);
		this.later = host->config.reserved == (core->settings.recovery_method == RECOVERY_AUTO_PRIORITY);
		this.untouched = host->config.reserved && !this.starting && !is_in_use(core, host->config.nodeid);
		if (best.slot < 0 || candidate_is_better(&this, &best))
			best = this;
	}
	if (best.slot >= 0) {
		*ret_slot = best.slot;
		return PLACEMENT_FOUND;
	}
	why[0] = '\0';
	if (small[0])
		text_format(why, CORE_TEXT_SIZE, "no host has %u MiB free: %.200s", inst->spec.memory_mib, small);
	if (unproven[0])
		why_add(why, "not proven shared", unproven);
	if (unfit[0])
		why_add(why, "not eligible", unfit);
	if (!why[0])
		text_copy(why, CORE_TEXT_SIZE, terms->wanted ? "the wanted host is not one of the cluster" :
			  "no healthy host is left");
	return any_fit || any_untold || !unproven[0] ? PLACEMENT_WAIT : PLACEMENT_HELD;
}
