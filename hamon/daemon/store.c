/* The store's writer, hamon-store: what the core persists, and the history that people ask for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/faultpoint.h"
#include "hamon/daemon/trace.h"
#include "hamon/wire.h"

#define QUERY_TIMEOUT_MS 3000
/* Numbers of the store's requests grow; between two of the core's there is room for what nobody waits for. */
#define STORE_SEQ_SHIFT 20

struct store_query {
	struct store_query *next;
	uint64_t id;
	uint64_t deadline_ms;
	void (*done)(void *user, struct json_object *rows);
	void *user;
};

static void store_failed(struct daemon *d, const char *why)
{
	struct core_event event = { .type = EV_PERSIST_FAILED };

	snprintf(d->store_error, sizeof(d->store_error), "%s", why);
	d->store_loaded = false;
	daemon_defer(d, &event);
}

static void query_end(struct daemon *d, uint64_t id, struct json_object *rows)
{
	for (struct store_query **at = &d->queries; *at; at = &(*at)->next) {
		struct store_query *query = *at;

		if (query->id != id)
			continue;
		*at = query->next;
		query->done(query->user, rows);
		free(query);
		return;
	}
}

static void store_send(struct daemon *d, struct json_object *obj)
{
	int rc = d->store ? helper_send_json(d->store, obj) : -EPIPE;

	if (rc && d->store_loaded)
		store_failed(d, rc == -EAGAIN ? "the store's writer does not keep up" :
			     "the store's writer is gone");
	json_object_put(obj);
}

/* A large store comes in several lines; their lists are put together. */
static void loading_take(struct daemon *d, struct json_object *obj)
{
	static const char *const names[] = { "facts", "defs" };

	if (!d->loading)
		d->loading = json_object_new_object();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct json_object *part, *whole;

		if (json_get_array(obj, names[i], &part))
			continue;
		if (json_get_array(d->loading, names[i], &whole)) {
			json_object_object_add(d->loading, names[i], json_object_get(part));
			continue;
		}
		for (size_t k = 0; k < json_object_array_length(part); k++)
			json_object_array_add(whole, json_object_get(json_object_array_get_idx(part, k)));
	}
}

/* The store is of no use. Said once, however often it is tried. */
static void load_failed(struct daemon *d, struct json_object *obj)
{
	struct core_event event = { .type = EV_LOADED };
	const char *error = json_string_or(obj, "error", "not readable");

	if (strcmp(d->store_error, error)) {
		snprintf(d->store_error, sizeof(d->store_error), "%s", error);
		daemon_note(d, "store-failed", NOTE_ALERT, "The store cannot be used: %s", d->store_error);
		daemon_event(d, &event);
	}
	/* The writer of a hamond that was killed a moment ago still ends: store_tick() starts another one. */
	if (!strcmp(json_string_or(obj, "error_class", ""), "locked") && d->store)
		helper_kill(d->store);
}

static void loaded_take(struct daemon *d, struct json_object *obj)
{
	struct core_event event = { .type = EV_LOADED };
	struct json_object *meta = NULL, *facts = NULL, *defs = NULL;
	struct wire *wire = NULL;
	char error[256] = "";

	if (!json_bool_or(obj, "ok", false)) {
		load_failed(d, obj);
		return;
	}
	(void)json_get_object(obj, "meta", &meta);
	loading_take(d, obj);
	facts = json_object_object_get(d->loading, "facts");
	if (facts &&
	    wire_facts_decode(facts, &wire, &event.loaded.n_facts, &event.loaded.facts, error, sizeof(error))) {
		snprintf(d->store_error, sizeof(d->store_error), "a fact is not valid: %s", error);
		daemon_note(d, "store-failed", NOTE_ALERT, "The store cannot be used: %s", d->store_error);
		daemon_event(d, &event);
		return;
	}
	d->store_loaded = true;
	d->store_error[0] = '\0';
	d->history_last = json_u64_or(obj, "history_last", 0);
	event.loaded.ok = true;
	event.loaded.promised = meta ? json_u64_or(meta, "promised", 0) : 0;
	event.loaded.facts_term = meta ? json_u64_or(meta, "facts_term", 0) : 0;
	if (!json_get_array(d->loading, "defs", &defs))
		for (size_t i = 0; i < json_object_array_length(defs); i++) {
			struct json_object *query = json_object_new_object();

			json_put_string(query, "query", "def");
			json_put_u64(query, "id", ++d->next_query);
			json_object_object_add(query, "hash",
					       json_object_get(json_object_array_get_idx(defs, i)));
			store_send(d, query);
		}
	walls_load(d);
	/* What libvirt, or another host, told while nothing could be written. */
	for (size_t i = 0; i < d->n_defs; i++)
		store_def(d, d->defs[i].hash, d->defs[i].xml);
	daemon_event(d, &event);
	wire_free(wire);
	json_object_put(d->loading);
	d->loading = NULL;
}

