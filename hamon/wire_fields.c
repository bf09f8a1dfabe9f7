/* Fields of structs as JSON, and the memory of what is read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
#include "hamon/wire_fields.h"

struct chunk {
	struct chunk *next;
	max_align_t data[];
};

void *wire_alloc(struct wire *wire, size_t size)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk) + (size ? size : 1));

	if (!chunk)
		return NULL;
	chunk->next = wire->chunks;
	wire->chunks = chunk;
	return chunk->data;
}

void wire_free(struct wire *wire)
{
	if (!wire)
		return;
	while (wire->chunks) {
		struct chunk *next = wire->chunks->next;

		free(wire->chunks);
		wire->chunks = next;
	}
	free(wire);
}

int wire_wrong(struct wire *wire, const char *what, const char *field)
{
	if (wire->error)
		snprintf(wire->error, wire->error_size, "%s: the field %s is wrong", what, field);
	return -EINVAL;
}

/* Bytes of the UTF-8 character that text begins with (RFC 3629), 0 when it begins with none. */
static size_t character_size(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t size = at[0] < 0x80 ? 1 : at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : at[0] >= 0xe0 && at[0] < 0xf0 ? 3 :
		at[0] >= 0xf0 && at[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < size; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Too long a form, a surrogate, above U+10FFFF. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
	    (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return size;
}

/*
 * Adds a text that may have been cut in the middle of a character: a reader refuses a message that is not UTF-8, and
 * with it the whole record.
 */
void wire_text_encode(struct json_object *obj, const char *key, const char *text)
{
	char clean[CORE_ACCEPT_SIZE];
	size_t len = 0;

	while (*text && len < sizeof(clean) - 1) {
		size_t size = character_size(text);

		if (len + size >= sizeof(clean))
			break;
		memcpy(clean + len, size ? text : "?", size ? size : 1);
		len += size ? size : 1;
		text += size ? size : 1;
	}
	clean[len] = '\0';
	json_put_string(obj, key, clean);
}

_Static_assert(CORE_ACCEPT_SIZE >= CORE_TEXT_SIZE && CORE_TEXT_SIZE >= CORE_LIST_SIZE && CORE_TEXT_SIZE >= CORE_TITLE_SIZE &&
	       CORE_TEXT_SIZE >= CORE_DISK_ID_SIZE, "a list of what is accepted is the longest text");

void wire_fields_encode(struct json_object *obj, const struct field *fields, const void *from)
{
	for (; fields->name; fields++) {
		const char *at = (const char *)from + fields->offset;

		switch (fields->type) {
		case FIELD_TEXT:
			if (*at)
				wire_text_encode(obj, fields->name, at);
			break;
		case FIELD_U64:
			if (*(const uint64_t *)at)
				json_put_u64(obj, fields->name, *(const uint64_t *)at);
			break;
		case FIELD_U32:
		case FIELD_ENUM:
			if (*(const uint32_t *)at)
				json_put_u64(obj, fields->name, *(const uint32_t *)at);
			break;
		case FIELD_BOOL:
			if (*(const bool *)at)
				json_put_bool(obj, fields->name, true);
			break;
		}
	}
}

static int field_decode(struct json_object *obj, const struct field *field, char *at)
{
	uint64_t number;
	int rc;

	switch (field->type) {
	case FIELD_TEXT:
		return json_copy_string(obj, field->name, at, field->max);
	case FIELD_BOOL:
		return json_get_bool(obj, field->name, (bool *)at);
	case FIELD_U64:
		return json_get_u64(obj, field->name, UINT64_MAX, (uint64_t *)at);
	case FIELD_U32:
	case FIELD_ENUM:
		rc = json_get_u64(obj, field->name, field->max, &number);
		if (!rc)
			*(uint32_t *)at = (uint32_t)number;
		return rc;
	}
	return -EINVAL;
}

/* What is absent is zero: to was cleared before. */
int wire_fields_decode(struct wire *wire, struct json_object *obj, const char *what,
			 const struct field *fields, void *to)
{
	if (!json_object_is_type(obj, json_type_object))
		return wire_wrong(wire, what, "(the object itself)");
	for (; fields->name; fields++) {
		int rc = field_decode(obj, fields, (char *)to + fields->offset);

		if (rc && rc != -ENOENT)
			return wire_wrong(wire, what, fields->name);
	}
	return 0;
}

_Static_assert(sizeof(enum phase) == sizeof(uint32_t), "enums are read and written as 32 bits");

int wire_list_decode(struct wire *wire, struct json_object *array, const char *what, size_t max, size_t size,
		     wire_entry_fn decode, size_t *ret_n, void *ret_list)
{
	size_t n = json_object_array_length(array);
	char *list;

	if (n > max)
		return wire_wrong(wire, "message", what);
	list = wire_alloc(wire, n * size);
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int rc = decode(wire, json_object_array_get_idx(array, i), list + i * size);

		if (rc)
			return rc;
	}
	*ret_n = n;
	memcpy(ret_list, &list, sizeof(list)); /* a pointer to whatever the entries are */
	return 0;
}
