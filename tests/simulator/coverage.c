/*
 * Coverage: role of the core x event, and, where the core coordinates, state of each host x event and phase of each
 * instance x event. It looks into the core's own state, so that counting costs next to nothing.
 */
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"
#include "tests/simulator/coverage.h"
#include "tests/simulator/inner.h"

#define EVENT_KINDS (EV_LEAVE + 1)

static const char *const event_names[EVENT_KINDS] = {
	"tick", "config", "settings", "loaded", "persisted", "persist-failed", "quorum", "members", "group-down", NULL,
	"host-report", "reports", "verdicts", "fence-result", "start-begun", "start-result", "inspect-result",
	"stop-result", "gate", "gate-cancel", "request", "watchdog", "leave",
};
static const char *const role_names[COVERAGE_ROLES] = { "unsynced", "synced", "candidate", "opening", "active" };

_Static_assert(EVENT_KINDS + MSG_TYPES <= COVERAGE_EVENTS, "the table holds every kind of event and message");
_Static_assert(COVERAGE_HOSTS == HOST_QUARANTINED + 1 && COVERAGE_PHASES == PHASE_HELD + 1, "and every state");

static size_t event_index(const struct core_event *event)
{
	return event->type == EV_MESSAGE ? EVENT_KINDS + (size_t)event->message->type : (size_t)event->type;
}

void coverage_step(struct world *w, const struct core *core, const struct core_event *event)
{
	size_t at = event_index(event), role = 0;

	switch (core->role) {
	case ROLE_FOLLOWER:
		role = core->synced;
		break;
	case ROLE_CANDIDATE:
		role = 2;
		break;
	case ROLE_OPENING:
		role = 3;
		break;
	case ROLE_ACTIVE:
		role = 4;
		break;
	}
	w->coverage->roles[role][at]++;
	if (core->role != ROLE_ACTIVE)
		return;
	for (size_t i = 0; i < core->n_hosts; i++)
		w->coverage->hosts[core->hosts[i].fact.state][at]++;
	for (size_t i = 0; i < core->n_instances; i++)
		if (!core->instances[i].spec.deleted && core->instances[i].has_place)
			w->coverage->phases[core->instances[i].place.phase][at]++;
}

void coverage_add(struct coverage *sum, const struct coverage *part)
{
	const uint64_t *from = (const uint64_t *)part;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

static void number_print(uint64_t n)
{
	if (!n)
		printf(" %10s", "-");
	else if (n < 1000000)
		printf(" %10llu", (unsigned long long)n);
	else
		printf(" %9lluk", (unsigned long long)n / 1000);
}

static void table_print(const char *title, size_t columns, const char *(*name)(size_t),
			const uint64_t table[][COVERAGE_EVENTS])
{
	size_t never = 0;

	printf("\n%-16s", title);
	for (size_t c = 0; c < columns; c++)
		printf(" %10.10s", name(c));
	putchar('\n');
	for (size_t e = 0; e < EVENT_KINDS + MSG_TYPES; e++) {
		if (e == EV_MESSAGE)
			continue;
		printf("%-16s", e < EVENT_KINDS ? event_names[e] : message_type_name((enum message_type)(e - EVENT_KINDS)));
		for (size_t c = 0; c < columns; c++) {
			number_print(table[c][e]);
			never += !table[c][e];
		}
		putchar('\n');
	}
	printf("never reached: %zu of %zu\n", never, columns * (EVENT_KINDS + MSG_TYPES - 1));
}

static const char *role_name(size_t i)
{
	return role_names[i];
}

static const char *state_name(size_t i)
{
	return host_state_name((enum host_state)i);
}

static const char *phase_name_of(size_t i)
{
	return phase_name((enum phase)i);
}

void coverage_print(const struct coverage *coverage)
{
	table_print("role", COVERAGE_ROLES, role_name, coverage->roles);
	table_print("a host is", COVERAGE_HOSTS, state_name, coverage->hosts);
	table_print("an instance is", COVERAGE_PHASES, phase_name_of, coverage->phases);
}
