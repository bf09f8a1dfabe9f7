/* What this member knows, as the replies of the control socket. Nothing here waits for anything. */
#include <stdio.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#include <config.h>

static void warning_add(struct json_object *array, const char *text)
{
	json_object_array_add(array, json_object_new_string(text));
}

static const char *daemon_word(const struct core_host_view *host)
{
	if (host->daemon)
		return "running";
	return host->present ? "unwatched" : "absent";
}

static struct json_object *cluster_json(struct daemon *d)
{
	const struct cluster_fact *cluster = core_cluster(d->core);
	struct json_object *obj = json_object_new_object(), *part;
	struct core_view view;

	core_view(d->core, &view);
	json_put_string(obj, "name", d->cluster.name);
	json_put_bool(obj, "quorate", view.quorate);
	json_put_bool(obj, "synced", view.synced);
	json_put_bool(obj, "crypto", d->cluster.crypto);
	json_put_u64(obj, "term", view.term);
	json_put_string(obj, "waits_for", view.waits_for[0] ? view.waits_for : NULL);
	/* Whoever stands for it while nobody can have it does not coordinate. */
	json_put_string(obj, "coordinator", view.coordinator && !view.waits_for[0] ?
			daemon_host_name(d, view.coordinator) : NULL);
	json_put_bool(obj, "frozen", cluster->frozen);
	part = json_object_new_object();
	json_put_bool(part, "held", cluster->brake);
	json_put_string(part, "reason", cluster->brake ? cluster->brake_reason : NULL);
	json_object_object_add(obj, "brake", part);
	part = json_object_new_object();
	json_put_u64(part, "configured", view.votes_configured);
	json_put_u64(part, "present", view.votes_present);
	json_object_object_add(obj, "votes", part);
	part = json_object_new_object();
	json_put_bool(part, "ok", view.store_ok);
	json_put_string(part, "error", d->store_error[0] ? d->store_error : NULL);
	json_put_u64(part, "commits", d->store_commits);
	json_put_u64(part, "fsync_us", d->store_fsync_us);
	json_object_object_add(obj, "store", part);
	return obj;
}

static uint64_t instances_of(struct daemon *d, uint32_t nodeid)
{
	struct core_instance_view view;
	uint64_t n = 0;

	for (size_t i = 0; i < core_instance_count(d->core); i++)
		n += core_instance(d->core, i, &view) && view.place->owner == nodeid;
	return n;
}

static struct json_object *host_json(struct daemon *d, const struct core_host_view *host)
{
	struct json_object *obj = json_object_new_object();
	const struct config_host *config = config_host_find(d->config, host->name);
	bool alive = host->daemon;

	json_put_string(obj, "name", host->name);
	json_put_u64(obj, "nodeid", host->nodeid);
	json_put_string(obj, "state", host_state_name(host->fact->state));
	json_put_u64(obj, "epoch", host->fact->epoch);
	json_put_bool(obj, "member", host->present);
	json_put_string(obj, "daemon", daemon_word(host));
	json_put_bool(obj, "maintenance", host->fact->maintenance);
	json_put_bool(obj, "reserved", config && config->reserved);
	json_put_string(obj, "gate", !alive || !host->reported ? "unknown" :
			host->gate_loaded ? "ok" : "not-loaded");
	json_put_string(obj, "libvirt", !alive ? "unknown" : host->libvirt_ok ? "ok" : "hung");
	json_put_string(obj, "boot_id", host->fact->boot_id);
	json_put_u64(obj, "free_mib", host->free_mib);
	json_put_u64(obj, "instances", instances_of(d, host->nodeid));
	json_put_u64(obj, "fence_levels", host->fence_levels);
	json_put_string(obj, "incident", host->fact->incident[0] ? host->fact->incident : NULL);
	json_put_string(obj, "reason", host->reason[0] ? host->reason : NULL);
	return obj;
}

