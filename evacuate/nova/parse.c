/* The JSON of Keystone and Nova. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evacuate/nova/answer.h"
#include "evacuate/nova/parse.h"
#include "evacuate/request.h"
#include "hamon/common/json.h"

/* --- servers --- */

/* "image" is "" for a server whose root disk is a volume, else an object. */
static int volumes_take(struct json_object *obj, struct nova_server *ret)
{
	struct json_object *list, *image;
	const char *id;
	int rc = json_get_array(obj, "os-extended-volumes:volumes_attached", &list);

	ret->image = !json_get_object(obj, "image", &image);
	if (rc)
		return rc == -ENOENT ? 0 : -EINVAL;
	ret->n_volumes = json_object_array_length(list);
	if (ret->n_volumes > NOVA_VOLUMES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < ret->n_volumes; i++) {
		struct json_object *volume = json_object_array_get_idx(list, i);

		if (!json_object_is_type(volume, json_type_object) || json_get_string(volume, "id", &id) ||
		    !uuid_normalize(id, ret->volumes[i]))
			return -EINVAL;
	}
	return 0;
}

static int server_take(struct json_object *obj, struct nova_server *ret)
{
	struct nova_server server = { 0 };
	struct json_object *fault;
	const char *id;
	int rc;

	if (!json_object_is_type(obj, json_type_object) || json_get_string(obj, "id", &id) ||
	    !uuid_normalize(id, server.id))
		return -EINVAL;
	if (WORD(obj, "status", server.status) || !server.status[0] ||
	    WORD(obj, "OS-EXT-STS:task_state", server.task) ||
	    WORD(obj, "OS-EXT-SRV-ATTR:host", server.host))
		return -EINVAL;
	rc = volumes_take(obj, &server);
	if (rc)
		return rc;
	rc = json_get_bool(obj, "locked", &server.locked);
	if (rc && rc != -ENOENT)
		return -EINVAL;
	text_take(obj, "locked_reason", server.lock_reason, sizeof(server.lock_reason));
	server.host_shown = json_object_object_get_ex(obj, "OS-EXT-SRV-ATTR:host", NULL);
	text_take(obj, "name", server.name, sizeof(server.name));
	if (!json_get_object(obj, "fault", &fault))
		text_take(fault, "message", server.fault, sizeof(server.fault));
	*ret = server;
	return 0;
}

int nova_server_parse(const char *text, size_t len, struct nova_server *ret)
{
	struct json_object *root, *obj;
	int rc = answer_open(text, len, "server", &root, &obj);

	if (rc)
		return rc;
	rc = server_take(obj, ret);
	json_object_put(root);
	return rc;
}

int nova_servers_parse(const char *text, size_t len, struct nova_server *ret, size_t max, size_t *ret_n)
{
	struct json_object *root, *list;
	size_t n = 0;
	int rc = answer_open(text, len, "servers", &root, &list);

	if (rc)
		return rc;
	if (!json_object_is_type(list, json_type_array))
		rc = -EINVAL;
	for (; !rc && n < max && n < json_object_array_length(list); n++)
		rc = server_take(json_object_array_get_idx(list, n), &ret[n]);
	json_object_put(root);
	if (!rc)
		*ret_n = n;
	return rc;
}

/* --- services --- */

static int service_take(struct json_object *obj, struct nova_service *ret)
{
	struct nova_service service = { 0 };
	char state[NOVA_WORD_SIZE], status[NOVA_WORD_SIZE];
	const char *id;

	if (json_get_string(obj, "id", &id) || !uuid_normalize(id, service.id) || WORD(obj, "host", service.host) ||
	    WORD(obj, "state", state) || WORD(obj, "status", status) ||
	    json_get_bool(obj, "forced_down", &service.forced_down))
		return -EINVAL;
	service.up = !strcmp(state, "up");
	service.enabled = !strcmp(status, "enabled");
	if ((!service.up && strcmp(state, "down")) || (!service.enabled && strcmp(status, "disabled")))
		return -EINVAL;
	text_take(obj, "disabled_reason", service.reason, sizeof(service.reason));
	*ret = service;
	return 0;
}

