/*
 * Records: a batch of facts with its reasons. The coordinator writes it to its own store and multicasts it at the same
 * time; whoever has it on disk acknowledges it; it is committed when the acknowledging hosts hold a strict majority
 * of the configured votes. Every member counts for itself: an acknowledgement is true wherever it is read.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"

static void fact_stage(struct core *core, enum fact_kind kind, struct fact_version *version,
		       const void *fact)
{
	assert(core->role == ROLE_ACTIVE);
	version->term = core->promised;
	version->counter = ++core->counter;
	for (size_t i = 0; i < core->n_staged; i++)
		if (core->staged[i].fact == fact)
			return; /* the record carries the fact as it is when the step ends */
	assert(core->n_staged < CORE_REFS_MAX);
	core->staged[core->n_staged].kind = kind;
	core->staged[core->n_staged++].fact = fact;
}

void stage_cluster(struct core *core)
{
	fact_stage(core, FACT_CLUSTER, &core->cluster.version, &core->cluster);
}

void stage_host(struct core *core, struct host *host)
{
	host->fact.nodeid = host->config.nodeid;
	text_copy(host->fact.name, sizeof(host->fact.name), host->config.name);
	host->fact_seq = core->seq + 1;
	if (host->fact.state == HOST_ADMITTED || host->fact.state == HOST_LEFT)
		host->failed_ms = 0;
	fact_stage(core, FACT_HOST, &host->fact.version, &host->fact);
}

void stage_spec(struct core *core, struct instance *inst)
{
	core->staged_strong = true;
	fact_stage(core, FACT_SPEC, &inst->spec.version, &inst->spec);
}

void stage_place(struct core *core, struct instance *inst)
{
	core->staged_strong = true;
	inst->has_place = true;
	inst->place_seq = core->seq + 1;
	fact_stage(core, FACT_PLACE, &inst->place.version, &inst->place);
}

void stage_incident(struct core *core, struct incident_fact *incident)
{
	fact_stage(core, FACT_INCIDENT, &incident->version, incident);
}

__attribute__((format(printf, 7, 0)))
static struct note *note_make(struct core *core, const char *kind, enum note_severity severity,
			      const char *incident, const struct host *host,
			      const struct instance *inst, const char *format, va_list args)
{
	struct note *note;

	assert(core->n_notes < CORE_NOTES_MAX);
	note = &core->notes[core->n_notes++];
	memset(note, 0, sizeof(*note));
	note->kind = kind;
	note->severity = severity;
	note->at_ms = core->now_ms;
	text_copy(note->incident, sizeof(note->incident), incident ? incident : "");
	if (host)
		text_copy(note->host, sizeof(note->host), host->config.name);
	if (inst) {
		text_copy(note->instance, sizeof(note->instance), inst->spec.name);
		text_copy(note->uuid, sizeof(note->uuid), inst->spec.uuid);
	}
	vsnprintf(note->text, sizeof(note->text), format, args);
	return note;
}

struct note *note_stage(struct core *core, const char *kind, enum note_severity severity,
			const char *incident, const struct host *host, const struct instance *inst,
			const char *format, ...)
{
	struct note *note;
	va_list args;

	va_start(args, format);
	note = note_make(core, kind, severity, incident, host, inst, format, args);
	va_end(args);
	/* Notes of one record lie side by side: local ones are made only outside of the coordinator's decisions. */
	if (!core->n_staged_notes)
		core->staged_notes = note;
	assert(&core->staged_notes[core->n_staged_notes] == note);
	note->term = core->promised;
	note->seq = core->seq + 1;
	note->n = (uint32_t)core->n_staged_notes++;
	return note;
}

void note_local(struct core *core, const char *kind, enum note_severity severity,
		const struct host *host, const struct instance *inst, const char *format, ...)
{
	struct note *note;
	va_list args;

	record_flush(core);
	va_start(args, format);
	note = note_make(core, kind, severity, NULL, host, inst, format, args);
	va_end(args);
	action_add(core, ACT_NOTE)->note = note;
	if (core->loaded)
		persist_begin(core, 0, false, false, 0, NULL, 1, note);
}

