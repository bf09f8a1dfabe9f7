/*
 * Evacuations by hand: the rules, asked by the coordinator before it acts and by every member for a dry run, so that the two cannot
 * differ; and the act itself.
 */
#include <string.h>

#include "hamon/core/state.h"

static bool loss_is_accepted(const struct core_request *request, const struct instance *inst)
{
	return list_has(request->accept_loss, inst->spec.name) || list_has(request->accept_loss, inst->spec.uuid);
}

#define REFUSED(plan, why, advice, ...) \
	((plan)->action = PLAN_REFUSE, text_copy((plan)->code, sizeof((plan)->code), why), \
	 text_copy((plan)->hint, sizeof((plan)->hint), advice), text_format((plan)->text, sizeof((plan)->text), __VA_ARGS__))

/* True when nothing of its past stands against it: whoever had it is over, and nobody is at work on it. */
static bool past_judge(const struct core *core, const struct instance *inst, struct core_plan *plan)
{
	int slot = host_slot(core, inst->place.owner);
	const struct host *owner = slot < 0 ? NULL : &core->hosts[slot], *holder = instance_holder(core, inst);

	if (!inst->place.released && owner && !host_epoch_is_dead(owner, inst->place.owner_epoch)) {
		if (owner->present)
			REFUSED(plan, "host-alive", "migrate it instead", "%s belongs to %s, which is alive", LABEL(inst),
				owner->config.name);
		else
			REFUSED(plan, "not-certified", "wait for its fencing, or `hamonctl confirm-fenced` once it is off",
				"%s belongs to %s, which is not certified dead", LABEL(inst), owner->config.name);
	} else if (!owner_is_over(core, inst)) {
		REFUSED(plan, "host-alive", "wait until that is known", "%s was being migrated to %s, which may run it",
			LABEL(inst), host_name(core, inst->place.joint));
	} else if (inst->place.phase == PHASE_ASSIGNED || inst->place.phase == PHASE_REVOKING) {
		REFUSED(plan, "under-way", "follow it with `hamonctl watch`", "%s is being started on %s already", LABEL(inst),
			owner ? owner->config.name : "another host");
		plan->action = PLAN_NONE;
	} else if (holder) {
		REFUSED(plan, "host-alive", "end it there, or leave it to hamon", "%s is on %s in this moment", LABEL(inst),
			holder->config.name);
	} else {
		return true;
	}
	return false;
}

static void place_judge(const struct core *core, const struct core_request *request, const struct instance *inst,
			struct placement_terms *terms, struct core_plan *plan)
{
	char why[CORE_TEXT_SIZE];
	int slot;

	terms->accept_loss = loss_is_accepted(request, inst);
	if (placement_choose_by(core, inst, terms, &slot, why) == PLACEMENT_FOUND) {
		plan->action = inst->place.wish == WISH_RUNNING ? PLAN_START : PLAN_MOVE;
		plan->target = core->hosts[slot].config.nodeid;
		return;
	}
	REFUSED(plan, "no-target", "see `hamonctl explain`", "%s", why);
	/* Would a person's word help? Then it is the storage that stands against it. */
	if (terms->accept_loss)
		return;
	terms->accept_loss = true;
	if (placement_choose_by(core, inst, terms, &slot, why) == PLACEMENT_FOUND)
		text_copy(plan->code, sizeof(plan->code), "unproven");
	terms->accept_loss = false;
}

static void evacuation_judge(const struct core *core, const struct core_request *request, const struct instance *inst,
			     struct placement_terms *terms, struct core_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	plan->instance = (size_t)(inst - core->instances);
	if (!past_judge(core, inst, plan))
		return;
	if (inst->place.wish == WISH_STOPPED && !core->settings.move_stopped) {
		plan->action = PLAN_STOPPED;
		text_format(plan->text, sizeof(plan->text), "%s was stopped, and stays so", LABEL(inst));
		return;
	}
	if (!request->on && !loss_is_accepted(request, inst)) {
		REFUSED(plan, "data-loss", "use --on-shared-storage, or name it with --accept-data-loss",
			"without --on-shared-storage the disks of %s could be lost", LABEL(inst));
		return;
	}
	place_judge(core, request, inst, terms, plan);
}

/* --- the act --- */

static void evacuation_begin(struct core *core, const struct core_request *request, struct instance *inst,
			     const struct core_plan *plan)
{
	inst->tried = 0;
	inst->place.accept_loss = loss_is_accepted(request, inst);
	inst->place.by_hand = true;
	inst->place.attempts = 0;
	inst->retry_ms = 0;
	if (inst->place.phase == PHASE_SETTLED)
		inst->place.phase = PHASE_WAITING;
	stage_place(core, inst);
	instance_assign_by_hand(core, inst, host_slot(core, plan->target));
}

static bool plan_moves(const struct core_plan *plan)
{
	return plan->action == PLAN_START || plan->action == PLAN_MOVE;
}