static void store_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	struct daemon *d = user;
	const char *type = json_string_or(obj, "type", "");

	if (!strcmp(type, "persisted")) {
		struct core_event event = { .type = EV_PERSISTED };

		event.persisted.persist_id = json_u64_or(obj, "seq", 0) >> STORE_SEQ_SHIFT;
		d->store_fsync_us += json_u64_or(obj, "fsync_us", 0);
		d->store_commits++;
		trace_add("persisted", "%llu fsync_us=%llu", (unsigned long long)event.persisted.persist_id,
			  (unsigned long long)json_u64_or(obj, "fsync_us", 0));
		fault_persisted(event.persisted.persist_id);
		daemon_event(d, &event);
		/* It can write again. What was not handed to it meanwhile is missing, so it begins anew, as after its end. */
		if (!d->store_loaded && d->store_error[0] && d->store)
			helper_kill(d->store);
	} else if (!strcmp(type, "loading")) {
		loading_take(d, obj);
	} else if (!strcmp(type, "loaded")) {
		loaded_take(d, obj);
	} else if (!strcmp(type, "history")) {
		struct json_object *rows = NULL;

		(void)json_get_array(obj, "rows", &rows);
		query_end(d, json_u64_or(obj, "id", 0), rows);
	} else if (!strcmp(type, "def")) {
		if (json_string_or(obj, "xml", NULL))
			def_add(d, json_string_or(obj, "hash", ""), json_string_or(obj, "xml", ""));
	} else if (!strcmp(type, "error")) {
		daemon_log(d, "store: %s", json_string_or(obj, "error", "?"));
		if (json_u64_or(obj, "seq", 0))
			store_failed(d, json_string_or(obj, "error", "a write failed"));
	}
}

static void store_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct daemon *d = user;

	d->store = NULL;
	if (d->ending)
		return;
	if (d->store_loaded) {
		daemon_log(d, "The store's writer ended (status %d)", status);
		store_failed(d, "the store's writer ended");
	}
}

void store_start(struct daemon *d)
{
	char path[512], history[24];
	const char *argv[] = { "hamon-store", "--path", d->config->store.path, "--history", history, NULL };
	struct helper_spec spec = {
		.path = path, .argv = argv, .keep_stdin = true, .tag = TAG_STORE, .on_line = store_on_line,
		.on_stderr = daemon_on_stderr, .on_exit = store_on_exit, .user = d,
	};

	snprintf(path, sizeof(path), "%s/hamon-store", d->libexec);
	snprintf(history, sizeof(history), "%llu", (unsigned long long)d->config->store.history);
	d->store = helper_start(d->pool, &spec);
	if (!d->store)
		daemon_log(d, "%s cannot be started: %m", path);
}

void store_persist(struct daemon *d, const struct core_action *act)
{
	struct json_object *obj, *meta, *facts, *history;
	char wall[CLOCK_WALL_SIZE], id[WIRE_NOTE_ID_SIZE];
	struct core_view view;

	if (!d->store_loaded)
		return;
	fault_persist(act);
	core_view(d->core, &view);
	obj = json_object_new_object();
	meta = json_object_new_object();
	d->store_seq = act->persist.id << STORE_SEQ_SHIFT;
	json_put_u64(obj, "seq", d->store_seq);
	json_put_u64(meta, "promised", act->persist.promised);
	json_put_u64(meta, "facts_term", act->persist.facts_term);
	json_object_object_add(obj, "meta", meta);
	json_put_bool(obj, "replace", act->persist.replace);
	facts = json_object_new_array();
	for (size_t i = 0; i < act->persist.n_facts; i++)
		json_object_array_add(facts, wire_fact_encode(&act->persist.facts[i]));
	json_object_object_add(obj, "facts", facts);
	clock_wall_text(wall, sizeof(wall));
	history = json_object_new_array();
	for (size_t i = 0; i < act->persist.n_notes; i++) {
		struct json_object *row;

		wire_note_id(act->persist.term, act->persist.seq, (uint32_t)i, id);
		row = wire_note_encode(&act->persist.notes[i], id, wall);
		wall_take(d, act->persist.notes[i].kind, act->persist.notes[i].incident, wall);
		json_put_u64(row, "seq", ++d->history_last);
		json_object_array_add(history, row);
		if (!view.coordinating)
			alert_remember(d, row);
	}
	json_object_object_add(obj, "history", history);
	trace_add("persist", "%llu", (unsigned long long)act->persist.id);
	store_send(d, obj);
}

