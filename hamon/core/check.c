/* The invariants of one member, asserted after every step, in release builds too. */
#include <assert.h>
#include <string.h>

#include "hamon/core/state.h"

static void instance_check(const struct instance *inst)
{
	if (inst->spec.deleted || !inst->has_place)
		return;
	assert(!strcmp(inst->spec.uuid, inst->place.uuid));
	assert(inst->place.phase <= PHASE_HELD && inst->place.wish <= WISH_RUNNING);
	/* A joint holder is never the owner, and nothing is being started while two hosts may hold it. */
	assert(!inst->place.joint || inst->place.joint != inst->place.owner);
	assert(!inst->place.joint || inst->place.phase != PHASE_ASSIGNED);
	/* Only its owner, who has it, can be asked to hand it over. */
	assert(!inst->place.heir || (inst->place.phase == PHASE_REVOKING && !inst->place.joint &&
				     inst->place.heir != inst->place.owner));
	/* What is assigned has not been given back. */
	assert(inst->place.phase != PHASE_ASSIGNED || !inst->place.released);
}

static void host_check(const struct core *core, const struct host *host)
{
	/* Proven dead means that there is a proof, of this epoch or of the last one. */
	if (host->fact.state == HOST_DEAD || host->fact.state == HOST_QUARANTINED)
		assert(host->fact.certificate.method != PROOF_NONE &&
		       host->fact.certificate.epoch == host->fact.epoch);
	/* A device acts only for a host whose intent is recorded; the fact may change since, by a release say. */
	if (host->fence_op && host->fence_epoch == host->fact.epoch && core->role == ROLE_ACTIVE &&
	    host->fact.state == HOST_LOST)
		assert(host->fact.fence_intent);
	assert(host->acked <= core->seq || !core->synced);
}

void core_check(const struct core *core)
{
	/* Who decides is synced, quorate and believes in itself; who is not synced commits nothing. */
	assert(core->role != ROLE_ACTIVE || (core->synced && core->coordinator == core->settings.self));
	assert(core->role != ROLE_ACTIVE || core->quorate);
	assert(core->synced || !core->commit);
	assert(!core->synced || core->commit <= core->seq);
	assert(core->synced || core->role == ROLE_FOLLOWER || core->role == ROLE_CANDIDATE);
	for (size_t i = 0; i < core->n_hosts; i++)
		host_check(core, &core->hosts[i]);
	for (size_t i = 0; i < core->n_instances; i++)
		instance_check(&core->instances[i]);
}
