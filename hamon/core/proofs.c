/*
 * Proofs of death: what certifies a host, when a certificate may be used, and when it is void. Everything that runs elsewhere again
 * rests on this.
 */
#include <string.h>

#include "hamon/core/state.h"

#define WATCHDOG_DRIFT_PERMILLE 10 /* two boot clocks apart by 1% at most */
#define WATCHDOG_MARGIN_MS 2000

/*
 * Certified dead, and in the membership all the same: either its end is not noticed yet, or it is back in a new boot, or the
 * certificate is wrong. Until it has left or named another boot, nothing may rest on that certificate.
 */
bool certificate_is_doubted(const struct host *host)
{
	if (host->fact.state != HOST_DEAD || host->fact.certificate.method == PROOF_NEW_BOOT || !host->present)
		return false;
	return !host->daemon || !host->report_known ||
		!strcmp(host->report.boot_id, host->fact.certificate.boot_id);
}

/*
 * One of two that was here in a newer boot than the one that is proven dead may go on alone, by the very same facts: the proof covers
 * it only while it is here. Where one side of more has a majority, the other can admit nobody.
 */
bool new_boot_is_open(const struct host *host)
{
	if (!host->of_two || (host->present && host->daemon))
		return false;
	return host->fact.state == HOST_QUARANTINED ||
		(host->report.boot_id[0] && strcmp(host->report.boot_id, host->fact.certificate.boot_id));
}

bool host_epoch_is_dead(const struct host *host, uint64_t epoch)
{
	if (host->fact.state == HOST_DEAD || host->fact.state == HOST_QUARANTINED)
		return host->fact.certificate.epoch >= epoch && !certificate_is_doubted(host) &&
			!new_boot_is_open(host);
	/* Admitted again in a later epoch: the host itself has named its new boot. */
	return host->fact.state == HOST_ADMITTED && host->fact.epoch > epoch;
}

/*
 * Of two hosts: proven dead, and not seen since. That it is in a new boot proves only that its old one is over: in the new one it
 * is a member like any, and may decide alone as well. A boot in which it has met nobody decides nothing (wait_for_all).
 */
bool host_cannot_decide(const struct host *host)
{
	return host->fact.state == HOST_DEAD && host->fact.certificate.method != PROOF_NEW_BOOT &&
		host_epoch_is_dead(host, host->fact.epoch);
}

static bool others_are_over(const struct core *core)
{
	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		if (host->configured && !host->fact.forgotten && (int)i != core->self &&
		    (host->present || host->daemon || !host_cannot_decide(host)))
			return false;
	}
	return true;
}

/*
 * Of two hosts each may open a term alone, and write facts that nobody commits. Where two stores are merged, the facts of the one that
 * could commit must win: those of the survivor, while the other is away and proven dead. Nothing more than an intent is
 * committed alone before a record with that mark is on the disk, so there is one.
 */
void alone_outrank(struct core *core)
{
	uint64_t facts_term = core->promised | TERM_ALONE;

	if (core->role != ROLE_ACTIVE || facts_term <= core->facts_term ||
	    (!core->staged_strong && !core->strong_seq && !core->provisional) || !others_are_over(core))
		return;
	core->provisional = false;
	core->facts_term = core->stored_facts_term = facts_term;
	core->alone_seq = core->seq + 1;
	for (size_t i = 0; i < core->n_instances; i++)
		if (core->instances[i].has_place && core->instances[i].place_seq == UNCOMMITTED)
			stage_place(core, &core->instances[i]);
	if (!core->n_staged)
		stage_host(core, &core->hosts[core->self]);
}

