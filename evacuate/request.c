/* Checks the requests of hamond. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "evacuate/request.h"
#include "hamon/common/json.h"

#define URI_DEFAULT "qemu:///system"
#define START_TIMEOUT_DEFAULT_MS 90000
#define VERIFY_DEFAULT_MS 1000
#define LOCK_RETRY_DEFAULT_MS 120000
#define NAME_MAX_BYTES 255
#define NOVA_TIMEOUT_DEFAULT_MS 30000
#define SERVERS_WITHIN_DEFAULT_MS 4000
#define NOVA_MICROVERSION_DEFAULT "2.93"

struct error_text {
	char *text;
	size_t size;
};

static const char *const verb_names[] = {
	[REQUEST_WATCH] = "watch", [REQUEST_START] = "start", [REQUEST_INSPECT] = "inspect",
	[REQUEST_STOP] = "stop",   [REQUEST_TIDY] = "tidy",   [REQUEST_QEMUS] = "qemus",
	[REQUEST_ENABLE] = "enable", [REQUEST_SERVERS] = "servers",
};

int request_verb_parse(const char *word, enum request_verb *ret_verb)
{
	for (size_t i = 0; i < sizeof(verb_names) / sizeof(verb_names[0]); i++) {
		if (!strcmp(word, verb_names[i])) {
			*ret_verb = (enum request_verb)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *request_verb_name(enum request_verb verb)
{
	return verb_names[verb];
}

bool uuid_normalize(const char *text, char ret_uuid[37])
{
	char uuid[37];

	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		unsigned char c = (unsigned char)text[i];

		if (dash ? c != '-' : !isxdigit(c))
			return false;
		uuid[i] = (char)tolower(c);
	}
	if (text[36])
		return false;
	uuid[36] = '\0';
	memcpy(ret_uuid, uuid, sizeof(uuid));
	return true;
}

static int __attribute__((format(printf, 2, 3))) wrong(struct error_text *error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error->text, error->size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* A string field; absent is dflt, or wrong when dflt is NULL. */
static int string_take(struct json_object *obj, const char *key, const char *dflt,
		       const char **ret, struct error_text *error)
{
	int rc = json_get_string(obj, key, ret);

	if (rc == -ENOENT && dflt) {
		*ret = dflt;
		return 0;
	}
	if (rc)
		return wrong(error, "field \"%s\": expected a string", key);
	return 0;
}

static int time_take(struct json_object *obj, const char *key, uint64_t dflt_ms, uint64_t *ret_ms,
		     struct error_text *error)
{
	int rc = json_get_u64(obj, key, REQUEST_TIME_MAX_MS, ret_ms);

	if (rc == -ENOENT) {
		*ret_ms = dflt_ms;
		return 0;
	}
	if (rc)
		return wrong(error, "field \"%s\": expected milliseconds, at most %llu", key,
			     REQUEST_TIME_MAX_MS);
	return 0;
}

static int uuid_take(struct json_object *obj, struct request *req, struct error_text *error)
{
	const char *text;

	if (json_get_string(obj, "uuid", &text) || !uuid_normalize(text, req->uuid))
		return wrong(error, "field \"uuid\": expected a UUID like "
				    "01234567-89ab-cdef-0123-456789abcdef");
	return 0;
}

static int managed_save_take(struct json_object *obj, bool dflt, const char *other,
			     struct request *req, struct error_text *error)
{
	const char *text;
	int rc = json_get_string(obj, "managed_save", &text);

	req->managed_save_aside = dflt;
	if (rc == -ENOENT)
		return 0;
	if (!rc && !strcmp(text, "aside"))
		req->managed_save_aside = true;
	else if (!rc && other && !strcmp(text, other))
		req->managed_save_aside = false;
	else
		return wrong(error, "field \"managed_save\": expected \"aside\"%s%s%s",
			     other ? " or \"" : "", other ? other : "", other ? "\"" : " or null");
	return 0;
}

static int start_take(struct json_object *obj, struct request *req, struct error_text *error)
{
	int rc;

	rc = string_take(obj, "name", NULL, &req->name, error);
	if (!rc && (!req->name[0] || strlen(req->name) > NAME_MAX_BYTES || strchr(req->name, '/')))
		rc = wrong(error, "field \"name\": expected a domain's name, at most %d bytes, no slash",
			   NAME_MAX_BYTES);
	if (!rc) /* Nova makes the definition by itself */
		rc = string_take(obj, "xml", req->has_nova ? "" : NULL, &req->xml, error);
	if (!rc)
		rc = time_take(obj, "start_timeout_ms", START_TIMEOUT_DEFAULT_MS,
			       &req->start_timeout_ms, error);
	if (!rc)
		rc = time_take(obj, "verify_ms", VERIFY_DEFAULT_MS, &req->verify_ms, error);
	if (!rc)
		rc = time_take(obj, "lock_retry_ms", LOCK_RETRY_DEFAULT_MS, &req->lock_retry_ms, error);
	if (!rc)
		rc = managed_save_take(obj, true, "use", req, error);
	if (rc)
		return rc;
	req->xml_len = strlen(req->xml);
	rc = json_get_u64(obj, "generation", UINT64_MAX, &req->generation);
	if (rc && rc != -ENOENT)
		return wrong(error, "field \"generation\": expected a number");
	return 0;
}

