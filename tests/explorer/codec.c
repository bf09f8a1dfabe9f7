/* Cores, facts and messages as bytes: one walk over each struct both writes and reads, so that the two cannot differ. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/core/state.h"
#include "tests/explorer/codec.h"

struct pool strings, facts, messages, cores, writes;
uint8_t codec_poison;

static struct spec_fact specs[GUESTS_MAX];
static size_t n_guests;

struct codec {
	bool write;
	bool in_core;           /* times in facts mean something: this core wrote them itself */
	uint64_t now_ms;        /* of the core that is written; what is read begins at NOW_MS */
	const uint8_t *from;
	size_t at;
	uint8_t to[16384];
};

static struct codec shared; /* too large for the stack of every call; never used by two walks at once */

/* --- the smallest parts --- */

static void num(struct codec *c, uint64_t *value)
{
	uint64_t v = *value;
	unsigned int shift = 0;

	if (c->write) {
		assert(c->at + 10 < sizeof(c->to));
		for (; v >= 128; v >>= 7)
			c->to[c->at++] = (uint8_t)(v | 128);
		c->to[c->at++] = (uint8_t)v;
		return;
	}
	for (v = 0; c->from[c->at] & 128; shift += 7)
		v |= (uint64_t)(c->from[c->at++] & 127) << shift;
	*value = v | (uint64_t)c->from[c->at++] << shift;
}

#define N(field) do { \
	uint64_t number_ = (uint64_t)(field); \
	num(c, &number_); \
	(field) = (__typeof__(field))number_; \
} while (0)

/* An age, as far as cap_ms; what lies ahead is kept whole. 0 is never. */
static void time_walk(struct codec *c, uint64_t *at_ms, uint64_t cap_ms)
{
	uint64_t v = 0;

	if (c->write && *at_ms > c->now_ms)
		v = (*at_ms - c->now_ms) * 2;
	else if (c->write && *at_ms)
		v = (c->now_ms - *at_ms > cap_ms ? cap_ms : c->now_ms - *at_ms) * 2 + 1;
	num(c, &v);
	*at_ms = !v ? 0 : v & 1 ? NOW_MS - v / 2 : NOW_MS + v / 2;
}

/* An end: when it is past it is as good as never set. */
static void end_walk(struct codec *c, uint64_t *at_ms)
{
	uint64_t v = c->write && *at_ms > c->now_ms ? *at_ms - c->now_ms : 0;

	num(c, &v);
	*at_ms = v ? NOW_MS + v : 0;
}

static void text_walk(struct codec *c, char *text, size_t size)
{
	uint64_t v = c->write && text[0] ? string_put(text) : 0;

	num(c, &v);
	if (!c->write)
		text_copy(text, size, v ? string_get((uint32_t)v) : "");
}

#define TEXT(field) text_walk(c, field, sizeof(field))
#define AGE(field, cap_ms) time_walk(c, &(field), cap_ms)
#define END(field) end_walk(c, &(field))
/* A field that nothing reads as long as the condition does not hold. */
#define ONLY(condition, field, walk) do { \
	if (condition) \
		walk; \
	else \
		(field) = 0; \
} while (0)

uint32_t string_put(const char *text)
{
	return pool_put(&strings, text, strlen(text) + 1, NULL);
}

const char *string_get(uint32_t number)
{
	size_t n;

	return (const char *)pool_get(&strings, number, &n);
}

/* --- guests and operations --- */

void codec_init(size_t guests)
{
	n_guests = guests;
	for (size_t g = 0; g < guests; g++) {
		struct spec_fact *spec = &specs[g];

		memset(spec, 0, sizeof(*spec));
		snprintf(spec->uuid, sizeof(spec->uuid), "00000000-0000-4000-8000-00000000000%u", (unsigned int)(g + 1) % 10);
		snprintf(spec->name, sizeof(spec->name), "vm%zu", g + 1);
		snprintf(spec->def_hash, sizeof(spec->def_hash), "hash%zu", g + 1);
		spec->protected = true;
		spec->memory_mib = 64;
		spec->n_disks = 1;
		snprintf(spec->disks[0].id, sizeof(spec->disks[0].id), "file:place:%s.img", spec->name);
		spec->disks[0].writable = true;
	}
}

