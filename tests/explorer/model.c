/* What happens when a move is taken. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/explorer/model.h"

struct model_options options;
char model_wrong[1024];
void (*model_note)(size_t host, const char *text);

static bool too_far;            /* a queue of this move is longer than its bound */

bool host_runs(const struct model *m, size_t host)
{
	return m->hosts[host].core != 0;
}

bool host_reaches(const struct model *m, size_t a, size_t b)
{
	if (!m->hosts[a].power || !m->hosts[b].power)
		return false;
	return a == b || (!m->hosts[a].cut && !m->hosts[b].cut);
}

/* --- order of messages, membership --- */

static void inbox_add(struct model *m, size_t host, uint32_t number)
{
	struct host_here *to = &m->hosts[host];

	if (to->n_inbox >= options.lag) {
		too_far = true;
		return;
	}
	to->inbox[to->n_inbox++] = number;
}

/* One agreed order within the group: a message has its place in it for all at once, and each takes it in its own time. */
static void message_order(struct model *m, size_t from, uint32_t message)
{
	oracle_send(m, from, message);
	for (size_t h = 0; h < HOSTS; h++)
		if (host_runs(m, h) && host_reaches(m, from, h))
			inbox_add(m, h, message);
}

static void group_change(struct model *m)
{
	uint8_t runs[HOSTS];

	for (size_t h = 0; h < HOSTS; h++)
		runs[h] = m->hosts[h].run;
	for (size_t h = 0; h < HOSTS; h++) {
		unsigned int mask = 0;
		uint32_t marker;

		if (!host_runs(m, h))
			continue;
		for (size_t i = 0; i < HOSTS; i++)
			mask |= host_runs(m, i) && host_reaches(m, h, i) ? 1u << i : 0;
		marker = marker_make(mask, runs);
		if (marker == m->hosts[h].group)
			continue;
		m->hosts[h].group = marker;
		inbox_add(m, h, marker);
	}
}

/* The quorum service tells in its own time, before or after the group. */
static void view_change(struct model *m)
{
	for (size_t h = 0; h < HOSTS; h++) {
		struct host_here *host = &m->hosts[h];
		uint8_t mask = 0;

		if (!host_runs(m, h))
			continue;
		for (size_t i = 0; i < HOSTS; i++)
			mask |= (uint8_t)(host_reaches(m, h, i) ? 1u << i : 0);
		if (mask == host->view)
			continue;
		host->view = mask;
		if (host->n_views == VIEWS_MAX)
			too_far = true;
		else
			host->views[host->n_views++] = mask;
	}
}

/* How many messages of a sender are in the order and taken by nobody but, perhaps, the sender itself. */
size_t model_untaken(const struct model *m, size_t from)
{
	size_t least = INBOX_MAX;
	bool anybody = false;

	for (size_t h = 0; h < HOSTS; h++) {
		size_t n = 0;

		if (h == from || !host_runs(m, h) || !host_reaches(m, from, h))
			continue;
		anybody = true;
		for (size_t i = 0; i < m->hosts[h].n_inbox; i++) {
			uint32_t number = m->hosts[h].inbox[i];

			n += !(number >> 31) && message_info(number)->from == from;
		}
		least = n < least ? n : least;
	}
	return anybody ? least : 0;
}

/* The last messages of a sender were taken by nobody, and never will be. */
static void inbox_lose(struct host_here *host, bool (*lost)(uint32_t number, size_t arg), size_t arg, size_t n)
{
	for (size_t i = host->n_inbox; i-- > 0 && n;) {
		if (!lost(host->inbox[i], arg))
			continue;
		memmove(&host->inbox[i], &host->inbox[i + 1], (host->n_inbox - i - 1) * sizeof(host->inbox[0]));
		host->n_inbox--;
		n--;
	}
}

static bool is_from(uint32_t number, size_t from)
{
	return !(number >> 31) && message_info(number)->from == from;
}

static bool is_not_from(uint32_t number, size_t from)
{
	return !(number >> 31) && message_info(number)->from != from;
}

/* --- actions --- */

#define SEEN_QEMU 1
#define SEEN_JOB 2

static unsigned int seen(const struct guest_here *here)
{
	return (here->qemu ? SEEN_QEMU : 0) | (here->job != JOB_OF_NONE ? SEEN_JOB : 0);
}

static void helpers_stop(struct host_here *host, struct model *m)
{
	bool late = m->faults[FAULT_LATE] < options.faults[FAULT_LATE];

	for (size_t t = 0; t < HOSTS; t++) {
		if (host->fencing[t] == FENCING_SENT && !m->orphan_ms[t])
			m->orphan_ms[t] = 1;
		host->fencing_late[t] |= late && host->fencing[t] == FENCING_READS_OFF;
		host->fencing[t] = FENCING_NONE;
	}
	for (size_t g = 0; g < options.guests; g++) {
		struct guest_here *here = &host->guests[g];

		if (late && here->starting)
			here->starting_late = (uint8_t)(1 + seen(here));
		if (late && here->inspecting)
			here->inspecting_late = (uint8_t)(1 + seen(here));
		here->starting = here->inspecting = here->stopping = HELPER_NONE;
		/* libvirtd goes on with a job whose caller was ended. */
	}
}

static void start_begin(struct host_here *host, size_t guest)
{
	struct guest_here *here = &host->guests[guest];

	here->starting = HELPER_LIVE;
	here->defined = true;
	if (!here->qemu && here->job == JOB_OF_NONE)
		here->job = JOB_OF_ASKED;
}

