/* What comes in: each event is taken into what this member knows. What follows from it is decided afterwards, in core_step(). */
#include <string.h>

#include "hamon/core/state.h"

static void config_take(struct core *core, const struct core_event *event)
{
	core->two_node = event->config.two_node;
	for (size_t i = 0; i < core->n_hosts; i++)
		core->hosts[i].configured = false;
	for (size_t i = 0; i < event->config.n; i++) {
		const struct core_host_config *config = &event->config.hosts[i];
		int slot = host_slot(core, config->nodeid);

		if (slot < 0 && core->n_hosts == CORE_HOSTS_MAX)
			continue;
		if (slot < 0)
			slot = (int)core->n_hosts++;
		core->hosts[slot].configured = true;
		core->hosts[slot].config = *config;
	}
	for (size_t i = 0; i < core->n_hosts; i++)
		core->hosts[i].of_two = core->two_node;
	core->self = host_slot(core, core->settings.self);
}

static void loaded_take(struct core *core, const struct core_event *event)
{
	if (!event->loaded.ok) {
		core->store_ok = false;
		core->loaded = false;
		core->beat_now = true;
		return;
	}
	if (core->loaded || core->n_persists) {
		/* The store was opened anew: what it has is what counts, what was under way to it is lost. */
		member_unsync(core, "its store was opened anew");
		core->n_persists = 0;
		facts_clear(core);
	}
	if (event->loaded.promised > core->promised)
		core->promised = event->loaded.promised;
	core->facts_term = core->stored_facts_term = event->loaded.facts_term;
	for (size_t i = 0; i < event->loaded.n_facts; i++)
		fact_apply(core, &event->loaded.facts[i], 0);
	core->loaded = true;
	core->store_ok = true;
	core->beat_now = true;
}

static void quorum_take(struct core *core, const struct core_event *event)
{
	core->quorum_changed_ms = core->now_ms;
	for (size_t i = 0; i < core->n_hosts; i++) {
		struct host *host = &core->hosts[i];
		bool present = false;

		for (size_t j = 0; j < event->quorum.n; j++)
			present |= event->quorum.nodeids[j] == host->config.nodeid;
		if (host->present && !present)
			host->absent_since_ms = core->now_ms;
		host->present = present;
		host->ever_present |= present;
	}
	if (event->quorum.quorate && !core->quorate)
		core->quorate_since_ms = core->now_ms;
	core->quorate = event->quorum.quorate;
	if (!core->quorate) {
		/* When a network heals, hosts come back one by one: each has the start grace to be seen again. */
		for (size_t i = 0; i < core->n_hosts; i++)
			core->hosts[i].ever_present = false;
		member_unsync(core, "this side of the cluster has no quorum");
		core->coordinator = 0;
	}
}

/* What an earlier run of its daemon could prove of the disks may be long ago: each run proves them anew. */
static void verdicts_forget(struct core *core, size_t slot)
{
	for (size_t i = 0; i < core->n_instances; i++)
		memset(&core->instances[i].backing[slot], 0, sizeof(core->instances[i].backing[slot]));
}

static void members_take(struct core *core, const struct core_event *event)
{
	core->group_up = true;
	for (size_t i = 0; i < core->n_hosts; i++) {
		struct host *host = &core->hosts[i];
		const struct core_member *member = NULL;

		/* Two processes may join from one host: the first in the list is the daemon. */
		for (size_t j = 0; j < event->members.n && !member; j++)
			if (event->members.members[j].nodeid == host->config.nodeid)
				member = &event->members.members[j];
		if (!member) {
			if (host->daemon)
				host->daemon_gone_ms = core->now_ms;
			host->daemon = false;
			host->beat_known = false;
			host->instances_known = false;
			host->report_known = false;
			continue;
		}
		if (host->daemon && host->pid == member->pid)
			continue;
		if (host->pid != member->pid)
			verdicts_forget(core, i);
		host->daemon = true;
		host->pid = member->pid;
		host->joined_ms = core->now_ms;
		host->beat_known = false;
		host->beat_synced = false;
		host->report_known = false;
		host->instances_known = false;
		host->said_leave = false;
		host->left_guests = false;
		host->snapshot_ms = 0;
		host->blank_told = false;
		host->acked = 0;
		core->beat_now = true;
		core->host_report_due = true;
		core->report_due = true;
	}
}

