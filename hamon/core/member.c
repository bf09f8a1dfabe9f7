/*
 * This host's own part: it tells what it sees, starts what committed facts give to it, gives back what is revoked, and ends
 * what it must not run.
 */
#include <string.h>

#include "hamon/core/state.h"

#define INSPECT_INTERVAL_MS 2000
#define STOP_INTERVAL_MS 3000
#define TELL_INTERVAL_MS 3000     /* a result is repeated until the coordinator has recorded it */
#define REPORT_INTERVAL_MS 60000
#define JOINT_LIST_MARGIN_MS 1000 /* the coordinator's clock began a little later, or runs a little slower */

static const struct host *self_host(const struct core *core)
{
	return core->self < 0 ? NULL : &core->hosts[core->self];
}

bool self_is_admitted(const struct core *core)
{
	const struct host *self = self_host(core);

	return self && self->fact.state == HOST_ADMITTED && host_committed(core, self) &&
		!strcmp(self->fact.boot_id, core->settings.boot_id);
}

static bool self_may_act(const struct core *core)
{
	return core->synced && core->quorate && core->commit && core->coordinator && !core->leaving &&
		!core_tilted(core);
}

/* --- reports --- */

static struct own_report *own_find(struct core *core, const char *uuid, bool make)
{
	struct own_report *unused = NULL;

	for (size_t i = 0; i < core->n_own; i++) {
		struct own_report *own = &core->own[i];

		if (!own->used)
			unused = unused ? unused : own;
		else if (!strcmp(own->report.spec.uuid, uuid))
			return own;
	}
	if (!make || unused)
		return make ? unused : NULL;
	return core->n_own < CORE_INSTANCES_MAX ? &core->own[core->n_own++] : NULL;
}

void member_reports_take(struct core *core, const struct core_event *event)
{
	if (event->reports.full) {
		core->n_own = 0;
		core->own_reported = true;
		core->report_due = true;
	}
	for (size_t i = 0; i < event->reports.n; i++) {
		const struct instance_report *report = &event->reports.reports[i];
		struct own_report *own = own_find(core, report->spec.uuid, true);
		struct instance *inst = instance_find(core, report->spec.uuid);
		bool gone_along;

		if (!own)
			continue;
		/* Its definition went along with a migration: that it was undefined is told by itself, and without a reason. */
		gone_along = report->undefined && own->used && !strcmp(own->report.spec.uuid, report->spec.uuid) &&
			own->report.state == INSTANCE_ABSENT && own->report.stop_reason == STOP_MIGRATED;
		own->used = true;
		own->report = *report;
		if (gone_along)
			own->report.stop_reason = STOP_MIGRATED;
		if (inst && !report->defined)
			inst->tidied_definition = true;
		if (inst) {
			inst->defined_here = report->defined;
			inst->managed_save_here = report->managed_save;
			/* It has come in, so libvirt has prepared its QEMU: whatever asks to start it from here on is something else. */
			if (report->state != INSTANCE_ABSENT)
				inst->incoming_until_ms = inst->granted_ms = 0;
			if (core->self >= 0)
				inst->state[core->self] = (uint8_t)report->state;
		}
		if (!event->reports.full && core->group_up && core->n_reports < CORE_INSTANCES_MAX)
			core->reports[core->n_reports++] = own->report;
		/* One that runs on without its definition is there all the same. */
		if (report->undefined && report->state == INSTANCE_ABSENT)
			own->used = false;
	}
	if (core->n_reports && !event->reports.full) {
		struct core_message *msg = message_send(core, MSG_REPORT);

		msg->reports = core->reports;
		msg->n_reports = core->n_reports;
	}
}

static bool instance_is_mine(const struct core *core, const struct instance *inst)
{
	return inst->has_place && !inst->spec.deleted && inst->place.owner == core->settings.self;
}

