/*
 * What hosts report of instances, turned into facts by the coordinator: definitions, wishes, first claims, migrations that begin.
 */
#include <string.h>

#include "hamon/core/state.h"

static bool spec_equal(const struct spec_fact *a, const struct spec_fact *b)
{
	bool same = a->protected == b->protected && a->block_job == b->block_job &&
		a->memory_mib == b->memory_mib && a->vcpus == b->vcpus && a->priority == b->priority &&
		a->n_disks == b->n_disks && a->n_places == b->n_places && a->deleted == b->deleted &&
		!strcmp(a->name, b->name) && !strcmp(a->title, b->title) && !strcmp(a->group, b->group) && !strcmp(a->allow, b->allow) &&
		!strcmp(a->deny, b->deny) && !strcmp(a->def_hash, b->def_hash);

	for (uint32_t i = 0; same && i < a->n_disks; i++)
		same = a->disks[i].writable == b->disks[i].writable &&
			!strcmp(a->disks[i].id, b->disks[i].id);
	for (uint32_t i = 0; same && i < a->n_places; i++)
		same = !strcmp(a->places[i], b->places[i]);
	return same;
}

static void spec_take(struct core *core, struct instance *inst, const struct spec_fact *spec)
{
	struct fact_version version = inst->spec.version;

	if (spec_equal(&inst->spec, spec))
		return;
	inst->spec = *spec;
	inst->spec.version = version;
	inst->spec.deleted = false;
	stage_spec(core, inst);
}

static struct instance *instance_claim(struct core *core, int slot, const struct instance_report *report,
				       enum wish wish)
{
	struct host *host = &core->hosts[slot];
	struct instance *inst = instance_make(core, report->spec.uuid);
	uint64_t generation;

	if (!inst) {
		note_stage(core, "limit", NOTE_ALERT, NULL, host, NULL,
			   "%s on %s is not protected: the limit of %d instances is reached",
			   report->spec.name, host->config.name, CORE_INSTANCES_MAX);
		return NULL;
	}
	generation = inst->place.generation;
	inst->spec.deleted = true; /* so that any content differs */
	spec_take(core, inst, &report->spec);
	memset(&inst->place, 0, sizeof(inst->place));
	text_copy(inst->place.uuid, sizeof(inst->place.uuid), report->spec.uuid);
	inst->place.owner = host->config.nodeid;
	inst->place.owner_epoch = host->fact.epoch;
	inst->place.generation = generation + 1;
	inst->place.home = host->config.nodeid;
	inst->place.wish = wish;
	inst->place.phase = PHASE_SETTLED;
	stage_place(core, inst);
	note_stage(core, "instance-claimed", NOTE_INFO, NULL, host, inst, "%s belongs to %s (%s)",
		   LABEL(inst), host->config.name, wish_name(wish));
	return inst;
}

static void wish_set(struct core *core, struct instance *inst, enum wish wish, const char *why)
{
	struct host *owner = owner_of(core, inst);

	if (inst->place.wish == wish)
		return;
	inst->place.wish = wish;
	inst->absent_since_ms = 0;
	stage_place(core, inst);
	note_stage(core, "instance-wish", NOTE_INFO, NULL, owner, inst, "%s is wished %s: %s",
		   LABEL(inst), wish_name(wish), why);
}

static bool is_joint_long_gone(const struct core *core, const struct instance *inst)
{
	int slot = host_slot(core, inst->place.joint);
	const struct host *host = slot >= 0 ? &core->hosts[slot] : NULL;

	return host && !host->present && core->now_ms >= host->absent_since_ms + JOINT_SETTLE_MS;
}

static void owner_report_take(struct core *core, struct instance *inst, const struct host *host,
			      const struct instance_report *report, bool news)
{
	/* Also one that was lost and is back, before it is known that no `off` will hit it: people may be working on it. */
	if (host->fact.state != HOST_ADMITTED && (host->fact.state != HOST_LOST || !host_is_alive(host)))
		return;
	if (host->fact.epoch != inst->place.owner_epoch)
		return;
	/* A migration may take the definition along: nobody has said that the instance itself goes. */
	if (report->undefined && report->state == INSTANCE_ABSENT && inst->place.phase == PHASE_SETTLED &&
	    !inst->place.joint && report->stop_reason != STOP_MIGRATED) {
		inst->spec.deleted = true;
		stage_spec(core, inst);
		note_stage(core, "instance-undefined", NOTE_INFO, NULL, host, inst,
			   "%s was undefined on %s: it is protected no more", LABEL(inst),
			   host->config.name);
		return;
	}
	if (report->spec.def_hash[0])
		spec_take(core, inst, &report->spec);
	if (inst->place.phase != PHASE_SETTLED)
		return;
	/*
	 * What a host with a hung libvirtd repeats is old: it may have migrated away since, and been stopped there. So may what any
	 * source of a migration lists before it has seen the end of it; but not long after the target has gone.
	 */
	if (report->state == INSTANCE_RUNNING && host->report.libvirt_ok &&
	    (news || !inst->place.joint || is_joint_long_gone(core, inst)))
		wish_set(core, inst, WISH_RUNNING, "it runs");
	if (report->state != INSTANCE_ABSENT || report->host_shutting_down)
		return;
	if (report->stop_reason == STOP_BY_GUEST)
		wish_set(core, inst, WISH_STOPPED, "the guest shut itself down");
	else if (report->stop_reason == STOP_BY_API)
		wish_set(core, inst, WISH_STOPPED, "it was stopped by hand");
	else if (report->stop_reason == STOP_SAVED)
		wish_set(core, inst, WISH_STOPPED, "it was saved by hand");
}