static void one_evacuate(struct core *core, const struct core_request *request, struct placement_terms *terms)
{
	struct instance *inst = instance_find_any(core, request->instance);
	struct core_plan plan;
	char text[CORE_TEXT_SIZE];

	if (!inst || inst->spec.deleted) {
		text_format(text, sizeof(text), "there is no protected instance %s", request->instance);
		request_refuse(core, request, "no-such-instance", text, "`hamonctl status` lists them");
		return;
	}
	evacuation_judge(core, request, inst, terms, &plan);
	if (plan.action == PLAN_STOPPED) {
		request_accept(core, request, plan.text, inst->place.incident);
		return;
	}
	if (!plan_moves(&plan)) {
		request_refuse(core, request, plan.code, plan.text, plan.hint);
		return;
	}
	evacuation_begin(core, request, inst, &plan);
	text_format(text, sizeof(text), "%s is being %s %s", LABEL(inst), plan.action == PLAN_START ? "started on" : "moved to",
		    host_name(core, inst->place.owner));
	request_accept(core, request, text, inst->place.incident);
}

static void host_evacuate(struct core *core, const struct core_request *request, struct placement_terms *terms)
{
	int slot = host_slot_by_name(core, request->host);
	struct core_plan plan;
	uint32_t started = 0;
	char text[CORE_TEXT_SIZE];

	if (slot < 0 || !core->hosts[slot].configured) {
		text_format(text, sizeof(text), "there is no host %s", request->host);
		request_refuse(core, request, "no-such-host", text, "`hamonctl status` lists the hosts");
		return;
	}
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];

		if (inst->spec.deleted || !inst->has_place || !core_place_concerns(&inst->place, core->hosts[slot].config.nodeid))
			continue;
		/* What cannot be moved is left as it is: the plan has told the reason, and the others go on. */
		evacuation_judge(core, request, inst, terms, &plan);
		if (!plan_moves(&plan))
			continue;
		evacuation_begin(core, request, inst, &plan);
		started++;
	}
	if (!started && core->hosts[slot].present) {
		text_format(text, sizeof(text), "%s is alive", request->host);
		request_refuse(core, request, "host-alive", text, "migrate its instances instead");
	} else if (!started && core->hosts[slot].fact.state == HOST_LOST) {
		text_format(text, sizeof(text), "%s is not certified dead", request->host);
		request_refuse(core, request, "not-certified", text, "`hamonctl confirm-fenced` once it is off");
	} else {
		text_format(text, sizeof(text), "%u instances of %s are being started", started, request->host);
		request_accept(core, request, text, core->hosts[slot].fact.incident);
	}
}

static bool target_take(const struct core *core, const struct core_request *request, struct placement_terms *terms)
{
	int slot = request->target[0] ? host_slot_by_name(core, request->target) : -1;

	if (slot >= 0)
		terms->wanted = core->hosts[slot].config.nodeid;
	return slot >= 0 || !request->target[0];
}

void evacuate_by_hand(struct core *core, const struct core_request *request)
{
	struct placement_terms terms = { 0 }; /* whoever failed to start it may try again: a person wants it */
	char text[CORE_TEXT_SIZE];

	if (!target_take(core, request, &terms)) {
		text_format(text, sizeof(text), "there is no host %s", request->target);
		request_refuse(core, request, "no-such-host", text, "`hamonctl status` lists the hosts");
	} else if (request->instance[0]) {
		one_evacuate(core, request, &terms);
	} else {
		host_evacuate(core, request, &terms);
	}
}

/* --- the dry run --- */

bool core_place_concerns(const struct place_fact *place, uint32_t nodeid)
{
	bool waits = place->phase == PHASE_WAITING || place->phase == PHASE_HELD;

	return waits && place->home ? place->home == nodeid || (place->owner == nodeid && !place->released) :
		place->owner == nodeid;
}

static bool request_concerns(const struct core *core, const struct core_request *request, const struct instance *inst)
{
	int slot = host_slot_by_name(core, request->host);

	if (inst->spec.deleted || !inst->has_place)
		return false;
	if (request->instance[0])
		return !strcmp(inst->spec.uuid, request->instance) || !strcmp(inst->spec.name, request->instance);
	return slot >= 0 && core_place_concerns(&inst->place, core->hosts[slot].config.nodeid);
}

size_t core_evacuation_plan(const struct core *core, const struct core_request *request, size_t max, struct core_plan *ret)
{
	struct placement_plan planned = { 0 };
	struct placement_terms terms = { .planned = &planned };
	size_t n = 0;

	if (!target_take(core, request, &terms))
		return 0;
	for (size_t i = 0; i < core->n_instances && n < max; i++) {
		const struct instance *inst = &core->instances[i];
		int slot;

		if (!request_concerns(core, request, inst))
			continue;
		evacuation_judge(core, request, inst, &terms, &ret[n]);
		/* What goes first takes memory, and its group's place, from what comes after it. */
		if (plan_moves(&ret[n])) {
			slot = host_slot(core, ret[n].target);
			planned.slot[i] = (uint8_t)(slot + 1);
			planned.reserved_mib[slot] += inst->spec.memory_mib;
			planned.starting[slot]++;
		}
		n++;
	}
	return n;
}
