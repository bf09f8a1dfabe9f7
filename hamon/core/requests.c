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

void request_refuse(struct core *core, const struct core_request *request, const char *code,
		    const char *text, const char *hint)
{
	answer(core, request->id, request->origin, code, text, hint, "");
}

/* Answers once the record that this step writes is committed. */
void request_accept(struct core *core, const struct core_request *request, const char *text,
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
	request_refuse(core, request, "busy", "too many requests wait for their commit", "try again");
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
	request_refuse(core, request, "no-such-host", text, "`hamonctl status` lists the hosts");
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
	request_accept(core, request, text, "");
}

static void maintenance_all(struct core *core, const struct core_request *request)
{
	if (core->cluster.frozen != request->on) {
		core->cluster.frozen = request->on;
		stage_cluster(core);
		note_stage(core, "maintenance", NOTE_NOTICE, NULL, NULL, NULL,
			   "The whole cluster: maintenance %s, by %s", request->on ? "on" : "off", request->who);
	}
	request_accept(core, request, request->on ? "the whole cluster is in maintenance: nothing is fenced or moved" :
	       "maintenance of the whole cluster is off", "");
}

static void confirm_fenced(struct core *core, const struct core_request *request)
{
	char text[CORE_TEXT_SIZE];
	struct host *host = request_host(core, request);

	if (!host)
		return;
	if (!request->reason[0]) {
		request_refuse(core, request, "no-reason", "a reason is needed: it is recorded", "add --reason TEXT");
		return;
	}
	if (host->present) {
		text_format(text, sizeof(text), "%s is alive: it is a member of the cluster right now",
			    host->config.name);
		request_refuse(core, request, "host-alive", text, "power it off first");
		return;
	}
	if (host->fact.state != HOST_LOST && host->fact.state != HOST_ADMITTED &&
	    host->fact.state != HOST_LEFT) {
		text_format(text, sizeof(text), "%s is %s: there is nothing to confirm", host->config.name,
			    host_state_name(host->fact.state));
		request_refuse(core, request, "nothing-to-confirm", text, "");
		return;
	}
	host_certify(core, host, PROOF_PERSON, request->who, request->reason);
	text_format(text, sizeof(text), "%s is taken for dead on your word", host->config.name);
	request_accept(core, request, text, host->fact.incident);
}

static void forget(struct core *core, const struct core_request *request)
{
	char text[CORE_TEXT_SIZE];
	struct host *host = request_host(core, request);

	if (!host)
		return;
	if (host->present || host->daemon) {
		text_format(text, sizeof(text), "%s is a member of the cluster", host->config.name);
		request_refuse(core, request, "host-alive", text, "stop its corosync first");
		return;
	}
	if (host->fact.state == HOST_LOST || host->fact.state == HOST_ADMITTED) {
		text_format(text, sizeof(text), "%s is not proven dead", host->config.name);
		request_refuse(core, request, "not-certified", text, "`hamonctl confirm-fenced` first");
		return;
	}
	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		if (inst->spec.deleted || inst->place.owner != host->config.nodeid)
			continue;
		text_format(text, sizeof(text), "%s still owns %s (%s)", host->config.name, LABEL(inst),
			    phase_name(inst->place.phase));
		request_refuse(core, request, "owns-instances", text, "evacuate it, or undefine the instance, first");
		return;
	}
	host->fact.forgotten = true;
	host->fact.incident[0] = '\0';
	stage_host(core, host);
	note_stage(core, "host-forgotten", NOTE_NOTICE, NULL, host, NULL, "%s is forgotten, by %s",
		   host->config.name, request->who);
	text_format(text, sizeof(text), "%s is forgotten: now remove it from corosync.conf on every host",
		    host->config.name);
	request_accept(core, request, text, "");
}

static void release(struct core *core, const struct core_request *request)
{
	if (!core->cluster.brake) {
		request_refuse(core, request, "no-brake", "the brake is not on: nothing waits for a release", "");
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
	request_accept(core, request, "released: the hosts that are lost now are fenced and evacuated", "");
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
		evacuate_by_hand(core, request);
		break;
	}
}

bool core_is_headless(const struct core *core, const char **ret_code, const char **ret_text, const char **ret_hint)
{
	if (core->quorate && ((core->coordinator && core->group_up) || core->role == ROLE_ACTIVE))
		return false;
	*ret_code = core->quorate ? "no-coordinator" : "not-quorate";
	*ret_text = core->quorate ? "no coordinator is elected yet" : "this side of the cluster has no quorum";
	*ret_hint = core->quorate ? "try again in a few seconds" : "ask a host of the other side, or bring hosts back";
	return true;
}

void request_take(struct core *core, const struct core_request *request)
{
	const char *code, *text, *hint;
	struct core_message *msg;

	if (core->role == ROLE_ACTIVE && core->quorate) {
		request_decide(core, request);
		return;
	}
	if (core_is_headless(core, &code, &text, &hint)) {
		request_refuse(core, request, code, text, hint);
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
