/* Steps of cores, each computed once. */
#include <assert.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/core/state.h"
#include "tests/explorer/step.h"

struct act *step_acts;
uint64_t steps_computed, steps_asked;

static size_t n_acts, acts_room;
static struct step_result *results;
static size_t n_results, results_room;
static struct core_info *infos;
static size_t infos_room;
static struct message_info *message_infos;
static size_t n_message_infos, message_infos_room;
static struct pool keys;        /* what was asked: core, kind, argument; its number is the result's */
static size_t n_guests;
static struct core *scratch;
static char wrong[512];
static sigjmp_buf way_out;
static volatile sig_atomic_t stepping;

/* An assertion of the core itself is a find like any other. */
static void aborted(int signal_number)
{
	if (stepping)
		siglongjmp(way_out, 1);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

void step_init(size_t guests)
{
	static const struct core_settings none;
	struct sigaction action = { .sa_handler = aborted, .sa_flags = SA_NODEFER };

	n_guests = guests;
	codec_init(guests);
	scratch = core_new(&none);
	assert(scratch);
	sigaction(SIGABRT, &action, NULL);
}

void step_free(void)
{
	core_free(scratch);
	free(step_acts);
	free(results);
	free(infos);
	free(message_infos);
	pool_free(&keys);
	codec_free();
}

uint32_t marker_make(unsigned int mask, const uint8_t runs[HOSTS])
{
	uint32_t marker = UINT32_C(1) << 31 | mask;

	for (size_t h = 0; h < HOSTS; h++)
		marker |= mask & 1u << h ? (uint32_t)runs[h] << (4 + 6 * h) : 0;
	return marker;
}

unsigned int marker_mask(uint32_t marker)
{
	return marker & 7;
}

/* --- what came out of a step --- */

static uint32_t write_put(const struct core_action *act)
{
	uint32_t row[8 + FACTS_MAX] = { 0 };
	size_t n = 0;

	if (!act->persist.n_facts && act->persist.n_notes && !act->persist.seq)
		return 0; /* a sentence for the journal of this host alone */
	row[n++] = (uint32_t)act->persist.promised;
	row[n++] = (uint32_t)(act->persist.promised >> 32);
	row[n++] = (uint32_t)act->persist.facts_term;
	row[n++] = (uint32_t)(act->persist.facts_term >> 32);
	row[n++] = act->persist.replace;
	assert(act->persist.n_facts <= FACTS_MAX);
	for (size_t i = 0; i < act->persist.n_facts; i++)
		row[n++] = fact_put(&act->persist.facts[i]);
	return pool_put(&writes, row, n * sizeof(row[0]), NULL);
}

static void acts_take(const struct core_action *acts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct act act = { .type = (uint8_t)acts[i].type };

		switch (acts[i].type) {
		case ACT_SEND:
			act.number = message_put(acts[i].send);
			break;
		case ACT_PERSIST:
			act.number = write_put(&acts[i]);
			break;
		case ACT_FENCE:
			act.about = (uint8_t)(acts[i].fence.host->nodeid - 1);
			break;
		case ACT_START:
		case ACT_INSPECT:
		case ACT_STOP:
		case ACT_TIDY:
			act.about = (uint8_t)guest_of(acts[i].instance.spec->uuid);
			break;
		case ACT_GATE_REPLY:
			act.about = (uint8_t)(acts[i].gate.id - 1);
			act.yes = acts[i].gate.allow;
			act.number = string_put(acts[i].gate.reason);
			break;
		case ACT_NOTE:
			act.number = string_put(acts[i].note->text);
			break;
		case ACT_END_HELPERS:
		case ACT_REPLY:
			break;
		}
		if (n_acts == acts_room) {
			acts_room = acts_room ? acts_room * 2 : 4096;
			step_acts = grow(step_acts, acts_room, sizeof(step_acts[0]));
		}
		step_acts[n_acts++] = act;
	}
}

