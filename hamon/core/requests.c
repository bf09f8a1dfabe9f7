/* What people ask for: taken by any member, decided by the coordinator, answered once it is committed. */
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"

static void answer(struct core *core, uint64_t id, uint32_t origin, const char *code, const char *text,
		   const char *hint, const char *incident)
{
	struct core_message *msg;

	if (origin == core->settings.self) {
		struct core_action *act = action_add(core, ACT_REPLY);

		act->reply.id = id;
		text_copy(act->reply.code, sizeof(act->reply.code), code);
		text_copy(act->reply.text, sizeof(act->reply.text), text);
		text_copy(act->reply.hint, sizeof(act->reply.hint), hint);
		text_copy(act->reply.incident, sizeof(act->reply.incident), incident);
		return;
	}
	msg = message_send(core, MSG_REPLY);
	msg->request_id = id;
	msg->request_origin = origin;
	text_copy(msg->code, sizeof(msg->code), code);
	text_copy(msg->text, sizeof(msg->text), text);
	text_copy(msg->hint, sizeof(msg->hint), hint);
	text_copy(msg->uuid, sizeof(msg->uuid), "");
}

static void refuse(struct core *core, const struct core_request *request, const char *code,
		   const char *text, const char *hint)
{
	answer(core, request->id, request->origin, code, text, hint, "");
}

/* Answers once the record that this step writes is committed. */
static void accept(struct core *core, const struct core_request *request, const char *text,
		   const char *incident)
{
	for (size_t i = 0; i < CORE_REQUESTS_MAX; i++) {
		struct pending_reply *reply = &core->replies[i];

		if (reply->used)
			continue;
		reply->used = true;
		core->n_replies++;
		reply->id = request->id;
		reply->origin = request->origin;
		reply->seq = core->seq + (core->n_staged || core->n_staged_notes ? 1 : 0);
		text_copy(reply->text, sizeof(reply->text), text);
		text_copy(reply->incident, sizeof(reply->incident), incident);
		return;
	}
	refuse(core, request, "busy", "too many requests wait for their commit", "try again");
}

void replies_evaluate(struct core *core)
{
	for (size_t i = 0; core->n_replies && i < CORE_REQUESTS_MAX; i++) {
		struct pending_reply *reply = &core->replies[i];

		if (!reply->used)
			continue;
		if (core->role != ROLE_ACTIVE) {
			answer(core, reply->id, reply->origin, "unknown-outcome",
			       "another coordinator took over before this was committed",
			       "look with `hamonctl status`, then repeat it if needed", "");
			reply->used = false;
			core->n_replies--;
		} else if (reply->seq <= core->commit) {
			answer(core, reply->id, reply->origin, "", reply->text, "", reply->incident);
			reply->used = false;
			core->n_replies--;
		}
	}
}

static struct host *request_host(struct core *core, const struct core_request *request)
{
	char text[CORE_TEXT_SIZE];
	int slot = host_slot_by_name(core, request->host);

	if (slot >= 0 && core->hosts[slot].configured)
		return &core->hosts[slot];
	text_format(text, sizeof(text), "there is no host %s", request->host);
	refuse(core, request, "no-such-host", text, "`hamonctl status` lists the hosts");
	return NULL;
}

static void maintenance(struct core *core, const struct core_request *request)
{
	char text[CORE_TEXT_SIZE];
	struct host *host = request_host(core, request);

	if (!host)
		return;
	if (host->fact.maintenance != request->on) {
		host->fact.maintenance = request->on;
		host->reason[0] = '\0';
		stage_host(core, host);
		note_stage(core, "maintenance", NOTE_NOTICE, NULL, host, NULL, "%s: maintenance %s, by %s",
			   host->config.name, request->on ? "on" : "off", request->who);
	}
	text_format(text, sizeof(text), "maintenance of %s is %s", host->config.name,
		    request->on ? "on: it is neither fenced nor evacuated by itself" : "off");
	accept(core, request, text, "");
}

