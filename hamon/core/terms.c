/*
 * Terms: who coordinates. A candidate asks for a term above all that it has seen; each member writes the promise to its
 * disk, ends its helpers, and answers with its facts. From a commit quorum of promises the candidate merges the
 * facts (of the newest opening record any of them builds on, by the highest version), and commits them whole as the opening
 * record of its term. Only then it decides. The scheme is that of viewstamped replication with a register per fact.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"

#define TERM_SHIFT 16 /* the low bits name the candidate, so that no two candidates own one term */
#define PROMISE_PATIENCE_MS 300
#define BEAT_PATIENCE_MS 1000
#define SNAPSHOT_INTERVAL_MS 1000

static uint64_t term_above(uint64_t term, uint32_t nodeid)
{
	return ((term >> TERM_SHIFT) + 1) << TERM_SHIFT | (nodeid & (TERM_ALONE - 1));
}

/* Ends what this host was doing for an older term, and remembers which `off` may still arrive. */
void helpers_end(struct core *core)
{
	for (size_t i = 0; i < core->n_hosts; i++) {
		if (!core->hosts[i].fence_op)
			continue;
		core->hosts[i].fence_op = 0;
		core->hosts[i].late_until_ms = core->now_ms + core->settings.late_effect_ms;
		core->own_late_offs |= UINT32_C(1) << i;
	}
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];

		if (inst->job == JOB_STARTING)
			inst->job = JOB_NONE;
		inst->job_op = 0;
		inst->inspect_op = 0;
		inst->stop_op = 0;
	}
	action_add(core, ACT_END_HELPERS);
}

/* This member no longer counts, and acts no more, until it has a snapshot. */
void member_unsync(struct core *core, const char *why)
{
	bool told = core->synced;

	/* What was decided in this very step is not sent: this member has lost the right to decide. */
	core->n_staged = 0;
	core->n_staged_notes = 0;
	core->staged_strong = false;
	core->was_synced = false;
	/* Who left in order may have come back where this one does not see it, and may run guests by the time that it counts again. */
	for (size_t i = 0; i < core->n_hosts; i++)
		core->hosts[i].said_leave = core->hosts[i].left_guests = false;
	if (core->role == ROLE_FOLLOWER && !core->synced)
		return;
	if (core->coordinator == core->settings.self)
		core->coordinator = 0;
	core->role = ROLE_FOLLOWER;
	core->synced = false;
	core->provisional = false;
	core->commit = 0;
	core->beat_now = true;
	helpers_end(core);
	if (told)
		note_local(core, "unsynced", NOTE_WARNING, NULL, NULL,
			   "This host takes no part in decisions until it has a snapshot: %s", why);
}

static bool coordinator_is_alive(const struct core *core)
{
	int slot = host_slot(core, core->coordinator);

	if (core->coordinator == core->settings.self)
		return core->role != ROLE_FOLLOWER;
	return slot >= 0 && core->hosts[slot].daemon && core->hosts[slot].present &&
		core->now_ms - core->coordinator_heard_ms < core->settings.coordinator_timeout_ms;
}

/* This member's turn among those who may coordinate: 0 is first; -1 when it may not or does not know yet. */
static int candidate_rank(const struct core *core, uint64_t *wait_until_ms)
{
	bool any_synced = false;
	int rank = 0;

	*wait_until_ms = 0;
	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		/* The group is told after the quorum: the coordinator may be there, and not seen yet. */
		if (host->present && !host->daemon && core->now_ms < core->quorum_changed_ms + BEAT_PATIENCE_MS)
			deadline_min(core, wait_until_ms, core->quorum_changed_ms + BEAT_PATIENCE_MS);
		if (!host->present || !host->daemon || (int)i == core->self)
			continue;
		if (!host->beat_known && core->now_ms < host->joined_ms + BEAT_PATIENCE_MS)
			deadline_min(core, wait_until_ms, host->joined_ms + BEAT_PATIENCE_MS);
		if (host->beat_known && host->beat_synced && host->config.nodeid != core->coordinator)
			any_synced = true;
	}
	if (*wait_until_ms)
		return -1;
	if (any_synced && !core->synced)
		return -1;
	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		if (!host->present || !host->daemon || !host->beat_known || !host->beat_store_ok)
			continue;
		if (host->config.nodeid >= core->settings.self || host->config.nodeid == core->coordinator)
			continue;
		if (core->synced && !host->beat_synced)
			continue;
		rank++;
	}
	return rank;
}

