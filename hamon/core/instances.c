/*
 * Instances, as the coordinator sees them: one function per phase takes the one next step.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"

#define RESTART_DELAY_MS 3000     /* an owner's instance is absent against its wish for so long */
#define NEW_BOOT_PATIENCE_MS 5000 /* the host of an instance is just coming back: it goes there */
#define REASON_BEGINNING 16       /* reasons that begin alike are the same to a reader */

struct host *owner_of(struct core *core, const struct instance *inst)
{
	int slot = host_slot(core, inst->place.owner);

	return slot < 0 ? NULL : &core->hosts[slot];
}

void phase_set(struct core *core, struct instance *inst, enum phase phase)
{
	/* What may follow what: a generation that was granted is given back before anybody else gets it. */
	static const uint8_t allowed[] = {
		[PHASE_SETTLED] = 1 << PHASE_WAITING | 1 << PHASE_ASSIGNED | 1 << PHASE_HELD | 1 << PHASE_SETTLED |
			1 << PHASE_REVOKING,
		[PHASE_WAITING] = 1 << PHASE_ASSIGNED | 1 << PHASE_HELD | 1 << PHASE_WAITING | 1 << PHASE_SETTLED,
		[PHASE_ASSIGNED] = 1 << PHASE_SETTLED | 1 << PHASE_REVOKING | 1 << PHASE_WAITING,
		[PHASE_REVOKING] = 1 << PHASE_WAITING | 1 << PHASE_HELD | 1 << PHASE_SETTLED,
		[PHASE_HELD] = 1 << PHASE_ASSIGNED | 1 << PHASE_WAITING | 1 << PHASE_HELD | 1 << PHASE_SETTLED,
	};

	assert(allowed[inst->place.phase] & 1 << phase);
	inst->place.phase = phase;
	stage_place(core, inst);
}

static void hold(struct core *core, struct instance *inst, enum phase phase, const char *reason)
{
	struct host *owner = owner_of(core, inst);

	if (inst->place.phase == phase && !strcmp(inst->place.reason, reason))
		return;
	/* Told when it begins, and when it waits for something else; not for each number in the reason that changes. */
	if (inst->place.phase != phase || strncmp(inst->place.reason, reason, REASON_BEGINNING))
		note_stage(core, phase == PHASE_HELD ? "instance-held" : "instance-waiting",
			   phase == PHASE_HELD ? NOTE_ALERT : NOTE_WARNING, inst->place.incident, owner, inst,
			   "%s is %s: %s", LABEL(inst), phase == PHASE_HELD ? "held" : "waiting", reason);
	text_copy(inst->place.reason, sizeof(inst->place.reason), reason);
	phase_set(core, inst, phase);
}

/* Nobody else can still run it: its old owner is certified, or nobody has it. */
bool owner_is_over(const struct core *core, const struct instance *inst)
{
	int slot = host_slot(core, inst->place.owner);
	const struct host *owner = slot < 0 ? NULL : &core->hosts[slot], *joint;

	if (!inst->place.released && (!owner || !host_epoch_is_dead(owner, inst->place.owner_epoch)))
		return false;
	if (!inst->place.joint)
		return true;
	slot = host_slot(core, inst->place.joint);
	if (slot < 0)
		return false;
	joint = &core->hosts[slot];
	return host_epoch_is_dead(joint, joint->fact.epoch);
}

static void assign(struct core *core, struct instance *inst, int slot)
{
	struct host *target = &core->hosts[slot];

	assert(target->fact.state == HOST_ADMITTED);
	assert(owner_is_over(core, inst) || inst->place.owner == target->config.nodeid);
	inst->place.owner = target->config.nodeid;
	inst->place.owner_epoch = target->fact.epoch;
	inst->place.joint = 0;
	inst->place.released = false;
	inst->place.generation++;
	inst->place.attempts++;
	inst->place.reason[0] = '\0';
	target->reserved_mib += inst->spec.memory_mib;
	phase_set(core, inst, PHASE_ASSIGNED);
	note_stage(core, "instance-assigned", NOTE_INFO, inst->place.incident, target, inst,
		   "%s goes to %s (generation %llu, backing %s)", LABEL(inst), target->config.name,
		   (unsigned long long)inst->place.generation, verdict_name(inst->backing[slot].verdict));
}

