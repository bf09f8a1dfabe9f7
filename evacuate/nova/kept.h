/* Files that the helpers of one host share, in a folder that is empty after a boot: one JSON object each, mode 0600. */
#ifndef HAMON_EVACUATE_NOVA_KEPT_H
#define HAMON_EVACUATE_NOVA_KEPT_H

#include <json-c/json_object.h>

/* A new reference, or NULL: there is none, it is not this user's own, others may read it, or it is no JSON object. */
struct json_object *kept_read(const char *dir, const char *name);

/* Replaces it whole. Whether that succeeds matters to nobody. */
void kept_write(const char *dir, const char *name, struct json_object *obj);
void kept_remove(const char *dir, const char *name);

#endif
