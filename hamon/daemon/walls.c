/*
 * When an incident began by the wall clock: for people. The core knows boot clocks only, so it is taken from the record of the
 * lost host, as it is written or, after a restart, from the history.
 */
#include <stdio.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

void wall_take(struct daemon *d, const char *kind, const char *incident, const char *wall)
{
	struct incident_wall *entry;

	if (strcmp(kind, "host-lost") || !incident[0] || wall_of(d, incident))
		return;
	entry = &d->walls[d->next_wall++ % CORE_INCIDENTS_MAX];
	snprintf(entry->incident, sizeof(entry->incident), "%s", incident);
	snprintf(entry->wall, sizeof(entry->wall), "%s", wall);
}

const char *wall_of(struct daemon *d, const char *incident)
{
	for (size_t i = 0; i < CORE_INCIDENTS_MAX; i++)
		if (!strcmp(d->walls[i].incident, incident))
			return d->walls[i].wall;
	return NULL;
}

static void walls_loaded(void *user, struct json_object *rows)
{
	for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		wall_take(user, json_string_or(row, "kind", ""), json_string_or(row, "incident", ""),
			  json_string_or(row, "wall", ""));
	}
}

void walls_load(struct daemon *d)
{
	struct json_object *query = json_object_new_object();

	json_put_string(query, "kind", "host-lost");
	json_put_u64(query, "limit", CORE_INCIDENTS_MAX);
	if (store_history(d, query, walls_loaded, d))
		daemon_log(d, "The times of earlier incidents cannot be read from the store");
	json_object_put(query);
}
