/* The control socket's verbs: each is read into an event for the core, or answered from what the core knows. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#define EVENTS_MAX 1000 /* records of one reply to "events" */

/* A request that the core has not answered yet. */
struct waiting_request {
	struct waiting_request *next;
	uint64_t id;
	bool gate;
	struct control_request *req;
};

static struct waiting_request *wait_add(struct daemon *d, struct control_request *req, bool gate)
{
	struct waiting_request *waiting = calloc(1, sizeof(*waiting));

	if (!waiting) {
		control_reply_error(req, "out-of-memory", "hamond has no memory left", NULL);
		return NULL;
	}
	waiting->id = ++d->next_request;
	waiting->gate = gate;
	waiting->req = req;
	waiting->next = d->waiting;
	d->waiting = waiting;
	return waiting;
}

static struct control_request *wait_take(struct daemon *d, uint64_t id, bool gate)
{
	for (struct waiting_request **at = &d->waiting; *at; at = &(*at)->next) {
		struct waiting_request *waiting = *at;
		struct control_request *req = waiting->req;

		if (waiting->id != id || waiting->gate != gate)
			continue;
		*at = waiting->next;
		free(waiting);
		return req;
	}
	return NULL;
}

void verb_gate_reply(struct daemon *d, const struct core_action *act)
{
	struct control_request *req = wait_take(d, act->gate.id, true);
	struct json_object *reply;

	if (!req)
		return;
	reply = json_object_new_object();
	json_put_bool(reply, "allow", act->gate.allow);
	json_put_string(reply, "reason", act->gate.reason);
	control_reply(req, reply);
}

void verb_reply(struct daemon *d, const struct core_action *act)
{
	struct control_request *req = wait_take(d, act->reply.id, false);
	struct json_object *reply;

	if (!req)
		return;
	if (act->reply.code[0]) {
		control_reply_error(req, act->reply.code, act->reply.text,
				    act->reply.hint[0] ? act->reply.hint : NULL);
		return;
	}
	reply = json_object_new_object();
	json_put_string(reply, "text", act->reply.text);
	json_put_string(reply, "incident", act->reply.incident[0] ? act->reply.incident : NULL);
	control_reply(req, reply);
}

static void gate_disk_read(struct json_object *disk, struct gate_query *query)
{
	struct disk_fact fact = { .writable = json_bool_or(disk, "writable", true) };

	if (query->spec.n_disks == CORE_DISKS_MAX || !disk_id_read(disk, "id", fact.id)) {
		query->disks_unknown = true;
		return;
	}
	query->spec.disks[query->spec.n_disks++] = fact;
	if (!disk_id_read(disk, "path", fact.id))
		return;
	query->paths[query->n_paths++] = fact;
}

static void verb_gate(struct daemon *d, struct control_request *req, struct json_object *obj)
{
	struct gate_query query = { .op = GATE_START };
	struct core_event event = { .type = EV_GATE, .gate = &query };
	struct waiting_request *waiting;
	struct json_object *disks;
	bool said;

	if (json_copy_string(obj, "uuid", query.spec.uuid, sizeof(query.spec.uuid)) ||
	    json_copy_string(obj, "name", query.spec.name, sizeof(query.spec.name))) {
		control_reply_error(req, "bad-request", "gate needs a uuid and a name", NULL);
		return;
	}
	if (!strcmp(json_string_or(obj, "op", "start"), "migrate-in"))
		query.op = GATE_MIGRATE_IN;
	query.protected = json_get_bool(obj, "protected", &said) ?
		d->config->cluster.protect == CONFIG_PROTECT_ALL : said;
	query.disks_unknown = json_bool_or(obj, "disks_unknown", false);
	if (!json_get_array(obj, "disks", &disks))
		for (size_t i = 0; i < json_object_array_length(disks); i++)
			gate_disk_read(json_object_array_get_idx(disks, i), &query);
	waiting = wait_add(d, req, true);
	if (!waiting)
		return;
	query.id = waiting->id;
	daemon_event(d, &event);
}

/* Who asks, as the record will say: the user's name; name services may block, so only the number is looked up locally. */
static void who_write(const struct control_peer *peer, char *buf, size_t size)
{
	if (peer->uid == 0)
		snprintf(buf, size, "root");
	else
		snprintf(buf, size, "uid %u", (unsigned int)peer->uid);
}

static void accept_loss_read(struct json_object *obj, char *buf, size_t size)
{
	struct json_object *array;
	size_t used = 0;

	if (json_get_array(obj, "accept_data_loss", &array))
		return;
	for (size_t i = 0; i < json_object_array_length(array) && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
					 json_object_get_string(json_object_array_get_idx(array, i)));
}

/* False when it has been answered already: it cannot be understood. */
static bool request_read(struct daemon *d, struct control_request *req, struct json_object *obj,
			 const struct control_peer *peer, struct core_request *request)
{
	struct json_object *error = NULL;

	if (!names_resolve(d, obj, &error)) {
		control_reply(req, error);
		return false;
	}
	if (json_copy_string(obj, "reason", request->reason, sizeof(request->reason)) == -E2BIG) {
		control_reply_error(req, "bad-request", "the reason is too long", "use at most 300 bytes");
		return false;
	}
	(void)json_copy_string(obj, "host", request->host, sizeof(request->host));
	(void)json_copy_string(obj, "instance", request->instance, sizeof(request->instance));
	(void)json_copy_string(obj, "target", request->target, sizeof(request->target));
	accept_loss_read(obj, request->accept_loss, sizeof(request->accept_loss));
	who_write(peer, request->who, sizeof(request->who));
	return true;
}

