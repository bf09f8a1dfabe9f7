/* Which moves are possible in a state, when a state is at rest and when it is settled; states as bytes. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/explorer/model.h"

struct list {
	struct move *moves;
	size_t n;
};

static void add(struct list *list, enum move_kind kind, size_t host, size_t about, size_t more)
{
	assert(list->n < MOVES_MAX);
	list->moves[list->n++] = (struct move){
		.kind = (uint8_t)kind, .host = (uint8_t)host, .about = (uint8_t)about, .more = (uint8_t)more,
	};
}

static bool fault_left(const struct model *m, enum fault fault)
{
	return m->faults[fault] < options.faults[fault];
}

/* --- what is under way --- */

static void add_inputs(struct list *list, const struct model *m, size_t h)
{
	const struct host_here *host = &m->hosts[h];

	/* The daemon joins the group once its store is read. */
	if (!host->loaded) {
		add(list, MOVE_LOADED, h, 0, 0);
		return;
	}
	if (host->n_views)
		add(list, MOVE_VIEW, h, 0, 0);
	if (host->n_inbox)
		add(list, MOVE_DELIVER, h, 0, 0);
	if (!host->watched)
		add(list, MOVE_WATCH, h, 0, 0);
	if (host->n_writes)
		add(list, MOVE_WRITTEN, h, 0, 0);
	for (size_t g = 0; g < options.guests; g++)
		if (host->guests[g].told)
			add(list, MOVE_REPORT, h, g, 0);
}

static void add_effects(struct list *list, const struct model *m, size_t h)
{
	const struct host_here *host = &m->hosts[h];

	for (size_t t = 0; t < HOSTS; t++) {
		if (host->fencing[t] == FENCING_SENT)
			add(list, MOVE_FENCE_OFF, h, t, 0);
		if (host->fencing[t] == FENCING_READS_OFF)
			add(list, MOVE_FENCE_TOLD, h, t, 0);
	}
	for (size_t g = 0; g < options.guests; g++) {
		const struct guest_here *here = &host->guests[g];

		if (here->job == JOB_OF_ASKED)
			add(list, MOVE_START_ASK, h, g, 0);
		if (here->job == JOB_OF_GRANTED)
			add(list, MOVE_START_QEMU, h, g, 0);
		if (here->starting && here->job == JOB_OF_NONE)
			add(list, MOVE_START_TOLD, h, g, 0);
		if (here->inspecting)
			add(list, MOVE_INSPECT, h, g, 0);
		if (here->stopping)
			add(list, MOVE_STOP, h, g, 0);
	}
}

static void add_under_way(struct list *list, const struct model *m)
{
	for (size_t h = 0; h < HOSTS; h++) {
		if (host_runs(m, h))
			add_inputs(list, m, h);
		if (m->hosts[h].power)
			add_effects(list, m, h);
	}
}

bool model_rests(const struct model *m)
{
	struct move moves[MOVES_MAX];
	struct list list = { moves, 0 };

	add_under_way(&list, m);
	/* Who waits for the gate's answer waits for the clock: time passes for it too. */
	return !list.n;
}

/* --- faults --- */

static void add_ends(struct list *list, const struct model *m, size_t h)
{
	const struct host_here *host = &m->hosts[h];

	if (fault_left(m, FAULT_CRASH) && host->power)
		for (size_t lost = 0; lost <= model_untaken(m, h); lost++)
			for (size_t durable = 0; durable <= host->n_writes; durable++)
				add(list, MOVE_CRASH, h, lost, durable);
	if (fault_left(m, FAULT_KILL) && host_runs(m, h))
		for (size_t durable = 0; durable <= host->n_writes; durable++)
			add(list, MOVE_KILL, h, 0, durable);
	if (fault_left(m, FAULT_CUT) && host->power && !host->cut)
		for (size_t lost = 0; lost <= model_untaken(m, h); lost++) {
			add(list, MOVE_CUT, h, lost, 0);
			if (host->n_inbox)
				add(list, MOVE_CUT, h, lost, host->n_inbox);
		}
	if (fault_left(m, FAULT_RETURN) && !host->power)
		add(list, MOVE_RETURN, h, 0, 0);
}