/* A migration has had its time: whether the guest is here is told once by both hosts, for the coordinator waits for that. */
static bool joint_list_is_due(const struct core *core)
{
	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];
		uint64_t at_ms = inst->joint_since_ms + JOINT_SETTLE_MS + JOINT_LIST_MARGIN_MS;

		if ((inst->place.joint == core->settings.self || (inst->place.joint && instance_is_mine(core, inst))) &&
		    inst->joint_since_ms && core->now_ms >= at_ms &&
		    core->report_again_ms < at_ms + REPORT_INTERVAL_MS)
			return true;
	}
	return false;
}

void member_reports_send(struct core *core)
{
	struct core_message *msg;

	if (core->now_ms >= core->report_again_ms || joint_list_is_due(core))
		core->report_due = true;
	if (!core->report_due || !core->group_up || !core->own_reported || !core->coordinator ||
	    !core->synced)
		return;
	/* It stood still: what it knows of its instances is from before, and what happened since is being read. */
	if (core_tilted(core))
		return;
	/* What the watch has just seen is sent in this step already, and told only once: the whole report waits. */
	if (core->n_reports)
		return;
	core->report_due = false;
	core->report_again_ms = core->now_ms + REPORT_INTERVAL_MS;
	for (size_t i = 0; i < core->n_own; i++)
		if (core->own[i].used)
			core->reports[core->n_reports++] = core->own[i].report;
	msg = message_send(core, MSG_REPORT);
	msg->full = true;
	msg->reports = core->reports;
	msg->n_reports = core->n_reports;
}

/* --- starting --- */

static void result_send(struct core *core, struct instance *inst)
{
	struct core_message *msg = message_send(core, MSG_RESULT);

	inst->told_ms = core->now_ms;
	text_copy(msg->uuid, sizeof(msg->uuid), inst->spec.uuid);
	msg->generation = inst->job_generation;
	msg->ok = inst->job == JOB_DONE;
	msg->deleted = inst->job_deleted;
	msg->excluded = inst->job_excluded;
	text_copy(msg->text, sizeof(msg->text), inst->job_text);
}

static struct instance *op_find(struct core *core, uint64_t op, size_t offset)
{
	for (size_t i = 0; op && i < core->n_instances; i++)
		if (*(uint64_t *)((char *)&core->instances[i] + offset) == op)
			return &core->instances[i];
	return NULL;
}

static void moved_stopped(struct core *core, struct instance *inst)
{
	struct own_report *own = own_find(core, inst->spec.uuid, false);

	if (core->self >= 0)
		inst->state[core->self] = INSTANCE_ABSENT;
	if (own && own->report.state == INSTANCE_RUNNING) {
		own->report.state = INSTANCE_ABSENT;
		own->report.stop_reason = STOP_BY_API;
	}
}

void member_start_result(struct core *core, const struct core_event *event)
{
	struct instance *inst = op_find(core, event->start.op, offsetof(struct instance, job_op));

	if (!inst || inst->job != JOB_STARTING)
		return;
	inst->job_op = 0;
	inst->job = event->start.ok ? JOB_DONE : JOB_FAILED;
	inst->job_deleted = !event->start.ok && event->start.deleted;
	inst->job_excluded = !event->start.ok && event->start.excluded;
	text_copy(inst->job_text, sizeof(inst->job_text), event->start.detail);
	if (event->start.ok && core->self >= 0)
		inst->state[core->self] = INSTANCE_RUNNING;
	result_send(core, inst);
	/* What the watch reported of that was not heeded while the start was under way. */
	if (event->start.stopped && inst->place.wish == WISH_RUNNING)
		core->report_due = true;
	/* It was to stay stopped: that it ran for a moment is nobody's wish. */
	if (event->start.stopped && inst->place.wish == WISH_STOPPED)
		moved_stopped(core, inst);
}

