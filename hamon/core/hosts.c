/*
 * Hosts: loss, fencing, admission. Every function looks at the facts and at what is seen now, and takes the one next
 * step: a new coordinator that finds the same facts goes on where the old one stopped.
 */
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"

#define UNWATCHED_PATIENCE_MS 2000

/* --- admission --- */

bool host_runs_foreign(const struct core *core, const struct host *host)
{
	size_t slot = (size_t)(host - core->hosts);

	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		if (!inst->spec.deleted && inst->has_place && inst->state[slot] != INSTANCE_ABSENT &&
		    inst->place.owner != host->config.nodeid && inst->place.joint != host->config.nodeid)
			return true;
	}
	return false;
}

static bool host_may_be_admitted(struct core *core, struct host *host)
{
	const char *why = NULL;
	bool hopeful;

	if (!host->present || !host->daemon)
		why = "its hamond is not in the group";
	else if (!host->report_known || !host->report.reported || !host->instances_known)
		why = "it has not reported its instances yet";
	else if (!host->report.gate_loaded)
		why = "its libvirtd has not loaded hamon's hook: install it, then restart libvirtd";
	else if (!host->report.libvirt_ok)
		why = "its libvirtd does not answer";
	else if (host->config.nodeid != core->settings.self &&
		 (!host->beat_synced || host->beat_term != core->promised))
		why = "it has no snapshot yet";
	else if (host->report.stale_qemu || host_runs_foreign(core, host))
		why = "it still runs an instance that belongs to another host";
	else if (core->now_ms < host->late_until_ms)
		why = "a power-off of an earlier fencing may still arrive";
	/* Where they are to start is lost too: then it may be this very host that is needed to fence and to start them. */
	else if (host->fact.state == HOST_QUARANTINED &&
		 incident_under_way(core, host->fact.incident, &hopeful) && hopeful)
		why = "its instances are being started elsewhere";
	else if (host->fence_op)
		why = "a power-off of an earlier fencing is still under way";
	text_copy(host->reason, sizeof(host->reason), why ? why : "");
	return !why;
}

static void host_admit(struct core *core, struct host *host)
{
	if (strcmp(host->fact.boot_id, host->report.boot_id) || host->fact.state != HOST_LEFT)
		host->fact.epoch++;
	text_copy(host->fact.boot_id, sizeof(host->fact.boot_id), host->report.boot_id);
	text_copy(host->fact.nonce, sizeof(host->fact.nonce), host->report.nonce);
	host->fact.state = HOST_ADMITTED;
	host->fact.fence_intent = false;
	host->fact.released = false;
	host->fence_begun = false;
	host->fence_level = 1;
	stage_host(core, host);
	note_stage(core, "host-admitted", NOTE_NOTICE, host->fact.incident, host, NULL,
		   "%s is admitted (epoch %llu, boot %.8s)", host->config.name,
		   (unsigned long long)host->fact.epoch, host->fact.boot_id);
	host->fact.incident[0] = '\0';
}

/* --- loss --- */

static bool host_matters(const struct core *core, const struct host *host, bool *ret_movable)
{
	bool matters = false;

	*ret_movable = false;
	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		if (inst->spec.deleted || !inst->has_place)
			continue;
		if (inst->place.owner != host->config.nodeid && inst->place.joint != host->config.nodeid)
			continue;
		if (inst->place.wish != WISH_RUNNING && inst->place.phase == PHASE_SETTLED)
			continue;
		matters = true;
		*ret_movable |= inst->place.accept_loss || placement_is_movable(core, inst);
	}
	return matters;
}

static uint32_t failed_limit(const struct core *core)
{
	uint32_t hosts = 0, limit;

	if (core->settings.max_failed_hosts)
		return core->settings.max_failed_hosts;
	for (size_t i = 0; i < core->n_hosts; i++)
		hosts += core->hosts[i].configured && !core->hosts[i].fact.forgotten;
	limit = hosts * core->settings.max_failed_share_percent / 100;
	return limit ? limit : 1;
}