int nova_service_parse(const char *text, size_t len, const char *host, struct nova_service *ret)
{
	struct json_object *root, *list, *obj;
	int rc = answer_open(text, len, "services", &root, &list);

	if (rc)
		return rc;
	rc = json_object_is_type(list, json_type_array) ? -ENOENT : -EINVAL;
	for (size_t i = 0; rc == -ENOENT && i < json_object_array_length(list); i++) {
		obj = json_object_array_get_idx(list, i);
		if (!json_object_is_type(obj, json_type_object))
			rc = -EINVAL;
		else if (!strcmp(json_string_or(obj, "binary", ""), "nova-compute") &&
			 !strcmp(json_string_or(obj, "host", ""), host))
			rc = service_take(obj, ret);
	}
	json_object_put(root);
	return rc;
}

/* --- migrations --- */

static int migration_take(struct json_object *obj, struct nova_migration *ret)
{
	const char *uuid;

	if (!json_object_is_type(obj, json_type_object) || json_get_u64(obj, "id", UINT64_MAX, &ret->id) ||
	    json_get_string(obj, "instance_uuid", &uuid) || !uuid_normalize(uuid, ret->uuid))
		return -EINVAL;
	if (WORD(obj, "migration_type", ret->type) || WORD(obj, "status", ret->status) || !ret->status[0] ||
	    WORD(obj, "source_compute", ret->source) || WORD(obj, "dest_compute", ret->dest))
		return -EINVAL;
	return 0;
}

int nova_migrations_parse(const char *text, size_t len, struct nova_migrations *ret)
{
	struct nova_migrations migrations = { 0 };
	struct json_object *root, *list;
	int rc = answer_open(text, len, "migrations", &root, &list);

	if (rc)
		return rc;
	if (json_object_is_type(list, json_type_array))
		migrations.n = json_object_array_length(list);
	else
		rc = -EINVAL;
	if (migrations.n > NOVA_MIGRATIONS_MAX)
		rc = -EINVAL;
	if (!rc && migrations.n) {
		migrations.list = calloc(migrations.n, sizeof(*migrations.list));
		rc = migrations.list ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !rc && i < migrations.n; i++)
		rc = migration_take(json_object_array_get_idx(list, i), &migrations.list[i]);
	json_object_put(root);
	if (rc)
		free(migrations.list);
	else
		*ret = migrations;
	return rc;
}

void nova_migrations_free(struct nova_migrations *migrations)
{
	free(migrations->list);
	memset(migrations, 0, sizeof(*migrations));
}

bool nova_migration_is_unfinished(const struct nova_migration *migration)
{
	/* nova/objects/fields.py and nova/compute/manager.py: an evacuation ends in one of these. */
	static const char *const ends[] = { "done", "completed", "error", "failed", "cancelled" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(migration->status, ends[i]))
			return false;
	return true;
}

const struct nova_migration *nova_migrations_newest(const struct nova_migrations *migrations, const char *uuid)
{
	const struct nova_migration *newest = NULL;

	for (size_t i = 0; i < migrations->n; i++) {
		const struct nova_migration *migration = &migrations->list[i];

		if (!strcmp(migration->type, "evacuation") && !strcmp(migration->uuid, uuid) &&
		    (!newest || migration->id > newest->id))
			newest = migration;
	}
	return newest;
}

/* --- versions --- */

int nova_microversion_parse(const char *text, uint32_t *ret_minor)
{
	uint32_t minor = 0;
	size_t digits = strspn(text + (strncmp(text, "2.", 2) ? 0 : 2), "0123456789");

	if (strncmp(text, "2.", 2) || !digits || digits > 3 || text[2 + digits])
		return -EINVAL;
	for (const char *c = text + 2; *c; c++)
		minor = minor * 10 + (uint32_t)(*c - '0');
	*ret_minor = minor;
	return 0;
}