static int tidy_take(struct json_object *obj, struct request *req, struct error_text *error)
{
	int rc = managed_save_take(obj, false, NULL, req, error);

	if (rc)
		return rc;
	rc = json_get_bool(obj, "undefine", &req->undefine);
	if (rc && rc != -ENOENT)
		return wrong(error, "field \"undefine\": expected true or false");
	return 0;
}

/* What a person has asked for, and not hamon by itself. */
static int by_hand_take(struct json_object *obj, struct request *req, struct error_text *error)
{
	int rc = json_get_bool(obj, "by_hand", &req->by_hand);

	return rc && rc != -ENOENT ? wrong(error, "field \"by_hand\": expected true or false") : 0;
}

/* A host's name in Nova: what goes into a query and is compared byte by byte. */
static bool host_is_valid(const char *name)
{
	return *name && strlen(name) <= NAME_MAX_BYTES && !strpbrk(name, " \t\r\n/");
}

static int hosts_take(struct json_object *obj, const char *key, const char **ret, size_t *ret_n, struct error_text *error)
{
	struct json_object *list;
	int rc = json_get_array(obj, key, &list);

	if (rc == -ENOENT)
		return 0;
	if (rc || json_object_array_length(list) > REQUEST_DEAD_MAX)
		return wrong(error, "field \"%s\": expected a list of at most %d hosts", key, REQUEST_DEAD_MAX);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *name = json_object_array_get_idx(list, i);

		if (!json_object_is_type(name, json_type_string) || !host_is_valid(json_object_get_string(name)))
			return wrong(error, "field \"%s\": expected names of hosts", key);
		ret[(*ret_n)++] = json_object_get_string(name);
	}
	return 0;
}

static const char *const select_names[] = {
	[SELECT_ALL] = "all", [SELECT_METADATA] = "metadata", [SELECT_TAG] = "tag", [SELECT_FLAVOR] = "flavor",
	[SELECT_IMAGE] = "image", [SELECT_AGGREGATE] = "aggregate",
};

const char *request_select_name(enum request_select select)
{
	return select_names[select];
}

static int select_take(struct json_object *obj, struct request_nova *nova, struct error_text *error)
{
	const char *word;
	int rc = string_take(obj, "select", "all", &word, error);

	if (!rc)
		rc = string_take(obj, "select_key", "", &nova->select_key, error);
	if (!rc)
		rc = string_take(obj, "select_value", "", &nova->select_value, error);
	if (rc)
		return rc;
	for (enum request_select i = SELECT_ALL; i <= SELECT_AGGREGATE; i++)
		if (!strcmp(word, select_names[i])) {
			nova->select = i;
			return i == SELECT_ALL || nova->select_key[0] ? 0 :
				wrong(error, "field \"select_key\": expected a name");
		}
	return wrong(error, "field \"select\": expected \"all\" or what tells the servers");
}

static int nova_fields_take(struct json_object *obj, struct request_nova *nova, struct error_text *error)
{
	int rc = string_take(obj, "cloud", "", &nova->cloud, error);

	if (!rc)
		rc = string_take(obj, "clouds_file", "", &nova->clouds_file, error);
	if (!rc)
		rc = string_take(obj, "region", "", &nova->region, error);
	if (!rc)
		rc = string_take(obj, "interface", "", &nova->interface, error);
	if (!rc)
		rc = string_take(obj, "auth_url", "", &nova->auth_url, error);
	if (!rc)
		rc = string_take(obj, "endpoint", "", &nova->endpoint, error);
	if (!rc)
		rc = time_take(obj, "timeout_ms", NOVA_TIMEOUT_DEFAULT_MS, &nova->timeout_ms, error);
	if (!rc)
		rc = string_take(obj, "microversion", NOVA_MICROVERSION_DEFAULT, &nova->microversion, error);
	if (!rc)
		rc = string_take(obj, "self", NULL, &nova->self, error);
	if (!rc && !host_is_valid(nova->self))
		rc = wrong(error, "field \"self\": expected this host's name in Nova");
	nova->reserved = json_bool_or(obj, "reserved", false);
	if (!rc)
		rc = string_take(obj, "fault_points", "", &nova->fault_points, error);
	if (!rc)
		rc = hosts_take(obj, "dead", nova->dead, &nova->n_dead, error);
	if (!rc)
		rc = select_take(obj, nova, error);
	if (rc)
		return rc;
	rc = json_get_bool(obj, "lock", &nova->lock);
	if (rc && rc != -ENOENT)
		return wrong(error, "field \"lock\": expected true or false");
	nova->automatic_return = true;
	rc = json_get_bool(obj, "automatic_return", &nova->automatic_return);
	if (rc && rc != -ENOENT)
		return wrong(error, "field \"automatic_return\": expected true or false");
	/* A host that evacuates to itself, or that others hold for dead, must not act at all. */
	for (size_t i = 0; i < nova->n_dead; i++)
		if (!strcmp(nova->dead[i], nova->self))
			return wrong(error, "field \"dead\": %s is this host itself", nova->self);
	rc = json_get_object(obj, "environment", &nova->environment);
	if (rc && rc != -ENOENT)
		return wrong(error, "field \"environment\": expected an object");
	return 0;
}

