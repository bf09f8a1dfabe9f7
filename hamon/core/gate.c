/*
 * The start gate: may this host open the disks of that instance now? Answered from committed facts alone. A first start waits for
 * the commit of its claim, an incoming migration for that of the joint holding; past the deadline the answer is no.
 */
#include <assert.h>
#include <string.h>

#include "hamon/core/state.h"

#define GATE_PATIENCE_MS 1500 /* the hook gives up after 2 s */
#define GRANT_SHOWS_MS 60000 /* what the gate let in is a QEMU by then: libvirtd waits for locks of a dead host, at most */
#define INCOMING_MS 5000 /* libvirt prepares the QEMU of an incoming migration at once after the hook has allowed it */

enum answer {
	ANSWER_YES,
	ANSWER_NO,
	ANSWER_WAIT,
};

static void gate_answer(struct core *core, uint64_t id, bool allow, const char *reason)
{
	struct core_action *act = action_add(core, ACT_GATE_REPLY);

	act->gate.id = id;
	act->gate.allow = allow;
	text_copy(act->gate.reason, sizeof(act->gate.reason), reason);
}

/* It was let in here, and has not been seen since: its QEMU may still appear. */
bool grant_is_open(const struct core *core, const struct instance *inst)
{
	return inst->granted_ms && core->now_ms < inst->granted_ms + GRANT_SHOWS_MS;
}

static bool facts_are_current(const struct core *core)
{
	return core->synced && core->quorate && core->commit && core->coordinator && !core->leaving;
}

static void claim_send(struct core *core, struct gate_wait *wait, const struct instance *inst)
{
	struct instance_report *claim;
	struct core_message *msg;

	if (wait->claimed || !core->group_up)
		return;
	wait->claimed = true;
	msg = message_send(core, MSG_CLAIM);
	text_copy(msg->uuid, sizeof(msg->uuid), wait->query.spec.uuid);
	msg->migrate = inst && wait->query.op == GATE_MIGRATE_IN;
	if (inst)
		return;
	assert(core->n_claims < CORE_GATE_WAITS_MAX); /* each gate claims once */
	claim = &core->claims[core->n_claims++];
	memset(claim, 0, sizeof(*claim));
	claim->spec = wait->query.spec;
	claim->spec.protected = true;
	claim->defined = true;
	msg->claim = claim;
}

/*
 * libvirt asks twice for one migration: first whether it may come in, then, under the same job, for the QEMU that waits for it.
 * The second question looks like any other start, so only the one that follows the first is answered as its part.
 */
static bool incoming_take(const struct core *core, struct instance *inst)
{
	bool mine = inst->place.joint == core->settings.self && core->now_ms < inst->incoming_until_ms;

	inst->incoming_until_ms = 0;
	return mine;
}

static enum answer known_decide(struct core *core, struct gate_wait *wait, struct instance *inst,
				char reason[CORE_TEXT_SIZE])
{
	const struct place_fact *place = &inst->place;
	uint32_t self = core->settings.self;

	if (!place_committed(core, inst))
		return ANSWER_WAIT;
	if (wait->query.op == GATE_MIGRATE_IN && place->owner != self) {
		if (place->joint == self) {
			inst->incoming_until_ms = core->now_ms + INCOMING_MS;
			return ANSWER_YES;
		}
		if (place->joint || place->phase != PHASE_SETTLED) {
			text_format(reason, CORE_TEXT_SIZE, "%s is %s and cannot be migrated now",
				    LABEL(inst), phase_name(place->phase));
			return ANSWER_NO;
		}
		claim_send(core, wait, inst);
		return ANSWER_WAIT;
	}
	/* It may be about to be started here, after the death of the very host that it would come from. */
	if (wait->query.op == GATE_MIGRATE_IN) {
		text_format(reason, CORE_TEXT_SIZE, "%s belongs to this host already: it cannot come from another one",
			    LABEL(inst));
		return ANSWER_NO;
	}
	if (place->owner != self && incoming_take(core, inst))
		return ANSWER_YES;
	if (place->owner != self && handover_is_asked(core, inst)) {
		text_format(reason, CORE_TEXT_SIZE, "%s belongs to %s, which did not hand it over in time: see that it is stopped there, and try again",
			    inst->spec.name, host_name(core, place->owner));
		claim_send(core, wait, inst);
		return ANSWER_WAIT;
	}
	if (place->owner != self) {
		text_format(reason, CORE_TEXT_SIZE,
			    "%s belongs to %s (generation %llu, %s): start it there, or move it with `evacuate`",
			    LABEL(inst), host_name(core, place->owner),
			    (unsigned long long)place->generation, phase_name(place->phase));
		return ANSWER_NO;
	}
	if (place->joint) {
		text_format(reason, CORE_TEXT_SIZE, "%s is being migrated to %s", LABEL(inst),
			    host_name(core, place->joint));
		return ANSWER_NO;
	}
	switch (place->phase) {
	case PHASE_SETTLED:
	case PHASE_ASSIGNED:
		break;
	case PHASE_WAITING:
	case PHASE_REVOKING:
	case PHASE_HELD:
		text_format(reason, CORE_TEXT_SIZE, "%s is %s: %s", LABEL(inst),
			    phase_name(place->phase), place->reason);
		return ANSWER_NO;
	}
	if (place->owner_epoch != core->hosts[core->self].fact.epoch) {
		text_format(reason, CORE_TEXT_SIZE, "%s was here before this host failed and has not been given to it again",
			    LABEL(inst));
		return ANSWER_NO;
	}
	return ANSWER_YES;
}