/* The checks are those of assign() itself: a person's word chooses the target, not the proof. */
void instance_assign_by_hand(struct core *core, struct instance *inst, int slot)
{
	assign(core, inst, slot);
}

/* What the start that failed said comes first, and whole: it is what a person can mend. Why nobody has it now stands behind, if it fits. */
static const char *reason_failing(const struct instance *inst, const char *why, char buf[CORE_TEXT_SIZE])
{
	size_t used;

	text_format(buf, CORE_TEXT_SIZE, "it did not start on %.280s; it is tried again", inst->place.failure);
	used = strlen(buf);
	if (used + strlen(" ()") + strlen(why) < CORE_TEXT_SIZE)
		snprintf(buf + used, CORE_TEXT_SIZE - used, " (%s)", why);
	return buf;
}

const struct host *instance_holder(const struct core *core, const struct instance *inst)
{
	for (size_t i = 0; i < core->n_hosts; i++)
		if (inst->state[i] != INSTANCE_ABSENT && host_is_alive(&core->hosts[i]) &&
		    core->hosts[i].instances_known)
			return &core->hosts[i];
	return NULL;
}

/* The settings leave it to its own host, and a person has not asked for more. */
static bool is_left_to_home(const struct instance *inst)
{
	return inst->place.excluded && !inst->place.by_hand;
}

static bool home_is_back(const struct core *core, const struct instance *inst)
{
	int slot = host_slot(core, inst->place.home);

	return slot >= 0 && core->hosts[slot].present && core->hosts[slot].fact.state == HOST_ADMITTED;
}

/* Nothing is wrong with it, and nothing is done: no alert, and no incident waits for it. */
static void leave_to_home(struct core *core, struct instance *inst)
{
	const char *home = host_name(core, inst->place.home);

	if (inst->place.phase == PHASE_HELD)
		return;
	text_format(inst->place.reason, sizeof(inst->place.reason), "it is left alone until %s is back (%.200s)", home,
		    inst->place.failure);
	note_stage(core, "instance-excluded", NOTE_NOTICE, inst->place.incident, NULL, inst,
		   "%s is left alone until %s is back: %s", LABEL(inst), home, inst->place.failure);
	phase_set(core, inst, PHASE_HELD);
}

static void instance_place(struct core *core, struct instance *inst)
{
	char why[CORE_TEXT_SIZE], failing[CORE_TEXT_SIZE];
	struct host *owner = owner_of(core, inst);
	const struct host *holder = instance_holder(core, inst);
	uint32_t wanted = holder ? holder->config.nodeid : 0;
	enum placement placement;
	int slot;

	/* Its own host may have it in a new boot: then it goes there, and nowhere else. */
	if (holder && holder != owner) {
		text_format(why, sizeof(why), "%s still has it", holder->config.name);
		hold(core, inst, PHASE_WAITING, why);
		return;
	}
	if (core->cluster.frozen) {
		hold(core, inst, PHASE_WAITING, "the whole cluster is in maintenance");
		return;
	}
	if (inst->spec.block_job && !inst->place.by_hand) {
		hold(core, inst, PHASE_HELD, "its host died in the middle of a block job: the state of its disk chain is not known");
		return;
	}
	/* A person works on its host: nothing is moved away from it by itself, be it dead or back already. */
	if (owner && owner->fact.maintenance && !inst->place.by_hand && !inst->place.released) {
		hold(core, inst, PHASE_WAITING, owner->present ?
		     "its own host is back, and in maintenance: it starts there when that ends, or elsewhere by `evacuate`" :
		     "its host is in maintenance: it is moved when that ends, or by `evacuate`");
		return;
	}
	/* Its own host is just back in a new boot: wait for that host's admission, it is the shortest way home. */
	if (owner && owner->fact.state != HOST_ADMITTED && owner->present &&
	    owner->fact.certificate.method == PROOF_NEW_BOOT &&
	    core->now_ms < owner->fact.certificate.confirmed_ms + NEW_BOOT_PATIENCE_MS &&
	    core->now_ms >= owner->fact.certificate.confirmed_ms) {
		hold(core, inst, PHASE_WAITING, "its own host is coming back");
		return;
	}
	if (is_left_to_home(inst) && !home_is_back(core, inst)) {
		leave_to_home(core, inst);
		return;
	}
	if (is_left_to_home(inst))
		wanted = inst->place.home;
	if (inst->place.attempts >= core->settings.attempts && core->now_ms < inst->retry_ms)
		return;
	placement = placement_choose(core, inst, wanted, &slot, why);
	/* All others failed or are full: the ones that failed may try again. */
	if (placement == PLACEMENT_WAIT && inst->tried && core->now_ms >= inst->retry_ms) {
		inst->tried = 0;
		placement = placement_choose(core, inst, wanted, &slot, why);
	}
	switch (placement) {
	case PLACEMENT_FOUND:
		assign(core, inst, slot);
		break;
	case PLACEMENT_WAIT:
		hold(core, inst, PHASE_WAITING, inst->place.failure[0] ? reason_failing(inst, why, failing) : why);
		break;
	case PLACEMENT_HELD:
		hold(core, inst, PHASE_HELD, why);
		break;
	}
}

