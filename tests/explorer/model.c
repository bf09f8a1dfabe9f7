/* What happens when a move is taken. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/explorer/effects.h"

struct model_options options;
char model_wrong[1024];
void (*model_note)(size_t host, const char *text);

static unsigned int here_code(const struct guest_here *here)
{
	return (here->qemu ? HERE_QEMU : 0) | (here->defined ? HERE_DEFINED : 0) |
		(unsigned int)here->stop_reason << HERE_STOP_SHIFT;
}

static uint32_t inbox_take(struct host_here *host)
{
	uint32_t number = host->inbox[0];

	memmove(host->inbox, host->inbox + 1, --host->n_inbox * sizeof(host->inbox[0]));
	return number;
}

static void deliver(struct model *m, size_t h)
{
	uint32_t number = inbox_take(&m->hosts[h]);

	host_step(m, h, number >> 31 ? STEP_MEMBERS : STEP_MESSAGE, number);
}

static void written(struct model *m, size_t h)
{
	struct host_here *host = &m->hosts[h];
	size_t n = 1;

	while (n < host->n_writes && (options.batch || !host->writes[n]))
		n++;
	for (size_t i = 0; i < n; i++)
		host->store = store_apply(host->store, host->writes[i]);
	host->n_writes = (uint8_t)(host->n_writes - n);
	memmove(host->writes, host->writes + n, host->n_writes * sizeof(host->writes[0]));
	host_step(m, h, STEP_PERSISTED, n);
}

static void watch(struct model *m, size_t h)
{
	uint64_t arg = 0;

	m->hosts[h].watched = true;
	for (size_t g = 0; g < options.guests; g++) {
		arg |= (uint64_t)here_code(&m->hosts[h].guests[g]) << 8 * g;
		m->hosts[h].guests[g].told = false;
	}
	host_step(m, h, STEP_WATCH, arg);
}

/* The process is gone; of the writes on their way some are durable. */
static void daemon_end(struct model *m, size_t h, size_t durable)
{
	struct host_here *host = &m->hosts[h];

	for (size_t i = 0; i < durable; i++)
		host->store = store_apply(host->store, host->writes[i]);
	helpers_stop(host, m);
	memset(host->fencing_late, 0, sizeof(host->fencing_late));
	for (size_t g = 0; g < options.guests; g++) {
		struct guest_here *here = &host->guests[g];

		here->starting_late = here->inspecting_late = here->told = false;
		/* Who still waits for the gate is refused by the hook; what was granted goes on. */
		if (here->job == JOB_OF_WAITING)
			here->job = JOB_OF_NONE;
	}
	host->core = host->group = 0;
	host->loaded = host->watched = host->view = host->n_views = host->n_inbox = host->n_writes = 0;
}

static void daemon_start(struct model *m, size_t h)
{
	struct host_here *host = &m->hosts[h];

	host->run++;
	host_step(m, h, STEP_START, h | (uint64_t)host->boot << 8 | (uint64_t)host->run << 16);
	view_change(m);
	group_change(m);
}

static void power_off(struct model *m, size_t h, size_t lost, size_t durable)
{
	struct host_here *host = &m->hosts[h];

	for (size_t i = 0; i < HOSTS; i++)
		if (i != h && host_runs(m, i) && host_reaches(m, h, i))
			inbox_lose(&m->hosts[i], message_is_from, h, lost);
	daemon_end(m, h, durable);
	host->power = host->cut = host->met = false;
	for (size_t g = 0; g < options.guests; g++) {
		host->guests[g].qemu = host->guests[g].job = 0;
		host->guests[g].stop_reason = STOP_NONE;
	}
	view_change(m);
	group_change(m);
}

static void power_on(struct model *m, size_t h)
{
	m->hosts[h].power = true;
	m->hosts[h].boot++;
	daemon_start(m, h);
}

/* Each side goes on with what it has taken; of the rest of the other side's messages the last may be lost. */
static void cut(struct model *m, size_t h, size_t lost, size_t missed)
{
	for (size_t i = 0; i < HOSTS; i++)
		if (i != h && host_runs(m, i) && host_reaches(m, h, i))
			inbox_lose(&m->hosts[i], message_is_from, h, lost);
	inbox_lose(&m->hosts[h], message_is_not_from, h, missed);
	m->hosts[h].cut = true;
	view_change(m);
	group_change(m);
}