static enum answer gate_decide(struct core *core, struct gate_wait *wait, char reason[CORE_TEXT_SIZE])
{
	struct instance *inst = instance_find(core, wait->query.spec.uuid);
	const struct gate_query *query = &wait->query;
	const struct instance *other = disk_user_find(core, query->spec.uuid, query->spec.disks, query->spec.n_disks);
	bool known = inst && !inst->spec.deleted && inst->spec.protected;

	if (other) {
		text_format(reason, CORE_TEXT_SIZE, "it would open a disk of the protected instance %s (of %s)",
			    LABEL(other), host_name(core, other->place.owner));
		return ANSWER_NO;
	}
	other = disk_user_find(core, query->spec.uuid, query->paths, query->n_paths);
	if (other) {
		text_format(reason, CORE_TEXT_SIZE, "its disk may be one of the protected instance %s (of %s), whose storage is not identified yet: try again in some seconds",
			    LABEL(other), host_name(core, other->place.owner));
		return ANSWER_NO;
	}
	if (!known && query->disks_unknown) {
		text_copy(reason, CORE_TEXT_SIZE, "one of its disks cannot be identified (its storage does not answer, or its name is too long), so it may be a protected instance's");
		return ANSWER_NO;
	}
	if (!known && !query->protected)
		return ANSWER_YES;
	if (core->leaving || !core->loaded) {
		text_copy(reason, CORE_TEXT_SIZE, core->leaving ? "hamond is stopping" :
			  "hamond cannot read its store");
		return ANSWER_NO;
	}
	if (!facts_are_current(core)) {
		text_copy(reason, CORE_TEXT_SIZE, core->quorate ?
			  "this host has no snapshot of the cluster's facts yet" :
			  "this side of the cluster has no quorum");
		return ANSWER_WAIT;
	}
	/* What was said meanwhile is still being read: a fact of it may be older than the one behind it. */
	if (core_tilted(core)) {
		text_copy(reason, CORE_TEXT_SIZE, "this host stood still, and looks before it acts: try again in some seconds");
		return ANSWER_WAIT;
	}
	if (!self_is_admitted(core)) {
		text_format(reason, CORE_TEXT_SIZE, "this host is not admitted (%s): see `hamonctl status`",
			    core->self < 0 ? "not configured" :
			    host_state_name(core->hosts[core->self].fact.state));
		return ANSWER_WAIT;
	}
	if (known) {
		enum answer answer = known_decide(core, wait, inst, reason);

		if (answer == ANSWER_YES)
			inst->granted_ms = core->now_ms;
		return answer;
	}
	if (wait->query.op == GATE_MIGRATE_IN) {
		text_copy(reason, CORE_TEXT_SIZE, "it is not known to the cluster yet, so it cannot be migrated");
		return ANSWER_NO;
	}
	text_copy(reason, CORE_TEXT_SIZE, "its claim was not committed in time");
	claim_send(core, wait, NULL);
	return ANSWER_WAIT;
}

static bool gate_try(struct core *core, struct gate_wait *wait)
{
	char reason[CORE_TEXT_SIZE] = "";
	enum answer answer = gate_decide(core, wait, reason);

	if (answer == ANSWER_WAIT && core->now_ms >= wait->deadline_ms) {
		answer = ANSWER_NO;
		if (!reason[0])
			text_copy(reason, sizeof(reason), "the cluster did not answer in time");
	}
	if (answer == ANSWER_WAIT)
		return false;
	gate_answer(core, wait->query.id, answer == ANSWER_YES, reason);
	if (answer == ANSWER_NO) {
		const struct instance *inst = instance_find(core, wait->query.spec.uuid);

		note_local(core, "start-refused", NOTE_WARNING,
			   core->self < 0 ? NULL : &core->hosts[core->self], inst,
			   "The start of %s was refused: %s", wait->query.spec.name, reason);
	}
	return true;
}

void gate_take(struct core *core, const struct gate_query *query)
{
	struct gate_wait *wait = NULL;

	for (size_t i = 0; i < CORE_GATE_WAITS_MAX && !wait; i++)
		if (!core->gates[i].used)
			wait = &core->gates[i];
	if (!wait) {
		gate_answer(core, query->id, false, "too many starts wait already");
		return;
	}
	wait->used = true;
	core->n_gates++;
	wait->claimed = false;
	wait->deadline_ms = core->now_ms + GATE_PATIENCE_MS;
	wait->query = *query;
	/* Answered by gates_evaluate() at the end of this step, or of a later one. */
}

static void gate_end(struct core *core, struct gate_wait *wait)
{
	wait->used = false;
	core->n_gates--;
}

void gate_cancel(struct core *core, uint64_t id)
{
	for (size_t i = 0; i < CORE_GATE_WAITS_MAX; i++)
		if (core->gates[i].used && core->gates[i].query.id == id)
			gate_end(core, &core->gates[i]);
}

void gates_evaluate(struct core *core)
{
	for (size_t i = 0, left = core->n_gates; left && i < CORE_GATE_WAITS_MAX; i++) {
		if (!core->gates[i].used)
			continue;
		left--;
		if (gate_try(core, &core->gates[i]))
			gate_end(core, &core->gates[i]);
	}
}

uint64_t gates_deadline(const struct core *core)
{
	uint64_t deadline_ms = core->now_ms + core->settings.beat_ms;

	for (size_t i = 0, left = core->n_gates; left && i < CORE_GATE_WAITS_MAX; i++) {
		if (!core->gates[i].used)
			continue;
		left--;
		deadline_min(core, &deadline_ms, core->gates[i].deadline_ms);
	}
	return deadline_ms;
}
