/* Incidents: one for each loss of a host, from the loss until every instance of it runs again, or is held. */
#include <stdio.h>
#include <string.h>

#include "hamon/core/state.h"

struct incident_fact *incident_open(struct core *core, struct host *host)
{
	char id[CORE_INCIDENT_SIZE];
	struct incident_fact *incident;

	snprintf(id, sizeof(id), "%s-e%llu", host->config.name, (unsigned long long)host->fact.epoch);
	incident = incident_make(core, id);
	if (!incident->host) {
		incident->host = host->config.nodeid;
		incident->epoch = host->fact.epoch;
		incident->heard_ms = host->heard_ms;
		incident->lost_ms = core->now_ms;
	}
	incident->state = INCIDENT_OPEN;
	text_copy(host->fact.incident, sizeof(host->fact.incident), id);
	stage_incident(core, incident);
	return incident;
}

void incident_end(struct core *core, struct host *host, const char *why)
{
	struct incident_fact *incident = incident_find(core, host->fact.incident);

	if (incident) {
		incident->state = INCIDENT_CLOSED;
		incident->closed_ms = core->now_ms;
		text_copy(incident->reason, sizeof(incident->reason), why);
		stage_incident(core, incident);
	}
	host->fact.incident[0] = '\0';
	host->reason[0] = '\0';
}

bool incident_under_way(const struct core *core, const char *id, bool *ret_hopeful)
{
	bool under_way = false;

	*ret_hopeful = false;
	for (size_t i = 0; i < core->n_instances; i++) {
		const struct instance *inst = &core->instances[i];

		int slot = host_slot(core, inst->place.owner);

		if (inst->spec.deleted || !id[0] || strcmp(inst->place.incident, id) ||
		    (inst->place.phase != PHASE_ASSIGNED && inst->place.phase != PHASE_REVOKING))
			continue;
		under_way = true;
		*ret_hopeful |= slot >= 0 && core->hosts[slot].fact.state == HOST_ADMITTED && core->hosts[slot].present;
	}
	return under_way;
}

void incidents_evaluate(struct core *core)
{
	for (size_t k = 0; k < core->n_incidents; k++) {
		struct incident_fact *incident = &core->incidents[k];
		uint32_t total = 0, running = 0, held = 0, excluded = 0;
		enum incident_state state;
		int slot;

		if (incident->state == INCIDENT_CLOSED)
			continue;
		for (size_t i = 0; i < core->n_instances; i++) {
			const struct instance *inst = &core->instances[i];

			if (inst->spec.deleted)
				continue;
			/* In the middle of a live migration: whether it still runs on the other side is not known yet. */
			if (inst->place.joint && inst->place.owner == incident->host &&
			    inst->place.owner_epoch == incident->epoch && inst->place.wish == WISH_RUNNING) {
				total++;
				continue;
			}
			if (strcmp(inst->place.incident, incident->id))
				continue;
			/* It is over without what the settings leave to its own host, which may never come back. */
			if (inst->place.excluded && inst->place.phase == PHASE_HELD) {
				excluded++;
				continue;
			}
			total++;
			running += inst->place.phase == PHASE_SETTLED;
			held += inst->place.phase == PHASE_HELD;
		}
		slot = host_slot(core, incident->host);
		if (slot >= 0 && core->hosts[slot].fact.state == HOST_LOST &&
		    !strcmp(core->hosts[slot].fact.incident, incident->id))
			state = INCIDENT_OPEN;
		else if (running == total)
			state = INCIDENT_CLOSED;
		else
			state = running + held == total ? INCIDENT_HELD : INCIDENT_OPEN;
		if (state == incident->state && total == incident->total &&
		    running == incident->running && held == incident->held)
			continue;
		incident->total = total;
		incident->running = running;
		incident->held = held;
		if (state == INCIDENT_CLOSED || (state == INCIDENT_HELD && incident->state == INCIDENT_OPEN)) {
			incident->closed_ms = core->now_ms;
			note_stage(core, state == INCIDENT_CLOSED ? "incident-closed" : "incident-held",
				   held ? NOTE_ALERT : NOTE_NOTICE, incident->id,
				   slot < 0 ? NULL : &core->hosts[slot], NULL,
				   "%s: %u of %u instances run again%s%s", incident->id, running, total,
				   excluded ? ", those that the settings leave to their host are left alone" : "",
				   held ? ", the rest is held and waits for a person" : "");
		}
		incident->state = state;
		stage_incident(core, incident);
	}
}