void codec_free(void)
{
	pool_free(&strings);
	pool_free(&facts);
	pool_free(&messages);
	pool_free(&cores);
	pool_free(&writes);
}

void guest_spec(size_t guest, struct spec_fact *spec)
{
	*spec = specs[guest];
}

size_t guest_of(const char *uuid)
{
	return (size_t)(uuid[35] - '1');
}

uint64_t op_fence(size_t target)
{
	return 1 + target;
}

uint64_t op_start(size_t guest)
{
	return 10 + guest;
}

uint64_t op_inspect(size_t guest)
{
	return 20 + guest;
}

uint64_t op_stop(size_t guest)
{
	return 30 + guest;
}

static void op_walk(struct codec *c, uint64_t *op, uint64_t canonical)
{
	uint64_t v = *op != 0;

	num(c, &v);
	*op = v ? canonical : 0;
}

static void uuid_walk(struct codec *c, char *uuid)
{
	uint64_t v = c->write && uuid[0] ? guest_of(uuid) + 1 : 0;

	num(c, &v);
	if (!c->write)
		text_copy(uuid, CORE_UUID_SIZE, v ? specs[v - 1].uuid : "");
}

/* --- facts --- */

static void version_walk(struct codec *c, struct fact_version *version)
{
	N(version->term);
	N(version->counter);
}

static void cluster_walk(struct codec *c, struct cluster_fact *fact)
{
	version_walk(c, &fact->version);
	N(fact->frozen);
	N(fact->brake);
	TEXT(fact->brake_reason);
}

static void certificate_walk(struct codec *c, struct certificate *cert)
{
	N(cert->method);
	if (cert->method == PROOF_NONE && !c->write)
		memset(cert, 0, sizeof(*cert));
	if (cert->method == PROOF_NONE)
		return;
	N(cert->epoch);
	TEXT(cert->device);
	TEXT(cert->boot_id);
	TEXT(cert->detail);
	/* Elsewhere it is a number of another host's clock, and long ago at the best. */
	ONLY(c->in_core && cert->method == PROOF_NEW_BOOT, cert->confirmed_ms, AGE(cert->confirmed_ms, 5000));
}

static void host_fact_walk(struct codec *c, struct host_fact *fact)
{
	version_walk(c, &fact->version);
	N(fact->nodeid);
	if (!c->write)
		text_format(fact->name, sizeof(fact->name), "h%u", fact->nodeid);
	if (!fact->nodeid)
		fact->name[0] = '\0';
	N(fact->state);
	N(fact->epoch);
	TEXT(fact->boot_id);
	N(fact->maintenance);
	N(fact->forgotten);
	N(fact->released);
	N(fact->fence_intent);
	TEXT(fact->incident);
	TEXT(fact->nonce);
	TEXT(fact->nonce_before);
	certificate_walk(c, &fact->certificate);
}

/* What an instance is never changes here: either it is known, or no more than its uuid. */
static void spec_walk(struct codec *c, struct spec_fact *spec)
{
	uint64_t known = c->write && spec->def_hash[0];
	char uuid[CORE_UUID_SIZE] = "";

	if (c->write)
		text_copy(uuid, sizeof(uuid), spec->uuid);
	uuid_walk(c, uuid);
	num(c, &known);
	if (!c->write && known)
		*spec = specs[guest_of(uuid)];
	else if (!c->write)
		memset(spec, 0, sizeof(*spec));
	text_copy(spec->uuid, sizeof(spec->uuid), uuid);
	version_walk(c, &spec->version);
	N(spec->deleted);
}

static void place_walk(struct codec *c, struct place_fact *place)
{
	version_walk(c, &place->version);
	uuid_walk(c, place->uuid);
	N(place->owner);
	N(place->joint);
	N(place->home);
	N(place->released);
	N(place->generation);
	N(place->wish);
	N(place->phase);
	N(place->owner_epoch);
	N(place->attempts);
	N(place->accept_loss);
	N(place->by_hand);
	TEXT(place->incident);
	TEXT(place->reason);
	TEXT(place->failure);
}

