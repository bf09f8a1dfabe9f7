/* The tables of facts: finding an entry, making one, taking a fact in. */
#include <assert.h>
#include <string.h>

#include "hamon/core/state.h"

int fact_version_cmp(struct fact_version a, struct fact_version b)
{
	if (a.term != b.term)
		return a.term < b.term ? -1 : 1;
	if (a.counter != b.counter)
		return a.counter < b.counter ? -1 : 1;
	return 0;
}

int host_slot(const struct core *core, uint32_t nodeid)
{
	for (size_t i = 0; i < core->n_hosts; i++)
		if (core->hosts[i].config.nodeid == nodeid)
			return (int)i;
	return -1;
}

int host_slot_by_name(const struct core *core, const char *name)
{
	for (size_t i = 0; i < core->n_hosts; i++)
		if (!strcmp(core->hosts[i].config.name, name))
			return (int)i;
	return -1;
}

const char *host_name(const struct core *core, uint32_t nodeid)
{
	int slot = host_slot(core, nodeid);

	return slot < 0 ? "no host" : core->hosts[slot].config.name;
}

bool host_is_alive(const struct host *host)
{
	return host->present && host->daemon && host->beat_known && host->report_known;
}

/* Lists name instances in much the same order on every host: the one after the last that was found is tried first. */
struct instance *instance_find(struct core *core, const char *uuid)
{
	size_t at = core->found_next;

	for (size_t i = 0; i < core->n_instances; i++, at++) {
		if (at >= core->n_instances)
			at = 0;
		if (!strcmp(core->instances[at].spec.uuid, uuid)) {
			core->found_next = at + 1;
			return &core->instances[at];
		}
	}
	return NULL;
}

struct instance *instance_find_any(struct core *core, const char *name_or_uuid)
{
	struct instance *inst = instance_find(core, name_or_uuid);

	for (size_t i = 0; !inst && i < core->n_instances; i++)
		if (!core->instances[i].spec.deleted &&
		    !strcmp(core->instances[i].spec.name, name_or_uuid))
			inst = &core->instances[i];
	return inst;
}

struct instance *instance_make(struct core *core, const char *uuid)
{
	struct instance *inst = instance_find(core, uuid);

	if (inst)
		return inst;
	if (core->n_instances < CORE_INSTANCES_MAX) {
		inst = &core->instances[core->n_instances++];
	} else {
		/* A tombstone makes room: its deletion was committed long ago. */
		for (size_t i = 0; !inst && i < core->n_instances; i++)
			if (core->instances[i].spec.deleted)
				inst = &core->instances[i];
		if (!inst)
			return NULL;
	}
	memset(inst, 0, sizeof(*inst));
	text_copy(inst->spec.uuid, sizeof(inst->spec.uuid), uuid);
	text_copy(inst->place.uuid, sizeof(inst->place.uuid), uuid);
	return inst;
}

/*
 * The entry for something seen of an instance, whose facts may come only with the next snapshot; until then it counts
 * as deleted. NULL when there is no room.
 */
struct instance *instance_seen(struct core *core, const char *uuid)
{
	struct instance *inst = instance_find(core, uuid);

	if (inst || core->n_instances == CORE_INSTANCES_MAX)
		return inst;
	inst = instance_make(core, uuid);
	inst->spec.deleted = true;
	return inst;
}

struct incident_fact *incident_find(struct core *core, const char *id)
{
	for (size_t i = 0; i < core->n_incidents; i++)
		if (!strcmp(core->incidents[i].id, id))
			return &core->incidents[i];
	return NULL;
}

struct incident_fact *incident_make(struct core *core, const char *id)
{
	struct incident_fact *incident = incident_find(core, id);

