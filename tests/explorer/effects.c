/* What a step of a core leads to: messages in their order, membership, writes, helpers. */
#include <string.h>

#include "tests/explorer/effects.h"

bool effects_too_far;

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
		effects_too_far = true;
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

void group_change(struct model *m)
{
	uint8_t runs[HOSTS_MAX];

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
void view_change(struct model *m)
{
	for (size_t h = 0; h < HOSTS; h++) {
		struct host_here *host = &m->hosts[h];
		size_t n = 0;
		uint8_t mask = 0;

		for (size_t i = 0; i < HOSTS; i++) {
			mask |= (uint8_t)(host_reaches(m, h, i) ? 1u << i : 0);
			n += host_reaches(m, h, i);
		}
		host->met |= HOSTS == 2 && n == HOSTS;
		mask |= (uint8_t)(n * 2 > HOSTS || host->met ? VIEW_QUORATE : 0);
		if (!host_runs(m, h))
			continue;
		if (mask == host->view)
			continue;
		host->view = mask;
		if (host->n_views == VIEWS_MAX)
			effects_too_far = true;
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
void inbox_lose(struct host_here *host, bool (*lost)(uint32_t number, size_t arg), size_t arg, size_t n)
{
	for (size_t i = host->n_inbox; i-- > 0 && n;) {
		if (!lost(host->inbox[i], arg))
			continue;
		memmove(&host->inbox[i], &host->inbox[i + 1], (host->n_inbox - i - 1) * sizeof(host->inbox[0]));
		host->n_inbox--;
		n--;
	}
}

bool message_is_from(uint32_t number, size_t from)
{
	return !(number >> 31) && message_info(number)->from == from;
}

bool message_is_not_from(uint32_t number, size_t from)
{
	return !(number >> 31) && message_info(number)->from != from;
}

/* --- actions --- */

unsigned int guest_seen(const struct guest_here *here)
{
	return (here->qemu ? SEEN_QEMU : 0) | (here->job != JOB_OF_NONE ? SEEN_JOB : 0);
}

void helpers_stop(struct host_here *host, struct model *m)
{
	bool late = m->faults[FAULT_LATE] < options.faults[FAULT_LATE];

	for (size_t t = 0; t < HOSTS; t++) {
		if (host->fencing[t] == FENCING_SENT && !m->orphan_ms[t]) {
			m->orphan_ms[t] = 1;
			m->orphan_term[t] = host->fencing_term[t];
		}
		host->fencing_late[t] |= late && host->fencing[t] == FENCING_READS_OFF;
		host->fencing[t] = FENCING_NONE;
		host->fencing_term[t] = 0;
	}
	for (size_t g = 0; g < options.guests; g++) {
		struct guest_here *here = &host->guests[g];

		if (late && here->starting)
			here->starting_late = (uint8_t)(1 + guest_seen(here));
		if (late && here->inspecting)
			here->inspecting_late = (uint8_t)(1 + guest_seen(here));
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
			effects_too_far = true;
		else
			host->writes[host->n_writes++] = act->number;
		break;
	case ACT_FENCE:
		oracle_fence(m, h, act->about);
		host->fencing[act->about] = FENCING_SENT;
		if (HOSTS == 2)
			host->fencing_term[act->about] = (uint8_t)(core_info(host->core)->promised >> 16);
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

void host_step(struct model *m, size_t h, enum step_kind kind, uint64_t arg)
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
