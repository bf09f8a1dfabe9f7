/* Nova's API: one function for the patience, and a short one for each call. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>

#include "evacuate/nova/compute.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define DELAY_FIRST_MS 200
#define DELAY_MAX_MS 4000
#define PATH_SIZE 640

/* An API that takes so long for one answer has more to do than it can: it is told as one that has to be waited for. */
#define SLOW_MS 3000

/* How often an internal error of a call that only reads is met with another try. */
#define ERROR_TRIES 3

struct call {
	const char *method;
	const char *path;
	struct json_object *body; /* owned by the call; NULL for none */
	bool once;                /* must not be sent again once it may have been seen */
	bool bare;                /* the version document: no microversion */
	bool image;               /* Glance's, not Nova's: below its own endpoint */
};

struct patience {
	uint64_t delay_ms;
	unsigned int errors;
	bool renewed;
};

static uint64_t remaining_ms(const struct compute *compute)
{
	uint64_t now_ms = clock_boot_ms();

	return now_ms < compute->deadline_ms ? compute->deadline_ms - now_ms : 0;
}

static uint64_t limit_ms(const struct compute *compute)
{
	uint64_t left_ms = remaining_ms(compute);

	return left_ms < compute->call_ms ? left_ms : compute->call_ms;
}

/* Waits as asked, or longer from time to time. False when that would go beyond the deadline; the failure stands. */
static bool wait_take(struct compute *compute, struct patience *patience, uint64_t asked_ms)
{
	uint64_t delay_ms = patience->delay_ms ? patience->delay_ms * 2 : DELAY_FIRST_MS;

	if (delay_ms > DELAY_MAX_MS)
		delay_ms = DELAY_MAX_MS;
	patience->delay_ms = delay_ms;
	if (asked_ms > delay_ms)
		delay_ms = asked_ms;
	if (delay_ms >= remaining_ms(compute))
		return false;
	if (compute->on_wait)
		compute->on_wait(compute->user, compute->failure.text);
	poll(NULL, 0, (int)delay_ms);
	return true;
}

static void session_keep(const struct compute *compute)
{
	struct session session = { .minor = compute->minor_max };

	if (!compute->run_dir || !session.minor)
		return;
	memcpy(session.token, compute->keystone.token, sizeof(session.token));
	memcpy(session.compute_url, compute->keystone.compute_url, sizeof(session.compute_url));
	memcpy(session.image_url, compute->keystone.image_url, sizeof(session.image_url));
	session_write(compute->run_dir, &compute->keystone.cloud, &session);
	explicit_bzero(&session, sizeof(session));
}

/* A token, with patience for a Keystone that does not answer. A refusal is final. */
static bool token_renew(struct compute *compute)
{
	struct patience patience = { 0 };
	uint64_t retry_after_ms = 0;

	compute->kept = false;
	while (!keystone_token_get(&compute->keystone, limit_ms(compute), &compute->failure, &retry_after_ms)) {
		unsigned int status = compute->failure.status;
		bool silent = !status && !strcmp(compute->failure.error_class, "api");

		if (!silent && status != 429 && status < 500)
			return false;
		if (!wait_take(compute, &patience, retry_after_ms))
			return false;
	}
	session_keep(compute);
	return true;
}

/* What follows from an answer that is no success: true to ask again. The failure is filled. */
static bool again(struct compute *compute, const struct call *call, const struct http_answer *answer,
		  struct patience *patience)
{
	if (answer->end != HTTP_ANSWERED) {
		/* A kept endpoint may not be there any more: the catalogue knows. */
		if (compute->kept && answer->end != HTTP_LOST)
			return token_renew(compute);
		if (answer->end == HTTP_UNUSABLE || (call->once && answer->end == HTTP_LOST))
			return false;
		return wait_take(compute, patience, 0);
	}
	switch (answer->status) {
	case 401:
		/* The token has ended or was revoked: nothing was done, so a new one is tried, once. */
		if (patience->renewed)
			return false;
		patience->renewed = true;
		return token_renew(compute);
	case 429:
		return wait_take(compute, patience, answer->retry_after_ms);
	case 502:
	case 503:
	case 504:
		return !call->once && wait_take(compute, patience, answer->retry_after_ms);
	case 500:
		return !call->once && ++patience->errors < ERROR_TRIES && wait_take(compute, patience, 0);
	default:
		return false;
	}
}

/* Glance's catalogue entry is written with and without the version. */
static void url_make(const struct compute *compute, const struct call *call, char *url, size_t size)
{
	const char *base = call->image ? compute->keystone.image_url : compute->keystone.compute_url;
	size_t len = strlen(base);

	if (call->image) {
		while (len && base[len - 1] == '/')
			len--;
		if (len > 3 && !strncmp(base + len - 3, "/v2", 3))
			len -= 3;
	}
	snprintf(url, size, "%.*s%s", (int)len, base, call->path);
}