uint64_t persist_begin(struct core *core, uint64_t seq, bool promise, bool replace,
		       size_t n_facts, const struct fact_ref *facts,
		       size_t n_notes, const struct note *notes)
{
	struct core_action *act = action_add(core, ACT_PERSIST);
	struct persist *entry;

	act->persist.id = ++core->next_persist;
	act->persist.promised = core->promised;
	if (replace)
		core->stored_facts_term = core->facts_term;
	act->persist.facts_term = core->stored_facts_term;
	act->persist.replace = replace;
	act->persist.n_facts = n_facts;
	act->persist.facts = facts;
	act->persist.n_notes = n_notes;
	act->persist.notes = notes;
	act->persist.term = seq ? core->promised : 0;
	act->persist.seq = seq;
	if (core->n_persists == CORE_PERSISTS_MAX) {
		/* The disk is thousands of writes behind: this one will not be acknowledged. */
		core->store_ok = false;
		return act->persist.id;
	}
	entry = &core->persists[(core->persist_head + core->n_persists++) % CORE_PERSISTS_MAX];
	entry->id = act->persist.id;
	entry->since_ms = core->now_ms;
	entry->term = core->promised;
	entry->seq = seq;
	entry->promise = promise;
	return entry->id;
}

void persist_done(struct core *core, uint64_t id)
{
	uint64_t acked = 0;
	bool promise = false;

	while (core->n_persists) {
		const struct persist *entry = &core->persists[core->persist_head];

		if (entry->id > id)
			break;
		if (entry->term == core->promised) {
			acked = entry->seq > acked ? entry->seq : acked;
			promise |= entry->promise;
		}
		core->persist_head = (core->persist_head + 1) % CORE_PERSISTS_MAX;
		core->n_persists--;
	}
	if (!core->n_persists && !core->store_ok && core->loaded) {
		core->store_ok = true;
		core->beat_now = true;
	}
	if (promise)
		term_promise_send(core);
	if (acked && core->synced && core->self >= 0 && acked > core->hosts[core->self].acked) {
		struct core_message *msg = message_send(core, MSG_ACK);

		core->hosts[core->self].acked = acked;
		msg->term = core->promised;
		msg->seq = acked;
	}
}

void record_flush(struct core *core)
{
	struct core_message *msg;

	if (core->two_node)
		alone_outrank(core);
	if (!core->n_staged && !core->n_staged_notes)
		return;
	assert(core->role == ROLE_ACTIVE);
	core->seq++;
	if (core->staged_strong && !core->strong_seq)
		core->strong_seq = core->seq;
	assert(core->n_refs + core->n_staged <= sizeof(core->refs) / sizeof(core->refs[0]));
	memcpy(&core->refs[core->n_refs], core->staged, sizeof(core->staged[0]) * core->n_staged);
	msg = message_send(core, MSG_RECORD);
	msg->term = core->promised;
	msg->seq = core->seq;
	msg->facts = &core->refs[core->n_refs];
	msg->n_facts = core->n_staged;
	msg->notes = core->staged_notes;
	msg->n_notes = core->n_staged_notes;
	core->n_refs += core->n_staged;
	persist_begin(core, core->seq, false, false, msg->n_facts, msg->facts, msg->n_notes, msg->notes);
	for (size_t i = 0; i < core->n_staged_notes; i++)
		action_add(core, ACT_NOTE)->note = &core->staged_notes[i];
	core->n_staged = 0;
	core->n_staged_notes = 0;
	core->staged_notes = NULL;
	core->staged_strong = false;
}

static void record_apply(struct core *core, const struct core_message *msg, bool replace)
{
	if (replace) {
		facts_clear(core);
		core->facts_term = msg->term;
	}
	for (size_t i = 0; i < msg->n_facts; i++)
		fact_apply(core, &msg->facts[i], msg->seq);
	core->seq = msg->seq;
	persist_begin(core, msg->seq, false, replace, msg->n_facts, msg->facts, msg->n_notes, msg->notes);
}

/* A whole state from a coordinator whose term is at least the one promised: this member counts again from here. */
static void state_take(struct core *core, const struct core_message *msg)
{
	if (msg->term > core->promised)
		helpers_end(core);
	core->role = ROLE_FOLLOWER;
	core->promised = msg->term;
	core->coordinator = msg->from;
	core->coordinator_heard_ms = core->now_ms;
	core->no_coordinator_since_ms = 0;
	core->counter = 0;
	core->commit = 0;
	core->strong_seq = 0;
	for (size_t i = 0; i < core->n_hosts; i++)
		core->hosts[i].acked = 0;
	record_apply(core, msg, true);
	core->synced = true;
	core->waits_for[0] = '\0';
	core->report_due = true;
	core->beat_now = true;
}

