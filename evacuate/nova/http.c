/* libcurl's easy interface. Follows its manual pages, 7.88. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <curl/curl.h>

#include "config.h"
#include "evacuate/nova/http.h"

#define BODY_MAX (8u << 20)
#define CONNECT_TIMEOUT_MS 10000
#define RETRY_AFTER_MAX_S 3600

struct http {
	CURL *curl;
};

/* What the callbacks fill. */
struct receiving {
	struct http_answer *answer;
	size_t room;
	bool too_long;
};

static void option_text(CURL *curl, CURLoption option, const char *text)
{
	if (*text)
		curl_easy_setopt(curl, option, text);
}

struct http *http_new(const struct http_options *options)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(http);
		return NULL;
	}
	http->curl = curl_easy_init();
	if (!http->curl) {
		free(http);
		return NULL;
	}
	/* Without it a slow name server would be waited for with SIGALRM, which is the helper's own watch. */
	curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	/* A redirection would take the token to another host. */
	curl_easy_setopt(http->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(http->curl, CURLOPT_USERAGENT, "hamon/" HAMON_VERSION);
	option_text(http->curl, CURLOPT_CAINFO, options->cacert);
	option_text(http->curl, CURLOPT_SSLCERT, options->cert);
	option_text(http->curl, CURLOPT_SSLKEY, options->key);
	return http;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	free(http);
}

void http_answer_free(struct http_answer *answer)
{
	free(answer->body);
	answer->body = NULL;
	explicit_bzero(answer->token, sizeof(answer->token));
}

/* --- what comes back --- */

static size_t body_take(char *data, size_t size, size_t n, void *user)
{
	struct receiving *in = user;
	size_t len = size * n;
	char *grown;

	if (len > BODY_MAX - in->answer->len) {
		in->too_long = true;
		return 0;
	}
	if (in->answer->len + len + 1 > in->room) {
		in->room = 2 * (in->answer->len + len) + 1;
		grown = realloc(in->answer->body, in->room);
		if (!grown)
			return 0;
		in->answer->body = grown;
	}
	memcpy(in->answer->body + in->answer->len, data, len);
	in->answer->len += len;
	in->answer->body[in->answer->len] = '\0';
	return len;
}

/* The value of a header of that name, without blanks around it; false for another, or one that does not fit. */
static bool header_is(const char *line, size_t len, const char *name, char *buf, size_t size)
{
	size_t name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) || line[name_len] != ':')
		return false;
	line += name_len + 1;
	len -= name_len + 1;
	while (len && isspace((unsigned char)*line)) {
		line++;
		len--;
	}
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	if (len >= size)
		return false;
	memcpy(buf, line, len);
	buf[len] = '\0';
	return true;
}

/* RFC 9110: seconds, or a date. A date is met with one second: the caller asks again, with more patience each time. */
static uint64_t retry_after_parse(const char *text)
{
	char *end;
	unsigned long seconds;

	if (!isdigit((unsigned char)*text))
		return 1000;
	seconds = strtoul(text, &end, 10);
	if (*end || seconds > RETRY_AFTER_MAX_S)
		seconds = RETRY_AFTER_MAX_S;
	return seconds ? seconds * 1000ull : 1;
}

static size_t header_take(char *line, size_t size, size_t n, void *user)
{
	struct http_answer *answer = ((struct receiving *)user)->answer;
	size_t len = size * n;
	char text[64];

	/* A status line begins anew: what a proxy said before it counts no more. */
	if (len > 5 && !strncmp(line, "HTTP/", 5)) {
		answer->token[0] = answer->request_id[0] = '\0';
		answer->retry_after_ms = 0;
	}
	header_is(line, len, "X-Subject-Token", answer->token, sizeof(answer->token));
	header_is(line, len, "X-Openstack-Request-Id", answer->request_id, sizeof(answer->request_id));
	if (header_is(line, len, "Retry-After", text, sizeof(text)))
		answer->retry_after_ms = retry_after_parse(text);
	return len;
}

/* --- the call --- */

static struct curl_slist *header_add(struct curl_slist *list, bool *failed, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 3;
	struct curl_slist *longer = NULL;
	char *line = malloc(size);

	if (line) {
		snprintf(line, size, "%s: %s", name, value);
		longer = curl_slist_append(list, line);
		explicit_bzero(line, size);
		free(line);
	}
	if (!longer)
		*failed = true;
	return longer ? longer : list;
}

static struct curl_slist *headers_make(const struct http_request *request, bool *failed)
{
	struct curl_slist *list = NULL;

	list = header_add(list, failed, "Accept", "application/json");
	list = header_add(list, failed, "Content-Type", "application/json");
	/* Otherwise curl waits a second for a "100 Continue" that many a server never says. */
	list = header_add(list, failed, "Expect", "");
	if (request->token)
		list = header_add(list, failed, "X-Auth-Token", request->token);
	if (request->microversion)
		list = header_add(list, failed, "OpenStack-API-Version", request->microversion);
	return list;
}

/* Was there a connection at all? */
static enum http_end end_of(CURLcode code, CURL *curl)
{
	curl_off_t connected_us = 0;

	if (!code)
		return HTTP_ANSWERED;
	curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
		return HTTP_NOT_SENT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return HTTP_UNUSABLE;
	default:
		return connected_us ? HTTP_LOST : HTTP_NOT_SENT;
	}
}

void http_call(struct http *http, const struct http_request *request, struct http_answer *ret)
{
	struct receiving in = { .answer = ret };
	char said[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers;
	bool failed = false;
	CURLcode code;
	long status = 0;

	memset(ret, 0, sizeof(*ret));
	ret->end = HTTP_NOT_SENT;
	headers = headers_make(request, &failed);
	ret->body = calloc(1, 1);
	if (failed || !ret->body) {
		snprintf(ret->error, sizeof(ret->error), "out of memory");
		curl_slist_free_all(headers);
		return;
	}
	in.room = 1;
	curl_easy_setopt(http->curl, CURLOPT_URL, request->url);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, said);
	curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, body_take);
	curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &in);
	curl_easy_setopt(http->curl, CURLOPT_HEADERFUNCTION, header_take);
	curl_easy_setopt(http->curl, CURLOPT_HEADERDATA, &in);
	curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(request->timeout_ms < CONNECT_TIMEOUT_MS ? request->timeout_ms : CONNECT_TIMEOUT_MS));
	if (request->body) {
		curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, request->body);
		curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(request->body));
	} else {
		curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, request->method);
	/* On a kept connection that turns out to be dead curl sends again by itself; a POST must go out once. */
	curl_easy_setopt(http->curl, CURLOPT_FRESH_CONNECT, !strcmp(request->method, "POST") ? 1L : 0L);
	code = curl_easy_perform(http->curl);
	ret->end = end_of(code, http->curl);
	if (code)
		snprintf(ret->error, sizeof(ret->error), "%s %.200s: %.250s", request->method, request->url,
			 in.too_long ? "the answer is longer than 8 MiB" : *said ? said : curl_easy_strerror(code));
	else
		curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	ret->status = (unsigned int)status;
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
}