static void maintenance_all(struct core *core, const struct core_request *request)
{
	if (core->cluster.frozen != request->on) {
		core->cluster.frozen = request->on;
		stage_cluster(core);
		note_stage(core, "maintenance", NOTE_NOTICE, NULL, NULL, NULL,
			   "The whole cluster: maintenance %s, by %s", request->on ? "on" : "off", request->who);
	}
	accept(core, request, request->on ? "the whole cluster is in maintenance: nothing is fenced or moved" :
	       "maintenance of the whole cluster is off", "");
}

static void confirm_fenced(struct core *core, const struct core_request *request)
{
	char text[CORE_TEXT_SIZE];
	struct host *host = request_host(core, request);

	if (!host)
		return;
	if (!request->reason[0]) {
		refuse(core, request, "no-reason", "a reason is needed: it is recorded", "add --reason TEXT");
		return;
	}
	if (host->present) {
		text_format(text, sizeof(text), "%s is alive: it is a member of the cluster right now",
			    host->config.name);
		refuse(core, request, "host-alive", text, "power it off first");
		return;
	}
	if (host->fact.state != HOST_LOST && host->fact.state != HOST_ADMITTED &&
	    host->fact.state != HOST_LEFT) {
		text_format(text, sizeof(text), "%s is %s: there is nothing to confirm", host->config.name,
			    host_state_name(host->fact.state));
		refuse(core, request, "nothing-to-confirm", text, "");
		return;
	}
	host_certify(core, host, PROOF_PERSON, request->who, request->reason);
	text_format(text, sizeof(text), "%s is taken for dead on your word", host->config.name);
	accept(core, request, text, host->fact.incident);
}

static void forget(struct core *core, const struct core_request *request)
{
	char text[CORE_TEXT_SIZE];
	struct host *host = request_host(core, request);

	if (!host)
		return;
	if (host->present || host->daemon) {
		text_format(text, sizeof(text), "%s is a member of the cluster", host->config.name);
		refuse(core, request, "host-alive", text, "stop its corosync first");
		return;
	}
	if (host->fact.state == HOST_LOST || host->fact.state == HOST_ADMITTED) {
		text_format(text, sizeof(text), "%s is not proven dead", host->config.name);
		refuse(core, request, "not-certified", text, "`hamonctl confirm-fenced` first");
		return;
	}
	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		if (inst->spec.deleted || inst->place.owner != host->config.nodeid)
			continue;
		text_format(text, sizeof(text), "%s still owns %s (%s)", host->config.name, LABEL(inst),
			    phase_name(inst->place.phase));
		refuse(core, request, "owns-instances", text, "evacuate it, or undefine the instance, first");
		return;
	}
	host->fact.forgotten = true;
	host->fact.incident[0] = '\0';
	stage_host(core, host);
	note_stage(core, "host-forgotten", NOTE_NOTICE, NULL, host, NULL, "%s is forgotten, by %s",
		   host->config.name, request->who);
	text_format(text, sizeof(text), "%s is forgotten: now remove it from corosync.conf on every host",
		    host->config.name);
	accept(core, request, text, "");
}

static void release(struct core *core, const struct core_request *request)
{
	if (!core->cluster.brake) {
		refuse(core, request, "no-brake", "the brake is not on: nothing waits for a release", "");
		return;
	}
	core->cluster.brake = false;
	core->cluster.brake_reason[0] = '\0';
	stage_cluster(core);
	for (size_t i = 0; i < core->n_hosts; i++) {
		if (core->hosts[i].fact.state != HOST_LOST)
			continue;
		core->hosts[i].fact.released = true;
		core->hosts[i].reason[0] = '\0';
		stage_host(core, &core->hosts[i]);
	}
	note_stage(core, "brake", NOTE_NOTICE, NULL, NULL, NULL, "The brake is released, by %s", request->who);
	accept(core, request, "released: the hosts that are lost now are fenced and evacuated", "");
}

/* --- evacuate by hand --- */