static uint64_t next_deadline(const struct model *m)
{
	uint64_t least = UINT64_MAX;

	for (size_t h = 0; h < HOSTS; h++)
		if (host_runs(m, h) && core_info(m->hosts[h].core)->deadline_ms < least)
			least = core_info(m->hosts[h].core)->deadline_ms;
	return least;
}

/* An `off` whose sender is gone arrives within its bound, or never. */
static void orphans_age(struct model *m, uint64_t ms)
{
	for (size_t t = 0; t < HOSTS; t++)
		if (m->orphan_ms[t])
			m->orphan_ms[t] = (uint16_t)(m->orphan_ms[t] + ms);
}

/* Time passes for all, to the first deadline of any; those whose deadline it is are woken, in the order of their numbers. */
static void pass(struct model *m)
{
	uint64_t ms = next_deadline(m);

	for (size_t h = 0; h < HOSTS; h++)
		if (m->hosts[h].power && !host_runs(m, h)) {
			m->down_passes++;
			break;
		}
	m->alone_passes += model_one_waits(m) && m->alone_passes < ALONE_PASSES_MAX;
	orphans_age(m, ms);
	for (size_t h = 0; h < HOSTS; h++)
		if (host_runs(m, h))
			host_step(m, h, core_info(m->hosts[h].core)->deadline_ms == ms ? STEP_TICK : STEP_SHIFT, ms);
}

static void fence_off(struct model *m, size_t h, size_t target)
{
	m->hosts[h].fencing[target] = FENCING_READS_OFF;
	if (!m->hosts[target].power)
		return;
	oracle_off(m, target, m->hosts[h].fencing_term[target]);
	power_off(m, target, 0, 0);
}

static void start_ask(struct model *m, size_t h, size_t guest)
{
	struct guest_here *here = &m->hosts[h].guests[guest];

	if (!host_runs(m, h)) {
		here->job = JOB_OF_NONE; /* the hook's own list refuses what is protected */
		return;
	}
	here->job = JOB_OF_WAITING;
	host_step(m, h, STEP_GATE, guest);
}

static void start_qemu(struct model *m, size_t h, size_t guest)
{
	struct guest_here *here = &m->hosts[h].guests[guest];

	here->job = JOB_OF_NONE;
	here->qemu = here->defined = true;
	here->stop_reason = STOP_BY_API;
	here->told = host_runs(m, h) && m->hosts[h].watched;
}

static void inspected(struct model *m, size_t h, size_t guest, unsigned int what, uint64_t flags)
{
	host_step(m, h, STEP_INSPECTED, guest | flags | (what & SEEN_JOB ? FLAG_JOB : 0) | (what & SEEN_QEMU ? FLAG_QEMU : 0));
}

static void stopped(struct model *m, size_t h, size_t guest)
{
	struct guest_here *here = &m->hosts[h].guests[guest];

	here->qemu = false;
	here->stopping = HELPER_NONE;
	host_step(m, h, STEP_STOPPED, guest | (uint64_t)here_code(here) << 8);
}

static void helper_told(struct model *m, const struct move *move)
{
	struct host_here *host = &m->hosts[move->host];
	size_t about = move->about, h = move->host;
	struct guest_here *here = &host->guests[about < options.guests ? about : 0];
	unsigned int what;
	uint64_t stale;

	switch (move->kind) {
	case MOVE_FENCE_TOLD:
		host->fencing[about] = host->fencing_term[about] = FENCING_NONE;
		host_step(m, h, STEP_FENCED, about | FLAG_OK);
		break;
	case MOVE_FENCE_FAIL:
		host->fencing[about] = host->fencing_term[about] = FENCING_NONE;
		host_step(m, h, STEP_FENCED, about);
		break;
	case MOVE_START_TOLD:
		here->starting = HELPER_NONE;
		host_step(m, h, STEP_STARTED, about | (here->qemu ? FLAG_OK : 0));
		break;
	case MOVE_START_TIMEOUT:
		here->starting = HELPER_NONE;
		host_step(m, h, STEP_STARTED, about);
		break;
	case MOVE_INSPECT:
		here->inspecting = HELPER_NONE;
		inspected(m, h, about, guest_seen(here), 0);
		break;
	/* As the operation that it was, if no other of its kind has begun since: then nobody may mistake it for that. */
	case MOVE_LATE_FENCE:
		stale = host->fencing[about] ? FLAG_STALE : 0;
		host->fencing_late[about] = false;
		host_step(m, h, STEP_FENCED, about | FLAG_OK | stale);
		break;
	case MOVE_LATE_START:
		stale = here->starting ? FLAG_STALE : 0;
		stale |= (here->starting_late - 1) & SEEN_QEMU ? FLAG_OK : 0;
		here->starting_late = 0;
		host_step(m, h, STEP_STARTED, about | stale);
		break;
	case MOVE_LATE_INSPECT:
		stale = here->inspecting ? FLAG_STALE : 0;
		what = here->inspecting_late - 1u;
		here->inspecting_late = 0;
		inspected(m, h, about, what, stale);
		break;
	default:
		assert(!"a helper's end");
	}
}

