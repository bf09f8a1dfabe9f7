/* Requests: from JSON to structs, or one sentence about the field that is wrong. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "storage-check/request.h"

static int request_fail(struct request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int request_fail(struct request *request, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!request->error[0])
		vsnprintf(request->error, sizeof(request->error), format, args);
	va_end(args);
	return -EINVAL;
}

static bool path_valid(const char *path)
{
	return path[0] == '/' && strlen(path) < PATH_MAX;
}

static int array_get(struct request *request, struct json_object *obj, const char *key, size_t max,
		     struct json_object **ret, size_t *ret_n)
{
	int rc = json_get_array(obj, key, ret);

	*ret_n = 0;
	if (rc == -ENOENT)
		return 0;
	if (rc || json_object_array_length(*ret) > max)
		return request_fail(request, "%s: expected an array of at most %zu", key, max);
	*ret_n = json_object_array_length(*ret);
	return 0;
}

static int strings_parse(struct request *request, const char *key, size_t max,
			 bool (*valid)(const char *), const char *expected, const char ***ret,
			 size_t *ret_n)
{
	struct json_object *array = NULL, *item;
	size_t n;

	if (array_get(request, request->json, key, max, &array, &n))
		return -EINVAL;
	*ret = calloc(n + 1, sizeof(**ret));
	if (!*ret)
		return request_fail(request, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const char *text = NULL;

		item = json_object_array_get_idx(array, i);
		if (json_object_is_type(item, json_type_string) &&
		    strlen(json_object_get_string(item)) ==
			(size_t)json_object_get_string_len(item))
			text = json_object_get_string(item);
		if (!text || !valid(text))
			return request_fail(request, "%s[%zu]: \"%.64s\", expected %s", key, i,
					    text ? text : "", expected);
		(*ret)[i] = text;
	}
	*ret_n = n;
	return 0;
}

static bool boot_id_valid(const char *text)
{
	size_t len = strlen(text);

	return len && len < BEACON_BOOT_ID_SIZE && strspn(text, "0123456789abcdefABCDEF-") == len;
}

static int beacon_request_parse(struct request *request)
{
	struct beacon *beacon = &request->beacon;

	snprintf(beacon->host, sizeof(beacon->host), "%s", request->self);
	if (json_copy_string(request->json, "nonce", beacon->nonce, sizeof(beacon->nonce)) ||
	    !beacon_nonce_valid(beacon->nonce))
		return request_fail(request,
				    "nonce: expected 16 to 64 lower case hexadecimal digits");
	if (json_copy_string(request->json, "boot_id", beacon->boot_id, sizeof(beacon->boot_id)) ||
	    !boot_id_valid(beacon->boot_id))
		return request_fail(request, "boot_id: expected a uuid");
	if (strings_parse(request, "places", REQUEST_BEACONS_MAX, path_valid, "an absolute path",
			  &request->places, &request->n_places))
		return -EINVAL;
	return strings_parse(request, "peers", REQUEST_PEERS_MAX, beacon_host_valid, "a host name",
			     &request->peers, &request->n_peers);
}

/*
 * Strings of one object of an array; each must be there unless it is optional, then it may be null.
 */
struct field {
	const char *key;
	bool optional;
	const char **ret;
};

static int fields_parse(struct request *request, const char *where, size_t i,
			struct json_object *obj, const struct field *fields)
{
	for (; fields->key; fields++) {
		int rc = json_get_string(obj, fields->key, fields->ret);

		if (rc && !(rc == -ENOENT && fields->optional))
			return request_fail(request, "%s[%zu].%s: expected a string", where, i,
					    fields->key);
	}
	return 0;
}

static int places_parse(struct request *request, struct json_object *obj,
			struct request_instance *instance)
{
	struct json_object *array = NULL;

	if (array_get(request, obj, "places", REQUEST_PLACES_MAX, &array, &instance->n_places))
		return -EINVAL;
	instance->places = calloc(instance->n_places + 1, sizeof(*instance->places));
	if (!instance->places)
		return request_fail(request, "out of memory");
	for (size_t i = 0; i < instance->n_places; i++) {
		struct request_place *place = &instance->places[i];
		const struct field fields[] = {{"path", false, &place->path},
					       {"place_id", true, &place->place_id},
					       {"nonce", true, &place->nonce},
					       {"previous_nonce", true, &place->previous_nonce},
					       {NULL, false, NULL}};

		if (fields_parse(request, "places", i, json_object_array_get_idx(array, i), fields))
			return -EINVAL;
	}
	return 0;
}

static int devices_parse(struct request *request, struct json_object *obj,
			 struct request_instance *instance)
{
	struct json_object *array = NULL;

	if (array_get(request, obj, "devices", DOMXML_DISKS_MAX, &array, &instance->n_devices))
		return -EINVAL;
	instance->devices = calloc(instance->n_devices + 1, sizeof(*instance->devices));
	if (!instance->devices)
		return request_fail(request, "out of memory");
	for (size_t i = 0; i < instance->n_devices; i++) {
		struct request_device *device = &instance->devices[i];
		const struct field fields[] = {{"path", false, &device->path},
					       {"identity", true, &device->identity},
					       {NULL, false, NULL}};

		if (fields_parse(request, "devices", i, json_object_array_get_idx(array, i),
				 fields))
			return -EINVAL;
	}
	return 0;
}