static void instance_stays(struct core *core, struct instance *inst, const struct host *host)
{
	if (inst->spec.deleted || !inst->has_place || inst->place.owner != host->config.nodeid ||
	    inst->place.owner_epoch != host->fact.epoch || inst->place.released ||
	    (inst->place.phase != PHASE_WAITING && inst->place.phase != PHASE_HELD))
		return;
	inst->place.reason[0] = '\0';
	phase_set(core, inst, PHASE_SETTLED);
}

void instances_stay(struct core *core, const struct host *host)
{
	for (size_t i = 0; i < core->n_instances; i++)
		instance_stays(core, &core->instances[i], host);
}

/*
 * Of two hosts each may have written alone what nobody committed, and merged by their versions the facts of both need not fit: an
 * instance may have been given to a host in an epoch that the other's fact of it knows nothing of. Nobody has acted upon that.
 */
void instances_mend(struct core *core)
{
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];
		const struct host *owner = owner_of(core, inst);

		if (inst->spec.deleted || !inst->has_place || !owner || inst->place.owner_epoch <= owner->fact.epoch)
			continue;
		inst->place.owner_epoch = owner->fact.epoch;
		inst->place.heir = 0;
		if (inst->place.phase == PHASE_ASSIGNED || inst->place.phase == PHASE_REVOKING)
			inst->place.phase = PHASE_SETTLED; /* what is to be done about it follows from its host */
		stage_place(core, inst);
	}
}

/*
 * Whether an instance has to go elsewhere once its owner is dead. One that is stopped only where the control plane would otherwise keep
 * it bound to a host that is off, and not once that host is back.
 */
static bool instance_must_move(const struct core *core, const struct instance *inst, const struct host *owner)
{
	return inst->place.wish == WISH_RUNNING ||
		(core->settings.move_stopped && owner->fact.state == HOST_DEAD && !owner->present);
}

static void evaluate_settled(struct core *core, struct instance *inst)
{
	struct host *owner;
	int slot;

	if (inst->place.joint) {
		migration_evaluate(core, inst);
		if (inst->place.joint)
			return;
	}
	owner = owner_of(core, inst);
	slot = host_slot(core, inst->place.owner);
	if (!owner)
		return;
	if (host_epoch_is_dead(owner, inst->place.owner_epoch)) {
		if (instance_must_move(core, inst, owner)) {
			if (owner->fact.incident[0])
				text_copy(inst->place.incident, sizeof(inst->place.incident),
					  owner->fact.incident);
			inst->place.attempts = 0;
			inst->tried = 0;
			inst->retry_ms = 0;
			inst->place.phase = PHASE_WAITING;
			inst->place.reason[0] = inst->place.failure[0] = '\0';
			stage_place(core, inst);
			instance_place(core, inst);
		} else if (owner->fact.state == HOST_ADMITTED) {
			inst->place.owner_epoch = owner->fact.epoch;
			stage_place(core, inst);
		}
		return;
	}
	/* Its host lives and runs it not, against its wish: hamond is the autostarter of what it protects. */
	if (owner->fact.state != HOST_ADMITTED || !host_is_alive(owner) || !owner->instances_known ||
	    inst->place.wish != WISH_RUNNING || inst->state[slot] != INSTANCE_ABSENT ||
	    owner->fact.maintenance || owner->report.shutting_down || core->cluster.frozen ||
	    instance_holder(core, inst)) {
		inst->absent_since_ms = 0;
		return;
	}
	if (!inst->absent_since_ms)
		inst->absent_since_ms = core->now_ms;
	if (core->now_ms < inst->absent_since_ms + RESTART_DELAY_MS || core->now_ms < inst->retry_ms)
		return;
	inst->absent_since_ms = 0;
	inst->place.incident[0] = '\0';
	inst->retry_ms = core->now_ms + core->settings.retry_delay_ms;
	note_stage(core, "instance-autostart", NOTE_NOTICE, NULL, owner, inst,
		   "%s is to run and does not: %s starts it", LABEL(inst), owner->config.name);
	assign(core, inst, slot);
}