static void run(const struct core_event *event)
{
	const struct core_action *acts;
	size_t n = core_step(scratch, scratch->now_ms, event, &acts);

	acts_take(acts, n);
}

/* --- events --- */

static void report_fill(size_t guest, unsigned int here, struct instance_report *report)
{
	memset(report, 0, sizeof(*report));
	guest_spec(guest, &report->spec);
	report->state = here & HERE_QEMU ? INSTANCE_RUNNING : INSTANCE_ABSENT;
	report->stop_reason = here & HERE_QEMU ? STOP_NONE : (enum stop_reason)(here >> HERE_STOP_SHIFT);
	report->defined = here & HERE_DEFINED;
}

static void run_report(size_t guest, unsigned int here)
{
	struct instance_report report;
	struct core_event event = { .type = EV_REPORTS };

	report_fill(guest, here, &report);
	report.fresh_event = true;
	event.reports.n = 1;
	event.reports.reports = &report;
	run(&event);
}

static void run_host_report(bool reported, uint32_t run_number)
{
	struct host_report report = { .gate_loaded = true, .libvirt_ok = true, .reported = reported, .free_mib = 4096 };
	struct core_event event = { .type = EV_HOST_REPORT, .host_report = &report };

	text_copy(report.boot_id, sizeof(report.boot_id), scratch->settings.boot_id);
	if (reported)
		text_copy(report.nonce, sizeof(report.nonce), scratch->own_host.nonce);
	else
		text_format(report.nonce, sizeof(report.nonce), "nonce%u", run_number);
	run(&event);
}

static void run_verdicts(void)
{
	struct verdict_report reports[GUESTS_MAX];
	struct core_event event = { .type = EV_VERDICTS };

	for (size_t g = 0; g < n_guests; g++) {
		struct spec_fact spec;

		guest_spec(g, &spec);
		memset(&reports[g], 0, sizeof(reports[g]));
		memcpy(reports[g].uuid, spec.uuid, sizeof(spec.uuid));
		reports[g].verdict = VERDICT_SHARED;
	}
	event.verdicts.n = n_guests;
	event.verdicts.verdicts = reports;
	run(&event);
}

static void run_watch(uint64_t arg)
{
	struct instance_report reports[GUESTS_MAX];
	struct core_event event = { .type = EV_REPORTS };
	size_t n = 0;

	for (size_t g = 0; g < n_guests; g++) {
		unsigned int here = (unsigned int)(arg >> 8 * g) & 255;

		if (here & (HERE_QEMU | HERE_DEFINED))
			report_fill(g, here, &reports[n++]);
	}
	event.reports.full = true;
	event.reports.n = n;
	event.reports.reports = reports;
	run(&event);
	run_host_report(true, 0);
	run_verdicts();
}

static void run_start(uint64_t arg)
{
	struct core_host_config configs[HOSTS];
	struct core_event event = { .type = EV_CONFIG };

	core_blank(scratch, arg & 255, (uint32_t)(arg >> 8) & 255);
	memset(configs, 0, sizeof(configs));
	for (size_t h = 0; h < HOSTS; h++) {
		configs[h].nodeid = (uint32_t)h + 1;
		text_format(configs[h].name, sizeof(configs[h].name), "h%zu", h + 1);
		configs[h].votes = configs[h].fence_levels = 1;
	}
	event.config.n = HOSTS;
	event.config.hosts = configs;
	run(&event);
	run_host_report(false, (uint32_t)(arg >> 16));
}

static void run_loaded(uint64_t arg)
{
	static struct fact_ref refs[FACTS_MAX];
	static struct fact_store space[FACTS_MAX];
	struct core_event event = { .type = EV_LOADED };
	const uint32_t *row;
	size_t n = 0;

	event.loaded.ok = true;
	if (arg) {
		row = (const uint32_t *)(const void *)pool_get(&writes, (uint32_t)arg, &n);
		n = n / sizeof(row[0]) - 5;
		event.loaded.promised = row[0] | (uint64_t)row[1] << 32;
		event.loaded.facts_term = row[2] | (uint64_t)row[3] << 32;
		for (size_t i = 0; i < n; i++)
			fact_get(row[5 + i], &refs[i], &space[i]);
	}
	event.loaded.n_facts = n;
	event.loaded.facts = refs;
	run(&event);
}