void record_receive(struct core *core, const struct core_message *msg)
{
	bool whole = msg->type == MSG_SNAPSHOT || msg->replace;

	if (msg->from == core->settings.self || msg->term < core->promised || !core->loaded)
		return;
	if (msg->type == MSG_SNAPSHOT && msg->to != core->settings.self)
		return;
	if (!core->quorate)
		return; /* a minority's view of the world is told again once it is quorate */
	if (whole) {
		if (msg->type == MSG_SNAPSHOT && core->synced && core->promised == msg->term)
			return;
		state_take(core, msg);
		return;
	}
	if (!core->synced || msg->term != core->promised || msg->from != core->coordinator)
		return;
	if (msg->seq != core->seq + 1) {
		member_unsync(core, "a record of the coordinator is missing");
		return;
	}
	core->coordinator_heard_ms = core->now_ms;
	record_apply(core, msg, false);
}

void ack_receive(struct core *core, const struct core_message *msg)
{
	int slot = host_slot(core, msg->from);

	if (slot < 0 || msg->term != core->promised || msg->from == core->settings.self || !core->synced)
		return; /* what was acknowledged before this member counts is told again by each beat */
	/* An acknowledgement follows its record: who has not seen that one has missed it. */
	if (msg->seq > core->seq) {
		member_unsync(core, "a record that others have is missing");
		return;
	}
	if (msg->seq > core->hosts[slot].acked)
		core->hosts[slot].acked = msg->seq;
}

static bool coordinator_is_here(const struct core *core)
{
	int slot = host_slot(core, core->coordinator);

	return slot >= 0 && core->hosts[slot].present && core->hosts[slot].daemon;
}

/*
 * Two hosts alone (two_node): the survivor's store suffices for the intent to fence, and for everything else once the
 * other host is certified: that certificate is part of the record that it commits.
 */
static uint64_t commit_alone(const struct core *core)
{
	uint64_t commit = core->seq;
	bool others_proven = true;

	/* Who does not decide learns what is committed from both disks, or from who does. */
	if (core->role == ROLE_FOLLOWER && !coordinator_is_here(core))
		return core->commit;

	for (size_t i = 0; i < core->n_hosts; i++) {
		const struct host *host = &core->hosts[i];

		if (!host->configured || host->fact.forgotten)
			continue;
		if (host->present && host->daemon) {
			if (host->acked < commit)
				commit = host->acked;
		} else if (!host_cannot_decide(host) || !core->alone_seq ||
			   core->hosts[core->self].acked < core->alone_seq) {
			others_proven = false;
		}
	}
	if (!others_proven && core->strong_seq && commit >= core->strong_seq)
		commit = core->strong_seq - 1;
	return commit;
}

/* Recomputes what is committed; true when it grew. */
bool commit_advance(struct core *core)
{
	uint64_t commit = core->commit;
	uint32_t total = 0;

	if (!core->synced)
		return false;
	for (size_t i = 0; i < core->n_hosts; i++)
		total += core->hosts[i].configured ? core->hosts[i].config.votes : 0;
	for (size_t i = 0; i < core->n_hosts; i++) {
		uint64_t seq = core->hosts[i].acked;
		uint32_t votes = 0;

		if (!core->hosts[i].configured || seq <= commit || seq > core->seq)
			continue;
		for (size_t j = 0; j < core->n_hosts; j++)
			if (core->hosts[j].configured && core->hosts[j].acked >= seq)
				votes += core->hosts[j].config.votes;
		if (votes * 2 > total)
			commit = seq;
	}
	if (core->two_node && core->quorate) {
		uint64_t alone = commit_alone(core);

		commit = alone > commit ? alone : commit;
	}
	if (commit == core->commit)
		return false;
	core->commit = commit;
	if (core->strong_seq && commit >= core->strong_seq)
		core->strong_seq = 0;
	return true;
}

bool host_committed(const struct core *core, const struct host *host)
{
	return core->commit && host->fact_seq <= core->commit;
}

/*
 * The intent to fence the other of two: with that one away this host's own disk suffices. What is more than an intent may lie
 * before it in the same term, and waits for what the fencing proves.
 */
bool intent_committed(const struct core *core, const struct host *host)
{
	return host_committed(core, host) ||
		(host->of_two && core->commit && !host->present && !host->daemon && core->self >= 0 &&
		 core->hosts[core->self].acked >= host->fact_seq);
}

bool place_committed(const struct core *core, const struct instance *inst)
{
	return core->commit && inst->has_place && inst->place_seq <= core->commit;
}
