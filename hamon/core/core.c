/* The step: one event is taken in, then everything that follows from the new state is decided and handed out. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/core/state.h"

#define HOST_REPORT_INTERVAL_MS 10000 /* told again: a message may be lost with who heard it */

void text_copy(char *to, size_t size, const char *from)
{
	size_t len = strlen(from);

	if (len >= size)
		len = size - 1;
	memmove(to, from, len);
	to[len] = '\0';
}

void text_format(char *to, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(to, size, format, args);
	va_end(args);
}

struct core_action *action_add(struct core *core, enum action_type type)
{
	struct core_action *act;

	assert(core->n_actions < CORE_ACTIONS_MAX);
	act = &core->actions[core->n_actions++];
	memset(act, 0, sizeof(*act));
	act->type = type;
	return act;
}

struct core_message *message_send(struct core *core, enum message_type type)
{
	struct core_message *msg;

	assert(core->n_messages < sizeof(core->messages) / sizeof(core->messages[0]));
	msg = &core->messages[core->n_messages++];
	memset(msg, 0, sizeof(*msg));
	msg->type = type;
	msg->from = core->settings.self;
	action_add(core, ACT_SEND)->send = msg;
	return msg;
}

void deadline_min(const struct core *core, uint64_t *deadline_ms, uint64_t at_ms)
{
	/* What is past has been looked at by this step, and did not help: to wake up for it again would be to spin. */
	if (at_ms <= core->now_ms)
		return;
	if (!*deadline_ms || at_ms < *deadline_ms)
		*deadline_ms = at_ms;
}

bool core_tilted(const struct core *core)
{
	return core->now_ms < core->tilt_until_ms;
}

struct core *core_new(const struct core_settings *settings)
{
	struct core *core = calloc(1, sizeof(*core));

	if (!core)
		return NULL;
	core->settings = *settings;
	core->self = -1;
	core->next_op = 1;
	return core;
}

void core_free(struct core *core)
{
	free(core);
}

/* A pause of this process looks like everybody else's failure: watch for a while, and give up coordinating. */
static void stall_check(struct core *core)
{
	uint64_t pause_ms = core->last_step_ms ? core->now_ms - core->last_step_ms : 0;

	core->last_step_ms = core->now_ms;
	if (pause_ms <= 2 * core->settings.beat_ms)
		return;
	core->tilt_until_ms = core->now_ms + core->settings.tilt_ms;
	if (pause_ms >= core->settings.coordinator_timeout_ms)
		member_unsync(core, "it stood still for longer than the coordinator's bound");
}

static void store_check(struct core *core)
{
	if (!core->n_persists || !core->store_ok)
		return;
	if (core->now_ms - core->persists[core->persist_head].since_ms <
	    core->settings.coordinator_timeout_ms)
		return;
	core->store_ok = false;
	member_unsync(core, "its store does not answer");
}

static void host_report_send(struct core *core)
{
	if (!core->own_host_known || !core->group_up)
		return;
	if (!core->host_report_due && core->now_ms < core->host_report_again_ms)
		return;
	core->host_report_due = false;
	core->host_report_again_ms = core->now_ms + HOST_REPORT_INTERVAL_MS;
	message_send(core, MSG_HOST)->host = core->own_host;
}

static void beat_send(struct core *core)
{
	if (!core->group_up || core->leaving || (!core->beat_now && core->now_ms < core->beat_due_ms))
		return;
	core->beat_now = false;
	core->beat_due_ms = core->now_ms + core->settings.beat_ms;
	term_beat_send(core);
}

static void decide(struct core *core)
{
	term_elect(core);
	candidate_can_open(core);
	commit_advance(core);
	if (core->role == ROLE_OPENING && core->commit >= 1)
		term_opened(core);
	if (core->role == ROLE_ACTIVE && core->quorate && !core_tilted(core)) {
		hosts_evaluate(core);
		instances_evaluate(core);
		incidents_evaluate(core);
	}
	record_flush(core);
	if ((core->role == ROLE_ACTIVE || core->role == ROLE_OPENING) && core->quorate)
		term_snapshots_send(core);
	member_execute(core);
	gates_evaluate(core);
	replies_evaluate(core);
}

size_t core_step(struct core *core, uint64_t now_ms, const struct core_event *event,
		 const struct core_action **ret_actions)
{
	assert(now_ms >= core->now_ms);
	core->now_ms = now_ms;
	core->n_actions = core->n_messages = core->n_notes = core->n_refs = 0;
	core->n_reports = core->n_claims = core->n_request_out = 0;
	stall_check(core);
	event_take(core, event);
	store_check(core);
	decide(core);
	member_reports_send(core);
	host_report_send(core);
	beat_send(core);
	core_check(core);
	*ret_actions = core->actions;
	return core->n_actions;
}

uint64_t core_deadline(const struct core *core)
{
	uint64_t deadline_ms = core->now_ms + core->settings.beat_ms;

	deadline_min(core, &deadline_ms, term_deadline(core));
	if (core_tilted(core))
		deadline_min(core, &deadline_ms, core->tilt_until_ms);
	if (core->role == ROLE_ACTIVE) {
		deadline_min(core, &deadline_ms, hosts_deadline(core));
		deadline_min(core, &deadline_ms, instances_deadline(core));
	}
	deadline_min(core, &deadline_ms, member_deadline(core));
	deadline_min(core, &deadline_ms, gates_deadline(core));
	return deadline_ms;
}
