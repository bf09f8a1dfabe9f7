/* What the parsers of all services' answers (parse.c, cinder_parse.c) have in common. */
#ifndef HAMON_EVACUATE_NOVA_ANSWER_H
#define HAMON_EVACUATE_NOVA_ANSWER_H

#include <stddef.h>
#include <json-c/json.h>

/* Words for people may be cut, and never hold what would break a line. Absent is "". */
void text_take(struct json_object *obj, const char *key, char *buf, size_t size);

/* A name or a state: whole, or the answer is wrong (-EINVAL). Absent and null are "". */
int word_take(struct json_object *obj, const char *key, char *buf, size_t size);

#define WORD(obj, key, field) word_take(obj, key, field, sizeof(field))

/* The object below key of the answer; *ret_root is to be put in any case of success. -EINVAL without one, -ENOMEM. */
int answer_open(const char *text, size_t len, const char *key, struct json_object **ret_root, struct json_object **ret);

#endif
