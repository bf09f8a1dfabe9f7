/*
 * A record on its way to the journal and to agents. Checked and copied when it comes in; from then on it does not change,
 * so that several threads may read it. Pure.
 */
#ifndef HAMON_ALERT_RECORD_H
#define HAMON_ALERT_RECORD_H

#include <stdatomic.h>
#include <stdint.h>
#include <json-c/json_object.h>

#define ALERT_RECORD_MAX (256u << 10) /* bytes as JSON text */
#define ALERT_TEXT_MAX (16u << 10)    /* bytes of each of its fields: all of them fit into an environment */

enum alert_severity {
	ALERT_INFO,
	ALERT_NOTICE,
	ALERT_WARNING,
	ALERT_ALERT,
	ALERT_SEVERITIES,
};

enum alert_spooled {
	SPOOL_NONE,   /* there is no spool, or it did not take it */
	SPOOL_WANTED, /* on its way to the disk */
	SPOOL_WRITTEN,
};

enum alert_field {
	FIELD_ID,
	FIELD_KIND,
	FIELD_SEVERITY,
	FIELD_WALL,
	FIELD_INCIDENT,
	FIELD_HOST,
	FIELD_INSTANCE,
	FIELD_UUID,
	FIELD_TEXT,
	ALERT_FIELDS,
};

struct alert_record {
	atomic_uint refs;
	uint64_t seq;
	enum alert_severity severity;
	char *fields[ALERT_FIELDS]; /* "" when absent */
	uint64_t wall_us;           /* since the epoch: of "wall", or of the arrival */
	uint64_t nodeid;            /* of data.nodeid, or 0 */
	uint64_t exec_time_ms;      /* of data.exec_time_ms, or 0 */
	char *json;                 /* the record as one line, newline and all */
	size_t json_len;
	atomic_int spooled; /* enum alert_spooled; the one thing that changes */
};

/* Names of the fields, as in the JSON. */
extern const char *const alert_field_names[ALERT_FIELDS];

/*
 * Takes a record from its JSON object ("type" is left out). now_us is the wall clock. 0 and a reference, or -EINVAL
 * (-ENOMEM) with a sentence in error.
 */
int alert_record_take(struct json_object *obj, uint64_t now_us, struct alert_record **ret_record, char *error,
		      size_t error_size);

struct alert_record *alert_record_ref(struct alert_record *record);
void alert_record_unref(struct alert_record *record);

/* "info", "notice", "warning", "alert": 0, or -EINVAL. */
int alert_severity_parse(const char *name, enum alert_severity *ret_severity);

#endif
