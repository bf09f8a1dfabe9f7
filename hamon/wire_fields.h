/*
 * Structs as JSON, field by field: each has one table that serves for writing and for reading. For wire.c and wire_facts.c only.
 */
#ifndef HAMON_WIRE_FIELDS_H
#define HAMON_WIRE_FIELDS_H

#include <stddef.h>
#include <json-c/json_object.h>

#include "hamon/wire.h"

enum field_type {
	FIELD_TEXT,
	FIELD_U64,
	FIELD_U32,
	FIELD_BOOL,
	FIELD_ENUM, /* an int sized enum, by number; max is its last value */
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	uint64_t max; /* TEXT: size of the buffer; ENUM: last value */
};

#define TEXT(s, f) { #f, FIELD_TEXT, offsetof(struct s, f), sizeof(((struct s *)0)->f) }
#define U64(s, f) { #f, FIELD_U64, offsetof(struct s, f), UINT64_MAX }
#define U32(s, f) { #f, FIELD_U32, offsetof(struct s, f), UINT32_MAX }
#define BOOL(s, f) { #f, FIELD_BOOL, offsetof(struct s, f), 1 }
#define ENUM(s, f, last) { #f, FIELD_ENUM, offsetof(struct s, f), last }
#define END { NULL, FIELD_BOOL, 0, 0 }

struct chunk;

/* All memory of one decoded message, freed at once; and where its error goes. */
struct wire {
	struct chunk *chunks;
	struct core_message msg;
	char *error;
	size_t error_size;
};

/* Zeroed; NULL without memory. */
void *wire_alloc(struct wire *wire, size_t size);
/* -EINVAL, and the sentence that names the field. */
int wire_wrong(struct wire *wire, const char *what, const char *field);

/* Adds a text as valid UTF-8, wherever it was cut. */
void wire_text_encode(struct json_object *obj, const char *key, const char *text);
/* Adds all fields that are not zero. */
void wire_fields_encode(struct json_object *obj, const struct field *fields, const void *from);
/* Reads the fields that are there; *to was cleared before. 0, or -EINVAL with the error told. */
int wire_fields_decode(struct wire *wire, struct json_object *obj, const char *what, const struct field *fields, void *to);

/* One entry of a list; *to was cleared before. 0, or a negative errno with the error told. */
typedef int (*wire_entry_fn)(struct wire *wire, struct json_object *obj, void *to);
/* Reads an array of at most max entries of that size; what names it in an error. */
int wire_list_decode(struct wire *wire, struct json_object *array, const char *what, size_t max, size_t size,
		     wire_entry_fn decode, size_t *ret_n, void *ret_list);

/* wire_facts.c, for messages that carry facts and notes */
int wire_fact_list_decode(struct wire *wire, struct json_object *array, size_t *ret_n, const struct fact_ref **ret_facts);
struct json_object *wire_spec_encode(const struct spec_fact *spec);
int wire_spec_decode(struct wire *wire, struct json_object *obj, struct spec_fact *spec);
struct json_object *wire_notes_encode(size_t n, const struct note *notes);
int wire_notes_decode(struct wire *wire, struct json_object *array, struct core_message *msg);

#endif