/* Hosts that failed in the window; those that a person released do not count. */
static uint32_t failed_recently(const struct core *core, char *names, size_t size)
{
	uint32_t failed = 0;

	names[0] = '\0';
	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		if (host->fact.released || !host->fact.incident[0] || !host->failed_ms)
			continue;
		if (host->fact.state == HOST_ADMITTED || host->fact.state == HOST_LEFT ||
		    core->now_ms - host->failed_ms > core->settings.failure_window_ms)
			continue;
		failed++;
		snprintf(names + strlen(names), size - strlen(names), "%s%s", names[0] ? ", " : "",
			 host->config.name);
	}
	return failed;
}

/* True when the failure of this host must wait for a person. */
static bool host_is_braked(struct core *core, struct host *host)
{
	char names[CORE_LIST_SIZE];
	uint32_t failed = failed_recently(core, names, sizeof(names));
	uint32_t limit = failed_limit(core);

	if (host->fact.released || host->fact.fence_intent)
		return false;
	if (failed <= limit && !core->cluster.brake)
		return false;
	if (!core->cluster.brake) {
		core->cluster.brake = true;
		text_format(core->cluster.brake_reason, sizeof(core->cluster.brake_reason),
			    "%u hosts failed within %llu s (%s), the limit is %u: nothing is fenced until `hamonctl release`",
			    failed, (unsigned long long)core->settings.failure_window_ms / 1000, names, limit);
		stage_cluster(core);
		note_stage(core, "brake", NOTE_ALERT, host->fact.incident, host, NULL, "%s",
			   core->cluster.brake_reason);
	}
	return true;
}

static void reason_note(struct core *core, struct host *host, enum note_severity severity,
			const char *kind, const char *reason)
{
	struct incident_fact *incident = incident_find(core, host->fact.incident);

	if (!strcmp(host->reason, reason))
		return;
	text_copy(host->reason, sizeof(host->reason), reason);
	note_stage(core, kind, severity, host->fact.incident, host, NULL, "%s: %s", host->config.name,
		   reason);
	if (incident) {
		text_copy(incident->reason, sizeof(incident->reason), reason);
		stage_incident(core, incident);
	}
}

static void host_lose(struct core *core, struct host *host)
{
	struct incident_fact *incident = incident_open(core, host);

	host->fact.state = HOST_LOST;
	host->fact.fence_intent = false;
	host->fact.released = false;
	host->failed_ms = core->now_ms;
	host->failed_epoch = host->fact.epoch;
	host->fence_level = 1;
	host->fence_begun = false;
	host->fence_again_ms = 0;
	host->fence_backoff_ms = 0;
	host->reason[0] = '\0';
	stage_host(core, host);
	if (host->heard_ms)
		note_stage(core, "host-suspected", NOTE_NOTICE, incident->id, host, NULL,
			   "%s was last heard %llu ms before it left the membership", host->config.name,
			   (unsigned long long)(core->now_ms - host->heard_ms));
	note_stage(core, "host-lost", NOTE_WARNING, incident->id, host, NULL,
		   "%s (epoch %llu) is gone from the membership", host->config.name,
		   (unsigned long long)host->fact.epoch);
}

/* By its own word, and by the facts: what it is to start, or may be starting, would be lost with it. */
static bool host_left_in_order(const struct core *core, const struct host *host)
{
	if (!host->said_leave || host->left_guests)
		return false;
	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		if (!inst->spec.deleted && inst->place.owner == host->config.nodeid &&
		    (inst->place.phase == PHASE_ASSIGNED || inst->place.phase == PHASE_REVOKING))
			return false;
	}
	return true;
}