static void run_members(uint64_t arg)
{
	struct core_event event = { .type = EV_MEMBERS };
	struct core_member members[HOSTS];
	bool joined = false;

	for (size_t h = 0; h < HOSTS; h++) {
		if (!(marker_mask((uint32_t)arg) & 1u << h))
			continue;
		joined |= !scratch->hosts[h].daemon || scratch->hosts[h].pid != (arg >> (4 + 6 * h) & 63);
		members[event.members.n].nodeid = (uint32_t)h + 1;
		members[event.members.n++].pid = (uint32_t)(arg >> (4 + 6 * h) & 63);
	}
	event.members.members = members;
	run(&event);
	/* Every host tells its verdicts again and again; who has just come must not wait for them. */
	if (joined && scratch->own_reported)
		run_verdicts();
}

static void run_message(uint64_t arg)
{
	static struct core_message msg;
	struct core_event event = { .type = EV_MESSAGE, .message = &msg };

	message_get((uint32_t)arg, &msg);
	run(&event);
}

static void run_quorum(uint64_t arg)
{
	uint32_t nodes[HOSTS];
	struct core_event event = { .type = EV_QUORUM };

	for (size_t h = 0; h < HOSTS; h++)
		if (arg & 1u << h)
			nodes[event.quorum.n++] = (uint32_t)h + 1;
	event.quorum.nodeids = nodes;
	event.quorum.quorate = event.quorum.n * 2 > HOSTS;
	run(&event);
}

static void run_gate(uint64_t arg)
{
	struct gate_query query = { .op = GATE_START, .protected = true, .id = arg + 1 };
	struct core_event event = { .type = EV_GATE, .gate = &query };

	guest_spec(arg, &query.spec);
	run(&event);
}

static void run_outcome(enum step_kind kind, uint64_t arg)
{
	struct core_event event = { .type = EV_TICK };
	size_t about = arg & 255;
	uint64_t op = arg & FLAG_STALE ? OP_STALE : 0;
	bool ok = arg & FLAG_OK;

	if (kind == STEP_FENCED) {
		event.type = EV_FENCE_RESULT;
		event.fence.op = op ? op : op_fence(about);
		event.fence.off = ok;
		text_copy(event.fence.device, sizeof(event.fence.device), "power");
		text_copy(event.fence.detail, sizeof(event.fence.detail), ok ? "reads off" : "unreachable");
	} else if (kind == STEP_STARTED) {
		event.type = EV_START_RESULT;
		event.start.op = op ? op : op_start(about);
		event.start.ok = ok;
		event.start.retry_elsewhere = true;
		text_copy(event.start.detail, sizeof(event.start.detail), ok ? "verified" : "it did not start");
	} else if (kind == STEP_INSPECTED) {
		event.type = EV_INSPECT_RESULT;
		event.inspect.op = op ? op : op_inspect(about);
		event.inspect.known = true;
		event.inspect.job = arg & FLAG_JOB;
		event.inspect.qemu = event.inspect.running = arg & FLAG_QEMU;
	} else {
		event.type = EV_STOP_RESULT;
		event.stop.op = op ? op : op_stop(about);
		event.stop.gone = true;
	}
	run(&event);
	if (kind == STEP_STOPPED)
		run_report(about, (unsigned int)(arg >> 8) & 255);
}