	if (incident)
		return incident;
	if (core->n_incidents < CORE_INCIDENTS_MAX) {
		incident = &core->incidents[core->n_incidents++];
	} else {
		incident = &core->incidents[0];
		for (size_t i = 1; i < core->n_incidents; i++) {
			const struct incident_fact *other = &core->incidents[i];

			if (other->state != INCIDENT_CLOSED)
				continue;
			if (incident->state != INCIDENT_CLOSED ||
			    fact_version_cmp(other->version, incident->version) < 0)
				incident = &core->incidents[i];
		}
	}
	memset(incident, 0, sizeof(*incident));
	text_copy(incident->id, sizeof(incident->id), id);
	return incident;
}

static bool disks_clash(const struct spec_fact *spec, const struct disk_fact *disks, uint32_t n)
{
	for (uint32_t i = 0; i < spec->n_disks; i++)
		for (uint32_t j = 0; j < n; j++)
			if ((spec->disks[i].writable || disks[j].writable) &&
			    !strcmp(spec->disks[i].id, disks[j].id))
				return true;
	return false;
}

struct instance *disk_user_find(struct core *core, const char *uuid, const struct disk_fact *disks, uint32_t n)
{
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];

		if (inst->spec.deleted || !inst->spec.protected || !strcmp(inst->spec.uuid, uuid))
			continue;
		if (disks_clash(&inst->spec, disks, n))
			return inst;
	}
	return NULL;
}

bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
}

static struct host *host_make(struct core *core, uint32_t nodeid)
{
	int slot = host_slot(core, nodeid);

	if (slot >= 0)
		return &core->hosts[slot];
	if (core->n_hosts == CORE_HOSTS_MAX)
		return NULL;
	core->hosts[core->n_hosts].config.nodeid = nodeid;
	return &core->hosts[core->n_hosts++];
}

void fact_apply(struct core *core, const struct fact_ref *ref, uint64_t seq)
{
	const struct fact_version *version = ref->fact; /* every fact begins with it */
	struct host *host;
	struct instance *inst;

	if (version->term == core->promised && version->counter > core->counter)
		core->counter = version->counter;
	switch (ref->kind) {
	case FACT_CLUSTER:
		core->cluster = *(const struct cluster_fact *)ref->fact;
		break;
	case FACT_HOST:
		host = host_make(core, ((const struct host_fact *)ref->fact)->nodeid);
		if (!host)
			break;
		host->fact = *(const struct host_fact *)ref->fact;
		host->fact_seq = seq;
		/* Each member notes when it hears of a loss: should it coordinate, its brake counts what failed before. */
		if (host->fact.state == HOST_ADMITTED || host->fact.state == HOST_LEFT) {
			host->failed_ms = 0;
		} else if (host->fact.state == HOST_LOST &&
			   (!host->failed_ms || host->failed_epoch != host->fact.epoch)) {
			host->failed_ms = core->now_ms;
			host->failed_epoch = host->fact.epoch;
		}
		if (!host->config.name[0])
			text_copy(host->config.name, sizeof(host->config.name), host->fact.name);
		break;
	case FACT_SPEC:
		inst = instance_make(core, ((const struct spec_fact *)ref->fact)->uuid);
		if (!inst)
			break;
		/* Its owner's definition is gone, this host's is not: it is said at once who has it. */
		if (((const struct spec_fact *)ref->fact)->deleted && !inst->spec.deleted && inst->defined_here)
			core->report_due = true;
		inst->spec = *(const struct spec_fact *)ref->fact;
		break;
	case FACT_PLACE:
		inst = instance_make(core, ((const struct place_fact *)ref->fact)->uuid);
		if (!inst)
			break;
		/* Each member notes when a migration began: should it coordinate, it must not take it for over. */
		if (((const struct place_fact *)ref->fact)->joint != inst->place.joint)
			inst->joint_since_ms = core->now_ms;
		inst->place = *(const struct place_fact *)ref->fact;
		inst->has_place = true;
		inst->place_seq = seq;
		inst->kept = false;
		break;
	case FACT_INCIDENT:
		*incident_make(core, ((const struct incident_fact *)ref->fact)->id) =
			*(const struct incident_fact *)ref->fact;
		break;
	case FACT_KINDS:
		assert(!"a kind of fact");
	}
}