void member_start_begun(struct core *core, const struct core_event *event)
{
	struct instance *inst = op_find(core, event->start.op, offsetof(struct instance, job_op));

	if (inst && inst->job == JOB_STARTING)
		inst->job_begun = true;
}

static void start_begin(struct core *core, struct instance *inst)
{
	struct core_action *act = action_add(core, ACT_START);

	inst->job = JOB_STARTING;
	inst->job_begun = false;
	inst->job_generation = inst->place.generation;
	inst->job_op = core->next_op++;
	inst->tidied_definition = false;
	inst->tidied_save = false;
	act->instance.op = inst->job_op;
	act->instance.spec = &inst->spec;
	act->instance.place = &inst->place;
}

static void starts_begin(struct core *core)
{
	uint32_t running = 0;

	for (size_t i = 0; i < core->n_instances; i++)
		running += core->instances[i].job == JOB_STARTING && !core->instances[i].job_begun;
	while (running < core->settings.parallel_starts) {
		struct instance *next = NULL;

		for (size_t i = 0; i < core->n_instances; i++) {
			struct instance *inst = &core->instances[i];

			if (!instance_is_mine(core, inst) || inst->place.phase != PHASE_ASSIGNED ||
			    !place_committed(core, inst) ||
			    inst->place.owner_epoch != self_host(core)->fact.epoch)
				continue;
			if (inst->job != JOB_NONE && inst->job_generation == inst->place.generation)
				continue;
			if (!next || instance_order(inst, next) < 0)
				next = inst;
		}
		if (!next)
			return;
		start_begin(core, next);
		running++;
	}
}

/* --- giving back --- */

static void revoke_evaluate(struct core *core, struct instance *inst)
{
	struct core_action *act;

	if (inst->inspect_op || core->now_ms < inst->inspect_again_ms)
		return;
	if (inst->place.heir && !handover_is_free(core, inst))
		return;
	inst->inspect_op = core->next_op++;
	act = action_add(core, ACT_INSPECT);
	act->instance.op = inst->inspect_op;
	act->instance.spec = &inst->spec;
	act->instance.place = &inst->place;
}

void member_inspect_result(struct core *core, const struct core_event *event)
{
	struct instance *inst = op_find(core, event->inspect.op, offsetof(struct instance, inspect_op));
	struct core_message *msg;

	if (!inst)
		return;
	inst->inspect_op = 0;
	inst->inspect_again_ms = core->now_ms + INSPECT_INTERVAL_MS;
	if (!instance_is_mine(core, inst) || inst->place.phase != PHASE_REVOKING ||
	    !place_committed(core, inst) || !self_may_act(core))
		return;
	/* It was asked for, not given back: what runs here stays, and who asked hears nothing. */
	if (inst->place.heir && (!event->inspect.known || event->inspect.job || event->inspect.qemu ||
				 !handover_is_free(core, inst)))
		return;
	if (!event->inspect.known || event->inspect.job) {
		/* libvirtd may still be starting it: it stays here, visibly. */
		if (inst->stuck_generation != inst->place.generation)
			note_local(core, "instance-waiting", NOTE_ALERT, self_host(core), inst,
				   event->inspect.known ?
				   "%s cannot go elsewhere: libvirtd of %s is still starting it" :
				   "%s cannot go elsewhere: whether libvirtd of %s still starts it is not known",
				   LABEL(inst), self_host(core)->config.name);
		inst->stuck_generation = inst->place.generation;
		return;
	}
	if (event->inspect.qemu) {
		struct core_action *act;

		if (inst->stop_op)
			return;
		inst->stop_op = core->next_op++;
		act = action_add(core, ACT_STOP);
		act->instance.op = inst->stop_op;
		act->instance.spec = &inst->spec;
		act->instance.place = &inst->place;
		return;
	}
	msg = message_send(core, MSG_RELEASED);
	text_copy(msg->uuid, sizeof(msg->uuid), inst->spec.uuid);
	msg->generation = inst->place.generation;
}

