/* Patience with an API. */
#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>

#include "evacuate/nova/call.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define DELAY_FIRST_MS 200
#define DELAY_MAX_MS 4000

/* An API that takes so long for one answer has more to do than it can: it is told as one that has to be waited for. */
#define SLOW_MS 3000

/* How often an internal error of a call that only reads is met with another try. */
#define ERROR_TRIES 3

/* The names of the services, as people and as the header OpenStack-API-Version have them. */
static const char *const service_names[] = { [CALL_COMPUTE] = "Nova", [CALL_VOLUME] = "Cinder", [CALL_IMAGE] = "Glance" };
static const char *const version_names[] = { [CALL_COMPUTE] = "compute", [CALL_VOLUME] = "volume",
					   [CALL_IMAGE] = NULL };

struct patience {
	uint64_t delay_ms;
	unsigned int errors;
	size_t silent; /* endpoints that could not be reached, one after the other */
	bool renewed;
};

static struct nova_endpoints *endpoints_of(struct compute *compute, enum call_service service)
{
	switch (service) {
	case CALL_VOLUME:
		return &compute->keystone.volume;
	case CALL_IMAGE:
		return &compute->keystone.image;
	case CALL_COMPUTE:
		break;
	}
	return &compute->keystone.compute;
}

const char *call_url(const struct compute *compute, enum call_service service)
{
	const struct nova_endpoints *endpoints = endpoints_of((struct compute *)compute, service);

	return endpoints->n ? endpoints->url[endpoints->at] : "";
}

uint64_t call_remaining_ms(const struct compute *compute)
{
	uint64_t now_ms = clock_boot_ms();

	return now_ms < compute->deadline_ms ? compute->deadline_ms - now_ms : 0;
}

static uint64_t limit_ms(const struct compute *compute)
{
	uint64_t left_ms = call_remaining_ms(compute);

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
	if (delay_ms >= call_remaining_ms(compute))
		return false;
	if (compute->on_wait)
		compute->on_wait(compute->user, compute->failure.text);
	poll(NULL, 0, (int)delay_ms);
	return true;
}

void call_session_keep(const struct compute *compute)
{
	struct session session = { .minor = compute->minor_max };

	if (!compute->run_dir || !session.minor)
		return;
	memcpy(session.token, compute->keystone.token, sizeof(session.token));
	session.compute = compute->keystone.compute;
	session.volume = compute->keystone.volume;
	session.image = compute->keystone.image;
	session_write(compute->run_dir, &compute->keystone.cloud, &session);
	explicit_bzero(&session, sizeof(session));
}

bool call_token_renew(struct compute *compute)
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
	call_session_keep(compute);
	return true;
}

/*
 * Nobody answered. The next endpoint is asked at once when this one has seen nothing; after a request that was sent, and may be
 * repeated, only with a wait, as for one endpoint alone.
 */
static bool elsewhere(struct compute *compute, const struct call *call, const struct http_answer *answer,
		      struct patience *patience)
{
	struct nova_endpoints *endpoints = endpoints_of(compute, call->service);
	bool unseen = answer->end != HTTP_LOST;

	if (call->once && !unseen)
		return false;
	endpoints->at = (endpoints->at + 1) % endpoints->n;
	if (unseen && ++patience->silent < endpoints->n)
		return true;
	patience->silent = 0;
	/* Kept endpoints may not be there any more: the catalogue knows. */
	if (compute->kept && unseen)
		return call_token_renew(compute);
	return answer->end != HTTP_UNUSABLE && wait_take(compute, patience, 0);
}

/* What follows from an answer that is no success: true to ask again. The failure is filled. */
static bool again(struct compute *compute, const struct call *call, const struct http_answer *answer,
		  struct patience *patience)
{
	if (answer->end != HTTP_ANSWERED)
		return elsewhere(compute, call, answer, patience);
	patience->silent = 0;
	switch (answer->status) {
	case 401:
		/* The token has ended or was revoked: nothing was done, so a new one is tried, once. */
		if (patience->renewed)
			return false;
		patience->renewed = true;
		return call_token_renew(compute);
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

static void slow_tell(const struct compute *compute, const char *asked, uint64_t took_ms)
{
	char text[CALL_PATH_SIZE + 80];

	if (took_ms < SLOW_MS || !compute->on_wait)
		return;
	snprintf(text, sizeof(text), "%s took %llu ms", asked, (unsigned long long)took_ms);
	compute->on_wait(compute->user, text);
}

bool call_run(struct compute *compute, const struct call *call, struct http_answer *ret)
{
	char url[NOVA_URL_SIZE + CALL_PATH_SIZE], asked[CALL_PATH_SIZE + 16], version[64];
	struct http_request request = { .method = call->method, .url = url };
	struct patience patience = { 0 };
	uint64_t asked_ms;
	bool ok = false;

	snprintf(asked, sizeof(asked), "%s%s%s", call->asked ? call->asked : call->method, call->asked ? "" : " ",
		 call->asked ? "" : call->path);
	request.body = call->body ? json_object_to_json_string_ext(call->body, JSON_C_TO_STRING_PLAIN) : NULL;
	if (version_names[call->service])
		snprintf(version, sizeof(version), "%s %s", version_names[call->service],
			 call->service == CALL_COMPUTE ? compute->microversion : compute->volume_microversion);
	request.microversion = call->bare || !version_names[call->service] ? NULL : version;
	for (;;) {
		/* A new token can come with another endpoint. */
		snprintf(url, sizeof(url), "%s%s", call_url(compute, call->service), call->path);
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
		nova_fail_answer(&compute->failure, service_names[call->service], asked, ret);
		if (!again(compute, call, ret, &patience)) {
			http_answer_free(ret);
			break;
		}
		http_answer_free(ret);
	}
	json_object_put(call->body);
	return ok;
}

void call_query_escape(const char *text, char *buf, size_t size)
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