static void add_mishaps(struct list *list, const struct model *m, size_t h)
{
	const struct host_here *host = &m->hosts[h];

	for (size_t t = 0; t < HOSTS; t++) {
		if (fault_left(m, FAULT_FENCE) && host->fencing[t] == FENCING_SENT)
			add(list, MOVE_FENCE_FAIL, h, t, 0);
		if (fault_left(m, FAULT_LATE) && host->fencing_late[t])
			add(list, MOVE_LATE_FENCE, h, t, 0);
	}
	for (size_t g = 0; g < options.guests; g++) {
		const struct guest_here *here = &host->guests[g];

		if (fault_left(m, FAULT_START) && (here->job == JOB_OF_ASKED || here->job == JOB_OF_GRANTED))
			add(list, MOVE_START_FAIL, h, g, 0);
		if (fault_left(m, FAULT_START) && here->starting && here->job != JOB_OF_NONE)
			add(list, MOVE_START_TIMEOUT, h, g, 0);
		if (fault_left(m, FAULT_HAND) && !here->qemu && here->job == JOB_OF_NONE)
			add(list, MOVE_HAND, h, g, 0);
		if (fault_left(m, FAULT_STOP) && here->qemu)
			add(list, MOVE_SHUT, h, g, 0);
		if (fault_left(m, FAULT_LATE) && here->starting_late)
			add(list, MOVE_LATE_START, h, g, 0);
		if (fault_left(m, FAULT_LATE) && here->inspecting_late)
			add(list, MOVE_LATE_INSPECT, h, g, 0);
	}
}

/* An `off` that is still to come arrives within its bound, or never. */
static bool orphans_allow(const struct model *m, uint64_t ms)
{
	for (size_t t = 0; t < HOSTS; t++)
		if (m->orphan_ms[t] && m->orphan_ms[t] + ms >= LATE_EFFECT_MS)
			return false;
	return true;
}

static bool may_pass(const struct model *m)
{
	uint64_t least = UINT64_MAX;

	if (m->alone_passes >= ALONE_PASSES_MAX)
		return false;
	for (size_t h = 0; h < HOSTS; h++)
		if (host_runs(m, h) && core_info(m->hosts[h].core)->deadline_ms < least)
			least = core_info(m->hosts[h].core)->deadline_ms;
	if (least == UINT64_MAX)
		return false;
	for (size_t h = 0; h < HOSTS; h++)
		if (m->hosts[h].power && !host_runs(m, h) && m->down_passes >= DOWN_PASSES_MAX)
			return false;
	return orphans_allow(m, least);
}

/* --- the order of what goes on by itself --- */

static size_t channel_bit(const struct move *move)
{
	static const uint8_t channels[MOVE_KINDS] = {
		[MOVE_LOADED] = CHANNEL_DISK, [MOVE_WRITTEN] = CHANNEL_DISK, [MOVE_VIEW] = CHANNEL_VIEWS,
		[MOVE_DELIVER] = CHANNEL_INBOX, [MOVE_FENCE_OFF] = CHANNEL_FENCING, [MOVE_FENCE_TOLD] = CHANNEL_FENCING,
		[MOVE_WATCH] = CHANNEL_LIBVIRT, [MOVE_REPORT] = CHANNEL_LIBVIRT, [MOVE_START_ASK] = CHANNEL_LIBVIRT,
		[MOVE_START_QEMU] = CHANNEL_LIBVIRT, [MOVE_START_TOLD] = CHANNEL_LIBVIRT,
		[MOVE_INSPECT] = CHANNEL_LIBVIRT, [MOVE_STOP] = CHANNEL_LIBVIRT,
	};

	return channels[move->kind] * HOSTS + move->host;
}

/* What comes next when nothing is slow: the network before the disks, the disks before helpers; or, of slow ones, the first. */
static const struct move *usual(const struct model *m, const struct list *list, bool *ret_slow)
{
	const struct move *best = NULL, *best_slow = NULL;

	for (size_t i = 0; i < list->n; i++) {
		const struct move *move = &list->moves[i];
		const struct move **at = m->slow >> channel_bit(move) & 1 ? &best_slow : &best;

		if (!*at || move->kind < (*at)->kind)
			*at = move;
	}
	*ret_slow = !best;
	return best ? best : best_slow;
}

static void add_usual(struct list *list, const struct model *m)
{
	struct move moves[MOVES_MAX];
	struct list all = { moves, 0 };
	const struct move *move;
	bool slow;

	add_under_way(&all, m);
	move = usual(m, &all, &slow);
	if (!move)
		return;
	list->moves[list->n++] = *move;
	if (!slow && fault_left(m, FAULT_SLOW))
		add(list, MOVE_SLOW, move->host, channel_bit(move), 0);
	for (size_t i = 0; i < CHANNELS * HOSTS; i++)
		if (m->slow >> i & 1)
			add(list, MOVE_QUICK, i % HOSTS, i, 0);
}