/* {"id":"v2.1","version":"2.93",...}; the legacy v2.0 has no microversions: "version" is "". */
static int version_take(struct json_object *obj, uint32_t *ret_max_minor)
{
	const char *id, *version;

	if (!json_object_is_type(obj, json_type_object) || json_get_string(obj, "id", &id) ||
	    json_get_string(obj, "version", &version))
		return -EINVAL;
	if (strcmp(id, "v2.1") || !version[0])
		return -ENOENT;
	return nova_microversion_parse(version, ret_max_minor);
}

int nova_version_parse(const char *text, size_t len, uint32_t *ret_max_minor)
{
	struct json_object *root, *obj;
	int rc = answer_open(text, len, "version", &root, &obj);

	if (!rc) {
		rc = version_take(obj, ret_max_minor);
		json_object_put(root);
		return rc;
	}
	if (rc != -EINVAL)
		return rc;
	rc = answer_open(text, len, "versions", &root, &obj);
	if (rc)
		return rc;
	rc = json_object_is_type(obj, json_type_array) ? -ENOENT : -EINVAL;
	for (size_t i = 0; rc == -ENOENT && i < json_object_array_length(obj); i++)
		rc = version_take(json_object_array_get_idx(obj, i), ret_max_minor);
	json_object_put(root);
	return rc;
}

/* --- the catalogue --- */

/* Two of one kind in different regions, and none was asked for: a guess could evacuate in the wrong one. */
static int endpoints_take(struct json_object *service, const char *interface, const char *region,
			  struct nova_endpoints *ret)
{
	char found[NOVA_HOST_SIZE] = "";
	struct json_object *list;
	int rc = -ENOENT;

	if (json_get_array(service, "endpoints", &list))
		return -EINVAL;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *endpoint = json_object_array_get_idx(list, i);
		char here[NOVA_HOST_SIZE];

		if (!json_object_is_type(endpoint, json_type_object) || WORD(endpoint, "region_id", here) ||
		    (!here[0] && WORD(endpoint, "region", here)))
			return -EINVAL;
		if (strcmp(json_string_or(endpoint, "interface", ""), interface) ||
		    (region[0] && strcmp(here, region)))
			continue;
		if (!rc && strcmp(found, here))
			return -ENOTUNIQ;
		if (ret->n < NOVA_ENDPOINTS_MAX && json_copy_string(endpoint, "url", ret->url[ret->n++], NOVA_URL_SIZE))
			return -EINVAL;
		memcpy(found, here, sizeof(found));
		rc = 0;
	}
	return rc;
}

int keystone_endpoints_parse(const char *text, size_t len, const char *type, const char *interface,
			     const char *region, struct nova_endpoints *ret)
{
	struct json_object *root, *token, *list, *service;
	struct nova_endpoints endpoints = { .n = 0 };
	int rc = answer_open(text, len, "token", &root, &token);

	if (rc)
		return rc;
	rc = -ENOENT;
	if (!json_object_is_type(token, json_type_object) || json_get_array(token, "catalog", &list))
		rc = -EINVAL;
	for (size_t i = 0; rc == -ENOENT && i < json_object_array_length(list); i++) {
		service = json_object_array_get_idx(list, i);
		if (!json_object_is_type(service, json_type_object))
			rc = -EINVAL;
		else if (!strcmp(json_string_or(service, "type", ""), type))
			rc = endpoints_take(service, interface, region, &endpoints);
	}
	json_object_put(root);
	if (!rc)
		*ret = endpoints;
	return rc;
}

/* --- errors --- */

bool nova_error_parse(const char *text, size_t len, char ret_message[NOVA_TEXT_SIZE])
{
	struct json_object *root;

	ret_message[0] = '\0';
	if (json_parse(text, len, &root))
		return false;
	if (json_object_is_type(root, json_type_object)) {
		json_object_object_foreach(root, key, value) {
			(void)key;
			if (!ret_message[0] && json_object_is_type(value, json_type_object))
				text_take(value, "message", ret_message, NOVA_TEXT_SIZE);
		}
	}
	json_object_put(root);
	return ret_message[0];
}