static void candidate_begin(struct core *core)
{
	uint64_t highest = core->promised;
	/* Who stands again, because the other did not answer, has still what it had when it stood first. */
	bool was_synced = core->synced ||
		(core->was_synced && (core->promised & (TERM_ALONE - 1)) == (core->settings.self & (TERM_ALONE - 1)));

	for (size_t i = 0; i < core->n_hosts; i++) {
		struct host *host = &core->hosts[i];

		if (host->beat_known && host->beat_promised > highest)
			highest = host->beat_promised;
		host->promised = false;
		host->acked = 0;
	}
	for (size_t i = 0; core->two_node && core->synced && i < core->n_instances; i++)
		core->instances[i].kept = place_committed(core, &core->instances[i]);
	core->n_staged = 0;
	core->n_staged_notes = 0;
	core->staged_strong = false;
	helpers_end(core);
	core->role = ROLE_CANDIDATE;
	core->was_synced = was_synced;
	core->synced = false;
	core->provisional = false;
	core->commit = 0;
	core->promised = term_above(highest, core->settings.self);
	core->coordinator = core->settings.self;
	core->election_ms = core->now_ms;
	core->no_coordinator_since_ms = 0;
	persist_begin(core, 0, true, false, 0, NULL, 0, NULL);
	message_send(core, MSG_PREPARE)->term = core->promised;
}

void term_elect(struct core *core)
{
	uint64_t wait_ms;
	int rank;

	if (!core->group_up || !core->quorate || !core->loaded || !core->store_ok || core->leaving)
		return;
	if (core->self < 0 || !core->hosts[core->self].present || !core->hosts[core->self].daemon)
		return;
	if (core->role == ROLE_CANDIDATE &&
	    core->now_ms >= core->election_ms + 2 * core->settings.coordinator_timeout_ms)
		core->role = ROLE_FOLLOWER; /* somebody did not answer: stand again, if it is still our turn */
	if (core->role != ROLE_FOLLOWER || coordinator_is_alive(core)) {
		core->no_coordinator_since_ms = 0;
		return;
	}
	if (!core->no_coordinator_since_ms)
		core->no_coordinator_since_ms = core->now_ms;
	rank = candidate_rank(core, &wait_ms);
	if (rank < 0)
		return;
	if (core->now_ms >= core->no_coordinator_since_ms +
	    (uint64_t)rank * core->settings.coordinator_timeout_ms / 2)
		candidate_begin(core);
}

void term_prepare_receive(struct core *core, const struct core_message *msg)
{
	if (msg->from == core->settings.self || msg->term <= core->promised)
		return;
	if (!core->loaded || !core->store_ok || !core->quorate)
		return;
	if (core->coordinator == core->settings.self && core->role != ROLE_FOLLOWER)
		core->beat_now = true;
	core->n_staged = 0;
	core->n_staged_notes = 0;
	core->staged_strong = false;
	helpers_end(core);
	for (size_t i = 0; i < core->n_hosts; i++)
		core->hosts[i].acked = 0;
	core->role = ROLE_FOLLOWER;
	core->promised = msg->term;
	core->synced = false;
	core->provisional = false;
	core->commit = 0;
	core->coordinator = msg->from;
	core->coordinator_heard_ms = core->now_ms;
	core->no_coordinator_since_ms = 0;
	persist_begin(core, 0, true, false, 0, NULL, 0, NULL);
}

void term_promise_send(struct core *core)
{
	struct core_message *msg;

	msg = message_send(core, MSG_PROMISE);
	msg->term = core->promised;
	msg->facts_term = core->facts_term;
	msg->blank = !core->stored_facts_term;
	for (size_t i = 0; i < core->n_hosts; i++)
		if (core->own_late_offs & UINT32_C(1) << i)
			msg->late_offs[msg->n_late_offs++] = core->hosts[i].config.nodeid;
	core->own_late_offs = 0;
	if (core->role == ROLE_CANDIDATE)
		return; /* its own facts are in its tables already */
	msg->n_facts = facts_all(core, true, &msg->facts);
}

