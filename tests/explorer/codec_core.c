/* Cores as bytes, kept once each. */
#include <assert.h>
#include <string.h>

#include "tests/explorer/walk.h"

static struct codec shared; /* too large for the stack of every call; never used by two walks at once */

static void host_walk(struct codec *c, struct core *core, struct host *host, size_t slot)
{
	bool active = core->role == ROLE_ACTIVE, candidate = core->role == ROLE_CANDIDATE;

	host_fact_walk(c, &host->fact);
	N(host->fact_seq);
	N(host->present);
	N(host->ever_present);
	N(host->daemon);
	N(host->pid);
	N(host->beat_known);
	ONLY(!host->beat_known, host->joined_ms, AGE(host->joined_ms, 1000));
	ONLY(!host->daemon, host->daemon_gone_ms, AGE(host->daemon_gone_ms, 2000));
	N(host->beat_synced);
	N(host->beat_store_ok);
	N(host->beat_blank);
	N(host->beat_since_empty);
	N(host->blank_told);
	N(host->beat_term);
	N(host->beat_promised);
	N(host->report_known);
	host_report_walk(c, &host->report);
	N(host->instances_known);
	N(host->boot_listed);
	N(host->said_leave);
	N(host->left_guests);
	N(host->acked);
	ONLY(candidate, host->promised, N(host->promised));
	ONLY(candidate, host->promised_blank, N(host->promised_blank));
	AGE(host->snapshot_ms, 1000);
	END(host->late_until_ms);
	AGE(host->failed_ms, 1 + fence_delay_ms);
	N(host->failed_epoch);
	op_walk(c, &host->fence_op, op_fence(slot));
	ONLY(host->fence_op, host->fence_epoch, N(host->fence_epoch));
	/* A new term begins with these as they are at first. */
	ONLY(active, host->fence_level, N(host->fence_level));
	ONLY(active, host->fence_again_ms, END(host->fence_again_ms));
	ONLY(active, host->fence_backoff_ms, N(host->fence_backoff_ms));
	ONLY(active, host->fence_begun, N(host->fence_begun));
	ONLY(active, host->fence_asked, N(host->fence_asked));
	ONLY(active, host->fence_heard, N(host->fence_heard));
	N(host->reserved_mib);
	AGE(host->doubted_ms, 5000);
	TEXT(host->reason);
}

static void instance_walk(struct codec *c, struct instance *inst)
{
	bool open;

	spec_walk(c, &inst->spec);
	place_walk(c, &inst->place);
	N(inst->has_place);
	N(inst->place_seq);
	if (HOSTS == 2)
		N(inst->kept);
	for (size_t h = 0; h < HOSTS; h++) {
		N(inst->state[h]);
		N(inst->backing[h].verdict);
		N(inst->backing[h].held);
		TEXT(inst->backing[h].reason);
	}
	N(inst->defined_here);
	N(inst->managed_save_here);
	N(inst->tried);
	AGE(inst->absent_since_ms, 3000);
	END(inst->retry_ms);
	N(inst->job);
	op_walk(c, &inst->job_op, op_start(guest_of(inst->spec.uuid)));
	ONLY(inst->job != JOB_NONE, inst->job_generation, N(inst->job_generation));
	ONLY(inst->job != JOB_NONE, inst->job_begun, N(inst->job_begun));
	open = inst->job == JOB_DONE || inst->job == JOB_FAILED;
	ONLY(open, inst->job_deleted, N(inst->job_deleted));
	ONLY(open, inst->job_excluded, N(inst->job_excluded));
	ONLY(open, inst->job_text[0], TEXT(inst->job_text));
	ONLY(open, inst->told_ms, AGE(inst->told_ms, 3000));
	op_walk(c, &inst->inspect_op, op_inspect(guest_of(inst->spec.uuid)));
	END(inst->inspect_again_ms);
	N(inst->stuck_generation);
	op_walk(c, &inst->stop_op, op_stop(guest_of(inst->spec.uuid)));
	END(inst->stop_again_ms);
	AGE(inst->granted_ms, 60000);
	AGE(inst->handover_ms, 1200);
	N(inst->tidied_save);
	N(inst->tidied_definition);
}

