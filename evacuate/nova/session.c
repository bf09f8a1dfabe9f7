/* A session that outlives its helper. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <json-c/json.h>

#include "evacuate/nova/session.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/common/sha256.h"

#define FILE_NAME "nova-session"
#define PATH_SIZE 512
#define BYTES_MAX (HTTP_TOKEN_SIZE + 3 * NOVA_ENDPOINTS_MAX * NOVA_URL_SIZE + 4096)

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

/* The whole of a file that is ours alone, or -1. */
static ssize_t file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t len = -1;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077) &&
	    st.st_size > 0 && (size_t)st.st_size <= size)
		len = read(fd, text, size);
	close(fd);
	return len;
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
	char path[PATH_SIZE], digest[SHA256_HEX_SIZE], text[BYTES_MAX];
	struct json_object *obj;
	ssize_t len;
	bool ok;

	snprintf(path, sizeof(path), "%s/" FILE_NAME, run_dir);
	len = file_read(path, text, sizeof(text));
	if (len <= 0 || json_parse(text, (size_t)len, &obj))
		return false;
	cloud_digest(cloud, digest);
	ok = session_take(obj, digest, ret);
	json_object_put(obj);
	explicit_bzero(text, sizeof(text));
	return ok;
}

void session_write(const char *run_dir, const struct cloud *cloud, const struct session *session)
{
	char path[PATH_SIZE], fresh[PATH_SIZE + 8], digest[SHA256_HEX_SIZE];
	struct json_object *obj;
	int fd, rc;

	cloud_digest(cloud, digest);
	snprintf(path, sizeof(path), "%s/" FILE_NAME, run_dir);
	snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path);
	fd = mkostemp(fresh, O_CLOEXEC); /* 0600; readers see the old one or the new one */
	if (fd < 0)
		return;
	obj = json_object_new_object();
	json_put_string(obj, "cloud", digest);
	json_put_u64(obj, "since_ms", clock_boot_ms());
	endpoints_put(obj, "compute_urls", &session->compute);
	endpoints_put(obj, "volume_urls", &session->volume);
	endpoints_put(obj, "image_urls", &session->image);
	json_put_u64(obj, "minor", session->minor);
	json_put_string(obj, "token", session->token);
	rc = json_write_line(fd, obj);
	json_object_put(obj);
	close(fd);
	if (rc || rename(fresh, path))
		unlink(fresh);
}