/* It had come in and ran there, and was stopped before its source had said that it is gone: that is a wish like any other. */
static void joint_report_take(struct core *core, struct instance *inst, const struct host *host,
			      enum instance_state before, const struct instance_report *report)
{
	if (host->fact.state != HOST_ADMITTED || report->host_shutting_down || before != INSTANCE_RUNNING ||
	    report->state != INSTANCE_ABSENT)
		return;
	if (report->stop_reason == STOP_BY_GUEST)
		wish_set(core, inst, WISH_STOPPED, "the guest shut itself down");
	else if (report->stop_reason == STOP_BY_API)
		wish_set(core, inst, WISH_STOPPED, "it was stopped by hand");
}

static void joint_begin(struct core *core, struct instance *inst, const struct host *host)
{
	inst->place.joint = host->config.nodeid;
	inst->joint_since_ms = core->now_ms;
	stage_place(core, inst);
	note_stage(core, "instance-migrating", NOTE_INFO, NULL, host, inst,
		   "%s is being migrated from %s to %s", LABEL(inst),
		   host_name(core, inst->place.owner), host->config.name);
}

/*
 * Its gate let it in for the sake of a migration before, which came to nothing, and whose end was decided in that very moment. It has a
 * QEMU that the guest may go on in.
 */
static bool is_incoming_unawares(const struct instance *inst, const struct host *host, const struct instance_report *report)
{
	return report->state == INSTANCE_INCOMING && host->fact.state == HOST_ADMITTED && !inst->place.joint &&
		inst->place.phase == PHASE_SETTLED;
}

/* news: the host has just seen it, and does not merely list what it has. */
void instance_report_receive(struct core *core, int slot, const struct instance_report *report, bool news)
{
	struct host *host = &core->hosts[slot];
	struct instance *inst = instance_seen(core, report->spec.uuid);
	enum instance_state before = inst ? (enum instance_state)inst->state[slot] : INSTANCE_ABSENT;

	if (inst)
		inst->state[slot] = (uint8_t)report->state;
	if (inst && news && inst->place.owner == host->config.nodeid && report->state == INSTANCE_ABSENT &&
	    report->stop_reason == STOP_MIGRATED)
		inst->left_ms = core->now_ms;
	if (core->role != ROLE_ACTIVE || !core->quorate)
		return;
	if (!inst || inst->spec.deleted) {
		if (report->spec.protected && !report->undefined && host->fact.state == HOST_ADMITTED &&
		    (report->defined || report->state != INSTANCE_ABSENT)) {
			inst = instance_claim(core, slot, report,
					      report->state == INSTANCE_RUNNING ? WISH_RUNNING : WISH_STOPPED);
			if (inst)
				inst->state[slot] = (uint8_t)report->state;
		}
		return;
	}
	if (inst->place.owner == host->config.nodeid) {
		owner_report_take(core, inst, host, report, news);
	} else if (inst->place.joint == host->config.nodeid) {
		joint_report_take(core, inst, host, before, report);
	} else if (is_incoming_unawares(inst, host, report)) {
		joint_begin(core, inst, host);
	} else if (report->state == INSTANCE_RUNNING && host->fact.state == HOST_ADMITTED) {
		note_stage(core, "double-run", NOTE_ALERT, inst->place.incident, host, inst,
			   "%s runs on %s, but belongs to %s: stop one of them", LABEL(inst),
			   host->config.name, host_name(core, inst->place.owner));
	}
}

void instance_claim_receive(struct core *core, const struct core_message *msg)
{
	struct instance *inst = instance_find(core, msg->uuid);
	int slot = host_slot(core, msg->from);
	struct host *host;

	if (core->role != ROLE_ACTIVE || slot < 0)
		return;
	host = &core->hosts[slot];
	if (host->fact.state != HOST_ADMITTED || !host_is_alive(host))
		return;
	if (msg->migrate) {
		if (!inst || inst->spec.deleted || inst->place.phase != PHASE_SETTLED || inst->place.joint ||
		    inst->place.owner == msg->from)
			return;
		joint_begin(core, inst, host);
		return;
	}
	if (inst && !inst->spec.deleted && !msg->claim) {
		handover_begin(core, inst, host);
		return;
	}
	if ((inst && !inst->spec.deleted) || !msg->claim || !msg->claim->spec.protected ||
	    strcmp(msg->claim->spec.uuid, msg->uuid) ||
	    disk_user_find(core, msg->claim->spec.uuid, msg->claim->spec.disks, msg->claim->spec.n_disks))
		return;
	instance_claim(core, slot, msg->claim, WISH_STOPPED);
}
