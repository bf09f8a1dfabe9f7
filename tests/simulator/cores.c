/*
 * Cores whose daemon has ended are cleaned and used again: a core is large, most of it is never touched, and to get fresh memory for
 * each costs more than what it does. What a core has touched lies at the beginning of each of its tables.
 */
#include <stdlib.h>
#include <string.h>

#include "hamon/core/state.h"
#include "tests/simulator/inner.h"

static struct core *unused[WORLD_HOSTS_MAX];
static size_t n_unused;
bool cores_always_fresh;

/* From one member up to another, without the latter. */
#define CLEAN(core, from, to) \
	memset((char *)(core) + offsetof(struct core, from), 0, offsetof(struct core, to) - offsetof(struct core, from))
/* The entries of a table up to the first that was never touched. */
#define CLEAN_TABLE(core, table, touched) do { \
	size_t n_ = 0; \
	while (n_ < sizeof((core)->table) / sizeof((core)->table[0]) && (touched)) \
		n_++; \
	memset((core)->table, 0, n_ * sizeof((core)->table[0])); \
} while (0)

static void core_clean(struct core *core)
{
	CLEAN_TABLE(core, persists, core->persists[n_].id);
	CLEAN_TABLE(core, hosts, n_ < core->n_hosts);
	CLEAN_TABLE(core, instances, n_ < core->n_instances);
	CLEAN_TABLE(core, incidents, core->incidents[n_].id[0]);
	CLEAN_TABLE(core, own, core->own[n_].report.spec.uuid[0]);
	CLEAN_TABLE(core, gates, core->gates[n_].deadline_ms);
	CLEAN_TABLE(core, replies, core->replies[n_].id || core->replies[n_].origin);
	CLEAN(core, settings, persists);
	CLEAN(core, persist_head, hosts);
	CLEAN(core, self, instances);
	CLEAN(core, n_incidents, incidents);
	CLEAN(core, n_own, own);
	CLEAN(core, own_host, gates);
	CLEAN(core, n_replies, replies);
	CLEAN(core, own_late_offs, staged);
	CLEAN(core, staged_strong, actions);
	/* What a step hands out is written before it is read. */
	core->n_messages = core->n_notes = core->n_refs = core->n_reports = core->n_claims = core->n_verdicts = 0;
	core->n_request_out = 0;
}

struct core *core_take(const struct core_settings *settings)
{
	struct core *core;

	if (!n_unused || cores_always_fresh) {
		core = core_new(settings);
		if (!core)
			abort();
		return core;
	}
	core = unused[--n_unused];
	core_clean(core);
	/* As core_new() leaves it. */
	core->settings = *settings;
	core->self = -1;
	core->next_op = 1;
	return core;
}

void core_give(struct core *core)
{
	if (core && n_unused < WORLD_HOSTS_MAX && !cores_always_fresh)
		unused[n_unused++] = core;
	else
		core_free(core);
}
