/*
 * The core's facts and messages as JSON, for the group and for the store: versioned, and checked field by field when read. What
 * is read here was written by another hamond, maybe a newer or a broken one: unknown fields are ignored, a wrong field
 * refuses the whole message.
 */
#ifndef HAMON_WIRE_H
#define HAMON_WIRE_H

#include <json-c/json_object.h>

#include "hamon/core/core.h"

#define WIRE_VERSION 1

/* A decoded message or list of facts with all memory that it points to. Free with wire_free (NULL is fine). */
struct wire;

/* The text of a message, or NULL without memory; free() it. */
char *wire_message_encode(const struct core_message *msg);

/*
 * Decodes a message of len bytes. 0 and *ret_msg (borrowed from *ret_wire), or -EINVAL, -ENOMEM, -E2BIG and one sentence in
 * error. The sender is from, whatever the text says.
 */
int wire_message_decode(const char *text, size_t len, uint32_t from, struct wire **ret_wire,
			const struct core_message **ret_msg, char *error, size_t error_size);

/* One fact as {"kind","key","term","counter","value"}. */
struct json_object *wire_fact_encode(const struct fact_ref *ref);

/* An array of such facts. 0, -EINVAL or -ENOMEM as above. */
int wire_facts_decode(struct json_object *array, struct wire **ret_wire, size_t *ret_n,
		      const struct fact_ref **ret_facts, char *error, size_t error_size);

#define WIRE_NOTE_ID_SIZE 128
/* The id of the n-th note of a record: TERM.RECORD.NOTE. */
void wire_note_id(uint64_t term, uint64_t seq, uint32_t n, char id[WIRE_NOTE_ID_SIZE]);

/* A note as a row of the history; seq 0 for notes of this host alone. wall is RFC 3339. */
struct json_object *wire_note_encode(const struct note *note, const char *id, const char *wall);

void wire_free(struct wire *wire);

#endif
