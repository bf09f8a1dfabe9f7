/*
 * A host that is lost: whether its loss matters, the brake, the recorded intent, its fence devices level by level, and its coming
 * back in the same boot. A new coordinator that finds the same facts goes on where the old one stopped.
 */
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"

/* What its loss means: something of its own must run; of two, something is decided here that counts only once it is proven dead. */
struct loss {
	bool matters;
	bool movable; /* and something would come of its fencing */
	bool its_own;
};

static struct loss host_loss(const struct core *core, const struct host *host)
{
	struct loss loss = { 0 };

	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];
		/* Of two: what became of an instance is committed by both, or once the other is proven dead. */
		bool waits_for_it = host->of_two && !place_committed(core, inst);
		bool has_it = inst->place.owner == host->config.nodeid || inst->place.joint == host->config.nodeid;

		if (inst->spec.deleted || !inst->has_place)
			continue;
		/* Also one that is stopped: a person may be starting it in this moment. */
		if (!has_it && !waits_for_it)
			continue;
		if (has_it && inst->place.wish != WISH_RUNNING && (inst->place.phase == PHASE_SETTLED || inst->place.heir))
			continue;
		loss.matters = true;
		loss.its_own |= has_it;
		loss.movable |= !has_it || inst->place.accept_loss || placement_is_movable(core, inst);
	}
	return loss;
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

		/* Also one that left again in quarantine and is back: that incident is over, its failure is not. */
		if (host->fact.released || host->fact.forgotten || !host->failed_ms)
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

void host_reason_note(struct core *core, struct host *host, enum note_severity severity,
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

/*
 * A host that was suspended whole goes on with what it was about to do, and cannot tell from its clock that the others have decided
 * otherwise meanwhile. So nothing is fenced before a message of this member's own, sent after the intent was committed, has
 * come back: the group orders it behind all that was said in the meantime.
 */
static bool group_is_asked(struct core *core, struct host *host)
{
	if (host->fence_heard)
		return true;
	if (!host->fence_asked)
		core->beat_now = true;
	host->fence_asked = true;
	return false;
}

static void question_forget(struct host *host)
{
	host->fence_asked = false;
	host->fence_heard = false;
}

/* The slots of the hosts that the beats ask about. */
uint32_t fencing_mask(const struct core *core)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < core->n_hosts; i++)
		if (core->hosts[i].fence_asked && !core->hosts[i].fence_heard && core->hosts[i].fact.state == HOST_LOST)
			mask |= UINT32_C(1) << i;
	return mask;
}

void fencing_heard(struct core *core, const struct core_message *own_beat)
{
	if (core->role != ROLE_ACTIVE || own_beat->term != core->promised)
		return;
	for (size_t i = 0; i < core->n_hosts; i++)
		if (core->hosts[i].fence_asked && own_beat->fencing & UINT32_C(1) << i)
			core->hosts[i].fence_heard = true;
}

static void fence_begin(struct core *core, struct host *host)
{
	struct core_action *act;

	if (host->fence_op || core->now_ms < host->fence_again_ms)
		return;
	if (!host->config.fence_levels) {
		host_reason_note(core, host, NOTE_ALERT, "fence-failed",
			    "no fence device is configured: make sure that it is off, then `hamonctl confirm-fenced`");
		return;
	}
	if (!group_is_asked(core, host))
		return;
	question_forget(host);
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
	if (new_boot_certify(core, host))
		return;
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

static void intent_stage(struct core *core, struct host *host, struct incident_fact *incident, bool its_own)
{
	host->fact.fence_intent = true;
	host->reason[0] = '\0';
	question_forget(host);
	stage_host(core, host);
	if (incident) {
		incident->intent_ms = core->now_ms;
		incident->reason[0] = '\0';
		stage_incident(core, incident);
	}
	note_stage(core, "fence-intent", NOTE_WARNING, host->fact.incident, host, NULL,
		   its_own ? "%s is to be fenced: it owns instances that must run" :
		   "%s is to be fenced: of two hosts, what is decided now counts once the other is proven dead",
		   host->config.name);
}

void host_evaluate_lost(struct core *core, struct host *host)
{
	struct incident_fact *incident = incident_find(core, host->fact.incident);
	struct loss loss;
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
		host_reason_note(core, host, NOTE_WARNING, "host-absent", "in maintenance: nothing is done about it");
		return;
	}
	loss = host_loss(core, host);
	if (!loss.matters) {
		host_reason_note(core, host, NOTE_INFO, "fence-skipped",
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
	if (!host->fact.fence_intent && !loss.movable) {
		host_reason_note(core, host, NOTE_ALERT, "fence-skipped",
			    "no healthy host is proven to reach the disks of its instances: it is not fenced merely to evacuate nothing");
		return;
	}
	if (host_is_braked(core, host)) {
		host_reason_note(core, host, NOTE_ALERT, "brake", core->cluster.brake_reason);
		return;
	}
	if (core->now_ms < host->failed_ms + host->config.fence_delay_ms)
		return;
	if (!host->fact.fence_intent)
		intent_stage(core, host, incident, loss.its_own);
	else if (intent_committed(core, host))
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
	host_reason_note(core, host, NOTE_ALERT, "fence-failed",
		    "every fence level failed: nothing of it is started until a retry succeeds or `hamonctl confirm-fenced`");
}
