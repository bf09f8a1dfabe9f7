/*
 * Nova as the control plane: what a start is told of it, and this host's own return. Who may start what stays the core's
 * decision, and libvirt's hook enforces it: Nova only brings up what the core has given to a host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/faultfile.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#define ENABLE_DEADLINE_MS 75000
#define ENABLE_AGAIN_MIN_MS 2000    /* while the return is not done yet */
#define ENABLE_AGAIN_MAX_MS 30000
#define ENABLE_LOOK_MS 60000        /* once it is: an evacuation that was late may leave something for it to set right */
#define ENABLE_TELL_MS 60000

/* hamond's own OS_* variables, which the clean environment of a helper does not have; on its stdin, as secrets go. */
static struct json_object *environment_object(void)
{
	struct json_object *obj = json_object_new_object();
	char name[64];

	for (char **at = environ; *at; at++) {
		const char *value = strchr(*at, '=');
		size_t len = value ? (size_t)(value - *at) : 0;

		if (!len || len >= sizeof(name) || (strncmp(*at, "OS_", 3) && strncmp(*at, "HOME=", 5)))
			continue;
		memcpy(name, *at, len);
		name[len] = '\0';
		json_put_string(obj, name, value + 1);
	}
	return obj;
}

/* Nova's names of the hosts from which it may take servers away. */
static struct json_object *dead_array(struct daemon *d)
{
	struct json_object *list = json_object_new_array();
	struct core_host_view host;

	for (size_t i = 0; i < core_host_count(d->core); i++)
		if (core_host(d->core, i, &host) && host.dead && host.nodeid != d->settings.self)
			json_object_array_add(list, json_object_new_string(config_nova_host(d->config, host.name)));
	return list;
}

bool nova_is_plane(const struct daemon *d)
{
	return d->config->cluster.control_plane == CONFIG_PLANE_NOVA;
}

/* name: the host that Nova's part is about. */
static void request_add(struct daemon *d, struct json_object *input, const char *name)
{
	const struct hamon_config *config = d->config;
	const struct config_host *self = config_host_find(config, name);
	struct json_object *obj;

	if (!nova_is_plane(d))
		return;
	obj = json_object_new_object();
	json_put_string(obj, "cloud", config->nova.cloud);
	json_put_string(obj, "clouds_file", config->nova.clouds_file);
	json_put_string(obj, "region", config->nova.region);
	json_put_string(obj, "interface", config_interface_name(config->nova.interface));
	json_put_string(obj, "auth_url", config->nova.auth_url);
	json_put_string(obj, "endpoint", config->nova.endpoint);
	json_put_u64(obj, "timeout_ms", config->nova.timeout_ms);
	json_put_string(obj, "microversion", config->nova.microversion);
	json_put_bool(obj, "lock", config->nova.lock);
	json_put_string(obj, "select", config_select_name(config->nova.select));
	json_put_string(obj, "select_key", config_select_key(config));
	json_put_string(obj, "select_value", config_select_value(config));
	if (fault_armed())
		json_put_string(obj, "fault_points", fault_armed());
	json_put_bool(obj, "automatic_return", config->nova.automatic_return);
	json_put_string(obj, "self", config_nova_host(config, name));
	json_put_bool(obj, "reserved", self && self->reserved);
	json_object_object_add(obj, "dead", dead_array(d));
	json_object_object_add(obj, "environment", environment_object());
	json_put_string(input, "plane", "nova");
	json_object_object_add(input, "nova", obj);
}

void nova_request_add(struct daemon *d, struct json_object *input)
{
	request_add(d, input, daemon_self_name(d));
}

/* --- the return of this host --- */

static const struct host_fact *self_fact(struct daemon *d)
{
	struct core_host_view host;

	for (size_t i = 0; i < core_host_count(d->core); i++)
		if (core_host(d->core, i, &host) && host.nodeid == d->settings.self)
			return host.fact;
	return NULL;
}