static void fault_count(struct model *m, enum move_kind kind)
{
	static const uint8_t fault_of[MOVE_KINDS] = {
		[MOVE_CRASH] = 1 + FAULT_CRASH, [MOVE_RETURN] = 1 + FAULT_RETURN, [MOVE_KILL] = 1 + FAULT_KILL,
		[MOVE_CUT] = 1 + FAULT_CUT, [MOVE_FENCE_FAIL] = 1 + FAULT_FENCE, [MOVE_START_FAIL] = 1 + FAULT_START,
		[MOVE_START_TIMEOUT] = 1 + FAULT_START,
		[MOVE_EARLY] = 1 + FAULT_EARLY, [MOVE_LATE_FENCE] = 1 + FAULT_LATE, [MOVE_LATE_START] = 1 + FAULT_LATE,
		[MOVE_LATE_INSPECT] = 1 + FAULT_LATE, [MOVE_SLOW] = 1 + FAULT_SLOW,
		[MOVE_HAND] = 1 + FAULT_HAND, [MOVE_SHUT] = 1 + FAULT_STOP, [MOVE_WAIT] = 1 + FAULT_WAIT,
	};

	if (fault_of[kind])
		m->faults[fault_of[kind] - 1]++;
}

/* The last helper that may answer late has done so: the others never will. */
static void late_end(struct model *m)
{
	for (size_t h = 0; h < HOSTS && m->faults[FAULT_LATE] >= options.faults[FAULT_LATE]; h++) {
		memset(m->hosts[h].fencing_late, 0, sizeof(m->hosts[h].fencing_late));
		for (size_t g = 0; g < GUESTS_MAX; g++)
			m->hosts[h].guests[g].starting_late = m->hosts[h].guests[g].inspecting_late = false;
	}
}