static void add_ends_of_faults(struct list *list, const struct model *m, bool rests)
{
	for (size_t h = 0; h < HOSTS; h++) {
		if (m->hosts[h].power && !host_runs(m, h))
			add(list, MOVE_RESTART, h, 0, 0);
		if (m->orphan_ms[h] && (rests || options.all_orders))
			add(list, MOVE_ORPHAN_NEVER, h, 0, 0);
		if (m->orphan_ms[h])
			add(list, MOVE_ORPHAN_OFF, h, 0, 0);
		if (m->hosts[h].cut)
			add(list, MOVE_HEAL, h, 0, 0);
	}
}

/* Helpers take seconds, everything else that is under way does not. */
static bool only_helpers_work(const struct model *m)
{
	struct move moves[MOVES_MAX];
	struct list list = { moves, 0 };

	add_under_way(&list, m);
	for (size_t i = 0; i < list.n; i++) {
		size_t channel = channel_bit(&moves[i]) / HOSTS;

		if (channel != CHANNEL_LIBVIRT && channel != CHANNEL_FENCING)
			return false;
	}
	return list.n;
}

size_t model_moves(const struct model *m, struct move moves[MOVES_MAX])
{
	struct list list = { moves, 0 };
	bool rests;

	if (options.all_orders)
		add_under_way(&list, m);
	else
		add_usual(&list, m);
	rests = !list.n;
	add_ends_of_faults(&list, m, rests);
	if (rests && may_pass(m) && !model_is_settled(m, NULL, 0))
		add(&list, MOVE_PASS, 0, 0, 0);
	if (!rests && fault_left(m, FAULT_WAIT) && may_pass(m) && only_helpers_work(m))
		add(&list, MOVE_WAIT, 0, 0, 0);
	for (size_t h = 0; h < HOSTS; h++) {
		add_ends(&list, m, h);
		if (m->hosts[h].power)
			add_mishaps(&list, m, h);
		if (!rests && fault_left(m, FAULT_EARLY) && host_runs(m, h) && m->hosts[h].loaded &&
		    orphans_allow(m, core_info(m->hosts[h].core)->deadline_ms))
			add(&list, MOVE_EARLY, h, 0, 0);
	}
	return list.n;
}

/*
 * Of two hosts that do not reach each other one decides alone, if it was there when they parted and its daemon has not ended since. Another
 * waits: it has met nobody, or does not know what the other knows.
 */
bool model_one_waits(const struct model *m)
{
	for (size_t h = 0; HOSTS == 2 && !host_reaches(m, 0, 1) && h < HOSTS; h++)
		if (host_runs(m, h) && !core_info(m->hosts[h].core)->synced)
			return true;
	return false;
}

/* The one that is left has not waited for so long that nothing comes of more. */
static bool alone_copes(const struct model *m)
{
	for (size_t h = 0; HOSTS == 2 && h < HOSTS; h++)
		if (host_runs(m, h) && m->hosts[h].met && m->alone_passes < ALONE_PASSES_MAX)
			return true;
	return false;
}

/* Power and network come back where too few hosts are left to decide anything, or one is alone. */
static bool repair_move(const struct model *m, struct move *ret)
{
	size_t powered = 0;

	for (size_t h = 0; h < HOSTS; h++) {
		powered += m->hosts[h].power;
		*ret = (struct move){ .kind = MOVE_HEAL, .host = (uint8_t)h };
		if (m->hosts[h].cut)
			return true;
	}
	for (size_t h = 0; h < HOSTS && powered * 2 <= HOSTS && !alone_copes(m); h++) {
		*ret = (struct move){ .kind = MOVE_RETURN, .host = (uint8_t)h };
		if (!m->hosts[h].power)
			return true;
	}
	return false;
}

bool model_quiet_move(const struct model *m, struct move *ret)
{
	struct move moves[MOVES_MAX];
	struct list list = { moves, 0 };
	bool slow;

	add_under_way(&list, m);
	if (list.n) {
		*ret = *usual(m, &list, &slow);
		return true;
	}
	for (size_t h = 0; h < HOSTS && !list.n; h++) {
		if (m->hosts[h].power && !host_runs(m, h))
			add(&list, MOVE_RESTART, h, 0, 0);
		if (m->orphan_ms[h])
			add(&list, MOVE_ORPHAN_NEVER, h, 0, 0);
	}
	if (list.n) {
		*ret = moves[0];
		return true;
	}
	if (repair_move(m, ret))
		return true;
	*ret = (struct move){ .kind = MOVE_PASS };
	return !model_is_settled(m, NULL, 0);
}