/* A row of this host alone; nobody waits for it. */
void store_note(struct daemon *d, struct json_object *row)
{
	struct json_object *obj, *history;

	if (!d->store_loaded)
		return;
	obj = json_object_new_object();
	history = json_object_new_array();
	json_put_u64(row, "seq", ++d->history_last);
	json_object_array_add(history, json_object_get(row));
	json_object_object_add(obj, "history", history);
	json_put_u64(obj, "seq", ++d->store_seq);
	store_send(d, obj);
}

void store_def(struct daemon *d, const char *hash, const char *xml)
{
	struct json_object *obj, *defs, *def;

	if (!d->store_loaded)
		return;
	obj = json_object_new_object();
	defs = json_object_new_array();
	def = json_object_new_object();
	json_put_string(def, "hash", hash);
	json_put_string(def, "xml", xml);
	json_object_array_add(defs, def);
	json_object_object_add(obj, "defs", defs);
	json_put_u64(obj, "seq", ++d->store_seq);
	store_send(d, obj);
}

/* What libvirt's hook goes by while no hamond answers: written by the store's process, since a disk may hang. */
void store_gate_list(struct daemon *d)
{
	struct json_object *obj, *list, *instances;
	struct core_instance_view view;
	uint64_t hash = 1469598103934665603u;

	if (!d->store_loaded)
		return;
	list = json_object_new_object();
	instances = json_object_new_array();
	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		struct json_object *inst, *disks;

		if (!core_instance(d->core, i, &view))
			continue;
		inst = json_object_new_object();
		disks = json_object_new_array();
		json_put_string(inst, "uuid", view.spec->uuid);
		json_put_string(inst, "name", view.spec->name);
		json_put_string(inst, "owner", daemon_host_name(d, view.place->owner));
		json_put_bool(inst, "self", view.place->owner == d->settings.self);
		for (uint32_t k = 0; k < view.spec->n_disks; k++)
			json_object_array_add(disks, json_object_new_string(view.spec->disks[k].id));
		json_object_object_add(inst, "disks", disks);
		json_object_array_add(instances, inst);
	}
	json_put_string(list, "protect", d->config->cluster.protect == CONFIG_PROTECT_ALL ? "all" : "opted-in");
	json_object_object_add(list, "instances", instances);
	for (const char *c = json_object_to_json_string(list); *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211u;
	if (hash == d->gate_list_hash) {
		json_object_put(list);
		return;
	}
	d->gate_list_hash = hash;
	obj = json_object_new_object();
	json_object_object_add(obj, "gate_list", list);
	store_send(d, obj);
}

int store_history(struct daemon *d, struct json_object *query,
		  void (*done)(void *user, struct json_object *rows), void *user)
{
	struct store_query *entry;

	if (!d->store || !d->store_loaded)
		return -ENOTCONN;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->id = ++d->next_query;
	entry->deadline_ms = clock_boot_ms() + QUERY_TIMEOUT_MS;
	entry->done = done;
	entry->user = user;
	entry->next = d->queries;
	d->queries = entry;
	json_put_string(query, "query", "history");
	json_put_u64(query, "id", entry->id);
	store_send(d, json_object_get(query));
	return 0;
}

void store_tick(struct daemon *d)
{
	uint64_t now_ms = clock_boot_ms();

	for (struct store_query *query = d->queries, *next; query; query = next) {
		next = query->next;
		if (now_ms >= query->deadline_ms)
			query_end(d, query->id, NULL);
	}
	if (!d->store && !d->ending)
		store_start(d);
	store_gate_list(d);
}