/* libvirt alone has nothing to do for what is stopped: its definition waits where it is. */
static int wish_take(struct json_object *obj, struct request *req, struct error_text *error)
{
	const char *wish;
	int rc = string_take(obj, "wish", "running", &wish, error);

	if (rc)
		return rc;
	req->stopped = !strcmp(wish, "stopped");
	if (!req->stopped && strcmp(wish, "running"))
		return wrong(error, "field \"wish\": expected \"running\" or \"stopped\"");
	if (req->stopped && !req->has_nova)
		return wrong(error, "field \"wish\": only Nova moves what is stopped");
	return 0;
}

static int plane_take(struct json_object *obj, struct request *req, struct error_text *error)
{
	struct json_object *nova;
	const char *plane;
	int rc = string_take(obj, "plane", "libvirt", &plane, error);

	if (rc)
		return rc;
	req->has_nova = !strcmp(plane, "nova");
	if (!req->has_nova && strcmp(plane, "libvirt"))
		return wrong(error, "field \"plane\": expected \"libvirt\" or \"nova\"");
	if (!req->has_nova && req->verb != REQUEST_START)
		return wrong(error, "field \"plane\": %s is Nova's", verb_names[req->verb]);
	if (!req->has_nova)
		return 0;
	if (json_get_object(obj, "nova", &nova))
		return wrong(error, "field \"nova\": expected an object");
	return nova_fields_take(nova, &req->nova, error);
}

static int servers_take(struct json_object *obj, struct request *req, struct error_text *error)
{
	int rc = time_take(obj, "within_ms", SERVERS_WITHIN_DEFAULT_MS, &req->nova.within_ms, error);

	return rc ? rc : hosts_take(obj, "hosts", req->nova.hosts, &req->nova.n_hosts, error);
}

/* Those whose request names one domain. */
static bool verb_has_uuid(enum request_verb verb)
{
	return verb == REQUEST_START || verb == REQUEST_INSPECT || verb == REQUEST_STOP || verb == REQUEST_TIDY;
}

static int fields_take(struct json_object *obj, struct request *req, struct error_text *error)
{
	int rc = string_take(obj, "op", NULL, &req->op, error);

	if (!rc)
		rc = string_take(obj, "uri", URI_DEFAULT, &req->uri, error);
	if (!rc && (req->verb == REQUEST_START || req->verb == REQUEST_ENABLE || req->verb == REQUEST_SERVERS))
		rc = plane_take(obj, req, error);
	if (!rc && req->verb == REQUEST_SERVERS)
		rc = servers_take(obj, req, error);
	if (!rc && verb_has_uuid(req->verb))
		rc = uuid_take(obj, req, error);
	if (!rc && req->verb == REQUEST_STOP)
		rc = string_take(obj, "why", "", &req->why, error);
	if (!rc && req->verb == REQUEST_START)
		rc = wish_take(obj, req, error);
	if (!rc && req->verb == REQUEST_START)
		rc = start_take(obj, req, error);
	if (!rc && (req->verb == REQUEST_START || req->verb == REQUEST_ENABLE))
		rc = by_hand_take(obj, req, error);
	if (!rc && req->verb == REQUEST_TIDY)
		rc = tidy_take(obj, req, error);
	return rc;
}

int request_parse(enum request_verb verb, const char *text, size_t len, struct request *ret_req,
		  char *error, size_t error_size, char *ret_op, size_t op_size)
{
	struct error_text wrong_text = { error, error_size };
	struct request req = { .verb = verb, .uri = "", .name = "", .xml = "", .why = "" };
	struct json_object *obj;
	int rc;

	if (ret_op)
		ret_op[0] = '\0';
	if (len > REQUEST_BYTES_MAX) {
		wrong(&wrong_text, "the request is longer than %u bytes", REQUEST_BYTES_MAX);
		return -E2BIG;
	}
	rc = json_parse(text, len, &obj);
	if (rc) {
		wrong(&wrong_text, "the request is not one JSON object");
		return rc;
	}
	if (ret_op)
		(void)json_copy_string(obj, "op", ret_op, op_size);
	rc = json_object_is_type(obj, json_type_object)
		     ? fields_take(obj, &req, &wrong_text)
		     : wrong(&wrong_text, "the request is not a JSON object");
	if (rc) {
		json_object_put(obj);
		return rc;
	}
	req.json = obj;
	*ret_req = req;
	return 0;
}

void request_free(struct request *req)
{
	json_object_put(req->json);
	req->json = NULL;
}