void member_stop_result(struct core *core, const struct core_event *event)
{
	struct instance *inst = op_find(core, event->stop.op, offsetof(struct instance, stop_op));

	if (!inst)
		return;
	inst->stop_op = 0;
	inst->stop_again_ms = core->now_ms + STOP_INTERVAL_MS;
	inst->inspect_again_ms = 0;
	if (event->stop.gone && core->self >= 0)
		inst->state[core->self] = INSTANCE_ABSENT;
}

/* --- what must not run here --- */

static void instance_act(struct core *core, struct instance *inst, enum action_type type, uint64_t op)
{
	struct core_action *act = action_add(core, type);

	act->instance.op = op;
	act->instance.spec = &inst->spec;
	act->instance.place = &inst->place;
}

static bool foreign_evaluate(struct core *core, struct instance *inst)
{
	bool runs = inst->state[core->self] != INSTANCE_ABSENT;

	/* Mostly nothing of it is here. */
	if (!runs && !inst->managed_save_here && !inst->defined_here)
		return false;
	if (!inst->has_place || inst->spec.deleted || !place_committed(core, inst) ||
	    inst->place.owner == core->settings.self || inst->place.joint == core->settings.self)
		return false;
	if (runs && !self_is_admitted(core)) {
		if (!inst->stop_op && core->now_ms >= inst->stop_again_ms) {
			inst->stop_op = core->next_op++;
			inst->stop_again_ms = core->now_ms + STOP_INTERVAL_MS;
			instance_act(core, inst, ACT_STOP, inst->stop_op);
			note_local(core, "stale-stopped", NOTE_WARNING, self_host(core), inst,
				   "%s still ran here and belongs to %s now: it is ended", LABEL(inst),
				   host_name(core, inst->place.owner));
		}
		return true;
	}
	/* What is left to its home is resumed there. */
	if (!runs && inst->managed_save_here && !inst->tidied_save &&
	    !(inst->place.excluded && inst->place.home == core->settings.self)) {
		inst->tidied_save = true;
		instance_act(core, inst, ACT_TIDY, 0);
	}
	if (!runs && inst->defined_here && !inst->tidied_definition &&
	    inst->place.phase == PHASE_SETTLED && self_is_admitted(core)) {
		inst->tidied_definition = true;
		instance_act(core, inst, ACT_TIDY, 0);
	}
	return runs;
}

static bool result_is_open(const struct core *core, const struct instance *inst)
{
	return instance_is_mine(core, inst) && inst->place.phase == PHASE_ASSIGNED &&
		(inst->job == JOB_DONE || inst->job == JOB_FAILED) &&
		inst->job_generation == inst->place.generation;
}

void member_execute(struct core *core)
{
	bool stale = false;

	if (core->self < 0 || !self_may_act(core))
		return;
	if (self_is_admitted(core))
		starts_begin(core);
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];

		if (instance_is_mine(core, inst) && inst->place.phase == PHASE_REVOKING &&
		    place_committed(core, inst))
			revoke_evaluate(core, inst);
		/* An earlier coordinator heard it, or nobody. */
		if (result_is_open(core, inst) && core->now_ms >= inst->told_ms + TELL_INTERVAL_MS)
			result_send(core, inst);
		stale |= foreign_evaluate(core, inst);
	}
	if (stale != core->own_host.stale_qemu) {
		core->own_host.stale_qemu = stale;
		core->host_report_due = true;
	}
}

uint64_t member_deadline(const struct core *core)
{
	uint64_t deadline_ms = core->now_ms + core->settings.beat_ms;

	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		if (inst->place.phase == PHASE_REVOKING && inst->inspect_again_ms > core->now_ms)
			deadline_min(core, &deadline_ms, inst->inspect_again_ms);
		if (inst->stop_again_ms > core->now_ms)
			deadline_min(core, &deadline_ms, inst->stop_again_ms);
	}
	return deadline_ms;
}
