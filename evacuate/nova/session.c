/* A session that outlives its helper. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "evacuate/nova/kept.h"
#include "evacuate/nova/session.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/common/sha256.h"

#define FILE_NAME "nova-session"

/* Whose session it is: everything that says which cloud and who, but no secret. */
static void cloud_digest(const struct cloud *cloud, char ret[SHA256_HEX_SIZE])
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ret[0] = '\0';
	if (!out)
		return;
	for (int key = 0; key < CLOUD_KEYS; key++)
		if (key != CLOUD_PASSWORD && key != CLOUD_APPLICATION_SECRET)
			fprintf(out, "%d=%s\n", key, cloud->value[key]);
	if (!fclose(out))
		sha256_hex(text, len, ret);
	free(text);
}

static bool endpoints_take(struct json_object *obj, const char *key, struct nova_endpoints *ret)
{
	struct json_object *list;

	memset(ret, 0, sizeof(*ret));
	if (json_get_array(obj, key, &list) || json_object_array_length(list) > NOVA_ENDPOINTS_MAX)
		return false;
	for (; ret->n < json_object_array_length(list); ret->n++) {
		struct json_object *url = json_object_array_get_idx(list, ret->n);
		size_t len = json_object_is_type(url, json_type_string) ? (size_t)json_object_get_string_len(url) : 0;

		if (!len || len >= NOVA_URL_SIZE || strlen(json_object_get_string(url)) != len)
			return false;
		memcpy(ret->url[ret->n], json_object_get_string(url), len + 1);
	}
	return true;
}

static void endpoints_put(struct json_object *obj, const char *key, const struct nova_endpoints *endpoints)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < endpoints->n; i++)
		json_object_array_add(list, json_object_new_string(endpoints->url[i]));
	json_object_object_add(obj, key, list);
}

static bool session_take(struct json_object *obj, const char *digest, struct session *ret)
{
	uint64_t now_ms = clock_boot_ms(), since_ms, minor;

	if (json_get_u64(obj, "since_ms", now_ms, &since_ms) || now_ms - since_ms > SESSION_MAX_AGE_MS)
		return false;
	if (!*digest || strcmp(json_string_or(obj, "cloud", ""), digest))
		return false;
	if (json_copy_string(obj, "token", ret->token, sizeof(ret->token)) || !ret->token[0] ||
	    !endpoints_take(obj, "compute_urls", &ret->compute) || !ret->compute.n ||
	    !endpoints_take(obj, "volume_urls", &ret->volume) ||
	    !endpoints_take(obj, "image_urls", &ret->image) ||
	    json_get_u64(obj, "minor", 999, &minor))
		return false;
	ret->minor = (uint32_t)minor;
	return true;
}

bool session_read(const char *run_dir, const struct cloud *cloud, struct session *ret)
{
	struct json_object *obj = kept_read(run_dir, FILE_NAME);
	char digest[SHA256_HEX_SIZE];
	bool ok;

	if (!obj)
		return false;
	cloud_digest(cloud, digest);
	ok = session_take(obj, digest, ret);
	json_object_put(obj);
	return ok;
}

void session_write(const char *run_dir, const struct cloud *cloud, const struct session *session)
{
	struct json_object *obj = json_object_new_object();
	char digest[SHA256_HEX_SIZE];

	cloud_digest(cloud, digest);
	json_put_string(obj, "cloud", digest);
	json_put_u64(obj, "since_ms", clock_boot_ms());
	endpoints_put(obj, "compute_urls", &session->compute);
	endpoints_put(obj, "volume_urls", &session->volume);
	endpoints_put(obj, "image_urls", &session->image);
	json_put_u64(obj, "minor", session->minor);
	json_put_string(obj, "token", session->token);
	kept_write(run_dir, FILE_NAME, obj);
	json_object_put(obj);
}