static void enable_repeat(struct daemon *d, const char *text)
{
	uint64_t now_ms = clock_boot_ms();
	struct nova_return *back = &d->nova;
	char words[260];

	back->delay_ms = back->delay_ms ? back->delay_ms * 2 : ENABLE_AGAIN_MIN_MS;
	if (back->delay_ms > ENABLE_AGAIN_MAX_MS)
		back->delay_ms = ENABLE_AGAIN_MAX_MS;
	back->due_ms = now_ms + back->delay_ms;
	/* That its clean-up takes a moment is no news. */
	if (!back->failing_ms)
		back->failing_ms = now_ms;
	if (now_ms - back->failing_ms < ENABLE_TELL_MS || !strcmp(back->told, text))
		return;
	snprintf(back->told, sizeof(back->told), "%s", text);
	words_fit(words, sizeof(words), text);
	daemon_note(d, "nova-return", NOTE_WARNING, "Nova does not give instances to this host yet: %s", words);
}

/* Neither news, nor somebody else's word. */
static bool is_usual(const char *state)
{
	return !strcmp(state, "enabled") || !strcmp(state, "reserved");
}

static void enable_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	struct daemon *d = user;
	struct nova_return *back = &d->nova;
	const char *state = json_string_or(obj, "state", ""), *detail = json_string_or(obj, "detail", "");

	if (!strcmp(json_string_or(obj, "phase", ""), "mended"))
		daemon_note(d, "nova-return", NOTE_INFO, "An evacuation that was overtaken had left server %s, which runs here, in REBUILD: "
			    "its state in Nova is set right", json_string_or(obj, "detail", ""));
	if (strcmp(json_string_or(obj, "type", ""), "result") || back->answered)
		return;
	back->answered = true;
	if (!json_bool_or(obj, "ok", false)) {
		enable_repeat(d, json_string_or(obj, "error", "no reason given"));
		return;
	}
	back->delay_ms = 0;
	back->failing_ms = 0;
	back->due_ms = clock_boot_ms() + ENABLE_LOOK_MS;
	if (!strcmp(state, "enabled-again"))
		daemon_note(d, "nova-return", NOTE_INFO, "%s", detail);
	else if (!is_usual(state) && strcmp(back->told, detail))
		daemon_note(d, "nova-return", NOTE_NOTICE, "%s", detail);
	snprintf(back->told, sizeof(back->told), "%s", detail);
}

static void enable_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct daemon *d = user;

	d->nova.helper = NULL;
	if (!d->nova.answered)
		enable_repeat(d, end == HELPER_DEADLINE ? "Nova does not answer in time" : "the helper died");
}

static void enable_begin(struct daemon *d)
{
	struct json_object *input = json_object_new_object();

	json_put_string(input, "op", "enable");
	json_put_string(input, "uri", d->config->cluster.libvirt_uri);
	nova_request_add(d, input);
	d->nova.answered = false;
	d->nova.due_ms = clock_boot_ms() + ENABLE_AGAIN_MAX_MS;
	d->nova.helper = daemon_helper(d, "hamon-evacuate", "enable", input, ENABLE_DEADLINE_MS, TAG_PROBE, enable_on_line,
				       enable_on_exit, d);
}

void nova_look_soon(struct daemon *d)
{
	uint64_t due_ms = clock_boot_ms() + ENABLE_AGAIN_MIN_MS;

	if (due_ms < d->nova.due_ms)
		d->nova.due_ms = due_ms;
}

void nova_tick(struct daemon *d)
{
	struct nova_return *back = &d->nova;
	const struct host_fact *self;
	struct core_view view;

	if (!nova_is_plane(d) || back->helper)
		return;
	self = self_fact(d);
	core_view(d->core, &view);
	/* Before it is admitted it may still hold what runs elsewhere by now. */
	if (!self || !view.synced || !view.quorate || self->state != HOST_ADMITTED || self->maintenance ||
	    strcmp(self->boot_id, d->settings.boot_id))
		return;
	if (back->epoch != self->epoch) {
		back->epoch = self->epoch;
		back->due_ms = 0;
		back->delay_ms = 0;
		back->failing_ms = 0;
	}
	if (clock_boot_ms() >= back->due_ms)
		enable_begin(d);
}

/* --- the return of a host by a person's word --- */

struct return_request {
	struct daemon *d;
	struct control_request *req;
	char who[64];
	bool answered;
};

static void return_refuse(struct return_request *back, const char *code, const char *text, const char *hint)
{
	if (!back->answered)
		control_reply_error(back->req, code, text, hint);
	back->answered = true;
}