static void persists_walk(struct codec *c, struct core *core)
{
	N(core->n_persists);
	for (size_t i = 0; i < core->n_persists; i++) {
		struct persist *entry = &core->persists[(core->persist_head + i) % CORE_PERSISTS_MAX];

		AGE(entry->since_ms, COORDINATOR_TIMEOUT_MS);
		N(entry->term);
		N(entry->seq);
		N(entry->promise);
		entry->id = c->write ? entry->id : i + 1;
	}
	if (!c->write)
		core->next_persist = core->n_persists;
}

static void gates_walk(struct codec *c, struct core *core)
{
	N(core->n_gates);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct gate_wait *wait = &core->gates[i];

		N(wait->used);
		if (!wait->used)
			continue;
		N(wait->claimed);
		END(wait->deadline_ms);
		N(wait->query.id);
		N(wait->query.op);
		N(wait->query.protected);
		spec_walk(c, &wait->query.spec);
	}
}

static void own_walk(struct codec *c, struct core *core)
{
	N(core->n_own);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		N(core->own[i].used);
		if (core->own[i].used)
			report_walk(c, &core->own[i].report);
	}
	host_report_walk(c, &core->own_host);
	N(core->own_host_known);
	N(core->own_reported);
	N(core->host_report_due);
}

static void consensus_walk(struct codec *c, struct core *core)
{
	N(core->role);
	N(core->loaded);
	N(core->store_ok);
	N(core->promised);
	N(core->facts_term);
	N(core->stored_facts_term);
	N(core->waits_for[0]); /* only told */
	N(core->synced);
	N(core->coordinator);
	ONLY(core->coordinator && core->coordinator != core->settings.self, core->coordinator_heard_ms,
	     AGE(core->coordinator_heard_ms, COORDINATOR_TIMEOUT_MS));
	AGE(core->no_coordinator_since_ms, 2 * COORDINATOR_TIMEOUT_MS);
	AGE(core->quorum_changed_ms, 1000);
	ONLY(core->role == ROLE_CANDIDATE, core->election_ms, AGE(core->election_ms, 2 * COORDINATOR_TIMEOUT_MS));
	ONLY(core->role == ROLE_ACTIVE, core->active_since_ms, AGE(core->active_since_ms, START_GRACE_MS));
	N(core->seq);
	N(core->commit);
	N(core->counter);
	AGE(core->beat_due_ms, BEAT_MS);
	N(core->beat_now);
	N(core->report_due);
	AGE(core->report_again_ms, BEAT_MS);
	AGE(core->host_report_again_ms, BEAT_MS);
	N(core->own_late_offs);
	if (HOSTS == 2) {
		N(core->was_synced);
		N(core->provisional);
		N(core->strong_seq);
		N(core->alone_seq);
	}
}

static void core_walk(struct codec *c, struct core *core)
{
	c->in_core = true;
	N(core->settings.self);
	TEXT(core->settings.boot_id);
	AGE(core->last_step_ms, 2 * BEAT_MS + COORDINATOR_TIMEOUT_MS);
	END(core->tilt_until_ms);
	N(core->group_up);
	N(core->quorate);
	N(core->leaving);
	consensus_walk(c, core);
	persists_walk(c, core);
	cluster_walk(c, &core->cluster);
	for (size_t h = 0; h < HOSTS; h++)
		host_walk(c, core, &core->hosts[h], h);
	N(core->n_instances);
	assert(core->n_instances <= GUESTS_MAX);
	for (size_t i = 0; i < core->n_instances; i++)
		instance_walk(c, &core->instances[i]);
	N(core->n_incidents);
	for (size_t i = 0; i < core->n_incidents; i++)
		incident_walk(c, &core->incidents[i]);
	own_walk(c, core);
	gates_walk(c, core);
	c->in_core = false;
}

uint32_t core_put(struct core *core, int *ret_new)
{
	struct codec *c = &shared;

	assert(!core->n_staged && !core->n_staged_notes && core->n_hosts == HOSTS);
	c->write = true;
	c->now_ms = core->now_ms;
	c->at = 0;
	core_walk(c, core);
	return pool_put(&cores, c->to, c->at, ret_new);
}

