/*
 * Definitions: the domain XML of every protected instance, kept by all hosts under its own hash. The owner multicasts a new one
 * before it reports the instance, so whoever acknowledges the instance's facts has its definition on disk already.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/common/sha256.h"
#include "hamon/daemon/daemon.h"

#define WANT_INTERVAL_MS 5000

static struct definition *def_slot(struct daemon *d, const char *hash)
{
	for (size_t i = 0; i < d->n_defs; i++)
		if (!strcmp(d->defs[i].hash, hash))
			return &d->defs[i];
	return NULL;
}

const char *def_find(struct daemon *d, const char *hash)
{
	struct definition *def = def_slot(d, hash);

	return def ? def->xml : NULL;
}

static bool def_is_used(struct daemon *d, const char *hash)
{
	struct core_instance_view view;

	for (size_t i = 0; i < core_instance_count(d->core); i++)
		if (core_instance(d->core, i, &view) && !strcmp(view.spec->def_hash, hash))
			return true;
	return false;
}

/* Of an instance that belongs to this host: nobody else may have it, were there nobody to tell when libvirt reported it. */
static bool def_is_own(struct daemon *d, const char *hash)
{
	struct core_instance_view view;

	for (size_t i = 0; i < core_instance_count(d->core); i++)
		if (core_instance(d->core, i, &view) && view.place->owner == d->settings.self &&
		    !strcmp(view.spec->def_hash, hash))
			return true;
	return false;
}

/* Keeps a definition. 0; -EEXIST when it is here already; -EINVAL when the hash is not that of the text. */
int def_add(struct daemon *d, const char *hash, const char *xml)
{
	char own[SHA256_HEX_SIZE];
	struct definition *def = def_slot(d, hash);

	if (def)
		return -EEXIST;
	sha256_hex(xml, strlen(xml), own);
	if (strcmp(own, hash))
		return -EINVAL;
	if (d->n_defs < DEFS_MAX) {
		def = &d->defs[d->n_defs++];
	} else {
		for (size_t i = 0; !def && i < d->n_defs; i++)
			if (!def_is_used(d, d->defs[i].hash))
				def = &d->defs[i];
		if (!def)
			return -ENOSPC;
		free(def->xml);
	}
	memset(def, 0, sizeof(*def));
	strcpy(def->hash, own);
	def->xml = strdup(xml);
	if (!def->xml)
		return -ENOMEM;
	starts_tick(d); /* one may wait for it */
	return 0;
}

/* A message of this file: 'D' and a JSON text, so that the core's messages are not parsed twice. */
static void def_send(struct daemon *d, struct json_object *obj)
{
	const char *text = json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t len = strlen(text);
	char *message = malloc(len + 1);

	if (message) {
		message[0] = 'D';
		memcpy(message + 1, text, len);
		(void)group_send(d->group, message, len + 1);
	}
	free(message);
	json_object_put(obj);
}

void def_announce(struct daemon *d, const char *hash)
{
	const char *xml = def_find(d, hash);
	struct json_object *obj;

	if (!xml)
		return;
	obj = json_object_new_object();
	json_put_string(obj, "hash", hash);
	json_put_string(obj, "xml", xml);
	def_send(d, obj);
}

/* Another host's definition, or its wish for one that is here. */
void def_message(struct daemon *d, uint32_t from, const char *text, size_t len)
{
	struct json_object *obj;
	const char *hash, *xml;

	if (json_parse(text, len, &obj)) {
		daemon_log(d, "A definition message of %s is not JSON", daemon_host_name(d, from));
		return;
	}
	if (json_get_string(obj, "hash", &hash) || strlen(hash) != SHA256_HEX_SIZE - 1) {
		daemon_log(d, "A definition message of %s has no hash", daemon_host_name(d, from));
	} else if (json_get_string(obj, "xml", &xml)) {
		struct core_view view;

		core_view(d->core, &view);
		if (from != d->settings.self && (view.coordinating || def_is_own(d, hash)))
			def_announce(d, hash);
	} else {
		int rc = def_add(d, hash, xml);

		if (!rc)
			store_def(d, hash, xml);
		else if (rc != -EEXIST)
			daemon_log(d, "A definition of %s is refused: %s", daemon_host_name(d, from),
				   strerror(-rc));
	}
	json_object_put(obj);
}

/* Asks for what the facts name and this host does not have: it joined later. */
void defs_tick(struct daemon *d)
{
	static uint64_t asked_ms;
	uint64_t now_ms = clock_boot_ms();
	struct core_instance_view view;

	if (now_ms < asked_ms + WANT_INTERVAL_MS)
		return;
	for (size_t i = 0; i < core_instance_count(d->core); i++) {
		struct json_object *obj;

		if (!core_instance(d->core, i, &view) || !view.spec->def_hash[0] ||
		    def_slot(d, view.spec->def_hash))
			continue;
		asked_ms = now_ms;
		obj = json_object_new_object();
		json_put_string(obj, "hash", view.spec->def_hash);
		def_send(d, obj);
	}
}
