/*
 * What people call instances and hosts, turned into what hamon calls them. An instance has its UUID, the domain's name and perhaps a
 * title, which several may share, and which may be another one's name: tenants choose it. So a word that fits more than one is
 * refused, and never guessed. A host has its name in corosync.conf and, where Nova is the control plane, perhaps another there.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#define SHOWN_MAX 6 /* of those that a word fits */

struct json_object *error_reply(const char *code, const char *text, const char *hint)
{
	struct json_object *obj = json_object_new_object(), *error = json_object_new_object();

	json_put_bool(obj, "ok", false);
	json_put_string(error, "code", code);
	json_put_string(error, "message", text);
	json_put_string(error, "hint", hint);
	json_object_object_add(obj, "error", error);
	return obj;
}

static void error_set(struct json_object **ret_error, const char *code, const char *what, const char *name)
{
	char text[512];

	snprintf(text, sizeof(text), "there is no %s %.300s", what, name);
	if (ret_error)
		*ret_error = error_reply(code, text, "`hamonctl status` lists what there is");
}

/* --- instances --- */

static bool instance_fits(const struct spec_fact *spec, const char *what)
{
	return !strcmp(spec->name, what) || (spec->title[0] && !strcmp(spec->title, what));
}

static struct json_object *ambiguous_reply(struct daemon *d, const char *what)
{
	struct core_instance_view view;
	char text[1024];
	size_t len, n = 0;

	len = (size_t)snprintf(text, sizeof(text), "%.255s may be any of these:", what);
	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		if (!core_instance(d->core, i, &view) || !instance_fits(view.spec, what) || n++ >= SHOWN_MAX)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s (%s, of %s)", n > 1 ? "," : "", view.spec->uuid,
					view.spec->name, daemon_host_name(d, view.place->owner));
	}
	if (n > SHOWN_MAX)
		snprintf(text + len, sizeof(text) - len, " and %zu more", n - SHOWN_MAX);
	return error_reply("ambiguous", text, "say which one by its UUID");
}

bool instance_lookup(struct daemon *d, const char *what, size_t *ret_slot, struct core_instance_view *ret_view,
		     struct json_object **ret_error)
{
	struct core_instance_view view, found = { 0 };
	size_t n = 0, slot = 0;

	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		bool exact;

		if (!core_instance(d->core, i, &view))
			continue;
		exact = !strcasecmp(view.spec->uuid, what);
		if (!exact && !instance_fits(view.spec, what))
			continue;
		found = view;
		slot = i;
		n++;
		if (exact) {
			n = 1;
			break;
		}
	}
	if (n != 1) {
		if (!n)
			error_set(ret_error, "no-such-instance", "protected instance", what);
		else if (ret_error)
			*ret_error = ambiguous_reply(d, what);
		return false;
	}
	*ret_slot = slot;
	*ret_view = found;
	return true;
}

/* --- hosts --- */

const char *host_lookup(struct daemon *d, const char *what, struct json_object **ret_error)
{
	const char *by_name = NULL, *by_nova = NULL;
	struct core_host_view host;
	char text[512];

	for (size_t i = 0; i < core_host_count(d->core); i++) {
		if (!core_host(d->core, i, &host) || !host.configured)
			continue;
		if (!strcmp(host.name, what))
			by_name = host.name;
		else if (nova_is_plane(d) && !strcmp(config_nova_host(d->config, host.name), what))
			by_nova = host.name;
	}
	if (by_name && by_nova) {
		snprintf(text, sizeof(text), "%.200s is one host in corosync.conf, and in Nova it is %s", what, by_nova);
		if (ret_error)
			*ret_error = error_reply("ambiguous", text, "make nova_host in hamon.conf and the names in corosync.conf agree");
		return NULL;
	}
	if (!by_name && !by_nova)
		error_set(ret_error, "no-such-host", "host", what);
	return by_name ? by_name : by_nova;
}

/* --- a whole request --- */

static bool host_resolve(struct daemon *d, struct json_object *obj, const char *key, struct json_object **ret_error)
{
	const char *what = json_string_or(obj, key, NULL), *name;

	if (!what)
		return true;
	name = host_lookup(d, what, ret_error);
	if (name)
		json_put_string(obj, key, name);
	return name;
}

/* What is accepted and fits nothing accepts nothing, and the plan shows that; but it must not fit two. */
static bool accepted_resolve(struct daemon *d, struct json_object *obj, struct json_object **ret_error)
{
	struct json_object *before, *after, *error = NULL;
	struct core_instance_view view;
	const char *what;
	size_t slot;

	if (json_get_array(obj, "accept_data_loss", &before))
		return true;
	after = json_object_new_array();
	for (size_t i = 0; i < json_object_array_length(before); i++) {
		what = json_object_get_string(json_object_array_get_idx(before, i));
		if (what && instance_lookup(d, what, &slot, &view, &error)) {
			json_object_array_add(after, json_object_new_string(view.spec->uuid));
			continue;
		}
		if (error && !strcmp(json_string_or(json_object_object_get(error, "error"), "code", ""), "ambiguous")) {
			json_object_put(after);
			*ret_error = error;
			return false;
		}
		json_object_put(error);
		error = NULL;
	}
	json_object_object_add(obj, "accept_data_loss", after);
	if (json_object_array_length(after) * CORE_UUID_SIZE <= CORE_ACCEPT_SIZE)
		return true;
	*ret_error = error_reply("too-many", "--accept-data-loss names too many instances at once", "name at most 55 at a time");
	return false;
}

bool names_resolve(struct daemon *d, struct json_object *obj, struct json_object **ret_error)
{
	const char *what = json_string_or(obj, "instance", NULL);
	struct core_instance_view view;
	size_t slot;

	if (what && !instance_lookup(d, what, &slot, &view, ret_error))
		return false;
	if (what)
		json_put_string(obj, "instance", view.spec->uuid);
	return host_resolve(d, obj, "host", ret_error) && host_resolve(d, obj, "target", ret_error) &&
		accepted_resolve(d, obj, ret_error);
}