static void host_evaluate_admitted(struct core *core, struct host *host)
{
	if (host->present && host->daemon && host->report_known) {
		if (strcmp(host->report.boot_id, host->fact.boot_id)) {
			char detail[CORE_TEXT_SIZE];

			text_format(detail, sizeof(detail), "boot %.8s is over, the host itself announces boot %.8s",
				    host->fact.boot_id, host->report.boot_id);
			host_certify(core, host, PROOF_NEW_BOOT, "", detail);
			return;
		}
		if (host->report.nonce[0] && strcmp(host->report.nonce, host->fact.nonce)) {
			text_copy(host->fact.nonce_before, sizeof(host->fact.nonce_before), host->fact.nonce);
			text_copy(host->fact.nonce, sizeof(host->fact.nonce), host->report.nonce);
			stage_host(core, host);
		}
		host->reason[0] = '\0';
		return;
	}
	if (host->present) {
		if (host_left_in_order(core, host) && !host->daemon) {
			host->fact.state = HOST_LEFT;
			stage_host(core, host);
			note_stage(core, "host-left", NOTE_NOTICE, NULL, host, NULL,
				   "%s left in order, none of its protected instances ran", host->config.name);
			return;
		}
		/* A host that dies leaves the group a little before the membership. */
		if (!host->daemon && !host->reason[0] &&
		    core->now_ms >= host->daemon_gone_ms + UNWATCHED_PATIENCE_MS) {
			text_copy(host->reason, sizeof(host->reason),
				  "unwatched: its hamond is not running; it is still recovered when its node vanishes");
			note_stage(core, "host-unwatched", NOTE_WARNING, NULL, host, NULL,
				   "%s is unwatched: its hamond %s", host->config.name,
				   host->said_leave ? "was stopped while guests run" : "is gone");
		}
		return;
	}
	if (host_left_in_order(core, host)) {
		host->fact.state = HOST_LEFT;
		stage_host(core, host);
		return;
	}
	/* Not seen since a cold start: it may still be booting. */
	if (!host->ever_present &&
	    core->now_ms < core->active_since_ms + core->settings.start_grace_ms)
		return;
	if (core->cluster.frozen || host->fact.maintenance) {
		const char *why = host->fact.maintenance ?
			"it vanished while in maintenance: nothing is done about it" :
			"it vanished while the whole cluster is in maintenance: nothing is done about it";

		if (strcmp(host->reason, why)) {
			text_copy(host->reason, sizeof(host->reason), why);
			note_stage(core, "host-absent", NOTE_WARNING, NULL, host, NULL, "%s: %s",
				   host->config.name, why);
		}
		return;
	}
	host_lose(core, host);
}

/* --- fencing --- */

static void fence_begin(struct core *core, struct host *host)
{
	struct core_action *act;

	if (host->fence_op || core->now_ms < host->fence_again_ms)
		return;
	if (!host->config.fence_levels) {
		reason_note(core, host, NOTE_ALERT, "fence-failed",
			    "no fence device is configured: make sure that it is off, then `hamonctl confirm-fenced`");
		return;
	}
	if (host->fence_level < 1 || host->fence_level > host->config.fence_levels)
		host->fence_level = 1;
	host->fence_begun = true;
	host->fence_op = core->next_op++;
	host->fence_epoch = host->fact.epoch;
	act = action_add(core, ACT_FENCE);
	act->fence.op = host->fence_op;
	act->fence.host = &host->fact;
	act->fence.level = host->fence_level;
}

static void host_came_back(struct core *core, struct host *host)
{
	if (!host->daemon || !host->report_known) {
		text_copy(host->reason, sizeof(host->reason),
			  "back in the membership, its hamond has not spoken yet");
		return;
	}
	if (strcmp(host->report.boot_id, host->fact.boot_id)) {
		char detail[CORE_TEXT_SIZE];

		text_format(detail, sizeof(detail), "boot %.8s is over, the host itself announces boot %.8s",
			    host->fact.boot_id, host->report.boot_id);
		host_certify(core, host, PROOF_NEW_BOOT, "", detail);
		return;
	}
	if (host->fence_op || (host->fence_begun && core->now_ms < host->late_until_ms) ||
	    core->now_ms < host->late_until_ms)
		return; /* an `off` may still hit it: its outcome decides */
	/* It was in quarantine when it left: nothing has been verified of it since. */
	host->fact.state = host->fact.certificate.method != PROOF_NONE &&
		host->fact.certificate.epoch == host->fact.epoch ? HOST_QUARANTINED : HOST_ADMITTED;
	host->fact.fence_intent = false;
	stage_host(core, host);
	note_stage(core, "fence-cancelled", NOTE_NOTICE, host->fact.incident, host, NULL,
		   "%s is back in the same boot: its fencing is cancelled",
		   host->config.name);
	incident_end(core, host, "came back in the same boot");
	instances_stay(core, host);
}