/* Who is missing, for a cluster in which nobody can be outvoted: names, as far as they fit. */
static void missing_list(const struct core *core, char buf[CORE_TEXT_SIZE])
{
	buf[0] = '\0';
	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];
		size_t used = strlen(buf);

		if (host->configured && !host->promised && !host->fact.forgotten)
			snprintf(buf + used, CORE_TEXT_SIZE - used, "%s%s", used ? ", " : "", host->config.name);
	}
}

/*
 * A store that begins empty has forgotten what it promised and acknowledged: its promise is none, unless all configured hosts
 * have promised, so that nobody knows more. So a new cluster begins when all its hosts are there: two new stores out of three
 * may as well be an old cluster's, whose third host knows of instances that are to be recovered.
 */
static bool promises_suffice(struct core *core, bool *ret_all)
{
	char missing[CORE_TEXT_SIZE], waits_for[CORE_TEXT_SIZE];

	uint32_t total = 0, votes = 0, blank = 0;
	bool all_present = true, all_configured = true;

	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		if (!host->configured)
			continue;
		total += host->config.votes;
		if (host->promised) {
			votes += host->config.votes;
			blank += host->promised_blank ? host->config.votes : 0;
			continue;
		}
		if (!host->fact.forgotten)
			all_configured = false;
		if (host->present && host->daemon && host->beat_known && host->beat_store_ok)
			all_present = false;
	}
	*ret_all = all_present;
	if (core->two_node)
		return core->hosts[core->self].promised && all_present &&
			(all_configured || core->was_synced);
	if (votes * 2 <= total)
		return false;
	if ((votes - blank) * 2 > total || all_configured)
		return true;
	/* Promises that are on their way are not missing. */
	if (core->now_ms < core->election_ms + core->settings.coordinator_timeout_ms)
		return false;
	missing_list(core, missing);
	text_format(waits_for, sizeof(waits_for),
		    "stores that begin empty have no vote, and the others that are here are no majority: bring more hosts back. A new cluster begins when all its hosts are here; missing: %.100s",
		    missing);
	if (strcmp(core->waits_for, waits_for))
		note_local(core, "unsynced", NOTE_ALERT, NULL, NULL, "Nobody coordinates: %s", waits_for);
	text_copy(core->waits_for, sizeof(core->waits_for), waits_for);
	return false;
}

static void term_open(struct core *core)
{
	struct core_message *msg;
	const struct fact_ref *facts;
	size_t n_facts;

	core->role = ROLE_OPENING;
	core->synced = true;
	core->waits_for[0] = '\0';
	core->seq = 1;
	core->counter = 0;
	core->strong_seq = core->alone_seq = 0;
	if (core->two_node) {
		for (size_t i = 0; i < core->n_hosts; i++)
			if (core->hosts[i].configured && !core->hosts[i].promised &&
			    !host_cannot_decide(&core->hosts[i]))
				core->provisional = true;
	}
	/* Alone of two and nothing proven: should the other side win, these facts must not outrank its own. */
	if (!core->provisional)
		core->facts_term = core->promised;
	for (size_t i = 0; i < core->n_hosts; i++)
		core->hosts[i].fact_seq = 1;
	/* Opened alone, it commits nothing that was not committed before. */
	for (size_t i = 0; i < core->n_instances; i++)
		core->instances[i].place_seq = core->provisional && !core->instances[i].kept ? UNCOMMITTED : 1;
	n_facts = facts_all(core, core->provisional, &facts);
	/* Nobody else is to take a provisional state for its own, not even one that joins before the message is sent. */
	if (!core->provisional) {
		msg = message_send(core, MSG_RECORD);
		msg->term = core->promised;
		msg->seq = 1;
		msg->replace = true;
		msg->n_facts = n_facts;
		msg->facts = facts;
	}
	persist_begin(core, 1, false, true, n_facts, facts, 0, NULL);
}

/* Opens the term when enough promises are in; called after each step. */
bool candidate_can_open(struct core *core)
{
	bool all;

	if (core->role != ROLE_CANDIDATE || !promises_suffice(core, &all))
		return false;
	/* Those who answer a little later than the majority are spared a snapshot of their own. */
	if (!all && core->now_ms < core->election_ms + PROMISE_PATIENCE_MS)
		return false;
	term_open(core);
	return true;
}