static void move_take(struct model *m, const struct move *move)
{
	size_t h = move->host, about = move->about;
	struct host_here *host = &m->hosts[h];

	switch ((enum move_kind)move->kind) {
	case MOVE_LOADED:
		host->loaded = true;
		host_step(m, h, STEP_LOADED, host->store);
		break;
	case MOVE_VIEW: {
		uint8_t mask = host->views[0];

		host->n_views--;
		memmove(host->views, host->views + 1, host->n_views);
		host->views[host->n_views] = 0;
		host_step(m, h, STEP_QUORUM, mask);
		break;
	}
	case MOVE_WATCH:
		watch(m, h);
		break;
	case MOVE_DELIVER:
		deliver(m, h);
		break;
	case MOVE_WRITTEN:
		written(m, h);
		break;
	case MOVE_REPORT:
		host->guests[about].told = false;
		host_step(m, h, STEP_REPORT, about | (uint64_t)here_code(&host->guests[about]) << 8);
		break;
	case MOVE_FENCE_OFF:
		fence_off(m, h, about);
		break;
	case MOVE_START_ASK:
		start_ask(m, h, about);
		break;
	case MOVE_START_QEMU:
		start_qemu(m, h, about);
		break;
	case MOVE_START_FAIL:
		host->guests[about].job = JOB_OF_NONE;
		break;
	case MOVE_HAND:
		host->guests[about].job = JOB_OF_ASKED;
		host->guests[about].defined = true;
		break;
	case MOVE_SHUT:
		host->guests[about].qemu = false;
		host->guests[about].told = host_runs(m, h) && host->watched;
		break;
	case MOVE_STOP:
		stopped(m, h, about);
		break;
	case MOVE_RESTART:
		m->down_passes = 0;
		daemon_start(m, h);
		break;
	case MOVE_SLOW:
		m->slow |= UINT32_C(1) << about;
		break;
	case MOVE_QUICK:
		m->slow &= ~(UINT32_C(1) << about);
		break;
	case MOVE_ORPHAN_OFF:
	case MOVE_ORPHAN_NEVER:
		m->orphan_ms[h] = 0;
		if (move->kind == MOVE_ORPHAN_OFF && host->power)
			oracle_off(m, h, m->orphan_term[h]);
		m->orphan_term[h] = 0;
		if (move->kind == MOVE_ORPHAN_NEVER || !host->power)
			break;
		power_off(m, h, 0, 0);
		break;
	case MOVE_HEAL:
		host->cut = false;
		view_change(m);
		group_change(m);
		break;
	case MOVE_PASS:
	case MOVE_WAIT:
		pass(m);
		break;
	case MOVE_CRASH:
		power_off(m, h, about, move->more);
		break;
	case MOVE_RETURN:
		power_on(m, h);
		break;
	case MOVE_KILL:
		daemon_end(m, h, move->more);
		group_change(m);
		break;
	case MOVE_CUT:
		cut(m, h, about, move->more);
		break;
	case MOVE_EARLY:
		orphans_age(m, core_info(host->core)->deadline_ms);
		host_step(m, h, STEP_TICK, core_info(host->core)->deadline_ms);
		break;
	case MOVE_FENCE_TOLD:
	case MOVE_FENCE_FAIL:
	case MOVE_START_TOLD:
	case MOVE_START_TIMEOUT:
	case MOVE_INSPECT:
	case MOVE_LATE_FENCE:
	case MOVE_LATE_START:
	case MOVE_LATE_INSPECT:
		helper_told(m, move);
		break;
	case MOVE_KINDS:
		break;
	}
}

/* --- messages that change nothing --- */

/*
 * A message that leaves its taker as it was, and makes it do nothing, may be taken at once: whatever else happens to that
 * host before or after, nothing comes of it. True of what a host hears of itself and of snapshots for others without any
 * condition; of beats, acknowledgements, host reports and verdicts because they say again what is known, unless something
 * that would overtake them makes it new: --no-reduce has these orders too.
 */
static bool may_be_idle(const struct message_info *info, size_t to)
{
	switch ((enum message_type)info->type) {
	case MSG_BEAT:
	case MSG_ACK:
	case MSG_HOST:
	case MSG_VERDICTS:
		return true;
	case MSG_SNAPSHOT:
		return info->to != to;
	case MSG_RECORD:
	case MSG_PREPARE:
		return info->from == to;
	case MSG_PROMISE:
	case MSG_REPORT:
	case MSG_RESULT:
	case MSG_RELEASED:
	case MSG_CLAIM:
	case MSG_REQUEST:
	case MSG_REPLY:
	case MSG_LEAVE:
	case MSG_TYPES:
		break;
	}
	return false;
}

static void idle_take(struct model *m)
{
	for (size_t h = 0; h < HOSTS; h++)
		while (m->hosts[h].n_inbox && !(m->hosts[h].inbox[0] >> 31) &&
		       may_be_idle(message_info(m->hosts[h].inbox[0]), h)) {
			const struct step_result *result = step(m->hosts[h].core, STEP_MESSAGE, m->hosts[h].inbox[0]);

			if (result->n || result->wrong || result->core != m->hosts[h].core)
				break;
			inbox_take(&m->hosts[h]);
		}
}

bool model_apply(struct model *m, const struct move *move)
{
	effects_too_far = false;
	fault_count(m, (enum move_kind)move->kind);
	move_take(m, move);
	late_end(m);
	if (m->alone_passes && !model_one_waits(m))
		m->alone_passes = 0;
	if (options.reduce)
		idle_take(m);
	oracle_check(m);
	return !effects_too_far;
}

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (size_t h = 0; h < HOSTS; h++)
		m->hosts[h].power = true;
	for (size_t h = 0; h < HOSTS; h++) {
		m->hosts[h].boot = 1;
		daemon_start(m, h);
	}
}

void model_start_guests(struct model *m)
{
	for (size_t g = 0; g < options.guests; g++) {
		m->hosts[options.owner].guests[g].job = JOB_OF_ASKED;
		m->hosts[options.owner].guests[g].defined = true;
	}
}
