/* `explain`: the records of an incident, an instance or a host, in order, and in a few sentences why things are as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

struct explanation {
	struct daemon *d;
	struct control_request *req;
	struct json_object *reply;
};

static void why_add(struct json_object *reply, const char *text)
{
	struct json_object *why;

	if (!json_get_array(reply, "why", &why))
		json_object_array_add(why, json_object_new_string(text));
}

static void explain_end(void *user, struct json_object *rows)
{
	struct explanation *expl = user;

	if (!rows)
		why_add(expl->reply, "The store does not answer: the history is not shown");
	json_object_object_add(expl->reply, "timeline", rows ? json_object_get(rows) : json_object_new_array());
	control_reply(expl->req, expl->reply);
	free(expl);
}

static void instance_why(struct daemon *d, struct json_object *reply, const struct core_instance_view *view)
{
	char text[CORE_TEXT_SIZE + 256];
	const char *owner = daemon_host_name(d, view->place->owner);
	char label[CORE_LABEL_SIZE];
	const char *name = spec_label(view->spec, label);

	switch (view->place->phase) {
	case PHASE_SETTLED:
		snprintf(text, sizeof(text), "%s belongs to %s (generation %llu) and is wished %s",
			 name, owner, (unsigned long long)view->place->generation,
			 wish_name(view->place->wish));
		break;
	case PHASE_ASSIGNED:
		snprintf(text, sizeof(text), "%s is being started on %s (generation %llu)", name,
			 owner, (unsigned long long)view->place->generation);
		break;
	case PHASE_REVOKING:
		if (view->place->heir) {
			snprintf(text, sizeof(text), "%s is stopped on %s, and %s", view->spec->name, owner,
				 view->place->reason);
			break;
		}
		snprintf(text, sizeof(text), "%s did not start on %s (%s); it is tried elsewhere once %s has shown that nothing of it is left there",
			 name, owner, view->place->reason, owner);
		break;
	case PHASE_WAITING:
	case PHASE_HELD:
		snprintf(text, sizeof(text), "%s is %s: %s", name, phase_name(view->place->phase),
			 view->place->reason);
		break;
	}
	why_add(reply, text);
	if (view->place->failure[0] && !strstr(view->place->reason, view->place->failure)) {
		snprintf(text, sizeof(text), "The last start that failed, on %s", view->place->failure);
		why_add(reply, text);
	}
}

static void incident_why(struct daemon *d, struct json_object *reply, const struct incident_fact *incident)
{
	char text[CORE_TEXT_SIZE + 256];

	snprintf(text, sizeof(text), "%s (epoch %llu) is incident %s: %s, proof: %s, %u of %u instances run again, %u held",
		 daemon_host_name(d, incident->host), (unsigned long long)incident->epoch, incident->id,
		 incident_state_name(incident->state), proof_method_name(incident->proof), incident->running,
		 incident->total, incident->held);
	why_add(reply, text);
	if (incident->reason[0])
		why_add(reply, incident->reason);
}

static void instance_tell(struct daemon *d, size_t slot, const struct core_instance_view *view, struct json_object *reply,
			  struct json_object *query)
{
	json_object_object_add(reply, "instance", instance_json(d, slot, view));
	json_put_string(query, "instance", view->spec->uuid);
	instance_why(d, reply, view);
}

/* By what only one has: a title comes last, for a tenant may call a server like one of the hosts. */
static bool instance_look(struct daemon *d, const char *what, struct json_object *reply,
			  struct json_object *query)
{
	struct core_instance_view view;
	size_t slot;

	if (!instance_lookup(d, what, &slot, &view, NULL) || (strcmp(view.spec->name, what) && strcasecmp(view.spec->uuid, what)))
		return false;
	instance_tell(d, slot, &view, reply, query);
	return true;
}

static bool title_look(struct daemon *d, const char *what, struct json_object *reply, struct json_object *query,
		       struct json_object **ret_error)
{
	struct core_instance_view view;
	size_t slot;

	if (!instance_lookup(d, what, &slot, &view, ret_error))
		return false;
	instance_tell(d, slot, &view, reply, query);
	return true;
}

/* An incident by its id, or the newest one of a host. */
static bool incident_look(struct daemon *d, const char *what, struct json_object *reply,
			  struct json_object *query)
{
	const struct incident_fact *found = NULL;

	for (size_t i = 0; i < core_incident_count(d->core); i++) {
		const struct incident_fact *incident = core_incident(d->core, i);

		if (!strcmp(incident->id, what) ||
		    (!strcmp(daemon_host_name(d, incident->host), what) &&
		     (!found || incident->epoch > found->epoch)))
			found = incident;
	}
	if (!found)
		return false;
	json_object_object_add(reply, "incident", incident_json(d, found));
	json_put_string(query, "incident", found->id);
	incident_why(d, reply, found);
	return true;
}

static bool host_look(struct daemon *d, const char *what, struct json_object *reply,
		      struct json_object *query)
{
	char text[CORE_TEXT_SIZE + 256];
	struct core_host_view host;

	for (size_t i = 0; i < core_host_count(d->core); i++) {
		if (!core_host(d->core, i, &host) || strcmp(host.name, what))
			continue;
		snprintf(text, sizeof(text), "%s is %s (epoch %llu)%s%s", host.name,
			 host_state_name(host.fact->state), (unsigned long long)host.fact->epoch,
			 host.reason[0] ? ": " : "", host.reason);
		why_add(reply, text);
		if (d->nova.told[0] && !strcmp(host.name, daemon_self_name(d)))
			why_add(reply, d->nova.told);
		json_put_string(query, "host", host.name);
		return true;
	}
	return false;
}

void explain_request(struct daemon *d, struct control_request *req, struct json_object *obj)
{
	const char *what = json_string_or(obj, "what", ""), *host = host_lookup(d, what, NULL);
	struct json_object *error = NULL;
	struct explanation *expl = calloc(1, sizeof(*expl));
	struct json_object *query = json_object_new_object();
	char text[256];
	bool found;

	if (!expl) {
		json_object_put(query);
		control_reply_error(req, "out-of-memory", "hamond has no memory left", NULL);
		return;
	}
	expl->d = d;
	expl->req = req;
	expl->reply = json_object_new_object();
	json_object_object_add(expl->reply, "incident", NULL);
	json_object_object_add(expl->reply, "instance", NULL);
	json_object_object_add(expl->reply, "why", json_object_new_array());
	json_put_u64(query, "limit", 1000);
	found = instance_look(d, what, expl->reply, query);
	if (!found) {
		found = host_look(d, host ? host : what, expl->reply, query);
		if (incident_look(d, host ? host : what, expl->reply, query)) {
			json_object_object_del(query, "host");
			found = true;
		}
	}
	if (!found && !title_look(d, what, expl->reply, query, &error)) {
		if (!strcmp(json_string_or(json_object_object_get(error, "error"), "code", ""), "no-such-instance")) {
			json_object_put(error);
			snprintf(text, sizeof(text), "there is no incident, instance or host %s", what);
			error = error_reply("not-found", text, "`hamonctl incidents` and `hamonctl status` list them");
		}
		control_reply(req, error);
		json_object_put(expl->reply);
		free(expl);
	} else if (store_history(d, query, explain_end, expl)) {
		explain_end(expl, NULL);
	}
	json_object_put(query);
}