static void group_down_take(struct core *core)
{
	member_unsync(core, "corosync is gone");
	core->group_up = false;
	core->quorate = false;
	core->coordinator = 0;
	for (size_t i = 0; i < core->n_hosts; i++) {
		core->hosts[i].daemon = false;
		core->hosts[i].present = false;
		core->hosts[i].beat_known = false;
	}
}

static void host_report_receive(struct core *core, const struct core_message *msg)
{
	int slot = host_slot(core, msg->from);
	bool answers_again;
	struct host *host;

	if (slot < 0)
		return;
	host = &core->hosts[slot];
	answers_again = host->report_known && !host->report.libvirt_ok && msg->host.libvirt_ok;
	host->report_known = true;
	if (strcmp(host->report.boot_id, msg->host.boot_id))
		host->boot_listed = false;
	host->report = msg->host;
	host->reserved_mib = 0;
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];

		/* Its libvirtd hung: what happened meanwhile of a migration to it is told from now on. */
		if (answers_again && inst->place.joint == msg->from)
			inst->joint_since_ms = core->now_ms;
		/* Also when it is seen to run already: what this host called free may be older than that. */
		if (inst->place.owner == msg->from && inst->place.phase == PHASE_ASSIGNED)
			host->reserved_mib += inst->spec.memory_mib;
	}
}

static void verdicts_receive(struct core *core, int slot, size_t n, const struct verdict_report *verdicts)
{
	for (size_t i = 0; i < n; i++) {
		struct instance *inst = instance_seen(core, verdicts[i].uuid);

		if (!inst)
			continue;
		inst->backing[slot].verdict = verdicts[i].verdict;
		inst->backing[slot].held = verdicts[i].held;
		text_copy(inst->backing[slot].reason, sizeof(inst->backing[slot].reason),
			  verdicts[i].reason);
	}
}

static void reports_receive(struct core *core, const struct core_message *msg)
{
	int slot = host_slot(core, msg->from);

	if (slot < 0)
		return;
	if (msg->full) {
		for (size_t i = 0; i < core->n_instances; i++)
			core->instances[i].state[slot] = INSTANCE_ABSENT;
		core->hosts[slot].instances_known = true;
		core->hosts[slot].boot_listed |= core->hosts[slot].report_known;
		/* What was said while this member stood still may be older than it seems: it ends no migration. */
		if (!core_tilted(core))
			core->hosts[slot].listed_ms = core->now_ms;
	}
	for (size_t i = 0; i < msg->n_reports; i++)
		instance_report_receive(core, slot, &msg->reports[i], !msg->full);
}

static void message_take(struct core *core, const struct core_message *msg)
{
	int slot = host_slot(core, msg->from);

	if (slot < 0)
		return; /* not a host of this cluster */
	core->hosts[slot].heard_ms = core->now_ms;
	switch (msg->type) {
	case MSG_BEAT:
		term_beat_receive(core, msg);
		break;
	case MSG_HOST:
		host_report_receive(core, msg);
		break;
	case MSG_PREPARE:
		term_prepare_receive(core, msg);
		break;
	case MSG_PROMISE:
		term_promise_receive(core, msg);
		break;
	case MSG_RECORD:
	case MSG_SNAPSHOT:
		record_receive(core, msg);
		break;
	case MSG_ACK:
		ack_receive(core, msg);
		break;
	case MSG_REPORT:
		reports_receive(core, msg);
		break;
	case MSG_VERDICTS:
		verdicts_receive(core, slot, msg->n_verdicts, msg->verdicts);
		break;
	case MSG_RESULT:
		instance_result_receive(core, msg);
		break;
	case MSG_RELEASED:
		instance_released_receive(core, msg);
		break;
	case MSG_CLAIM:
		instance_claim_receive(core, msg);
		break;
	case MSG_REQUEST:
		request_receive(core, msg);
		break;
	case MSG_REPLY:
		reply_receive(core, msg);
		break;
	case MSG_LEAVE:
		core->hosts[slot].said_leave = true;
		core->hosts[slot].left_guests = msg->guests_run;
		break;
	case MSG_TYPES:
		break;
	}
}