static void run_kind(enum step_kind kind, uint64_t arg)
{
	struct core_event event = { .type = EV_TICK };

	switch (kind) {
	case STEP_START:
		run_start(arg);
		break;
	case STEP_LOADED:
		run_loaded(arg);
		break;
	case STEP_QUORUM:
		run_quorum(arg);
		break;
	case STEP_MEMBERS:
		run_members(arg);
		break;
	case STEP_MESSAGE:
		run_message(arg);
		break;
	case STEP_TICK:
		run(&event);
		break;
	case STEP_SHIFT:
		break;
	case STEP_PERSISTED:
		event.type = EV_PERSISTED;
		event.persisted.persist_id = arg;
		run(&event);
		break;
	case STEP_WATCH:
		run_watch(arg);
		break;
	case STEP_REPORT:
		run_report(arg & 255, (unsigned int)(arg >> 8) & 255);
		break;
	case STEP_GATE:
		run_gate(arg);
		break;
	case STEP_FENCED:
	case STEP_STARTED:
	case STEP_INSPECTED:
	case STEP_STOPPED:
		run_outcome(kind, arg);
		break;
	}
}

/* --- what the oracle sees of a core --- */

/* Ownership leaves a host only when that epoch of it is proven dead, or when it gave the instance back itself. */
static void ownership_check(const struct place_fact *before, const struct place_fact *after, const struct message_info *msg)
{
	const struct host_fact *old;
	size_t g;

	if (!before->owner || !after->owner || before->owner == after->owner)
		return;
	g = guest_of(before->uuid);
	if (msg && msg->released == g + 1 && msg->from + 1u == before->owner && msg->generation[g] == before->generation)
		return;
	old = &scratch->hosts[before->owner - 1].fact;
	if (before->released || old->epoch > before->owner_epoch)
		return;
	if (old->certificate.method != PROOF_NONE && old->certificate.epoch >= before->owner_epoch)
		return;
	snprintf(wrong, sizeof(wrong), "h%u gives generation %llu to h%u, and h%u is neither certified nor has it given the instance back",
		 scratch->settings.self, (unsigned long long)after->generation, after->owner, before->owner);
}

static void place_before(struct place_fact before[GUESTS_MAX])
{
	memset(before, 0, sizeof(before[0]) * GUESTS_MAX);
	for (size_t i = 0; i < scratch->n_instances; i++)
		if (scratch->instances[i].has_place)
			before[guest_of(scratch->instances[i].spec.uuid)] = scratch->instances[i].place;
}

static void places_check(const struct place_fact before[GUESTS_MAX], const struct message_info *msg)
{
	for (size_t i = 0; i < scratch->n_instances && scratch->role == ROLE_ACTIVE; i++)
		if (scratch->instances[i].has_place)
			ownership_check(&before[guest_of(scratch->instances[i].spec.uuid)], &scratch->instances[i].place,
					msg);
}

static void info_fill(struct core_info *info)
{
	memset(info, 0, sizeof(*info));
	info->promised = scratch->promised;
	info->deadline_ms = core_deadline(scratch) - scratch->now_ms;
	info->opens = scratch->role == ROLE_OPENING;
	info->leads = scratch->role == ROLE_ACTIVE;
	info->synced = scratch->synced;
	info->all_committed = scratch->synced && scratch->commit == scratch->seq;
	info->incidents_closed = 1;
	for (size_t i = 0; i < scratch->n_incidents; i++)
		info->incidents_closed &= scratch->incidents[i].state == INCIDENT_CLOSED;
	for (size_t h = 0; h < HOSTS; h++) {
		const struct host_fact *fact = &scratch->hosts[h].fact;

		info->host_state[h] = (uint8_t)fact->state;
		info->host_version[h] = fact->version;
		if (fact->state == HOST_DEAD || fact->state == HOST_QUARANTINED)
			info->dead_boot[h] = (uint8_t)(fact->certificate.boot_id[0] ? atoi(fact->certificate.boot_id + 7) : 0);
	}
	for (size_t i = 0; i < scratch->n_instances; i++) {
		const struct instance *inst = &scratch->instances[i];
		size_t g = guest_of(inst->spec.uuid);

		info->place[g].known = inst->has_place && !inst->spec.deleted;
		info->place[g].owner = (uint8_t)inst->place.owner;
		info->place[g].phase = (uint8_t)inst->place.phase;
		info->place[g].wish = (uint8_t)inst->place.wish;
		info->place[g].released = inst->place.released;
		info->place[g].committed = place_committed(scratch, inst);
		info->place[g].generation = (uint32_t)inst->place.generation;
		info->place[g].version = inst->place.version;
	}
}