static struct json_object *device_json(struct daemon *d, const struct config_device *device,
				       const struct device_state *state)
{
	struct json_object *obj = json_object_new_object(), *hosts = json_object_new_array();

	json_put_string(obj, "name", device->name);
	json_put_string(obj, "agent", device->agent);
	for (size_t h = 0; h < d->config->hosts_count; h++)
		for (size_t l = 0; l < CONFIG_LEVELS_MAX; l++)
			for (size_t k = 0; k < d->config->hosts[h].levels[l].count; k++)
				if (d->config->hosts[h].levels[l].devices[k].device == device)
					json_object_array_add(hosts,
						json_object_new_string(d->config->hosts[h].name));
	json_object_object_add(obj, "hosts", hosts);
	json_put_string(obj, "state", !state->known ? "unknown" : state->ok ? "ok" : "failed");
	json_put_u64(obj, "checked_ms_ago", state->known ? clock_boot_ms() - state->checked_ms : 0);
	json_put_string(obj, "error", state->error[0] ? state->error : NULL);
	return obj;
}

static const char *state_word(struct daemon *d, const struct core_instance_view *view)
{
	bool runs = false, told = false;

	for (size_t i = 0; i < core_host_count(d->core); i++) {
		struct core_host_view host;

		/* What a host said last is no news of it once it has gone. */
		if (core_host(d->core, i, &host) && host.nodeid == view->place->owner && host.present) {
			runs = view->running_on & UINT32_C(1) << i;
			told = host.daemon && host.instances_known;
		}
	}
	switch (view->place->phase) {
	case PHASE_ASSIGNED:
		return "starting";
	case PHASE_WAITING:
	case PHASE_REVOKING:
	case PHASE_HELD:
		return "stopped";
	case PHASE_SETTLED:
		break;
	}
	return runs ? "running" : view->place->wish == WISH_RUNNING && !told ? "unknown" : "stopped";
}

struct json_object *instance_json(struct daemon *d, size_t slot, const struct core_instance_view *view)
{
	struct json_object *obj = json_object_new_object(), *verdicts = json_object_new_array();
	struct core_host_view host;

	json_put_string(obj, "name", view->spec->name);
	json_put_string(obj, "title", view->spec->title[0] ? view->spec->title : NULL);
	json_put_string(obj, "uuid", view->spec->uuid);
	json_put_string(obj, "host", view->place->released ? NULL : daemon_host_name(d, view->place->owner));
	json_put_string(obj, "migrating_to", view->place->joint ?
			daemon_host_name(d, view->place->joint) : NULL);
	json_put_string(obj, "wish", wish_name(view->place->wish));
	json_put_string(obj, "phase", phase_name(view->place->phase));
	json_put_string(obj, "state", state_word(d, view));
	json_put_u64(obj, "generation", view->place->generation);
	json_put_u64(obj, "memory_mib", view->spec->memory_mib);
	json_put_u64(obj, "priority", view->spec->priority);
	json_put_string(obj, "group", view->spec->group[0] ? view->spec->group : NULL);
	json_put_string(obj, "incident", view->place->incident[0] ? view->place->incident : NULL);
	json_put_string(obj, "reason", view->place->reason[0] ? view->place->reason : NULL);
	json_put_bool(obj, "excluded", view->place->excluded);
	json_put_string(obj, "failure", view->place->failure[0] ? view->place->failure : NULL);
	json_put_bool(obj, "committed", view->committed);
	for (size_t i = 0; i < core_host_count(d->core); i++) {
		struct json_object *verdict;
		const char *reason;

		if (!core_host(d->core, i, &host) || !host.configured || host.nodeid == view->place->owner)
			continue;
		verdict = json_object_new_object();
		json_put_string(verdict, "host", host.name);
		json_put_string(verdict, "verdict", verdict_name(core_verdict(d->core, slot, i, &reason)));
		json_put_string(verdict, "reason", reason);
		json_object_array_add(verdicts, verdict);
	}
	json_object_object_add(obj, "verdicts", verdicts);
	return obj;
}

static void warnings_hosts(struct daemon *d, struct json_object *array)
{
	struct core_host_view host;
	char text[512], digest[CORE_HASH_SIZE] = "";

	config_digest(d->config, digest);
	for (size_t i = 0; i < d->config->hosts_count; i++) {
		if (!d->config->hosts[i].power_on_after)
			continue;
		snprintf(text, sizeof(text), "power_on_after of %s has no effect yet: switch it on by hand after a fencing",
			 d->config->hosts[i].name);
		warning_add(array, text);
	}
	for (size_t i = 0; i < core_host_count(d->core); i++) {
		if (!core_host(d->core, i, &host) || !host.configured || host.fact->forgotten)
			continue;
		if (host.daemon && host.config_digest[0] && strcmp(host.config_digest, digest)) {
			snprintf(text, sizeof(text), "%s runs with another hamon.conf than %s: make them equal",
				 host.name, daemon_self_name(d));
			warning_add(array, text);
		}
		if (!host.fence_levels) {
			snprintf(text, sizeof(text),
				 "%s has no fence device: nothing of it is recovered without a person", host.name);
			warning_add(array, text);
		}
	}
}