static void verdicts_take(struct core *core, const struct core_event *event)
{
	struct core_message *msg;

	if (!core->group_up || !event->verdicts.n || event->verdicts.n > CORE_INSTANCES_MAX)
		return;
	memcpy(core->verdicts, event->verdicts.verdicts,
	       sizeof(core->verdicts[0]) * event->verdicts.n);
	msg = message_send(core, MSG_VERDICTS);
	msg->verdicts = core->verdicts;
	msg->n_verdicts = event->verdicts.n;
}

static bool some_grant_is_open(const struct core *core)
{
	for (size_t i = 0; i < core->n_instances; i++)
		if (grant_is_open(core, &core->instances[i]))
			return true;
	return false;
}

static void leave_take(struct core *core)
{
	/* A daemon that ends before its first list, or while its libvirtd hangs or starts one, does not know that none runs. */
	bool guests_run = !core->own_reported || !core->own_host.libvirt_ok ||
		some_grant_is_open(core);

	for (size_t i = 0; i < core->n_own; i++)
		guests_run |= core->own[i].used && core->own[i].report.state != INSTANCE_ABSENT;
	if (core->group_up)
		message_send(core, MSG_LEAVE)->guests_run = guests_run;
	member_unsync(core, "its daemon ends");
	core->leaving = true;
}

static void watchdog_take(struct core *core, const struct core_event *event)
{
	int slot = host_slot(core, event->watchdog.nodeid);

	if (slot < 0)
		return;
	core->hosts[slot].attested = event->watchdog.armed;
	core->hosts[slot].attestation = event->watchdog;
	core->hosts[slot].attested_ms = core->now_ms;
}

void event_take(struct core *core, const struct core_event *event)
{
	switch (event->type) {
	case EV_TICK:
		break;
	case EV_CONFIG:
		config_take(core, event);
		break;
	case EV_SETTINGS:
		core->settings = *event->settings;
		break;
	case EV_LOADED:
		loaded_take(core, event);
		break;
	case EV_PERSISTED:
		persist_done(core, event->persisted.persist_id);
		break;
	case EV_PERSIST_FAILED:
		core->store_ok = false;
		member_unsync(core, "its store cannot be written");
		break;
	case EV_QUORUM:
		quorum_take(core, event);
		break;
	case EV_MEMBERS:
		members_take(core, event);
		break;
	case EV_GROUP_DOWN:
		group_down_take(core);
		break;
	case EV_MESSAGE:
		message_take(core, event->message);
		break;
	case EV_HOST_REPORT:
		core->own_host = *event->host_report;
		core->own_host_known = true;
		core->host_report_due = true;
		break;
	case EV_REPORTS:
		member_reports_take(core, event);
		break;
	case EV_VERDICTS:
		verdicts_take(core, event);
		break;
	case EV_FENCE_RESULT:
		host_fence_result(core, event);
		break;
	case EV_START_BEGUN:
		member_start_begun(core, event);
		break;
	case EV_START_RESULT:
		member_start_result(core, event);
		break;
	case EV_INSPECT_RESULT:
		member_inspect_result(core, event);
		break;
	case EV_STOP_RESULT:
		member_stop_result(core, event);
		break;
	case EV_GATE:
		gate_take(core, event->gate);
		break;
	case EV_GATE_CANCEL:
		gate_cancel(core, event->gate_cancel.id);
		break;
	case EV_REQUEST:
		request_take(core, event->request);
		break;
	case EV_WATCHDOG:
		watchdog_take(core, event);
		break;
	case EV_LEAVE:
		leave_take(core);
		break;
	}
}