void host_certify(struct core *core, struct host *host, enum proof_method method,
		  const char *device, const char *detail)
{
	struct incident_fact *incident = incident_open(core, host);
	struct certificate *cert = &host->fact.certificate;

	memset(cert, 0, sizeof(*cert));
	cert->method = method;
	cert->epoch = host->fact.epoch;
	cert->confirmed_ms = core->now_ms;
	text_copy(cert->device, sizeof(cert->device), device);
	text_copy(cert->boot_id, sizeof(cert->boot_id), host->fact.boot_id);
	text_copy(cert->detail, sizeof(cert->detail), detail);
	host->fact.state = HOST_DEAD;
	/* Proven in another way while an `off` is on its way: the next coordinator must know of that. */
	host->fact.fence_intent = host->fence_op || core->now_ms < host->late_until_ms;
	host->doubted_ms = 0;
	host->reason[0] = '\0';
	incident->certified_ms = core->now_ms;
	incident->proof = method;
	incident->reason[0] = '\0';
	stage_host(core, host);
	stage_incident(core, incident);
	note_stage(core, "fence-confirmed", NOTE_NOTICE, incident->id, host, NULL,
		   "%s is proven dead (%s%s%s): %s", host->config.name, proof_method_name(method),
		   device[0] ? " " : "", device, detail);
}

/* The host itself says that the boot which it was admitted in is over. */
bool new_boot_certify(struct core *core, struct host *host)
{
	char detail[CORE_TEXT_SIZE];

	if (!strcmp(host->report.boot_id, host->fact.boot_id))
		return false;
	text_format(detail, sizeof(detail), "boot %.8s is over, the host itself announces boot %.8s", host->fact.boot_id,
		    host->report.boot_id);
	host_certify(core, host, PROOF_NEW_BOOT, "", detail);
	return true;
}

bool watchdog_expired(struct core *core, struct host *host, uint64_t *ret_at_ms)
{
	const struct watchdog_attestation *att = &host->attestation;
	uint64_t bound_ms, from_ms = host->attested_ms;

	if (!host->attested || !att->armed || strcmp(att->boot_id, host->fact.boot_id))
		return false;
	bound_ms = att->lease_ms + att->watchdog_ms;
	bound_ms += bound_ms * WATCHDOG_DRIFT_PERMILLE / 1000 + WATCHDOG_MARGIN_MS;
	/*
	 * A majority without this member may have heard it later: only since this one is quorate without it, in one membership that
	 * has not changed since, nobody does. While this member stood still it may have been out of that without knowing.
	 */
	if (host->absent_since_ms > from_ms)
		from_ms = host->absent_since_ms;
	if (core->quorate_since_ms > from_ms)
		from_ms = core->quorate_since_ms;
	if (core->quorum_changed_ms > from_ms)
		from_ms = core->quorum_changed_ms;
	if (core->tilt_until_ms > from_ms)
		from_ms = core->tilt_until_ms;
	*ret_at_ms = from_ms + bound_ms;
	return core->now_ms >= *ret_at_ms;
}

/*
 * It goes on being a member, in the very boot that is certified dead: the certificate is wrong, and would be believed as soon as the
 * host leaves. It is void; what was not moved on its word belongs to the host as before. Should it be right after all, the
 * host leaves and is fenced once more. As long as its hamond is silent that boot may be over all the same, and nobody can say
 * whether its instances run: it is lost, with its incident open, until it speaks or leaves.
 */
void certificate_void(struct core *core, struct host *host)
{
	bool spoken = host->daemon && host->report_known;

	note_stage(core, "fence-contradiction", NOTE_ALERT, host->fact.incident, host, NULL,
		   "%s is alive, and %s certified it dead: that is void%s; check that its fence device belongs to it",
		   host->config.name, host->fact.certificate.device[0] ? host->fact.certificate.device :
		   proof_method_name(host->fact.certificate.method),
		   spoken ? "" : " until its hamond, which is silent, names another boot");
	memset(&host->fact.certificate, 0, sizeof(host->fact.certificate));
	host->fact.state = spoken ? HOST_ADMITTED : HOST_LOST;
	host->doubted_ms = 0;
	host->reason[0] = '\0';
	stage_host(core, host);
	if (!spoken)
		return;
	incident_end(core, host, "it was alive all the time");
	instances_stay(core, host);
}

bool certificate_is_refuted(const struct core *core, const struct host *host)
{
	bool hopeful;

	if (!host->doubted_ms || core->now_ms < host->doubted_ms + 2 * DOUBT_PATIENCE_MS)
		return false;
	/*
	 * It is a member, many tokens after its power went, with a hamond that is gone, stands still or cannot list what it runs: to
	 * take it for alive needs no word of it.
	 */
	return !host_runs_foreign(core, host) && !incident_under_way(core, host->fact.incident, &hopeful);
}