static struct json_object *warnings_json(struct daemon *d)
{
	struct json_object *array = json_object_new_array();

	if (d->mode_refused)
		warning_add(array, d->mode_error);
	if (d->cluster_known && !d->cluster.crypto)
		warning_add(array, "corosync runs WITHOUT crypto: whoever reaches its network can stop and start your guests");
	if (d->store_error[0])
		warning_add(array, d->store_error);
	if (d->shutting_down)
		warning_add(array, "this host is marked as shutting down");
	warnings_hosts(d, array);
	return array;
}

struct json_object *status_reply(struct daemon *d)
{
	struct json_object *obj = json_object_new_object(), *array;
	struct core_instance_view view;
	struct core_host_view host;

	json_object_object_add(obj, "cluster", cluster_json(d));
	json_put_string(obj, "self", daemon_self_name(d));
	json_put_string(obj, "version", HAMON_VERSION);
	array = json_object_new_array();
	for (size_t i = 0; i < core_host_count(d->core); i++)
		if (core_host(d->core, i, &host) && host.configured && !host.fact->forgotten)
			json_object_array_add(array, host_json(d, &host));
	json_object_object_add(obj, "hosts", array);
	array = json_object_new_array();
	for (size_t i = 0; i < d->config->devices_count; i++)
		json_object_array_add(array, device_json(d, &d->config->devices[i], &d->devices[i]));
	json_object_object_add(obj, "fence_devices", array);
	array = json_object_new_array();
	for (size_t i = 0; i < core_instance_count(d->core); i++)
		if (core_instance(d->core, i, &view))
			json_object_array_add(array, instance_json(d, i, &view));
	json_object_object_add(obj, "instances", array);
	json_object_object_add(obj, "warnings", warnings_json(d));
	return obj;
}

struct json_object *incident_json(struct daemon *d, const struct incident_fact *incident)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "id", incident->id);
	json_put_string(obj, "host", daemon_host_name(d, incident->host));
	json_put_string(obj, "wall", wall_of(d, incident->id));
	json_put_u64(obj, "epoch", incident->epoch);
	json_put_string(obj, "state", incident_state_name(incident->state));
	json_put_u64(obj, "last_heard_ms", incident->heard_ms);
	json_put_u64(obj, "lost_ms", incident->lost_ms);
	json_put_u64(obj, "fence_intent_ms", incident->intent_ms);
	json_put_u64(obj, "certified_ms", incident->certified_ms);
	json_put_u64(obj, "closed_ms", incident->closed_ms);
	json_put_string(obj, "proof", proof_method_name(incident->proof));
	json_put_u64(obj, "total", incident->total);
	json_put_u64(obj, "running", incident->running);
	json_put_u64(obj, "held", incident->held);
	json_put_string(obj, "reason", incident->reason[0] ? incident->reason : NULL);
	return obj;
}

struct json_object *incidents_reply(struct daemon *d)
{
	struct json_object *obj = json_object_new_object(), *array = json_object_new_array();

	for (size_t i = 0; i < core_incident_count(d->core); i++)
		json_object_array_add(array, incident_json(d, core_incident(d->core, i)));
	json_object_object_add(obj, "incidents", array);
	return obj;
}

struct json_object *storage_reply(struct daemon *d, struct json_object *obj)
{
	const char *what = json_string_or(obj, "instance", "");
	struct core_instance_view view;
	struct json_object *reply, *inst;
	size_t slot;

	if (!instance_lookup(d, what, &slot, &view, &reply))
		return reply;
	inst = instance_json(d, slot, &view);
	reply = json_object_new_object();
	json_put_string(reply, "instance", view.spec->name);
	json_put_string(reply, "title", view.spec->title[0] ? view.spec->title : NULL);
	json_put_string(reply, "uuid", view.spec->uuid);
	json_put_string(reply, "owner", daemon_host_name(d, view.place->owner));
	json_object_object_add(reply, "verdicts", json_object_get(json_object_object_get(inst, "verdicts")));
	json_object_put(inst);
	return reply;
}