static void slow_tell(const struct compute *compute, const char *asked, uint64_t took_ms)
{
	char text[PATH_SIZE + 80];

	if (took_ms < SLOW_MS || !compute->on_wait)
		return;
	snprintf(text, sizeof(text), "%s took %llu ms", asked, (unsigned long long)took_ms);
	compute->on_wait(compute->user, text);
}

/* True with the body of a success in *ret (to be freed), else the failure is filled. */
static bool call_run(struct compute *compute, const struct call *call, struct http_answer *ret)
{
	char url[NOVA_URL_SIZE + PATH_SIZE], asked[PATH_SIZE + 16];
	struct http_request request = { .method = call->method, .url = url };
	struct patience patience = { 0 };
	uint64_t asked_ms;
	bool ok = false;

	snprintf(asked, sizeof(asked), "%s %s", call->method, call->path);
	request.body = call->body ? json_object_to_json_string_ext(call->body, JSON_C_TO_STRING_PLAIN) : NULL;
	request.microversion = call->bare || call->image ? NULL : compute->microversion;
	for (;;) {
		/* A new token can come with another endpoint. */
		url_make(compute, call, url, sizeof(url));
		request.token = compute->keystone.token;
		request.timeout_ms = limit_ms(compute);
		if (!request.timeout_ms) {
			nova_fail(&compute->failure, "timeout", "there was no time left for %s", asked);
			break;
		}
		asked_ms = clock_boot_ms();
		http_call(compute->keystone.http, &request, ret);
		slow_tell(compute, asked, clock_boot_ms() - asked_ms);
		ok = ret->end == HTTP_ANSWERED && ret->status >= 200 && ret->status < 300;
		if (ok)
			break;
		nova_fail_answer(&compute->failure, call->image ? "Glance" : "Nova", asked, ret);
		if (!again(compute, call, ret, &patience)) {
			http_answer_free(ret);
			break;
		}
		http_answer_free(ret);
	}
	json_object_put(call->body);
	return ok;
}

/* --- reading --- */

static bool unreadable(struct compute *compute, int rc, const char *what)
{
	return nova_fail(&compute->failure, "api", "Nova's answer is no %s that could be read: %s", what, strerror(-rc));
}

/* Percent-encoding of RFC 3986, for a host's name in a query. */
static void query_escape(const char *text, char *buf, size_t size)
{
	size_t used = 0;

	for (; *text && used + 4 <= size; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c))
			buf[used++] = (char)c;
		else
			used += (size_t)snprintf(buf + used, size - used, "%%%02X", c);
	}
	buf[used] = '\0';
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
				 compute->keystone.compute_url, minor, NOVA_MINOR_MIN);
	compute->minor_max = minor;
	microversion_set(compute, wanted_minor);
	session_keep(compute);
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
	memcpy(compute->keystone.compute_url, session.compute_url, sizeof(session.compute_url));
	memcpy(compute->keystone.image_url, session.image_url, sizeof(session.image_url));
	compute->minor_max = session.minor;
	explicit_bzero(&session, sizeof(session));
	compute->kept = true;
	microversion_set(compute, wanted_minor);
	return true;
}

bool compute_open(struct compute *compute, const struct cloud_source *source, uint32_t wanted_minor)
{
	return keystone_open(&compute->keystone, source, &compute->failure) &&
		(session_use(compute, wanted_minor) || (token_renew(compute) && version_choose(compute, wanted_minor)));
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
	if (image && !compute->keystone.image_url[0])
		return nova_fail(&compute->failure, "config", "%s: the catalogue has no endpoint of the image service",
				 compute->keystone.cloud.origin);
	return call_run(compute, &(struct call){ .method = "GET", .path = path, .image = image }, ret);
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

bool compute_servers_get(struct compute *compute, const char *host, const char *status, struct nova_server *ret,
			 size_t max, size_t *ret_n)
{
	char path[PATH_SIZE], escaped[NOVA_HOST_SIZE + 64];
	struct call call = { .method = "GET", .path = path };
	struct http_answer answer;
	int rc;

	query_escape(host, escaped, sizeof(escaped));
	snprintf(path, sizeof(path), "/servers/detail?all_tenants=1&limit=%zu&status=%s&host=%s", max, status, escaped);
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

	query_escape(host, escaped, sizeof(escaped));
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

	query_escape(host, escaped, sizeof(escaped));
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

	query_escape(uuid ? uuid : source, escaped, sizeof(escaped));
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
	return change(compute, (struct call){ .method = "POST", .path = path, .body = body, .once = once });
}

bool compute_evacuate(struct compute *compute, const char *uuid, const char *host)
{
	/* "force" would pass the scheduler by, and is not known from 2.68 on; without it the host is checked. */
	return action(compute, uuid, "evacuate", "host", host, true);
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
