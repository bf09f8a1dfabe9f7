/*
 * `hamonctl servers`: what hamon says of each instance, and beside it what Nova says. A helper asks Nova, within the time that the
 * person waits; what Nova does not answer is said, and hamon's own word is told all the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#define WITHIN_DEFAULT_MS 4000
#define WITHIN_MIN_MS 500
#define WITHIN_MAX_MS 60000
#define SLACK_MS 500     /* from the helper's end to the reply */

struct listing {
	struct daemon *d;
	struct control_request *req;
	bool answered;
};

/* By the name in corosync.conf where it is one of hamon's hosts: that is what stands beside it. */
static void host_translate(struct daemon *d, struct json_object *server)
{
	const char *name = json_string_or(server, "host", NULL), *own = name ? host_lookup(d, name, NULL) : NULL;

	if (own && strcmp(own, name))
		json_put_string(server, "host", own);
}

static struct json_object *server_take(struct daemon *d, struct json_object *servers, const char *uuid)
{
	for (size_t i = 0; servers && i < json_object_array_length(servers); i++) {
		struct json_object *server = json_object_array_get_idx(servers, i);

		if (strcmp(json_string_or(server, "uuid", ""), uuid))
			continue;
		json_put_bool(server, "known", true);
		host_translate(d, server);
		return json_object_get(server);
	}
	return NULL;
}

/* What Nova has on hamon's hosts, and hamon knows nothing of: nobody would bring it back. */
static void strangers_add(struct daemon *d, struct json_object *servers, struct json_object *list)
{
	for (size_t i = 0; servers && i < json_object_array_length(servers); i++) {
		struct json_object *server = json_object_array_get_idx(servers, i), *obj;

		if (json_bool_or(server, "known", false)) {
			json_object_object_del(server, "known");
			continue;
		}
		host_translate(d, server);
		obj = json_object_new_object();
		json_put_string(obj, "name", NULL);
		json_put_string(obj, "title", json_string_or(server, "name", NULL));
		json_put_string(obj, "uuid", json_string_or(server, "uuid", NULL));
		json_object_object_add(obj, "nova", json_object_get(server));
		json_object_array_add(list, obj);
	}
}

static void listing_reply(struct listing *listing, struct json_object *result, const char *error)
{
	struct json_object *reply = json_object_new_object(), *list = json_object_new_array(), *nova = json_object_new_object();
	struct json_object *servers = NULL, *obj;
	bool ok = result && json_bool_or(result, "ok", false);
	struct daemon *d = listing->d;
	struct core_instance_view view;

	if (listing->answered) {
		json_object_put(reply);
		json_object_put(list);
		json_object_put(nova);
		return;
	}
	listing->answered = true;
	/* Half of a list would call lost what stands in the other half. */
	if (ok)
		(void)json_get_array(result, "servers", &servers);
	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		if (!core_instance(d->core, i, &view))
			continue;
		obj = instance_json(d, i, &view);
		json_object_object_add(obj, "nova", server_take(d, servers, view.spec->uuid));
		json_object_array_add(list, obj);
	}
	strangers_add(d, servers, list);
	json_put_bool(nova, "ok", ok);
	json_put_string(nova, "error_class", ok ? NULL : json_string_or(result, "error_class", "timeout"));
	json_put_string(nova, "error", ok ? NULL : json_string_or(result, "error", error));
	json_object_object_add(reply, "nova", nova);
	json_object_object_add(reply, "servers", list);
	control_reply(listing->req, reply);
}

static void on_line(void *user, struct helper *helper, struct json_object *obj)
{
	if (!strcmp(json_string_or(obj, "type", ""), "result"))
		listing_reply(user, obj, "no reason given");
}

static void on_end(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct listing *listing = user;

	listing_reply(listing, NULL, end == HELPER_DEADLINE ? "Nova does not answer in time" : "the helper died");
	listing->d->listings--;
	free(listing);
}

static struct json_object *input_make(struct daemon *d, uint64_t within_ms)
{
	struct json_object *input = json_object_new_object(), *hosts = json_object_new_array();
	struct core_host_view host;

	json_put_string(input, "op", "servers");
	nova_request_add(d, input);
	json_put_u64(input, "within_ms", within_ms);
	for (size_t i = 0; i < core_host_count(d->core); i++)
		if (core_host(d->core, i, &host) && host.configured && !host.fact->forgotten)
			json_object_array_add(hosts, json_object_new_string(config_nova_host(d->config, host.name)));
	json_object_object_add(input, "hosts", hosts);
	return input;
}

void servers_request(struct daemon *d, struct control_request *req, struct json_object *obj)
{
	uint64_t within_ms = json_u64_or(obj, "within_ms", WITHIN_DEFAULT_MS);
	struct listing *listing;

	if (!nova_is_plane(d)) {
		control_reply_error(req, "no-nova", "Nova is not the control plane of this cluster (hamon.conf)",
				    "`hamonctl status` lists the instances");
		return;
	}
	if (d->listings == LISTINGS_MAX) {
		control_reply_error(req, "busy", "Nova is being asked for others already", "try again in a few seconds");
		return;
	}
	within_ms = within_ms < WITHIN_MIN_MS ? WITHIN_MIN_MS : within_ms > WITHIN_MAX_MS ? WITHIN_MAX_MS : within_ms;
	listing = calloc(1, sizeof(*listing));
	if (!listing) {
		control_reply_error(req, "out-of-memory", "hamond has no memory left", NULL);
		return;
	}
	listing->d = d;
	listing->req = req;
	d->listings++;
	if (daemon_helper(d, "hamon-evacuate", "servers", input_make(d, within_ms), within_ms + SLACK_MS, TAG_PROBE, on_line, on_end,
			  listing))
		return;
	listing_reply(listing, NULL, "hamon-evacuate cannot be started");
	d->listings--;
	free(listing);
}