static void act_take(struct model *m, size_t h, const struct act *act)
{
	struct host_here *host = &m->hosts[h];

	switch ((enum action_type)act->type) {
	case ACT_SEND:
		message_order(m, h, act->number);
		break;
	case ACT_PERSIST:
		if (host->n_writes == WRITES_MAX)
			too_far = true;
		else
			host->writes[host->n_writes++] = act->number;
		break;
	case ACT_FENCE:
		oracle_fence(m, h, act->about);
		host->fencing[act->about] = FENCING_SENT;
		break;
	case ACT_START:
		oracle_start(m, h, act->about);
		start_begin(host, act->about);
		break;
	case ACT_INSPECT:
		host->guests[act->about].inspecting = HELPER_LIVE;
		break;
	case ACT_STOP:
		host->guests[act->about].stopping = HELPER_LIVE;
		break;
	case ACT_TIDY:
		host->guests[act->about].defined = false;
		break;
	case ACT_END_HELPERS:
		helpers_stop(host, m);
		break;
	case ACT_GATE_REPLY:
		if (host->guests[act->about].job != JOB_OF_WAITING)
			break;
		host->guests[act->about].job = act->yes ? JOB_OF_GRANTED : JOB_OF_NONE;
		if (act->yes)
			oracle_gate(m, h, act->about);
		break;
	case ACT_REPLY:
		break;
	case ACT_NOTE:
		if (model_note)
			model_note(h, string_get(act->number));
		break;
	}
}

static void host_step(struct model *m, size_t h, enum step_kind kind, uint64_t arg)
{
	const struct step_result result = *step(m->hosts[h].core, kind, arg);

	if (result.wrong)
		violation("%s", string_get(result.wrong));
	if (!result.core)
		return;
	m->hosts[h].core = result.core;
	for (uint32_t i = 0; i < result.n; i++) {
		struct act act = step_acts[result.first + i];

		act_take(m, h, &act);
	}
	/* A sentence for the journal that nothing lies before is on disk as good as at once: nobody waits for it. */
	while (m->hosts[h].n_writes && !m->hosts[h].writes[0]) {
		struct host_here *host = &m->hosts[h];

		memmove(host->writes, host->writes + 1, --host->n_writes * sizeof(host->writes[0]));
		host_step(m, h, STEP_PERSISTED, 1);
	}
}

/* --- moves --- */

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
			inbox_lose(&m->hosts[i], is_from, h, lost);
	daemon_end(m, h, durable);
	host->power = host->cut = false;
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
			inbox_lose(&m->hosts[i], is_from, h, lost);
	inbox_lose(&m->hosts[h], is_not_from, h, missed);
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

/* Time passes for all, to the first deadline of any; those whose deadline it is are woken, in the order of their numbers. */
static void pass(struct model *m)
{
	uint64_t ms = next_deadline(m);

	for (size_t h = 0; h < HOSTS; h++)
		if (m->hosts[h].power && !host_runs(m, h)) {
			m->down_passes++;
			break;
		}
	for (size_t t = 0; t < HOSTS; t++)
		if (m->orphan_ms[t])
			m->orphan_ms[t] = (uint16_t)(m->orphan_ms[t] + ms);
	for (size_t h = 0; h < HOSTS; h++)
		if (host_runs(m, h))
			host_step(m, h, core_info(m->hosts[h].core)->deadline_ms == ms ? STEP_TICK : STEP_SHIFT, ms);
}

static void fence_off(struct model *m, size_t h, size_t target)
{
	m->hosts[h].fencing[target] = FENCING_READS_OFF;
	if (m->hosts[target].power)
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
		host->fencing[about] = FENCING_NONE;
		host_step(m, h, STEP_FENCED, about | FLAG_OK);
		break;
	case MOVE_FENCE_FAIL:
		host->fencing[about] = FENCING_NONE;
		host_step(m, h, STEP_FENCED, about);
		break;
	case MOVE_START_TOLD:
		here->starting = HELPER_NONE;
		host_step(m, h, STEP_STARTED, about | (here->qemu ? FLAG_OK : 0));
		break;
	case MOVE_INSPECT:
		here->inspecting = HELPER_NONE;
		inspected(m, h, about, seen(here), 0);
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
		[MOVE_EARLY] = 1 + FAULT_EARLY, [MOVE_LATE_FENCE] = 1 + FAULT_LATE, [MOVE_LATE_START] = 1 + FAULT_LATE,
		[MOVE_LATE_INSPECT] = 1 + FAULT_LATE, [MOVE_SLOW] = 1 + FAULT_SLOW,
		[MOVE_HAND] = 1 + FAULT_HAND,
	};

	if (!fault_of[kind])
		return;
	m->faults[fault_of[kind] - 1]++;
	/* The last one that may answer late has done so: the others never will. */
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
			power_off(m, h, 0, 0);
		break;
	case MOVE_HEAL:
		host->cut = false;
		view_change(m);
		group_change(m);
		break;
	case MOVE_PASS:
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
		host_step(m, h, STEP_TICK, core_info(host->core)->deadline_ms);
		break;
	case MOVE_FENCE_TOLD:
	case MOVE_FENCE_FAIL:
	case MOVE_START_TOLD:
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
 * condition; of beats, acknowledgements, host reports and verdicts because they only ever say again, or more, of the same.
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
	too_far = false;
	fault_count(m, (enum move_kind)move->kind);
	move_take(m, move);
	if (options.reduce)
		idle_take(m);
	oracle_check(m);
	return !too_far;
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