static void evaluate_assigned(struct core *core, struct instance *inst)
{
	struct host *owner = owner_of(core, inst);
	int slot = host_slot(core, inst->place.owner);

	if (!owner || !host_epoch_is_dead(owner, inst->place.owner_epoch))
		return;
	inst->tried |= UINT32_C(1) << slot;
	text_format(inst->place.reason, sizeof(inst->place.reason), "%s died while it was starting it",
		    owner->config.name);
	note_stage(core, "instance-waiting", NOTE_WARNING, inst->place.incident, owner, inst,
		   "%s: %s died while it was to start it", LABEL(inst), owner->config.name);
	if (owner->fact.incident[0] && !inst->place.incident[0])
		text_copy(inst->place.incident, sizeof(inst->place.incident), owner->fact.incident);
	inst->place.attempts = 0;
	inst->retry_ms = 0;
	phase_set(core, inst, PHASE_WAITING);
}

static void instance_evaluate(struct core *core, struct instance *inst)
{
	switch (inst->place.phase) {
	case PHASE_SETTLED:
		evaluate_settled(core, inst);
		break;
	case PHASE_WAITING:
	case PHASE_HELD:
		if ((inst->place.wish == WISH_RUNNING || core->settings.move_stopped) && owner_is_over(core, inst))
			instance_place(core, inst);
		break;
	case PHASE_ASSIGNED:
		evaluate_assigned(core, inst);
		break;
	case PHASE_REVOKING:
		if (inst->place.heir)
			handover_evaluate(core, inst);
		else if (owner_is_over(core, inst))
			phase_set(core, inst, PHASE_WAITING);
		break;
	}
}

/* Who comes first: what has to run, then by priority, then by name. */
int instance_order(const struct instance *a, const struct instance *b)
{
	if (a->place.wish != b->place.wish)
		return a->place.wish == WISH_RUNNING ? -1 : 1;
	if (a->spec.priority != b->spec.priority)
		return a->spec.priority > b->spec.priority ? -1 : 1;
	return strcmp(a->spec.name, b->spec.name);
}

void instances_evaluate(struct core *core)
{
	struct instance *pending[CORE_INSTANCES_MAX];
	size_t n = 0;

	/* Memory is given out in this order. */
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];
		size_t at = n;

		if (inst->spec.deleted || !inst->has_place)
			continue;
		while (at && instance_order(inst, pending[at - 1]) < 0) {
			pending[at] = pending[at - 1];
			at--;
		}
		pending[at] = inst;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		instance_evaluate(core, pending[i]);
}

uint64_t instances_deadline(const struct core *core)
{
	uint64_t deadline_ms = core->now_ms + core->settings.beat_ms;

	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		if (inst->absent_since_ms)
			deadline_min(core, &deadline_ms, inst->absent_since_ms + RESTART_DELAY_MS);
		if (inst->place.heir)
			deadline_min(core, &deadline_ms, handover_deadline(inst));
		if (inst->retry_ms > core->now_ms)
			deadline_min(core, &deadline_ms, inst->retry_ms);
	}
	return deadline_ms;
}