/* --- settled --- */

static const struct core_info *coordinator(const struct model *m)
{
	for (size_t h = 0; h < HOSTS; h++)
		if (host_runs(m, h) && core_info(m->hosts[h].core)->leads)
			return core_info(m->hosts[h].core);
	return NULL;
}

static bool not_settled(char *why, size_t size, const char *reason, size_t number)
{
	if (why)
		snprintf(why, size, "%s (%zu)", reason, number);
	return false;
}

/* The other of two is lost, and had nothing that must run: it is not fenced, and what is decided alone waits. */
static bool is_idle_alone(const struct model *m, const struct core_info *info)
{
	bool lost = false;

	for (size_t h = 0; HOSTS == 2 && m->faults[FAULT_STOP] && h < HOSTS; h++)
		lost |= info->host_state[h] == HOST_LOST;
	return lost;
}

bool model_is_settled(const struct model *m, char *why, size_t size)
{
	const struct core_info *info = coordinator(m);

	if (!info)
		return not_settled(why, size, "nobody coordinates", 0);
	if (!info->all_committed && !is_idle_alone(m, info))
		return not_settled(why, size, "not everything is committed", 0);
	for (size_t h = 0; h < HOSTS; h++) {
		const struct host_here *host = &m->hosts[h];

		if (m->orphan_ms[h] || host->cut)
			return not_settled(why, size, "an `off` may still arrive, or the network is split, at host", h + 1);
		if (host->power && (!host_runs(m, h) || !core_info(host->core)->synced ||
				    core_info(host->core)->promised != info->promised))
			return not_settled(why, size, "a host is up and takes no part", h + 1);
		if (host->power && info->host_state[h] != HOST_ADMITTED)
			return not_settled(why, size, "a host is up and not admitted", h + 1);
	}
	for (size_t g = 0; g < options.guests; g++) {
		size_t owner = info->place[g].owner;

		if (!info->place[g].known)
			return not_settled(why, size, "an instance is not known", g + 1);
		if (info->place[g].phase != PHASE_SETTLED || (info->place[g].wish != WISH_RUNNING && !m->faults[FAULT_STOP]))
			return not_settled(why, size, "an instance is not settled, or lost its wish to run", g + 1);
		if (info->place[g].wish != WISH_RUNNING) {
			for (size_t h = 0; h < HOSTS; h++)
				if (m->hosts[h].guests[g].qemu)
					return not_settled(why, size, "an instance runs and is wished stopped", g + 1);
			continue;
		}
		if (!owner || !m->hosts[owner - 1].power || !m->hosts[owner - 1].guests[g].qemu)
			return not_settled(why, size, "an instance does not run on its owner", g + 1);
	}
	if (!info->incidents_closed)
		return not_settled(why, size, "an incident is open", 0);
	return true;
}

/* --- as bytes --- */

size_t model_pack(const struct model *m, uint8_t *to)
{
	size_t head = sizeof(*m) - sizeof(m->hosts), n = 0;

	memcpy(to, (const uint8_t *)m + sizeof(m->hosts), head);
	n = head;
	for (size_t h = 0; h < HOSTS; h++) {
		const struct host_here *host = &m->hosts[h];

		memcpy(to + n, host, offsetof(struct host_here, inbox));
		n += offsetof(struct host_here, inbox);
		memcpy(to + n, host->inbox, host->n_inbox * sizeof(host->inbox[0]));
		n += host->n_inbox * sizeof(host->inbox[0]);
		memcpy(to + n, host->writes, host->n_writes * sizeof(host->writes[0]));
		n += host->n_writes * sizeof(host->writes[0]);
	}
	return n;
}

void model_unpack(struct model *m, const uint8_t *from)
{
	size_t head = sizeof(*m) - sizeof(m->hosts);

	memcpy((uint8_t *)m + sizeof(m->hosts), from, head);
	from += head;
	for (size_t h = 0; h < HOSTS; h++) {
		struct host_here *host = &m->hosts[h];

		memcpy(host, from, offsetof(struct host_here, inbox));
		from += offsetof(struct host_here, inbox);
		memcpy(host->inbox, from, host->n_inbox * sizeof(host->inbox[0]));
		from += host->n_inbox * sizeof(host->inbox[0]);
		memcpy(host->writes, from, host->n_writes * sizeof(host->writes[0]));
		from += host->n_writes * sizeof(host->writes[0]);
	}
}