static void settings_fill(struct core *core)
{
	core->settings.start_grace_ms = START_GRACE_MS;
	core->settings.failure_window_ms = 300000;
	core->settings.max_failed_hosts = (uint32_t)HOSTS; /* the brake has tests of its own: here nobody releases it */
	core->settings.max_failed_share_percent = 34;
	core->settings.beat_ms = BEAT_MS;
	core->settings.coordinator_timeout_ms = COORDINATOR_TIMEOUT_MS;
	core->settings.tilt_ms = 3000;
	core->settings.parallel_starts = 4;
	core->settings.attempts = 3;
	core->settings.retry_delay_ms = BEAT_MS;
	core->settings.fence_backoff_ms = BEAT_MS;
	core->settings.fence_backoff_max_ms = BEAT_MS;
	core->settings.hand_over = hand_over;
	core->settings.late_effect_ms = LATE_EFFECT_MS;
}

static void config_fill(struct core *core)
{
	core->n_hosts = HOSTS;
	for (size_t h = 0; h < HOSTS; h++) {
		struct host *host = &core->hosts[h];

		host->configured = true;
		host->of_two = HOSTS == 2;
		memset(&host->config, 0, sizeof(host->config));
		host->config.nodeid = (uint32_t)h + 1;
		text_format(host->config.name, sizeof(host->config.name), "h%zu", h + 1);
		host->config.votes = 1;
		host->config.fence_levels = 1;
		host->config.fence_delay_ms = h ? 0 : fence_delay_ms;
	}
}

#define FILL(from, to) memset((uint8_t *)core + (from), with, (to) - (from))
#define BEHIND(array) (offsetof(struct core, array) + sizeof(core->array))

/* Everything of the core that a small cluster uses, and whatever may be added between its tables; what lies further back in
 * those is free, as it was made. */
static void core_fill(struct core *core, int with)
{
	FILL(0, offsetof(struct core, persists));
	FILL(BEHIND(persists), offsetof(struct core, hosts[HOSTS]));
	FILL(BEHIND(hosts), offsetof(struct core, instances[GUESTS_MAX]));
	FILL(BEHIND(instances), offsetof(struct core, incidents));
	FILL(BEHIND(incidents), offsetof(struct core, own[GUESTS_MAX]));
	FILL(BEHIND(own), offsetof(struct core, gates[GUESTS_MAX]));
	FILL(BEHIND(gates), offsetof(struct core, replies));
	FILL(BEHIND(replies), offsetof(struct core, staged));
	core->persist_head = 0;
	core->n_replies = 0;
	core->n_staged = core->n_staged_notes = core->n_verdicts = 0;
	core->staged_strong = false;
	core->two_node = HOSTS == 2;
	core->provisional = core->was_synced = false;
	core->strong_seq = core->alone_seq = 0;
	core->now_ms = NOW_MS;
	core->next_op = OP_STALE + 1;
}

/* What is not kept, because nothing reads it in a cluster without these things. */
static void unused_clear(struct core *core)
{
	for (size_t h = 0; h < HOSTS; h++) {
		core->hosts[h].attested = false;
		core->hosts[h].heard_ms = core->hosts[h].listed_ms = 0;
	}
	for (size_t i = 0; i < core->n_instances; i++)
		{
		core->instances[i].joint_since_ms = core->instances[i].left_ms = 0;
		core->instances[i].kept &= HOSTS == 2;
	}
	core->self = (int)core->settings.self - 1;
}

void core_get(uint32_t number, struct core *core)
{
	struct codec *c = &shared;
	size_t n;

	core_fill(core, codec_poison);
	settings_fill(core);
	config_fill(core);
	c->from = pool_get(&cores, number, &n);
	c->write = false;
	c->at = 0;
	core_walk(c, core);
	assert(c->at == n);
	unused_clear(core);
}

void core_blank(struct core *core, size_t host, uint32_t boot)
{
	core_fill(core, 0);
	settings_fill(core);
	core->n_hosts = core->n_instances = core->n_incidents = 0;
	core->n_persists = 0;
	core->next_persist = 0;
	core->self = -1;
	core->n_own = core->n_gates = 0;
	core->settings.self = (uint32_t)host + 1;
	text_format(core->settings.boot_id, sizeof(core->settings.boot_id), "h%zu-boot%u", host + 1, boot);
	for (size_t i = 0; i < GUESTS_MAX; i++)
		core->own[i].used = core->gates[i].used = false;
}
