/* What the host that was to start an instance says of it: it runs, it does not, it is given back. */
#include <string.h>

#include "hamon/core/state.h"

#define RETRY_DOUBLINGS_MAX 5     /* 10 s become 320 s at most */

/* Hosts that failed are tried again, ever more seldom: each round that failed doubles the wait. */
static uint64_t retry_delay(const struct core *core, const struct instance *inst)
{
	uint32_t rounds = core->settings.attempts ? inst->place.attempts / core->settings.attempts : 0;

	return core->settings.retry_delay_ms << (rounds < RETRY_DOUBLINGS_MAX ? rounds : RETRY_DOUBLINGS_MAX);
}

static void result_started(struct core *core, struct instance *inst, struct host *target, const char *text)
{
	int slot = host_slot(core, target->config.nodeid);

	inst->state[slot] = inst->place.wish == WISH_RUNNING ? INSTANCE_RUNNING : INSTANCE_ABSENT;
	inst->tried = 0;
	inst->place.attempts = 0;
	inst->place.by_hand = false;
	inst->place.excluded = false;
	inst->place.accept_loss = false;
	inst->place.home = target->config.nodeid;
	inst->place.reason[0] = inst->place.failure[0] = '\0';
	phase_set(core, inst, PHASE_SETTLED);
	note_stage(core, "instance-running", NOTE_NOTICE, inst->place.incident, target, inst,
		   inst->place.wish == WISH_RUNNING ? "%s runs on %s: %s" : "%s is on %s, stopped as it was: %s",
		   LABEL(inst), target->config.name, text);
}

static void result_deleted(struct core *core, struct instance *inst, struct host *target, const char *text)
{
	inst->spec.deleted = true;
	stage_spec(core, inst);
	note_stage(core, "instance-undefined", NOTE_NOTICE, inst->place.incident, target, inst,
		   "%s is protected no more: %s", LABEL(inst), text);
}

static void result_excluded(struct core *core, struct instance *inst, const char *text)
{
	inst->place.excluded = true;
	inst->place.attempts = 0;
	text_copy(inst->place.reason, sizeof(inst->place.reason), text);
	text_copy(inst->place.failure, sizeof(inst->place.failure), text);
	phase_set(core, inst, PHASE_REVOKING);
}

static void result_failed(struct core *core, struct instance *inst, struct host *target, const char *text)
{
	note_stage(core, "instance-failed", NOTE_WARNING, inst->place.incident, target, inst,
		   "%s did not start on %s: %s", LABEL(inst), target->config.name, text);
	inst->tried |= UINT32_C(1) << host_slot(core, target->config.nodeid);
	inst->retry_ms = core->now_ms + retry_delay(core, inst);
	text_copy(inst->place.reason, sizeof(inst->place.reason), text);
	text_format(inst->place.failure, sizeof(inst->place.failure), "%s: %s", target->config.name, text);
	phase_set(core, inst, PHASE_REVOKING);
}

void instance_result_receive(struct core *core, const struct core_message *msg)
{
	struct instance *inst = instance_find(core, msg->uuid);
	struct host *target;
	int slot = host_slot(core, msg->from);

	if (core->role != ROLE_ACTIVE || !inst || slot < 0 || inst->place.phase != PHASE_ASSIGNED ||
	    inst->place.owner != msg->from || inst->place.generation != msg->generation)
		return;
	target = &core->hosts[slot];
	if (msg->ok)
		result_started(core, inst, target, msg->text);
	else if (msg->deleted)
		result_deleted(core, inst, target, msg->text);
	else if (msg->excluded && inst->place.home != msg->from)
		result_excluded(core, inst, msg->text);
	else
		result_failed(core, inst, target, msg->text);
}

void instance_released_receive(struct core *core, const struct core_message *msg)
{
	struct instance *inst = instance_find(core, msg->uuid);

	if (core->role != ROLE_ACTIVE || !inst || inst->place.phase != PHASE_REVOKING ||
	    inst->place.owner != msg->from || inst->place.generation != msg->generation)
		return;
	inst->state[host_slot(core, msg->from)] = INSTANCE_ABSENT;
	if (inst->place.heir) {
		handover_released(core, inst);
		return;
	}
	inst->place.released = true;
	inst->place.joint = 0;
	phase_set(core, inst, PHASE_WAITING);
}
