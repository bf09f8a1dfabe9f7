/*
 * Hosts: who is here, who has left in order, who is lost. Every function looks at the facts and at what is seen now, and takes the
 * one next step: a new coordinator that finds the same facts goes on where the old one stopped.
 */
#include <string.h>

#include "hamon/core/state.h"

#define UNWATCHED_PATIENCE_MS 2000

void host_lose(struct core *core, struct host *host)
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
		if (new_boot_certify(core, host))
			return;
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

/* Something is to run that only the other of two, or its death, can commit. */
static bool pair_waits(const struct core *core)
{
	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		if (!inst->spec.deleted && inst->has_place && !place_committed(core, inst) &&
		    (inst->place.wish == WISH_RUNNING || inst->place.phase != PHASE_SETTLED))
			return true;
	}
	return false;
}

static void host_evaluate_left(struct core *core, struct host *host)
{
	/* It was shut down on purpose: it is not fenced, and what it had is not moved, without a person's word. */
	if (host->of_two && !host->present && !host->daemon && pair_waits(core)) {
		host_reason_note(core, host, NOTE_ALERT, "host-absent",
				 "it left in order, and of two hosts nothing is started without the other: bring it back, "
				 "or see that it is off and say `hamonctl confirm-fenced`");
		return;
	}
	if (host_may_be_admitted(core, host))
		host_admit(core, host);
}

static void host_evaluate(struct core *core, struct host *host)
{
	if (!host->fact.nodeid || strcmp(host->fact.name, host->config.name))
		stage_host(core, host);
	switch (host->fact.state) {
	case HOST_UNKNOWN:
		if (host_may_be_admitted(core, host))
			host_admit(core, host);
		break;
	case HOST_LEFT:
		host_evaluate_left(core, host);
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