static void intent_stage(struct core *core, struct host *host, struct incident_fact *incident)
{
	host->fact.fence_intent = true;
	host->reason[0] = '\0';
	stage_host(core, host);
	if (incident) {
		incident->intent_ms = core->now_ms;
		incident->reason[0] = '\0';
		stage_incident(core, incident);
	}
	note_stage(core, "fence-intent", NOTE_WARNING, host->fact.incident, host, NULL,
		   "%s is to be fenced: it owns instances that must run", host->config.name);
}

static void host_evaluate_lost(struct core *core, struct host *host)
{
	struct incident_fact *incident = incident_find(core, host->fact.incident);
	bool movable;
	uint64_t at_ms;

	if (!host->failed_ms)
		host->failed_ms = core->now_ms; /* lost before, and its fencing was cancelled by nobody */
	if (host->present) {
		host_came_back(core, host);
		return;
	}
	if (watchdog_expired(core, host, &at_ms)) {
		host_certify(core, host, PROOF_WATCHDOG, "", "its armed watchdog's whole bound has passed");
		return;
	}
	if (core->cluster.frozen || host->fact.maintenance) {
		reason_note(core, host, NOTE_WARNING, "host-absent", "in maintenance: nothing is done about it");
		return;
	}
	if (!host_matters(core, host, &movable)) {
		reason_note(core, host, NOTE_INFO, "fence-skipped",
			    "none of its instances must run: it is not fenced");
		if (incident && incident->state != INCIDENT_CLOSED) {
			incident->state = INCIDENT_CLOSED;
			incident->closed_ms = core->now_ms;
			stage_incident(core, incident);
		}
		return;
	}
	if (incident && incident->state == INCIDENT_CLOSED) {
		incident->state = INCIDENT_OPEN; /* it matters again: something that it owns is wished to run */
		stage_incident(core, incident);
	}
	if (!host->fact.fence_intent && !movable) {
		reason_note(core, host, NOTE_ALERT, "fence-skipped",
			    "no healthy host is proven to reach the disks of its instances: it is not fenced merely to evacuate nothing");
		return;
	}
	if (host_is_braked(core, host)) {
		reason_note(core, host, NOTE_ALERT, "brake", core->cluster.brake_reason);
		return;
	}
	if (core->now_ms < host->failed_ms + host->config.fence_delay_ms)
		return;
	if (!host->fact.fence_intent)
		intent_stage(core, host, incident);
	else if (host_committed(core, host))
		fence_begin(core, host);
}

void host_fence_result(struct core *core, const struct core_event *event)
{
	struct host *host = NULL;

	for (size_t i = 0; i < core->n_hosts; i++)
		if (event->fence.op && core->hosts[i].fence_op == event->fence.op)
			host = &core->hosts[i];
	if (!host)
		return; /* of a term that is over: its helper was ended, its host waits for late_until_ms */
	host->fence_op = 0;
	if (core->role != ROLE_ACTIVE || host->fact.state != HOST_LOST)
		return;
	/* It was for a boot that is over: what it read says nothing of this one. */
	if (host->fence_epoch != host->fact.epoch)
		return;
	if (event->fence.off) {
		host_certify(core, host, PROOF_FENCE_DEVICE, event->fence.device, event->fence.detail);
		return;
	}
	note_stage(core, "fence-failed", NOTE_ALERT, host->fact.incident, host, NULL,
		   "Fence level %u of %s failed (%s): %s", host->fence_level, host->config.name,
		   event->fence.device, event->fence.detail);
	if (host->fence_level < host->config.fence_levels) {
		host->fence_level++;
		return;
	}
	host->fence_level = 1;
	host->fence_backoff_ms = host->fence_backoff_ms ? host->fence_backoff_ms * 2 :
		core->settings.fence_backoff_ms;
	if (host->fence_backoff_ms > core->settings.fence_backoff_max_ms)
		host->fence_backoff_ms = core->settings.fence_backoff_max_ms;
	host->fence_again_ms = core->now_ms + host->fence_backoff_ms;
	reason_note(core, host, NOTE_ALERT, "fence-failed",
		    "every fence level failed: nothing of it is started until a retry succeeds or `hamonctl confirm-fenced`");
}

/*
 * Its new boot ran nothing that it may run, if the gate was there. Its last word counts all the same, and who left before it had told
 * what it runs has not said that.
 */