static void core_keep(struct step_result *result)
{
	struct core_info info;
	int new;

	info_fill(&info);
	result->core = core_put(scratch, &new);
	if (!new)
		return;
	if (result->core >= infos_room) {
		infos_room = infos_room ? infos_room * 2 : 1024;
		infos = grow(infos, infos_room, sizeof(infos[0]));
	}
	infos[result->core] = info;
}

static void compute(uint32_t core, enum step_kind kind, uint64_t arg, struct step_result *result)
{
	struct place_fact before[GUESTS_MAX];

	wrong[0] = '\0';
	if (core)
		core_get(core, scratch);
	else
		core_blank(scratch, 0, 0);
	place_before(before);
	if (kind == STEP_TICK || kind == STEP_SHIFT)
		scratch->now_ms += arg;
	if (sigsetjmp(way_out, 1)) {
		stepping = 0;
		result->wrong = string_put("an assertion of the core itself failed: it is told on stderr");
		return;
	}
	stepping = 1;
	run_kind(kind, arg);
	stepping = 0;
	places_check(before, kind == STEP_MESSAGE ? message_info((uint32_t)arg) : NULL);
	core_keep(result);
	if (wrong[0])
		result->wrong = string_put(wrong);
}

const struct step_result *step(uint32_t core, enum step_kind kind, uint64_t arg)
{
	struct { uint64_t arg; uint32_t core; uint32_t kind; } key = { arg, core, kind };
	struct step_result result = { 0 };
	uint32_t number;
	int new;

	steps_asked++;
	number = pool_put(&keys, &key, sizeof(key), &new);
	if (!new)
		return &results[number];
	steps_computed++;
	result.first = (uint32_t)n_acts;
	compute(core, kind, arg, &result);
	result.n = (uint32_t)n_acts - result.first;
	if (number >= results_room) {
		results_room = results_room ? results_room * 2 : 1024;
		results = grow(results, results_room, sizeof(results[0]));
	}
	results[number] = result;
	n_results = number;
	return &results[number];
}

const struct core_info *core_info(uint32_t core)
{
	return &infos[core];
}

const struct message_info *message_info(uint32_t message)
{
	while (n_message_infos < message) {
		static struct core_message msg;
		struct message_info *info;

		if (++n_message_infos >= message_infos_room) {
			message_infos_room = message_infos_room ? message_infos_room * 2 : 1024;
			message_infos = grow(message_infos, message_infos_room, sizeof(message_infos[0]));
		}
		message_get((uint32_t)n_message_infos, &msg);
		info = &message_infos[n_message_infos];
		memset(info, 0, sizeof(*info));
		info->type = (uint8_t)msg.type;
		info->from = (uint8_t)(msg.from - 1);
		info->to = (uint8_t)(msg.to - 1);
		info->opening = msg.type == MSG_RECORD && msg.replace;
		info->term = msg.term;
		if (msg.type == MSG_RELEASED) {
			info->released = (uint8_t)(guest_of(msg.uuid) + 1);
			info->generation[info->released - 1] = (uint32_t)msg.generation;
		}
		for (size_t i = 0; i < msg.n_facts; i++)
			if (msg.facts[i].kind == FACT_PLACE) {
				const struct place_fact *place = msg.facts[i].fact;

				info->generation[guest_of(place->uuid)] = (uint32_t)place->generation;
			}
	}
	return &message_infos[message];
}