static bool evacuate_refused(struct core *core, const struct core_request *request,
			     struct instance *inst)
{
	char text[CORE_TEXT_SIZE];
	int slot = host_slot(core, inst->place.owner);
	const struct host *owner = slot < 0 ? NULL : &core->hosts[slot];
	const struct host *holder = instance_holder(core, inst);
	bool accepted = list_has(request->accept_loss, inst->spec.name) ||
		list_has(request->accept_loss, inst->spec.uuid);

	if (!inst->place.released && owner && !host_epoch_is_dead(owner, inst->place.owner_epoch)) {
		text_format(text, sizeof(text), owner->present ? "%s belongs to %s, which is alive" :
			    "%s belongs to %s, which is not certified dead", LABEL(inst),
			    owner->config.name);
		refuse(core, request, owner->present ? "host-alive" : "not-certified", text,
		       owner->present ? "migrate it instead" :
		       "wait for its fencing, or `hamonctl confirm-fenced` once it is off");
		return true;
	}
	if (!owner_is_over(core, inst)) {
		text_format(text, sizeof(text), "%s was being migrated to %s, which may run it", LABEL(inst),
			    host_name(core, inst->place.joint));
		refuse(core, request, "host-alive", text, "wait until that is known");
		return true;
	}
	if (inst->place.phase != PHASE_ASSIGNED && inst->place.phase != PHASE_REVOKING && holder) {
		text_format(text, sizeof(text), "%s is on %s in this moment", LABEL(inst), holder->config.name);
		refuse(core, request, "host-alive", text, "end it there, or leave it to hamon");
		return true;
	}
	if (inst->place.phase == PHASE_ASSIGNED || inst->place.phase == PHASE_REVOKING) {
		text_format(text, sizeof(text), "%s is being started on %s already", LABEL(inst),
			    owner ? owner->config.name : "another host");
		refuse(core, request, "under-way", text, "follow it with `hamonctl watch`");
		return true;
	}
	if (!request->on && !accepted) {
		text_format(text, sizeof(text), "without --on-shared-storage the disks of %s could be lost",
			    LABEL(inst));
		refuse(core, request, "data-loss", text,
		       "use --on-shared-storage, or name it with --accept-data-loss");
		return true;
	}
	return false;
}

/* Assigns one instance as a person wants it, or says in why that no host can have it. */
static bool evacuate_one(struct core *core, const struct core_request *request, struct instance *inst,
			 uint32_t target, char why[CORE_TEXT_SIZE])
{
	bool accepted = list_has(request->accept_loss, inst->spec.name) ||
		list_has(request->accept_loss, inst->spec.uuid);
	bool before = inst->place.accept_loss;
	int slot;

	inst->tried = 0;
	inst->place.accept_loss = accepted;
	if (placement_choose(core, inst, target, &slot, why) != PLACEMENT_FOUND) {
		inst->place.accept_loss = before;
		return false;
	}
	inst->place.by_hand = true;
	inst->place.wish = WISH_RUNNING;
	inst->place.attempts = 0;
	inst->retry_ms = 0;
	if (inst->place.phase == PHASE_SETTLED)
		inst->place.phase = PHASE_WAITING;
	stage_place(core, inst);
	instance_assign_by_hand(core, inst, slot);
	return true;
}

bool core_place_concerns(const struct place_fact *place, uint32_t nodeid)
{
	bool waits = place->phase == PHASE_WAITING || place->phase == PHASE_HELD;

	return waits && place->home ? place->home == nodeid || (place->owner == nodeid && !place->released) :
		place->owner == nodeid;
}