/* Its times are for people only. */
static void incident_walk(struct codec *c, struct incident_fact *incident)
{
	if (!c->write)
		memset(incident, 0, sizeof(*incident));
	version_walk(c, &incident->version);
	TEXT(incident->id);
	N(incident->host);
	N(incident->epoch);
	N(incident->state);
	N(incident->proof);
	N(incident->total);
	N(incident->running);
	N(incident->held);
	TEXT(incident->reason);
}

static void fact_walk(struct codec *c, enum fact_kind kind, struct fact_store *fact)
{
	switch (kind) {
	case FACT_CLUSTER:
		cluster_walk(c, &fact->as.cluster);
		break;
	case FACT_HOST:
		host_fact_walk(c, &fact->as.host);
		break;
	case FACT_SPEC:
		spec_walk(c, &fact->as.spec);
		break;
	case FACT_PLACE:
		place_walk(c, &fact->as.place);
		break;
	case FACT_INCIDENT:
		incident_walk(c, &fact->as.incident);
		break;
	case FACT_KINDS:
		break;
	}
}

static size_t fact_size(enum fact_kind kind)
{
	static const size_t sizes[] = {
		[FACT_CLUSTER] = sizeof(struct cluster_fact), [FACT_HOST] = sizeof(struct host_fact),
		[FACT_SPEC] = sizeof(struct spec_fact), [FACT_PLACE] = sizeof(struct place_fact),
		[FACT_INCIDENT] = sizeof(struct incident_fact),
	};

	return sizes[kind];
}

uint32_t fact_put(const struct fact_ref *ref)
{
	static struct codec own;
	struct codec *c = &own;
	struct fact_store copy;
	uint64_t kind = ref->kind;

	/* The walk may tidy what it walks over: never the core's own table. */
	memcpy(&copy, ref->fact, fact_size(ref->kind));
	c->write = true;
	c->at = 0;
	num(c, &kind);
	fact_walk(c, ref->kind, &copy);
	return pool_put(&facts, c->to, c->at, NULL);
}

void fact_get(uint32_t number, struct fact_ref *ret, struct fact_store *space)
{
	static struct codec own;
	struct codec *c = &own;
	uint64_t kind;
	size_t n;

	c->from = pool_get(&facts, number, &n);
	c->at = 0;
	num(c, &kind);
	ret->kind = (enum fact_kind)kind;
	ret->fact = space;
	memset(space, codec_poison, sizeof(*space));
	fact_walk(c, ret->kind, space);
}

/* --- messages --- */

static void host_report_walk(struct codec *c, struct host_report *report)
{
	TEXT(report->boot_id);
	N(report->gate_loaded);
	N(report->libvirt_ok);
	N(report->reported);
	N(report->stale_qemu);
	N(report->shutting_down);
	N(report->free_mib);
	TEXT(report->nonce);
	TEXT(report->config_digest);
}

static void report_walk(struct codec *c, struct instance_report *report)
{
	spec_walk(c, &report->spec);
	N(report->state);
	N(report->stop_reason);
	N(report->fresh_event);
	N(report->host_shutting_down);
	N(report->defined);
	N(report->managed_save);
	N(report->undefined);
}

static void facts_list_walk(struct codec *c, struct core_message *msg)
{
	static struct fact_ref refs[FACTS_MAX];
	static struct fact_store space[FACTS_MAX];

	N(msg->n_facts);
	assert(msg->n_facts <= FACTS_MAX);
	for (size_t i = 0; i < msg->n_facts; i++) {
		uint64_t number = c->write ? fact_put(&msg->facts[i]) : 0;

		num(c, &number);
		if (!c->write)
			fact_get((uint32_t)number, &refs[i], &space[i]);
	}
	if (!c->write)
		msg->facts = refs;
}