static const char *return_hint(const char *code)
{
	if (!strcmp(code, "left"))
		return "whoever did that undoes it: openstack compute service set --enable, or --up";
	return !strcmp(code, "busy") ? "try again in a moment; if it stays so, restart nova-compute there" : NULL;
}

static void return_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	struct return_request *back = user;
	const char *state = json_string_or(obj, "state", ""), *detail = json_string_or(obj, "detail", ""), *code = NULL;
	struct json_object *reply;

	if (strcmp(json_string_or(obj, "type", ""), "result") || back->answered)
		return;
	if (!json_bool_or(obj, "ok", false)) {
		code = json_string_or(obj, "error_class", "api");
		detail = json_string_or(obj, "error", "no reason given");
	} else if (!strcmp(state, "left")) {
		code = state;
	}
	if (code) {
		return_refuse(back, code, detail, return_hint(code));
		return;
	}
	if (!is_usual(state))
		daemon_note(back->d, "nova-return", NOTE_INFO, "%s, by the word of %s", detail, back->who);
	back->answered = true;
	reply = json_object_new_object();
	json_put_string(reply, "text", detail);
	json_put_string(reply, "state", state);
	control_reply(back->req, reply);
}

static void return_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct return_request *back = user;

	return_refuse(back, "timeout", end == HELPER_DEADLINE ? "Nova does not answer in time" : "the helper died", NULL);
	back->d->listings--;
	free(back);
}

/* Only a host that may run instances gets its service back: what it had may not be anywhere twice. */
static const char *return_problem(struct daemon *d, const char *name)
{
	struct core_host_view host;
	struct core_view view;

	core_view(d->core, &view);
	if (!view.synced || !view.quorate)
		return "this hamond takes no part in decisions now";
	for (size_t i = 0; i < core_host_count(d->core); i++) {
		if (!core_host(d->core, i, &host) || strcmp(host.name, name))
			continue;
		if (host.fact->maintenance)
			return "it is in maintenance";
		return host.fact->state == HOST_ADMITTED && host.present && !host.dead ? NULL : "it is not admitted";
	}
	return "it is not a host of this cluster";
}

/* False when it has been answered already. */
static bool return_check(struct daemon *d, struct control_request *req, struct json_object *obj, const char **ret_host)
{
	const char *what = json_string_or(obj, "host", NULL), *problem;
	struct json_object *error = NULL;
	char text[CORE_NAME_SIZE + 100];

	if (!nova_is_plane(d)) {
		control_reply_error(req, "no-nova", "Nova is not the control plane of this cluster (hamon.conf)",
				    "a host that is back is admitted by itself");
		return false;
	}
	*ret_host = what ? host_lookup(d, what, &error) : NULL;
	if (!*ret_host && error) {
		control_reply(req, error);
		return false;
	}
	problem = !what ? "no host is named" : d->listings == LISTINGS_MAX ? "Nova is being asked for others already" :
		return_problem(d, *ret_host);
	if (!problem)
		return true;
	snprintf(text, sizeof(text), "%s is not given back to Nova: %s", what ? *ret_host : "nothing", problem);
	control_reply_error(req, "refused", text, "hamonctl status says how things are");
	return false;
}

void return_request(struct daemon *d, struct control_request *req, struct json_object *obj, const char *who)
{
	struct json_object *input;
	struct return_request *back;
	const char *host;

	if (!return_check(d, req, obj, &host))
		return;
	back = calloc(1, sizeof(*back));
	if (!back) {
		control_reply_error(req, "out-of-memory", "hamond has no memory left", NULL);
		return;
	}
	back->d = d;
	back->req = req;
	snprintf(back->who, sizeof(back->who), "%s", who);
	input = json_object_new_object();
	json_put_string(input, "op", "return");
	json_put_bool(input, "by_hand", true);
	request_add(d, input, host);
	d->listings++;
	if (daemon_helper(d, "hamon-evacuate", "enable", input, ENABLE_DEADLINE_MS, TAG_PROBE, return_on_line, return_on_exit, back))
		return;
	return_refuse(back, "internal", "hamon-evacuate cannot be started", NULL);
	d->listings--;
	free(back);
}