void term_promise_receive(struct core *core, const struct core_message *msg)
{
	int slot = host_slot(core, msg->from);

	if (core->role != ROLE_CANDIDATE || msg->term != core->promised || slot < 0)
		return;
	core->hosts[slot].promised = true;
	core->hosts[slot].promised_blank = msg->blank;
	for (size_t i = 0; i < msg->n_late_offs; i++) {
		int late = host_slot(core, msg->late_offs[i]);

		if (late >= 0)
			core->hosts[late].late_until_ms =
				core->now_ms + core->settings.late_effect_ms;
	}
	if (msg->from == core->settings.self || msg->facts_term < core->facts_term)
		return;
	if (msg->facts_term > core->facts_term) {
		facts_clear(core);
		core->facts_term = msg->facts_term;
	}
	for (size_t i = 0; i < msg->n_facts; i++)
		if (fact_is_newer(core, &msg->facts[i]))
			fact_apply(core, &msg->facts[i], 0);
}

static bool host_is_in_open_incident(struct core *core, const struct host *host)
{
	const struct incident_fact *incident = incident_find(core, host->fact.incident);

	return incident && incident->state != INCIDENT_CLOSED;
}

/* The opening record is committed: this member decides from now on. */
void term_opened(struct core *core)
{
	core->role = ROLE_ACTIVE;
	core->active_since_ms = core->now_ms;
	core->report_due = true;
	core->beat_now = true;
	for (size_t i = 0; i < core->n_hosts; i++) {
		struct host *host = &core->hosts[i];

		host->fence_op = 0;
		host->fence_level = 1;
		host->fence_again_ms = 0;
		host->fence_backoff_ms = 0;
		host->fence_begun = false;
		host->fence_asked = host->fence_heard = false;
		/* Lost before this member was here, and not over: for the brake that is now. */
		if ((host->fact.state == HOST_DEAD || host->fact.state == HOST_QUARANTINED) && !host->failed_ms &&
		    host_is_in_open_incident(core, host))
			host->failed_ms = core->now_ms;
		/* An intent of an earlier term: its `off` may be under way from a host that cannot say so. */
		if (host->fact.fence_intent && host->late_until_ms < core->now_ms)
			host->late_until_ms = core->now_ms + core->settings.late_effect_ms;
	}
	if (core->two_node)
		instances_mend(core);
	note_stage(core, "coordinator", NOTE_INFO, NULL, &core->hosts[core->self], NULL,
		   "%s coordinates term %llu", core->hosts[core->self].config.name,
		   (unsigned long long)(core->promised >> TERM_SHIFT));
}

void term_beat_send(struct core *core)
{
	struct core_message *msg = message_send(core, MSG_BEAT);

	msg->term = core->promised;
	msg->promised = core->promised;
	msg->coordinator = core->coordinator == core->settings.self &&
		(core->role == ROLE_OPENING || core->role == ROLE_ACTIVE);
	msg->synced = core->synced;
	msg->store_ok = core->loaded && core->store_ok;
	msg->facts_term = core->facts_term;
	msg->blank = core->loaded && !core->stored_facts_term;
	msg->seq = core->self >= 0 ? core->hosts[core->self].acked : 0;
	msg->commit = core->commit;
	if (core->role == ROLE_ACTIVE)
		msg->fencing = fencing_mask(core);
}

void term_beat_receive(struct core *core, const struct core_message *msg)
{
	int slot = host_slot(core, msg->from);
	struct host *host;

	if (slot < 0)
		return;
	host = &core->hosts[slot];
	if (msg->blank && (!host->beat_known || !host->beat_blank))
		for (size_t i = 0; i < core->n_hosts; i++)
			core->hosts[i].beat_since_empty = false;
	host->beat_known = true;
	host->beat_synced = msg->synced;
	host->beat_store_ok = msg->store_ok;
	host->beat_blank = msg->blank;
	host->beat_since_empty = !msg->blank && msg->synced && msg->term == core->promised;
	host->beat_term = msg->term;
	host->beat_promised = msg->promised;
	if (msg->from == core->settings.self) {
		fencing_heard(core, msg);
		return;
	}
	if (msg->synced)
		ack_receive(core, msg);
	if (msg->coordinator && msg->term >= core->promised && core->role == ROLE_FOLLOWER) {
		core->coordinator = msg->from;
		core->coordinator_heard_ms = core->now_ms;
	}
	/* It could not promise when it was asked: its store was still being read, or its quorum came a moment later. */
	if (core->role == ROLE_CANDIDATE && msg->store_ok && msg->promised < core->promised && !host->promised)
		message_send(core, MSG_PREPARE)->term = core->promised;
	/*
	 * A newcomer has promised more than this term: open a higher one. Or this term was opened alone of two, on what may
	 * be the older facts: who comes back has not to take them, the two are merged.
	 */
	if (((core->role == ROLE_ACTIVE || core->role == ROLE_OPENING) && msg->promised > core->promised) ||
	    (core->role != ROLE_FOLLOWER && core->provisional && msg->store_ok))
		candidate_begin(core);
}

