/* Nova's API: a short function for each call. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>

#include "evacuate/nova/call.h"
#include "hamon/common/json.h"

#define PATH_SIZE CALL_PATH_SIZE

/* --- reading --- */

static bool unreadable(struct compute *compute, int rc, const char *what)
{
	return nova_fail(&compute->failure, "api", "Nova's answer is no %s that could be read: %s", what, strerror(-rc));
}

static void microversion_set(struct compute *compute, uint32_t wanted_minor)
{
	snprintf(compute->microversion, sizeof(compute->microversion), "2.%u",
		 compute->minor_max < wanted_minor ? compute->minor_max : wanted_minor);
}

static bool version_choose(struct compute *compute, uint32_t wanted_minor)
{
	struct call call = { .method = "GET", .path = "/", .bare = true };
	struct http_answer answer;
	uint32_t minor;
	int rc;

	if (!call_run(compute, &call, &answer))
		return false;
	rc = nova_version_parse(answer.body, answer.len, &minor);
	http_answer_free(&answer);
	if (rc)
		return unreadable(compute, rc, "version document");
	if (minor < NOVA_MINOR_MIN)
		return nova_fail(&compute->failure, "config", "Nova's API at %s has microversion 2.%u at most; hamon needs 2.%u",
				 call_url(compute, CALL_COMPUTE), minor, NOVA_MINOR_MIN);
	compute->minor_max = minor;
	microversion_set(compute, wanted_minor);
	call_session_keep(compute);
	return true;
}

/* A session that another helper of this host has opened. */
static bool session_use(struct compute *compute, uint32_t wanted_minor)
{
	struct session session;

	if (!compute->run_dir || !session_read(compute->run_dir, &compute->keystone.cloud, &session) ||
	    session.minor < NOVA_MINOR_MIN)
		return false;
	memcpy(compute->keystone.token, session.token, sizeof(session.token));
	compute->keystone.compute = session.compute;
	compute->keystone.volume = session.volume;
	compute->keystone.image = session.image;
	compute->minor_max = session.minor;
	explicit_bzero(&session, sizeof(session));
	compute->kept = true;
	microversion_set(compute, wanted_minor);
	return true;
}

bool compute_open(struct compute *compute, const struct cloud_source *source, uint32_t wanted_minor)
{
	return keystone_open(&compute->keystone, source, &compute->failure) &&
		(session_use(compute, wanted_minor) || (call_token_renew(compute) && version_choose(compute, wanted_minor)));
}

void compute_close(struct compute *compute)
{
	keystone_close(&compute->keystone);
}

bool compute_server_get(struct compute *compute, const char *uuid, struct nova_server *ret)
{
	char path[PATH_SIZE];
	struct call call = { .method = "GET", .path = path };
	struct http_answer answer;
	int rc;

	snprintf(path, sizeof(path), "/servers/%s", uuid);
	if (!call_run(compute, &call, &answer))
		return false;
	rc = nova_server_parse(answer.body, answer.len, ret);
	http_answer_free(&answer);
	if (!rc && strcmp(ret->id, uuid))
		rc = -EINVAL;
	return rc ? unreadable(compute, rc, "server") : true;
}

bool compute_text_get(struct compute *compute, bool image, const char *path, struct http_answer *ret)
{
	if (image && !*call_url(compute, CALL_IMAGE))
		return nova_fail(&compute->failure, "config", "%s: the catalogue has no endpoint of the image service",
				 compute->keystone.cloud.origin);
	return call_run(compute, &(struct call){ .service = image ? CALL_IMAGE : CALL_COMPUTE, .method = "GET", .path = path }, ret);
}

bool compute_server_is_deleted(struct compute *compute, const char *uuid, bool *ret)
{
	char path[PATH_SIZE];
	struct call call = { .method = "GET", .path = path };
	struct nova_server server;
	struct http_answer answer;
	size_t n = 0;
	int rc;

	snprintf(path, sizeof(path), "/servers/detail?all_tenants=1&deleted=True&limit=2&uuid=%s", uuid);
	if (!call_run(compute, &call, &answer))
		return false;
	rc = nova_servers_parse(answer.body, answer.len, &server, 1, &n);
	http_answer_free(&answer);
	if (!rc && n && strcmp(server.id, uuid))
		rc = -EINVAL;
	if (rc)
		return unreadable(compute, rc, "list of deleted servers");
	*ret = n && !strcmp(server.status, "DELETED");
	return true;
}

bool compute_servers_get(struct compute *compute, const char *host, const char *key, const char *value,
			 struct nova_server *ret, size_t max, size_t *ret_n)
{
	char path[PATH_SIZE], escaped[NOVA_HOST_SIZE + 64];
	struct call call = { .method = "GET", .path = path };
	struct http_answer answer;
	int rc;

	call_query_escape(host, escaped, sizeof(escaped));
	snprintf(path, sizeof(path), "/servers/detail?all_tenants=1&limit=%zu&%s=%s&host=%s", max, key, value,
		 escaped);
	if (!call_run(compute, &call, &answer))
		return false;
	rc = nova_servers_parse(answer.body, answer.len, ret, max, ret_n);
	http_answer_free(&answer);
	return rc ? unreadable(compute, rc, "list of servers") : true;
}