static void request_ask(struct daemon *d, struct control_request *req, struct json_object *obj,
			const struct control_peer *peer, struct core_request *request)
{
	struct core_event event = { .type = EV_REQUEST, .request = request };
	struct waiting_request *waiting;

	if (!request_read(d, req, obj, peer, request))
		return;
	waiting = wait_add(d, req, false);
	if (!waiting)
		return;
	request->id = waiting->id;
	request->origin = d->settings.self;
	daemon_event(d, &event);
}

static void verb_maintenance(struct daemon *d, struct control_request *req, struct json_object *obj,
			     const struct control_peer *peer)
{
	struct core_request request = { .verb = REQUEST_MAINTENANCE };

	if (json_get_bool(obj, "on", &request.on)) {
		control_reply_error(req, "bad-request", "maintenance needs on: true or false", NULL);
		return;
	}
	if (json_bool_or(obj, "all", false))
		request.verb = REQUEST_MAINTENANCE_ALL;
	request_ask(d, req, obj, peer, &request);
}

static void verb_shutting_down(struct daemon *d, struct control_request *req, struct json_object *obj)
{
	struct json_object *reply = json_object_new_object();

	d->shutting_down = d->host.shutting_down = json_bool_or(obj, "on", true);
	watch_host_report(d);
	daemon_log(d, d->shutting_down ? "The host is shutting down: guests that stop now keep their wish" :
		   "The host is not shutting down after all");
	json_put_string(reply, "text", d->shutting_down ? "guests that stop from now on keep their wish to run" :
			"guests that stop from now on are taken as stopped by hand");
	control_reply(req, reply);
}

static void verb_evacuate(struct daemon *d, struct control_request *req, struct json_object *obj,
			  const struct control_peer *peer)
{
	struct core_request request = { .verb = REQUEST_EVACUATE };

	if (!json_string_or(obj, "instance", NULL) == !json_string_or(obj, "host", NULL)) {
		control_reply_error(req, "bad-request", "evacuate needs either an instance or a failed host", NULL);
		return;
	}
	request.on = json_bool_or(obj, "on_shared_storage", false);
	if (json_bool_or(obj, "dry_run", false)) {
		if (request_read(d, req, obj, peer, &request))
			control_reply(req, plan_reply(d, &request));
		return;
	}
	request_ask(d, req, obj, peer, &request);
}

struct events_request {
	struct control_request *req;
	uint64_t since;
};

static void events_end(void *user, struct json_object *rows)
{
	struct events_request *events = user;
	struct json_object *reply;
	size_t n;

	if (!rows) {
		control_reply_error(events->req, "store", "the store does not answer: its records cannot be read",
				    "look at the disk of /var/lib/hamon");
		free(events);
		return;
	}
	reply = json_object_new_object();
	n = json_object_array_length(rows);
	json_put_u64(reply, "last", !n ? events->since :
		     json_u64_or(json_object_array_get_idx(rows, n - 1), "seq", events->since));
	json_object_object_add(reply, "events", json_object_get(rows));
	control_reply(events->req, reply);
	free(events);
}

/* From the store: every member has all records, not the coordinator alone, and their numbers outlive hamond. */
static void verb_events(struct daemon *d, struct control_request *req, struct json_object *obj)
{
	struct events_request *events = calloc(1, sizeof(*events));
	struct json_object *query = json_object_new_object();

	if (!events) {
		json_object_put(query);
		control_reply_error(req, "out-of-memory", "hamond has no memory left", NULL);
		return;
	}
	events->req = req;
	events->since = json_u64_or(obj, "since", 0);
	if (events->since > d->history_last)
		events->since = 0; /* another store than the one that was asked before */
	if (events->since)
		json_put_u64(query, "since", events->since);
	json_put_u64(query, "limit", EVENTS_MAX);
	if (store_history(d, query, events_end, events))
		events_end(events, NULL);
	json_object_put(query);
}

void verb_request(void *user, struct control_request *req, struct json_object *obj,
		  const struct control_peer *peer)
{
	struct daemon *d = user;
	const char *verb = control_request_verb(req);
	struct core_request request = { 0 };

	if (!d->core) {
		control_reply_error(req, "starting", "hamond is starting", "try again in a moment");
		return;
	}
	if (!strcmp(verb, "gate")) {
		verb_gate(d, req, obj);
	} else if (!strcmp(verb, "status")) {
		control_reply(req, status_reply(d));
	} else if (!strcmp(verb, "incidents")) {
		control_reply(req, incidents_reply(d));
	} else if (!strcmp(verb, "servers")) {
		servers_request(d, req, obj);
	} else if (!strcmp(verb, "explain")) {
		explain_request(d, req, obj);
	} else if (!strcmp(verb, "events")) {
		verb_events(d, req, obj);
	} else if (!strcmp(verb, "storage")) {
		control_reply(req, storage_reply(d, obj));
	} else if (!strcmp(verb, "maintenance")) {
		verb_maintenance(d, req, obj, peer);
	} else if (!strcmp(verb, "confirm-fenced")) {
		request.verb = REQUEST_CONFIRM_FENCED;
		request_ask(d, req, obj, peer, &request);
	} else if (!strcmp(verb, "forget")) {
		request.verb = REQUEST_FORGET;
		request_ask(d, req, obj, peer, &request);
	} else if (!strcmp(verb, "release")) {
		request.verb = REQUEST_RELEASE;
		request_ask(d, req, obj, peer, &request);
	} else if (!strcmp(verb, "evacuate")) {
		verb_evacuate(d, req, obj, peer);
	} else if (!strcmp(verb, "return")) {
		who_write(peer, request.who, sizeof(request.who));
		return_request(d, req, obj, request.who);
	} else if (!strcmp(verb, "shutting-down")) {
		verb_shutting_down(d, req, obj);
	} else {
		control_reply_error(req, "unknown-verb", "this hamond does not know that verb", NULL);
	}
}