/*
 * A store that begins empty may have promised, and acknowledged, a higher term before: with what is told to it here it would be one of a
 * majority for a term that is over. As long as a majority without it follows this term, there is no such one.
 */
static bool term_is_held(const struct core *core)
{
	uint32_t total = 0, votes = 0;

	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		if (!host->configured)
			continue;
		total += host->config.votes;
		if ((int)i == core->self || (host->present && host->daemon && host->beat_known &&
						host->beat_since_empty && host->beat_term == core->promised))
			votes += host->config.votes;
	}
	return core->two_node || votes * 2 > total;
}

static void empty_store_tell(struct core *core, struct host *host)
{
	uint64_t patience_ms = core->settings.coordinator_timeout_ms;

	/* The others may not have spoken in this term yet. */
	if (host->blank_told || core->role != ROLE_ACTIVE || core->now_ms < core->active_since_ms + patience_ms ||
	    core->now_ms < host->joined_ms + patience_ms)
		return;
	host->blank_told = true;
	note_local(core, "store-empty", NOTE_ALERT, host, NULL, "%s begins with an empty store, and has no vote before the stores of a "
		   "majority are here without it: bring more hosts back", host->config.name);
}

void term_snapshots_send(struct core *core)
{
	if (core->provisional)
		return; /* see term_beat_receive() */
	for (size_t i = 0; i < core->n_hosts; i++) {
		struct host *host = &core->hosts[i];
		struct core_message *msg;

		if ((int)i == core->self || !host->present || !host->daemon || !host->beat_known)
			continue;
		if (!host->beat_store_ok || (host->beat_synced && host->beat_term == core->promised))
			continue;
		if (host->snapshot_ms && core->now_ms < host->snapshot_ms + SNAPSHOT_INTERVAL_MS)
			continue;
		if (host->beat_blank && !term_is_held(core)) {
			empty_store_tell(core, host);
			continue;
		}
		record_flush(core);
		host->snapshot_ms = core->now_ms;
		msg = message_send(core, MSG_SNAPSHOT);
		msg->term = core->promised;
		msg->seq = core->seq;
		msg->to = host->config.nodeid;
		msg->n_facts = facts_all(core, true, &msg->facts);
		return; /* one in a step; the next beat brings the next */
	}
}

uint64_t term_deadline(const struct core *core)
{
	uint64_t deadline_ms = 0, wait_ms;
	int rank;

	deadline_min(core, &deadline_ms, core->beat_due_ms);
	if (core->role == ROLE_CANDIDATE)
		deadline_min(core, &deadline_ms, core->now_ms < core->election_ms + PROMISE_PATIENCE_MS ?
			     core->election_ms + PROMISE_PATIENCE_MS : core->now_ms + 100);
	if (core->role == ROLE_FOLLOWER && core->no_coordinator_since_ms && core->self >= 0) {
		rank = candidate_rank(core, &wait_ms);
		if (wait_ms)
			deadline_min(core, &deadline_ms, wait_ms);
		else if (rank >= 0)
			deadline_min(core, &deadline_ms, core->no_coordinator_since_ms + (uint64_t)rank *
				     core->settings.coordinator_timeout_ms / 2);
	}
	if (core->role == ROLE_FOLLOWER && core->coordinator)
		deadline_min(core, &deadline_ms, core->coordinator_heard_ms +
			     core->settings.coordinator_timeout_ms);
	return deadline_ms;
}
