/* Steps of cores, each computed once. */
#include <assert.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explorer/events.h"

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
struct core *scratch;
size_t step_guests;
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

	step_guests = guests;
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

uint32_t marker_make(unsigned int mask, const uint8_t runs[HOSTS_MAX])
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

void event_run(const struct core_event *event)
{
	const struct core_action *acts;
	size_t n = core_step(scratch, scratch->now_ms, event, &acts);

	acts_take(acts, n);
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
			info->dead_boot[h] = BOOT_OF(fact->certificate.boot_id);
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
	events_run(kind, arg);
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