bool compute_host_servers_get(struct compute *compute, const char *host, const char *marker, struct nova_server *ret, size_t max,
			      size_t *ret_n)
{
	char path[PATH_SIZE], escaped[NOVA_HOST_SIZE + 64];
	struct call call = { .method = "GET", .path = path };
	struct http_answer answer;
	int rc;

	call_query_escape(host, escaped, sizeof(escaped));
	snprintf(path, sizeof(path), "/servers/detail?all_tenants=1&limit=%zu&host=%s%s%s", max, escaped, *marker ? "&marker=" : "",
		 marker);
	if (!call_run(compute, &call, &answer))
		return false;
	rc = nova_servers_parse(answer.body, answer.len, ret, max, ret_n);
	http_answer_free(&answer);
	return rc ? unreadable(compute, rc, "list of servers") : true;
}

bool compute_service_get(struct compute *compute, const char *host, struct nova_service *ret)
{
	char path[PATH_SIZE], escaped[NOVA_HOST_SIZE + 64];
	struct call call = { .method = "GET", .path = path };
	struct http_answer answer;
	int rc;

	call_query_escape(host, escaped, sizeof(escaped));
	snprintf(path, sizeof(path), "/os-services?binary=nova-compute&host=%s", escaped);
	if (!call_run(compute, &call, &answer))
		return false;
	rc = nova_service_parse(answer.body, answer.len, host, ret);
	http_answer_free(&answer);
	if (rc == -ENOENT)
		return nova_fail(&compute->failure, "config", "Nova has no nova-compute on a host %s: if it goes by another "
				 "name there, say which with nova_host", host);
	return rc ? unreadable(compute, rc, "list of services") : true;
}

bool compute_evacuations_get(struct compute *compute, const char *uuid, const char *source,
			     struct nova_migrations *ret)
{
	char path[PATH_SIZE], escaped[NOVA_HOST_SIZE + 64];
	struct call call = { .method = "GET", .path = path };
	struct http_answer answer;
	int rc;

	call_query_escape(uuid ? uuid : source, escaped, sizeof(escaped));
	snprintf(path, sizeof(path), "/os-migrations?migration_type=evacuation&%s=%s",
		 uuid ? "instance_uuid" : "source_compute", escaped);
	if (!call_run(compute, &call, &answer))
		return false;
	rc = nova_migrations_parse(answer.body, answer.len, ret);
	http_answer_free(&answer);
	return rc ? unreadable(compute, rc, "list of migrations") : true;
}

/* --- changing --- */

static bool change(struct compute *compute, struct call call)
{
	struct http_answer answer;

	if (!call_run(compute, &call, &answer))
		return false;
	http_answer_free(&answer);
	return true;
}

static bool service_put(struct compute *compute, const struct nova_service *service, struct json_object *body)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/os-services/%s", service->id);
	return change(compute, (struct call){ .method = "PUT", .path = path, .body = body });
}

bool compute_service_take_down(struct compute *compute, const struct nova_service *service, const char *mark)
{
	struct json_object *body = json_object_new_object();

	json_put_bool(body, "forced_down", true);
	if (mark) {
		json_put_string(body, "status", "disabled");
		json_put_string(body, "disabled_reason", mark);
	}
	return service_put(compute, service, body);
}

bool compute_service_force_up(struct compute *compute, const struct nova_service *service)
{
	struct json_object *body = json_object_new_object();

	json_put_bool(body, "forced_down", false);
	return service_put(compute, service, body);
}

bool compute_service_disable(struct compute *compute, const struct nova_service *service, const char *reason)
{
	struct json_object *body = json_object_new_object();

	json_put_string(body, "status", "disabled");
	if (*reason)
		json_put_string(body, "disabled_reason", reason);
	return service_put(compute, service, body);
}

bool compute_service_enable(struct compute *compute, const struct nova_service *service)
{
	struct json_object *body = json_object_new_object();

	json_put_string(body, "status", "enabled");
	return service_put(compute, service, body);
}

/* {ACTION: {KEY: VALUE}}, or {ACTION: null} without a key. */
static bool action(struct compute *compute, const char *uuid, const char *name, const char *key, const char *value,
		   bool once)
{
	struct json_object *body = json_object_new_object(), *details = NULL;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/servers/%s/action", uuid);
	if (key) {
		details = json_object_new_object();
		json_put_string(details, key, value);
	}
	json_object_object_add(body, name, details);
	return change(compute, (struct call){ .method = "POST", .path = path, .asked = name, .body = body, .once = once });
}

bool compute_evacuate(struct compute *compute, const char *uuid, const char *host)
{
	/* "force" would pass the scheduler by, and is not known from 2.68 on; without it the host is checked. */
	return action(compute, uuid, "evacuate", "host", host, true);
}

bool compute_server_lock(struct compute *compute, const char *uuid, const char *reason)
{
	return action(compute, uuid, "lock", "locked_reason", reason, false);
}

bool compute_server_unlock(struct compute *compute, const char *uuid)
{
	return action(compute, uuid, "unlock", NULL, NULL, false);
}

bool compute_server_start(struct compute *compute, const char *uuid)
{
	return action(compute, uuid, "os-start", NULL, NULL, true);
}

bool compute_server_stop(struct compute *compute, const char *uuid)
{
	return action(compute, uuid, "os-stop", NULL, NULL, true);
}

bool compute_server_reboot_hard(struct compute *compute, const char *uuid)
{
	return action(compute, uuid, "reboot", "type", "HARD", true);
}

bool compute_server_reset(struct compute *compute, const char *uuid, const char *state)
{
	return action(compute, uuid, "os-resetState", "state", state, false);
}
