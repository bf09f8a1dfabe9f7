/* Tokens and the catalogue. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>

#include "evacuate/nova/keystone.h"

/* "URL,URL". */
static bool list_take(const struct keystone *keystone, enum cloud_key key, const char *what, struct nova_endpoints *ret,
		      struct nova_failure *failure)
{
	const char *text = keystone->cloud.value[key];

	memset(ret, 0, sizeof(*ret));
	for (; *text; text += strspn(text, ", ")) {
		size_t len = strcspn(text, ", ");

		if (ret->n == NOVA_ENDPOINTS_MAX || len >= NOVA_URL_SIZE)
			return nova_fail(failure, "config", "%s: %s: expected at most %d addresses of less than %d bytes, with commas between "
					 "them", keystone->cloud.origin, what, NOVA_ENDPOINTS_MAX, NOVA_URL_SIZE);
		if (len)
			memcpy(ret->url[ret->n++], text, len);
		text += len;
	}
	return true;
}

bool keystone_open(struct keystone *keystone, const struct cloud_source *source, struct nova_failure *failure)
{
	char error[CLOUD_ERROR_SIZE];
	struct http_options options;

	memset(keystone, 0, sizeof(*keystone));
	if (cloud_load(source, &keystone->cloud, error))
		return nova_fail(failure, "config", "%s", error);
	if (!list_take(keystone, CLOUD_AUTH_URL, "auth_url", &keystone->identity, failure) ||
	    !list_take(keystone, CLOUD_COMPUTE_ENDPOINT, "endpoint", &keystone->compute, failure))
		return false;
	if (!keystone->identity.n)
		return nova_fail(failure, "config", "%s: auth_url is empty", keystone->cloud.origin);
	options.cacert = keystone->cloud.value[CLOUD_CACERT];
	options.cert = keystone->cloud.value[CLOUD_CERT];
	options.key = keystone->cloud.value[CLOUD_KEY];
	keystone->http = http_new(&options);
	if (!keystone->http)
		return nova_fail(failure, "api", "libcurl cannot be initialized");
	return true;
}

void keystone_close(struct keystone *keystone)
{
	http_free(keystone->http);
	cloud_free(&keystone->cloud);
	explicit_bzero(keystone->token, sizeof(keystone->token));
}

/* auth_url is written with and without the version. */
static void url_make(const char *auth_url, char url[NOVA_URL_SIZE])
{
	size_t len = strlen(auth_url);

	while (len && auth_url[len - 1] == '/')
		len--;
	snprintf(url, NOVA_URL_SIZE, "%.*s%s/auth/tokens", (int)len, auth_url,
		 len > 3 && !strncmp(auth_url + len - 3, "/v3", 3) ? "" : "/v3");
}

/* Old catalogues have the project behind the version (".../v2.1/PROJECT"); since 2.18 Nova needs it no more. */
static void compute_url_normalize(char *url)
{
	size_t len = strlen(url);
	char *at;

	while (len && url[len - 1] == '/')
		url[--len] = '\0';
	at = strstr(url, "/v2.");
	if (at && isdigit((unsigned char)at[4]))
		at[4 + strspn(at + 4, "0123456789")] = '\0';
}

static void slashes_strip(struct nova_endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->n; i++) {
		size_t len = strlen(endpoints->url[i]);

		while (len && endpoints->url[i][len - 1] == '/')
			endpoints->url[i][--len] = '\0';
	}
}

