/*
 * A stopped instance changes its owner by that owner's own consent, where the control plane moves instances itself (Nova: cold
 * migration, resize, unshelve). The host that is to start it claims it; the coordinator commits that its owner is asked (REVOKING,
 * with an heir); the owner, whose gate refuses from then on, answers only when it has neither a start job nor a QEMU; with the
 * next record the heir owns it, and its gate lets it in. Whatever goes wrong leaves it where it was.
 */
#include "hamon/core/state.h"

#define HANDOVER_PATIENCE_MS 1200 /* the gate of the heir waits little longer */

/* For the gate of a host that is not its owner: may the owner be asked for it, or is it being asked for this host? */
bool handover_is_asked(const struct core *core, const struct instance *inst)
{
	const struct place_fact *place = &inst->place;

	if (!core->settings.hand_over || place->joint)
		return false;
	return (place->phase == PHASE_SETTLED && place->wish == WISH_STOPPED) ||
		(place->phase == PHASE_REVOKING && place->heir == core->settings.self);
}

/* Only who is here, has told what it runs, and does not run it can give it away. */
static bool owner_can_consent(const struct host *owner, const struct instance *inst)
{
	return owner && owner->fact.state == HOST_ADMITTED && owner->fact.epoch == inst->place.owner_epoch &&
		host_is_alive(owner) && owner->instances_known && owner->report.libvirt_ok;
}

void handover_begin(struct core *core, struct instance *inst, const struct host *heir)
{
	struct host *owner = owner_of(core, inst);

	if (!core->settings.hand_over || inst->place.phase != PHASE_SETTLED || inst->place.joint ||
	    inst->place.wish != WISH_STOPPED || owner == heir || !owner_can_consent(owner, inst) ||
	    instance_holder(core, inst))
		return;
	inst->place.heir = heir->config.nodeid;
	inst->place.generation++; /* a late consent to an earlier question is none to this one */
	inst->place.incident[0] = '\0';
	inst->handover_ms = core->now_ms;
	text_format(inst->place.reason, sizeof(inst->place.reason), "it is being handed over to %s",
		    heir->config.name);
	phase_set(core, inst, PHASE_REVOKING);
}

/*
 * It stays with its owner, as if nobody had asked; what that host said of it meanwhile was not heeded. What an earlier run of its daemon
 * said is old: it says itself what it runs.
 */
static void handover_end(struct core *core, struct instance *inst)
{
	int slot = host_slot(core, inst->place.owner);
	const struct host *owner = slot >= 0 ? &core->hosts[slot] : NULL;

	inst->place.heir = 0;
	inst->place.reason[0] = '\0';
	inst->handover_ms = 0;
	if (owner && host_is_alive(owner) && owner->instances_known && owner->report.libvirt_ok &&
	    inst->state[slot] == INSTANCE_RUNNING)
		inst->place.wish = WISH_RUNNING;
	phase_set(core, inst, PHASE_SETTLED);
}

static struct host *heir_of(struct core *core, const struct instance *inst)
{
	int slot = host_slot(core, inst->place.heir);
	struct host *heir = slot < 0 ? NULL : &core->hosts[slot];

	return heir && heir->fact.state == HOST_ADMITTED && host_is_alive(heir) ? heir : NULL;
}

void handover_evaluate(struct core *core, struct instance *inst)
{
	/* The question is older than this coordinator: it gets its time once more. */
	if (!inst->handover_ms)
		inst->handover_ms = core->now_ms;
	if (core->now_ms >= handover_deadline(inst) || !heir_of(core, inst) || instance_holder(core, inst) ||
	    !owner_can_consent(owner_of(core, inst), inst))
		handover_end(core, inst);
}

void handover_released(struct core *core, struct instance *inst)
{
	struct host *owner = owner_of(core, inst), *heir = heir_of(core, inst);

	if (!heir || !owner || instance_holder(core, inst)) {
		handover_end(core, inst);
		return;
	}
	inst->place.owner = inst->place.home = heir->config.nodeid;
	inst->place.owner_epoch = heir->fact.epoch;
	inst->place.generation++;
	inst->place.heir = 0;
	inst->place.reason[0] = '\0';
	inst->handover_ms = 0;
	phase_set(core, inst, PHASE_SETTLED);
	note_stage(core, "instance-handed-over", NOTE_NOTICE, NULL, heir, inst,
		   "%s, stopped on %s, belongs to %s now: it is started there", inst->spec.name,
		   owner->config.name, heir->config.name);
}

uint64_t handover_deadline(const struct instance *inst)
{
	return inst->handover_ms + HANDOVER_PATIENCE_MS;
}

/* For the owner: nothing of it is here, and nothing that was let in may still appear. */
bool handover_is_free(const struct core *core, const struct instance *inst)
{
	return inst->state[core->self] == INSTANCE_ABSENT && inst->job != JOB_STARTING &&
		!inst->stop_op && !grant_is_open(core, inst);
}