static void reports_list_walk(struct codec *c, struct core_message *msg)
{
	static struct instance_report reports[GUESTS_MAX];

	N(msg->full);
	N(msg->n_reports);
	assert(msg->n_reports <= GUESTS_MAX);
	for (size_t i = 0; c->write && i < msg->n_reports; i++)
		reports[i] = msg->reports[i];
	for (size_t i = 0; i < msg->n_reports; i++)
		report_walk(c, &reports[i]);
	msg->reports = reports;
}

static void verdicts_list_walk(struct codec *c, struct core_message *msg)
{
	static struct verdict_report verdicts[GUESTS_MAX];

	N(msg->n_verdicts);
	assert(msg->n_verdicts <= GUESTS_MAX);
	for (size_t i = 0; c->write && i < msg->n_verdicts; i++)
		verdicts[i] = msg->verdicts[i];
	for (size_t i = 0; i < msg->n_verdicts; i++) {
		uuid_walk(c, verdicts[i].uuid);
		N(verdicts[i].verdict);
		N(verdicts[i].held);
		TEXT(verdicts[i].reason);
	}
	msg->verdicts = verdicts;
}

static void beat_walk(struct codec *c, struct core_message *msg)
{
	N(msg->term);
	N(msg->promised);
	N(msg->coordinator);
	N(msg->synced);
	N(msg->store_ok);
	N(msg->facts_term);
	N(msg->blank);
	N(msg->seq);
	N(msg->commit);
}

static void promise_walk(struct codec *c, struct core_message *msg)
{
	N(msg->term);
	N(msg->facts_term);
	N(msg->blank);
	N(msg->n_late_offs);
	for (size_t i = 0; i < msg->n_late_offs; i++)
		N(msg->late_offs[i]);
	facts_list_walk(c, msg);
}

static void claim_walk(struct codec *c, struct core_message *msg)
{
	static struct instance_report claim;
	uint64_t has = c->write && msg->claim;

	uuid_walk(c, msg->uuid);
	N(msg->migrate);
	num(c, &has);
	if (c->write && has)
		claim = *msg->claim;
	if (has)
		report_walk(c, &claim);
	msg->claim = has ? &claim : NULL;
}

static void message_walk(struct codec *c, struct core_message *msg)
{
	N(msg->type);
	N(msg->from);
	switch (msg->type) {
	case MSG_BEAT:
		beat_walk(c, msg);
		break;
	case MSG_HOST:
		host_report_walk(c, &msg->host);
		break;
	case MSG_PREPARE:
		N(msg->term);
		break;
	case MSG_PROMISE:
		promise_walk(c, msg);
		break;
	case MSG_RECORD:
	case MSG_SNAPSHOT:
		N(msg->term);
		N(msg->seq);
		N(msg->replace);
		N(msg->to);
		facts_list_walk(c, msg);
		break;
	case MSG_ACK:
		N(msg->term);
		N(msg->seq);
		break;
	case MSG_REPORT:
		reports_list_walk(c, msg);
		break;
	case MSG_VERDICTS:
		verdicts_list_walk(c, msg);
		break;
	case MSG_RESULT:
	case MSG_RELEASED:
		uuid_walk(c, msg->uuid);
		N(msg->generation);
		N(msg->ok);
		N(msg->retry_elsewhere);
		TEXT(msg->text);
		break;
	case MSG_CLAIM:
		claim_walk(c, msg);
		break;
	case MSG_REQUEST:
	case MSG_REPLY:
	case MSG_LEAVE:
	case MSG_TYPES:
		assert(!"a message that this search has");
	}
}

uint32_t message_put(const struct core_message *msg)
{
	static struct core_message copy;
	struct codec *c = &shared;

	copy = *msg;
	c->write = true;
	c->at = 0;
	message_walk(c, &copy);
	return pool_put(&messages, c->to, c->at, NULL);
}

void message_get(uint32_t number, struct core_message *ret)
{
	struct codec *c = &shared;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	c->from = pool_get(&messages, number, &n);
	c->write = false;
	c->at = 0;
	message_walk(c, ret);
}

