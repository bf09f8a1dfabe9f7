/* Reading JSON that somebody else wrote: every field checked for its type and range before use. */
#ifndef HAMON_COMMON_JSON_H
#define HAMON_COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json_object.h>

/*
 * Parses exactly one JSON text of length len (no trailing bytes but white space, depth at most 32, at most
 * 8 MiB). Returns 0 and a new reference in *ret_obj (free it with json_object_put), or -EINVAL, -E2BIG.
 */
int json_parse(const char *text, size_t len, struct json_object **ret_obj);

/*
 * Fields of an object. The *_get functions return 0, -ENOENT when the field is absent or null, -EINVAL when
 * it has another type or is out of range. Strings are borrowed from the object. *ret is untouched on failure.
 */
int json_get_string(struct json_object *obj, const char *key, const char **ret);
int json_get_u64(struct json_object *obj, const char *key, uint64_t max, uint64_t *ret);
int json_get_bool(struct json_object *obj, const char *key, bool *ret);
int json_get_array(struct json_object *obj, const char *key, struct json_object **ret);
int json_get_object(struct json_object *obj, const char *key, struct json_object **ret);

/* The same with a default for what is absent or wrong. */
const char *json_string_or(struct json_object *obj, const char *key, const char *dflt);
uint64_t json_u64_or(struct json_object *obj, const char *key, uint64_t dflt);
bool json_bool_or(struct json_object *obj, const char *key, bool dflt);

/*
 * Copies a string field into buf of size bytes. 0, -ENOENT, -EINVAL, -E2BIG when it does not fit; buf is
 * untouched on failure.
 */
int json_copy_string(struct json_object *obj, const char *key, char *buf, size_t size);

/* Adding fields; a NULL string becomes null. */
void json_put_string(struct json_object *obj, const char *key, const char *value);
void json_put_u64(struct json_object *obj, const char *key, uint64_t value);
void json_put_bool(struct json_object *obj, const char *key, bool value);

/*
 * Writes obj as one line and a newline to fd, whole, restarting after EINTR; for blocking descriptors (a
 * helper's stdout). 0 or -errno.
 */
int json_write_line(int fd, struct json_object *obj);

#endif
