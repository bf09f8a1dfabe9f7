/* Reading JSON that somebody else wrote. Follows json-c 0.16's documentation of json_tokener. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <json-c/json.h>

#include "hamon/common/json.h"

#define JSON_DEPTH_MAX 32
#define JSON_BYTES_MAX (8u << 20)

int json_parse(const char *text, size_t len, struct json_object **ret_obj)
{
	struct json_tokener *tok;
	struct json_object *obj;
	size_t used;
	int ret = -EINVAL;

	if (len > JSON_BYTES_MAX)
		return -E2BIG;
	tok = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!tok)
		return -ENOMEM;
	json_tokener_set_flags(tok, JSON_TOKENER_VALIDATE_UTF8);
	obj = json_tokener_parse_ex(tok, text, (int)len);
	used = json_tokener_get_parse_end(tok);
	if (!obj && json_tokener_get_error(tok) == json_tokener_continue) {
		obj = json_tokener_parse_ex(tok, "", 1); /* a bare number ends only at the end of text */
		used = len;
	}
	if (!obj)
		goto out;
	while (used < len && (isspace((unsigned char)text[used]) || text[used] == '\0'))
		used++;
	if (used < len) {
		json_object_put(obj);
		goto out;
	}
	*ret_obj = obj;
	ret = 0;
out:
	json_tokener_free(tok);
	return ret;
}

static int field_get(struct json_object *obj, const char *key, enum json_type type,
		     struct json_object **ret)
{
	struct json_object *field;

	if (!json_object_is_type(obj, json_type_object))
		return -EINVAL;
	if (!json_object_object_get_ex(obj, key, &field) || !field)
		return -ENOENT;
	if (!json_object_is_type(field, type))
		return -EINVAL;
	*ret = field;
	return 0;
}

int json_get_string(struct json_object *obj, const char *key, const char **ret)
{
	struct json_object *field;
	int rc = field_get(obj, key, json_type_string, &field);

	if (rc)
		return rc;
	/* A NUL inside would make the C string shorter than what was checked elsewhere. */
	if (strlen(json_object_get_string(field)) != (size_t)json_object_get_string_len(field))
		return -EINVAL;
	*ret = json_object_get_string(field);
	return 0;
}

int json_get_u64(struct json_object *obj, const char *key, uint64_t max, uint64_t *ret)
{
	struct json_object *field;
	uint64_t value;
	int rc = field_get(obj, key, json_type_int, &field);

	if (rc)
		return rc;
	if (json_object_get_int64(field) < 0)
		return -EINVAL;
	value = json_object_get_uint64(field);
	if (value > max)
		return -EINVAL;
	*ret = value;
	return 0;
}

int json_get_bool(struct json_object *obj, const char *key, bool *ret)
{
	struct json_object *field;
	int rc = field_get(obj, key, json_type_boolean, &field);

	if (rc)
		return rc;
	*ret = json_object_get_boolean(field);
	return 0;
}

int json_get_array(struct json_object *obj, const char *key, struct json_object **ret)
{
	return field_get(obj, key, json_type_array, ret);
}

int json_get_object(struct json_object *obj, const char *key, struct json_object **ret)
{
	return field_get(obj, key, json_type_object, ret);
}

const char *json_string_or(struct json_object *obj, const char *key, const char *dflt)
{
	(void)json_get_string(obj, key, &dflt);
	return dflt;
}

uint64_t json_u64_or(struct json_object *obj, const char *key, uint64_t dflt)
{
	(void)json_get_u64(obj, key, UINT64_MAX, &dflt);
	return dflt;
}

bool json_bool_or(struct json_object *obj, const char *key, bool dflt)
{
	(void)json_get_bool(obj, key, &dflt);
	return dflt;
}

int json_copy_string(struct json_object *obj, const char *key, char *buf, size_t size)
{
	const char *text;
	int rc = json_get_string(obj, key, &text);

	if (rc)
		return rc;
	if (strlen(text) >= size)
		return -E2BIG;
	strcpy(buf, text);
	return 0;
}

void json_put_string(struct json_object *obj, const char *key, const char *value)
{
	json_object_object_add(obj, key, value ? json_object_new_string(value) : NULL);
}

void json_put_u64(struct json_object *obj, const char *key, uint64_t value)
{
	json_object_object_add(obj, key, json_object_new_uint64(value));
}

void json_put_bool(struct json_object *obj, const char *key, bool value)
{
	json_object_object_add(obj, key, json_object_new_boolean(value));
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int json_write_line(int fd, struct json_object *obj)
{
	const char *text = json_object_to_json_string_ext(obj,
			JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	int rc = write_all(fd, text, strlen(text));

	return rc ? rc : write_all(fd, "\n", 1);
}