/* Whether the fact is unknown here, or known in an older version. */
bool fact_is_newer(struct core *core, const struct fact_ref *ref)
{
	const struct fact_version *version = ref->fact;
	const struct fact_version *own = NULL;
	struct instance *inst;
	struct incident_fact *incident;
	int slot;

	switch (ref->kind) {
	case FACT_CLUSTER:
		own = &core->cluster.version;
		break;
	case FACT_HOST:
		slot = host_slot(core, ((const struct host_fact *)ref->fact)->nodeid);
		own = slot < 0 ? NULL : &core->hosts[slot].fact.version;
		break;
	case FACT_SPEC:
		inst = instance_find(core, ((const struct spec_fact *)ref->fact)->uuid);
		own = inst ? &inst->spec.version : NULL;
		break;
	case FACT_PLACE:
		inst = instance_find(core, ((const struct place_fact *)ref->fact)->uuid);
		own = inst ? &inst->place.version : NULL;
		break;
	case FACT_INCIDENT:
		incident = incident_find(core, ((const struct incident_fact *)ref->fact)->id);
		own = incident ? &incident->version : NULL;
		break;
	case FACT_KINDS:
		break;
	}
	return !own || fact_version_cmp(*version, *own) > 0;
}

/*
 * Forgets all facts, and keeps what was seen: the entries of instances stay, as deleted ones, so that what hosts
 * reported of them is not lost by a snapshot.
 */
void facts_clear(struct core *core)
{
	memset(&core->cluster, 0, sizeof(core->cluster));
	for (size_t i = 0; i < core->n_hosts; i++) {
		memset(&core->hosts[i].fact, 0, sizeof(core->hosts[i].fact));
		core->hosts[i].fact_seq = 0;
	}
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];

		memset(&inst->spec.version, 0, sizeof(inst->spec.version));
		inst->spec.deleted = true;
		memset(&inst->place, 0, sizeof(inst->place));
		memcpy(inst->place.uuid, inst->spec.uuid, sizeof(inst->place.uuid));
		inst->has_place = false;
		inst->place_seq = 0;
	}
	memset(core->incidents, 0, sizeof(core->incidents[0]) * core->n_incidents);
	core->n_incidents = 0;
}

static void ref_add(struct core *core, enum fact_kind kind, const void *fact)
{
	assert(core->n_refs < sizeof(core->refs) / sizeof(core->refs[0]));
	core->refs[core->n_refs].kind = kind;
	core->refs[core->n_refs++].fact = fact;
}

/*
 * All facts. With deletions, wherever they may meet the facts of a store that has not heard of them: a promise is merged with
 * others, and a snapshot may be promised again. An opening record outranks all older stores: it needs none.
 */
size_t facts_all(struct core *core, bool deletions, const struct fact_ref **ret)
{
	size_t first = core->n_refs;

	if (core->cluster.version.term)
		ref_add(core, FACT_CLUSTER, &core->cluster);
	for (size_t i = 0; i < core->n_hosts; i++)
		if (core->hosts[i].fact.version.term)
			ref_add(core, FACT_HOST, &core->hosts[i].fact);
	for (size_t i = 0; i < core->n_instances; i++) {
		struct instance *inst = &core->instances[i];

		if (!inst->spec.version.term || (inst->spec.deleted && !deletions))
			continue;
		ref_add(core, FACT_SPEC, &inst->spec);
		if (inst->has_place && !inst->spec.deleted)
			ref_add(core, FACT_PLACE, &inst->place);
	}
	for (size_t i = 0; i < core->n_incidents; i++)
		ref_add(core, FACT_INCIDENT, &core->incidents[i]);
	*ret = &core->refs[first];
	return core->n_refs - first;
}