static void evacuate(struct core *core, const struct core_request *request)
{
	struct instance *inst = NULL;
	char text[CORE_TEXT_SIZE];
	uint32_t target = 0, started = 0;
	int slot;

	if (request->target[0]) {
		slot = host_slot_by_name(core, request->target);
		if (slot < 0) {
			text_format(text, sizeof(text), "there is no host %s", request->target);
			refuse(core, request, "no-such-host", text, "`hamonctl status` lists the hosts");
			return;
		}
		target = core->hosts[slot].config.nodeid;
	}
	if (request->instance[0]) {
		inst = instance_find_any(core, request->instance);
		if (!inst || inst->spec.deleted) {
			text_format(text, sizeof(text), "there is no protected instance %s", request->instance);
			refuse(core, request, "no-such-instance", text, "`hamonctl status` lists them");
			return;
		}
		if (evacuate_refused(core, request, inst))
			return;
		if (!evacuate_one(core, request, inst, target, text)) {
			refuse(core, request, "no-target", text, "see `hamonctl explain`");
			return;
		}
		text_format(text, sizeof(text), "%s is being started on %s", LABEL(inst),
			    host_name(core, inst->place.owner));
		accept(core, request, text, inst->place.incident);
		return;
	}
	slot = host_slot_by_name(core, request->host);
	if (slot < 0) {
		request_host(core, request);
		return;
	}
	for (size_t i = 0; i < core->n_instances; i++) {
		inst = &core->instances[i];
		if (inst->spec.deleted || !core_place_concerns(&inst->place, core->hosts[slot].config.nodeid) ||
		    inst->place.wish != WISH_RUNNING)
			continue;
		if (inst->place.phase == PHASE_ASSIGNED || inst->place.phase == PHASE_REVOKING ||
		    !owner_is_over(core, inst) || instance_holder(core, inst))
			continue;
		/* What cannot be moved is left as it is: the plan has told the reason, and the others go on. */
		if ((request->on || list_has(request->accept_loss, inst->spec.name) ||
		     list_has(request->accept_loss, inst->spec.uuid)) &&
		    evacuate_one(core, request, inst, target, text))
			started++;
	}
	if (!started && core->hosts[slot].present) {
		text_format(text, sizeof(text), "%s is alive", request->host);
		refuse(core, request, "host-alive", text, "migrate its instances instead");
	} else if (!started && core->hosts[slot].fact.state == HOST_LOST) {
		text_format(text, sizeof(text), "%s is not certified dead", request->host);
		refuse(core, request, "not-certified", text, "`hamonctl confirm-fenced` once it is off");
	} else {
		text_format(text, sizeof(text), "%u instances of %s are being started", started, request->host);
		accept(core, request, text, core->hosts[slot].fact.incident);
	}
}

static void request_decide(struct core *core, const struct core_request *request)
{
	switch (request->verb) {
	case REQUEST_MAINTENANCE:
		maintenance(core, request);
		break;
	case REQUEST_MAINTENANCE_ALL:
		maintenance_all(core, request);
		break;
	case REQUEST_CONFIRM_FENCED:
		confirm_fenced(core, request);
		break;
	case REQUEST_FORGET:
		forget(core, request);
		break;
	case REQUEST_RELEASE:
		release(core, request);
		break;
	case REQUEST_EVACUATE:
		evacuate(core, request);
		break;
	}
}

void request_take(struct core *core, const struct core_request *request)
{
	struct core_message *msg;

	if (core->role == ROLE_ACTIVE && core->quorate) {
		request_decide(core, request);
		return;
	}
	if (!core->quorate || !core->coordinator || !core->group_up) {
		refuse(core, request, core->quorate ? "no-coordinator" : "not-quorate", core->quorate ?
		       "no coordinator is elected yet" : "this side of the cluster has no quorum",
		       core->quorate ? "try again in a few seconds" :
		       "ask a host of the other side, or bring hosts back");
		return;
	}
	msg = message_send(core, MSG_REQUEST);
	core->request_out[0] = *request;
	msg->request = &core->request_out[0];
}

void request_receive(struct core *core, const struct core_message *msg)
{
	struct core_request request;

	if (core->role != ROLE_ACTIVE || !core->quorate || !msg->request ||
	    msg->from == core->settings.self)
		return;
	request = *msg->request;
	request.origin = msg->from; /* from corosync, not from the text */
	request_decide(core, &request);
}

void reply_receive(struct core *core, const struct core_message *msg)
{
	if (msg->request_origin == core->settings.self && msg->from != core->settings.self)
		answer(core, msg->request_id, core->settings.self, msg->code, msg->text, msg->hint, "");
}