static int disks_parse(struct request *request, struct json_object *obj,
		       struct request_instance *instance)
{
	struct json_object *array = NULL;

	if (array_get(request, obj, "disks", DOMXML_DISKS_MAX, &array, &instance->n_disks))
		return -EINVAL;
	instance->disks = calloc(instance->n_disks + 1, sizeof(*instance->disks));
	if (!instance->disks)
		return request_fail(request, "out of memory");
	for (size_t i = 0; i < instance->n_disks; i++) {
		struct request_disk *disk = &instance->disks[i];
		const struct field fields[] = {
		    {"target", false, &disk->target}, {"id", true, &disk->id}, {NULL, false, NULL}};

		if (fields_parse(request, "disks", i, json_object_array_get_idx(array, i), fields))
			return -EINVAL;
	}
	return 0;
}

/* A bad XML is that instance's trouble alone; the others get their verdicts. */
static void xml_parse(struct request_instance *instance)
{
	if (domxml_parse(instance->xml, strlen(instance->xml), &instance->dom, instance->error,
			 sizeof(instance->error)))
		instance->dom = NULL;
}

static int instance_parse(struct request *request, size_t i, struct json_object *obj)
{
	struct request_instance *instance = &request->instances[i];
	const struct field fields[] = {{"uuid", false, &instance->uuid},
				       {"name", false, &instance->name},
				       {"owner", false, &instance->owner},
				       {"xml", false, &instance->xml},
				       {NULL, false, NULL}};

	if (fields_parse(request, "instances", i, obj, fields))
		return -EINVAL;
	if (!beacon_host_valid(instance->owner))
		return request_fail(request,
				    "instances[%zu].owner: \"%.64s\", expected a host name", i,
				    instance->owner);
	if (places_parse(request, obj, instance) || devices_parse(request, obj, instance) ||
	    disks_parse(request, obj, instance))
		return -EINVAL;
	xml_parse(instance);
	instance->nova = request->nova;
	return 0;
}

static int check_request_parse(struct request *request)
{
	struct json_object *array = NULL;
	size_t n;

	request->deep = json_bool_or(request->json, "deep", false);
	request->nova = !strcmp(json_string_or(request->json, "plane", ""), "nova");
	if (array_get(request, request->json, "instances", REQUEST_INSTANCES_MAX, &array, &n))
		return -EINVAL;
	request->instances = calloc(n + 1, sizeof(*request->instances));
	if (!request->instances)
		return request_fail(request, "out of memory");
	request->n_instances = n;
	for (size_t i = 0; i < n; i++)
		if (instance_parse(request, i, json_object_array_get_idx(array, i)))
			return -EINVAL;
	return 0;
}

static int identify_request_parse(struct request *request)
{
	struct request_instance *instance;

	request->instances = calloc(1, sizeof(*request->instances));
	if (!request->instances)
		return request_fail(request, "out of memory");
	request->n_instances = 1;
	instance = &request->instances[0];
	if (json_get_string(request->json, "xml", &instance->xml))
		return request_fail(request, "xml: expected a domain's XML");
	xml_parse(instance);
	return instance->dom ? 0 : request_fail(request, "xml: %s", instance->error);
}

int request_parse(enum request_kind kind, const char *text, size_t len, struct request *ret)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->probe_timeout_ms = REQUEST_TIMEOUT_DEFAULT_MS;
	rc = json_parse(text, len, &ret->json);
	if (rc || !json_object_is_type(ret->json, json_type_object)) {
		request_fail(ret, "expected one JSON object%s",
			     rc == -E2BIG ? " of at most 8 MiB" : "");
		return -EBADMSG;
	}
	if (json_get_string(ret->json, "op", &ret->op))
		return request_fail(ret, "op: expected a string");
	rc = json_get_u64(ret->json, "probe_timeout_ms", REQUEST_TIMEOUT_MAX_MS,
			  &ret->probe_timeout_ms);
	if ((rc && rc != -ENOENT) || !ret->probe_timeout_ms)
		return request_fail(ret, "probe_timeout_ms: expected a number from 1 to %d",
				    REQUEST_TIMEOUT_MAX_MS);
	if (kind == REQUEST_IDENTIFY)
		return identify_request_parse(ret);
	if (json_get_string(ret->json, "self", &ret->self) || !beacon_host_valid(ret->self))
		return request_fail(
		    ret, "self: expected a host name of letters, digits, \".\", \"_\" and \"-\"");
	return kind == REQUEST_BEACON ? beacon_request_parse(ret) : check_request_parse(ret);
}

void request_clear(struct request *request)
{
	for (size_t i = 0; i < request->n_instances; i++) {
		domxml_free(request->instances[i].dom);
		free(request->instances[i].places);
		free(request->instances[i].devices);
		free(request->instances[i].disks);
	}
	free(request->instances);
	free(request->places);
	free(request->peers);
	json_object_put(request->json);
	memset(request, 0, sizeof(*request));
}