static bool new_boot_is_idle(const struct core *core, const struct host *host)
{
	size_t slot = (size_t)(host - core->hosts);
	bool heard = host->report.boot_id[0] && strcmp(host->report.boot_id, host->fact.certificate.boot_id);

	if (heard && (!host->boot_listed || host->report.stale_qemu))
		return false;
	for (size_t i = 0; i < core->n_instances; i++)
		if (!core->instances[i].spec.deleted && core->instances[i].state[slot] != INSTANCE_ABSENT)
			return false;
	return true;
}

/* That boot must be proven dead too. Its epoch has the old proof: it is not admitted in it, should it come back. */
static void new_boot_lose(struct core *core, struct host *host)
{
	host->fact.certificate.epoch = ++host->fact.epoch;
	if (host->report.boot_id[0])
		text_copy(host->fact.boot_id, sizeof(host->fact.boot_id), host->report.boot_id);
	host_lose(core, host);
}

static void host_evaluate_dead(struct core *core, struct host *host)
{
	if (certificate_is_doubted(host)) {
		if (!host->doubted_ms)
			host->doubted_ms = core->now_ms;
		if (certificate_is_refuted(core, host)) {
			certificate_void(core, host);
			return;
		}
		if (host->daemon && core->now_ms >= host->doubted_ms + DOUBT_PATIENCE_MS)
			reason_note(core, host, NOTE_ALERT, "fence-contradiction",
				    "certified dead, yet alive in that very boot: nothing more of it is started; check that its fence device belongs to it");
		return;
	}
	host->doubted_ms = 0;
	/* Membership and group are told apart: when it comes, and when it goes. */
	if (!host->present && !host->daemon && new_boot_is_open(host)) {
		new_boot_lose(core, host);
		return;
	}
	if (!host->present || !host->daemon || !host->report_known)
		return;
	host->fact.state = HOST_QUARANTINED;
	stage_host(core, host);
	note_stage(core, "host-quarantined", NOTE_NOTICE, host->fact.incident, host, NULL,
		   "%s is back in boot %.8s and runs nothing protected until it is admitted",
		   host->config.name, host->report.boot_id);
}

static void host_evaluate_quarantined(struct core *core, struct host *host)
{
	if (host->present) {
		if (host_may_be_admitted(core, host))
			host_admit(core, host);
		return;
	}
	if (host->of_two && host->daemon)
		return; /* its group is told a little later */
	if (new_boot_is_open(host) || !new_boot_is_idle(core, host)) {
		new_boot_lose(core, host);
		return;
	}
	host->fact.state = HOST_DEAD;
	stage_host(core, host);
}

static void host_evaluate(struct core *core, struct host *host)
{
	if (!host->fact.nodeid || strcmp(host->fact.name, host->config.name))
		stage_host(core, host);
	switch (host->fact.state) {
	case HOST_UNKNOWN:
	case HOST_LEFT:
		if (host_may_be_admitted(core, host))
			host_admit(core, host);
		break;
	case HOST_ADMITTED:
		host_evaluate_admitted(core, host);
		break;
	case HOST_LOST:
		host_evaluate_lost(core, host);
		break;
	case HOST_DEAD:
		host_evaluate_dead(core, host);
		break;
	case HOST_QUARANTINED:
		host_evaluate_quarantined(core, host);
		break;
	}
}

void hosts_evaluate(struct core *core)
{
	/* First who is lost, then what to do about it: the brake counts all that vanished together. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < core->n_hosts; i++) {
			struct host *host = &core->hosts[i];

			if (!host->configured || host->fact.forgotten)
				continue;
			if ((host->fact.state == HOST_LOST) == (pass == 1))
				host_evaluate(core, host);
		}
}

uint64_t hosts_deadline(const struct core *core)
{
	uint64_t deadline_ms = core->now_ms + core->settings.beat_ms;

	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		if (host->fact.state != HOST_LOST)
			continue;
		if (core->now_ms < host->failed_ms + host->config.fence_delay_ms)
			deadline_min(core, &deadline_ms, host->failed_ms + host->config.fence_delay_ms);
		if (host->fence_again_ms > core->now_ms)
			deadline_min(core, &deadline_ms, host->fence_again_ms);
	}
	return deadline_ms;
}