/* --- the core --- */

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
	N(host->beat_term);
	N(host->beat_promised);
	N(host->report_known);
	host_report_walk(c, &host->report);
	N(host->instances_known);
	N(host->said_leave);
	N(host->left_guests);
	N(host->acked);
	ONLY(candidate, host->promised, N(host->promised));
	ONLY(candidate, host->promised_blank, N(host->promised_blank));
	AGE(host->snapshot_ms, 1000);
	END(host->late_until_ms);
	op_walk(c, &host->fence_op, op_fence(slot));
	/* A new term begins with these as they are at first. */
	ONLY(active, host->failed_ms, AGE(host->failed_ms, 1));
	ONLY(active, host->fence_level, N(host->fence_level));
	ONLY(active, host->fence_again_ms, END(host->fence_again_ms));
	ONLY(active, host->fence_backoff_ms, N(host->fence_backoff_ms));
	ONLY(active, host->fence_begun, N(host->fence_begun));
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
	ONLY(open, inst->job_retry_elsewhere, N(inst->job_retry_elsewhere));
	ONLY(open, inst->job_text[0], TEXT(inst->job_text));
	ONLY(open, inst->told_ms, AGE(inst->told_ms, 3000));
	op_walk(c, &inst->inspect_op, op_inspect(guest_of(inst->spec.uuid)));
	END(inst->inspect_again_ms);
	N(inst->stuck_generation);
	op_walk(c, &inst->stop_op, op_stop(guest_of(inst->spec.uuid)));
	END(inst->stop_again_ms);
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
	N(core->blank_told);
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
	core->settings.max_failed_hosts = HOSTS; /* the brake has tests of its own: here nobody releases it */
	core->settings.max_failed_share_percent = 34;
	core->settings.beat_ms = BEAT_MS;
	core->settings.coordinator_timeout_ms = COORDINATOR_TIMEOUT_MS;
	core->settings.tilt_ms = 3000;
	core->settings.parallel_starts = 4;
	core->settings.attempts = 3;
	core->settings.retry_delay_ms = BEAT_MS;
	core->settings.fence_backoff_ms = BEAT_MS;
	core->settings.fence_backoff_max_ms = BEAT_MS;
	core->settings.late_effect_ms = LATE_EFFECT_MS;
}

static void config_fill(struct core *core)
{
	core->n_hosts = HOSTS;
	for (size_t h = 0; h < HOSTS; h++) {
		struct host *host = &core->hosts[h];

		host->configured = true;
		memset(&host->config, 0, sizeof(host->config));
		host->config.nodeid = (uint32_t)h + 1;
		text_format(host->config.name, sizeof(host->config.name), "h%zu", h + 1);
		host->config.votes = 1;
		host->config.fence_levels = 1;
	}
}

/* Everything of the core that a small cluster uses; the rest of its tables stays as it was made: free. */
static void core_fill(struct core *core, int with)
{
	memset(core, with, offsetof(struct core, persists));
	core->persist_head = 0;
	memset(&core->cluster, with, sizeof(core->cluster));
	memset(core->hosts, with, sizeof(core->hosts[0]) * HOSTS);
	memset(core->instances, with, sizeof(core->instances[0]) * GUESTS_MAX);
	memset(core->own, with, sizeof(core->own[0]) * GUESTS_MAX);
	memset(core->gates, with, sizeof(core->gates[0]) * GUESTS_MAX);
	core->n_staged = core->n_staged_notes = core->n_verdicts = 0;
	core->staged_strong = false;
	core->two_node = core->provisional = core->was_synced = false;
	core->strong_seq = 0;
	core->now_ms = NOW_MS;
	core->next_op = OP_STALE + 1;
}

/* What is not kept, because nothing reads it in a cluster without these things. */
static void unused_clear(struct core *core)
{
	for (size_t h = 0; h < HOSTS; h++) {
		core->hosts[h].attested = false;
		core->hosts[h].heard_ms = 0;
	}
	for (size_t i = 0; i < core->n_instances; i++)
		core->instances[i].joint_since_ms = 0;
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
	core->settings.self = (uint32_t)host + 1;
	text_format(core->settings.boot_id, sizeof(core->settings.boot_id), "h%zu-boot%u", host + 1, boot);
	for (size_t i = 0; i < GUESTS_MAX; i++)
		core->own[i].used = core->gates[i].used = false;
}
