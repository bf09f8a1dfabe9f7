/*
 * Who may run instances: the admission of a host, and the way back of one that is proven dead, through quarantine. A boot that was
 * seen only in between is proven dead like any other.
 */
#include <string.h>

#include "hamon/core/state.h"

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

bool host_may_be_admitted(struct core *core, struct host *host)
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

void host_admit(struct core *core, struct host *host)
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

void host_evaluate_dead(struct core *core, struct host *host)
{
	if (certificate_is_doubted(host)) {
		if (!host->doubted_ms)
			host->doubted_ms = core->now_ms;
		if (certificate_is_refuted(core, host)) {
			certificate_void(core, host);
			return;
		}
		if (host->daemon && core->now_ms >= host->doubted_ms + DOUBT_PATIENCE_MS)
			host_reason_note(core, host, NOTE_ALERT, "fence-contradiction",
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

void host_evaluate_quarantined(struct core *core, struct host *host)
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
