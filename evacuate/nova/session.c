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
#define BYTES_MAX (HTTP_TOKEN_SIZE + 2 * NOVA_URL_SIZE + 4096)

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

static bool session_take(struct json_object *obj, const char *digest, struct session *ret)
{
	uint64_t now_ms = clock_boot_ms(), since_ms, minor;

	if (json_get_u64(obj, "since_ms", now_ms, &since_ms) || now_ms - since_ms > SESSION_MAX_AGE_MS)
		return false;
	if (!*digest || strcmp(json_string_or(obj, "cloud", ""), digest))
		return false;
	if (json_copy_string(obj, "token", ret->token, sizeof(ret->token)) || !ret->token[0] ||
	    json_copy_string(obj, "compute_url", ret->compute_url, sizeof(ret->compute_url)) ||
	    json_copy_string(obj, "image_url", ret->image_url, sizeof(ret->image_url)) ||
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
	json_put_string(obj, "compute_url", session->compute_url);
	json_put_string(obj, "image_url", session->image_url);
	json_put_u64(obj, "minor", session->minor);
	json_put_string(obj, "token", session->token);
	rc = json_write_line(fd, obj);
	json_object_put(obj);
	close(fd);
	if (rc || rename(fresh, path))
		unlink(fresh);
}