/* Cinder and Glance are asked about few servers: that they have no endpoint is told then. */
static void others_take(struct keystone *keystone, const struct http_answer *answer)
{
	const char *interface = keystone->cloud.value[CLOUD_INTERFACE], *region = keystone->cloud.value[CLOUD_REGION];
	struct nova_endpoints *volume = &keystone->volume, *image = &keystone->image;

	/* https://service-types.openstack.org: the name of today, and what it was called before. */
	if (keystone_endpoints_parse(answer->body, answer->len, "block-storage", interface, region, volume) &&
	    keystone_endpoints_parse(answer->body, answer->len, "volumev3", interface, region, volume))
		volume->n = 0;
	if (keystone_endpoints_parse(answer->body, answer->len, "image", interface, region, image))
		image->n = 0;
	slashes_strip(volume);
	slashes_strip(image);
	/* Glance's is written with and without the version. */
	for (size_t i = 0; i < image->n; i++) {
		size_t len = strlen(image->url[i]);

		if (len > 3 && !strcmp(image->url[i] + len - 3, "/v2"))
			image->url[i][len - 3] = '\0';
	}
}

static bool catalogue_take(struct keystone *keystone, const struct http_answer *answer, struct nova_failure *failure)
{
	const char *interface = keystone->cloud.value[CLOUD_INTERFACE], *region = keystone->cloud.value[CLOUD_REGION];
	size_t compute_at = keystone->compute.at;
	int rc = 0;

	if (!*keystone->cloud.value[CLOUD_COMPUTE_ENDPOINT])
		rc = keystone_endpoints_parse(answer->body, answer->len, "compute", interface, region, &keystone->compute);

	if (rc == -ENOTUNIQ)
		return nova_fail(failure, "config", "%s: the catalogue has compute endpoints in several regions: "
				 "say which with region", keystone->cloud.origin);
	if (rc == -ENOENT)
		return nova_fail(failure, "config", "%s: the catalogue has no %s endpoint of the compute service%s%s",
				 keystone->cloud.origin, interface, *region ? " in region " : "", region);
	if (rc)
		return nova_fail(failure, "api", "Keystone's answer has no catalogue that could be read");
	for (size_t i = 0; i < keystone->compute.n; i++)
		compute_url_normalize(keystone->compute.url[i]);
	/* The one that answered before still does, most likely. */
	if (compute_at < keystone->compute.n)
		keystone->compute.at = compute_at;
	others_take(keystone, answer);
	return true;
}

/* One request of a token; *ret_heard when Keystone has answered it. */
static bool token_request(struct keystone *keystone, uint64_t timeout_ms, struct nova_failure *failure,
			  uint64_t *ret_retry_after_ms, bool *ret_heard)
{
	struct json_object *body = cloud_auth_body(&keystone->cloud);
	char url[NOVA_URL_SIZE];
	struct http_request request = { .method = "POST", .url = url, .timeout_ms = timeout_ms };
	struct http_answer answer;
	bool ok;

	url_make(keystone->identity.url[keystone->identity.at], url);
	request.body = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
	http_call(keystone->http, &request, &answer);
	json_object_put(body);
	*ret_retry_after_ms = answer.retry_after_ms;
	*ret_heard = answer.end == HTTP_ANSWERED && answer.status < 500;
	if (answer.end != HTTP_ANSWERED || answer.status != 201) {
		ok = nova_fail_answer(failure, "Keystone", "the request of a token", &answer);
	} else if (!answer.token[0]) {
		ok = nova_fail(failure, "api", "Keystone's answer has no token");
	} else {
		memcpy(keystone->token, answer.token, sizeof(keystone->token));
		ok = catalogue_take(keystone, &answer, failure);
	}
	http_answer_free(&answer);
	return ok;
}

bool keystone_token_get(struct keystone *keystone, uint64_t timeout_ms, struct nova_failure *failure,
			uint64_t *ret_retry_after_ms)
{
	bool heard = false;

	/* Asking for a token twice does no harm, so every end but an answer leads to the next. */
	for (size_t i = 0; i < keystone->identity.n; i++) {
		if (token_request(keystone, timeout_ms, failure, ret_retry_after_ms, &heard))
			return true;
		if (heard)
			return false;
		keystone->identity.at = (keystone->identity.at + 1) % keystone->identity.n;
	}
	return false;
}
