/* Looking into the core: for status, and for the simulator. Nothing here decides. */
#include <string.h>

#include "hamon/core/state.h"

void core_view(const struct core *core, struct core_view *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->quorate = core->quorate;
	ret->synced = core->synced;
	ret->store_ok = core->loaded && core->store_ok;
	ret->coordinating = core->role == ROLE_ACTIVE;
	ret->term = core->promised >> 16;
	ret->seq = core->seq;
	ret->commit = core->commit;
	ret->coordinator = core->coordinator;
	ret->tilt = core_tilted(core);
	ret->waits_for = core->waits_for;
	for (size_t i = 0; i < core->n_hosts; i++) {
		if (!core->hosts[i].configured)
			continue;
		ret->votes_configured += core->hosts[i].config.votes;
		ret->votes_present += core->hosts[i].present ? core->hosts[i].config.votes : 0;
	}
}

const struct cluster_fact *core_cluster(const struct core *core)
{
	return &core->cluster;
}

size_t core_host_count(const struct core *core)
{
	return core->n_hosts;
}

bool core_host(const struct core *core, size_t slot, struct core_host_view *ret)
{
	const struct host *host;

	if (slot >= core->n_hosts)
		return false;
	host = &core->hosts[slot];
	memset(ret, 0, sizeof(*ret));
	ret->fact = &host->fact;
	ret->configured = host->configured;
	ret->name = host->config.name;
	ret->nodeid = host->config.nodeid;
	ret->present = host->present;
	ret->dead = (host->fact.state == HOST_DEAD || host->fact.state == HOST_QUARANTINED) &&
		host_epoch_is_dead(host, host->fact.epoch);
	ret->daemon = host->daemon;
	ret->gate_loaded = host->report_known && host->report.gate_loaded;
	ret->libvirt_ok = host->report_known && host->report.libvirt_ok;
	ret->reported = host->report_known && host->report.reported;
	ret->instances_known = host->instances_known;
	ret->free_mib = host->report.free_mib;
	ret->heard_ms = host->heard_ms;
	ret->fence_levels = host->config.fence_levels;
	memcpy(ret->config_digest, host->report.config_digest, sizeof(ret->config_digest));
	memcpy(ret->reason, host->reason, sizeof(ret->reason));
	return true;
}

size_t core_instance_count(const struct core *core)
{
	return core->n_instances;
}

bool core_instance(const struct core *core, size_t slot, struct core_instance_view *ret)
{
	const struct instance *inst;

	if (slot >= core->n_instances)
		return false;
	inst = &core->instances[slot];
	if (inst->spec.deleted || !inst->has_place)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->spec = &inst->spec;
	ret->place = &inst->place;
	ret->committed = place_committed(core, inst);
	for (size_t i = 0; i < core->n_hosts; i++)
		if (inst->state[i] != INSTANCE_ABSENT)
			ret->running_on |= UINT32_C(1) << i;
	return true;
}

size_t core_incident_count(const struct core *core)
{
	return core->n_incidents;
}

const struct incident_fact *core_incident(const struct core *core, size_t slot)
{
	return slot < core->n_incidents ? &core->incidents[slot] : NULL;
}

enum verdict core_verdict(const struct core *core, size_t instance, size_t host, const char **ret_reason)
{
	const struct backing *backing = &core->instances[instance].backing[host];

	*ret_reason = backing->reason[0] ? backing->reason : "not checked yet";
	return backing->verdict;
}
