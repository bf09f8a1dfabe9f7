/* A record on its way to the journal and to agents. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hamon/alert/record.h"
#include "hamon/common/json.h"

const char *const alert_field_names[ALERT_FIELDS] = {
	[FIELD_ID] = "id", [FIELD_KIND] = "kind", [FIELD_SEVERITY] = "severity", [FIELD_WALL] = "wall",
	[FIELD_INCIDENT] = "incident", [FIELD_HOST] = "host", [FIELD_INSTANCE] = "instance", [FIELD_UUID] = "uuid",
	[FIELD_TEXT] = "text",
};

int alert_severity_parse(const char *name, enum alert_severity *ret_severity)
{
	static const char *const names[ALERT_SEVERITIES] = {
		[ALERT_INFO] = "info", [ALERT_NOTICE] = "notice", [ALERT_WARNING] = "warning",
		[ALERT_ALERT] = "alert",
	};

	for (int i = 0; i < ALERT_SEVERITIES; i++) {
		if (strcmp(names[i], name))
			continue;
		*ret_severity = (enum alert_severity)i;
		return 0;
	}
	return -EINVAL;
}

/* RFC 3339 in UTC with or without a fraction of a second: 0, or -EINVAL. */
static int wall_parse(const char *wall, uint64_t *ret_us)
{
	struct tm tm = { 0 };
	const char *rest = strptime(wall, "%Y-%m-%dT%H:%M:%S", &tm);
	uint64_t fraction_us = 0, unit_us = 100000;
	time_t t;

	if (!rest)
		return -EINVAL;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit_us /= 10)
			fraction_us += (uint64_t)(*rest - '0') * unit_us;
	if (strcmp(rest, "Z"))
		return -EINVAL;
	t = timegm(&tm);
	if (t < 0)
		return -EINVAL;
	*ret_us = (uint64_t)t * 1000000 + fraction_us;
	return 0;
}

static int fields_take(struct alert_record *record, struct json_object *obj, char *error, size_t error_size)
{
	for (int i = 0; i < ALERT_FIELDS; i++) {
		const char *text = "";
		int rc = json_get_string(obj, alert_field_names[i], &text);

		if ((rc && rc != -ENOENT) || strlen(text) > ALERT_TEXT_MAX) {
			snprintf(error, error_size, "\"%s\" must be a string of at most %u bytes without NUL",
				 alert_field_names[i], ALERT_TEXT_MAX);
			return -EINVAL;
		}
		record->fields[i] = strdup(text);
		if (!record->fields[i])
			return -ENOMEM;
	}
	if (!*record->fields[FIELD_KIND]) {
		snprintf(error, error_size, "\"kind\" is missing");
		return -EINVAL;
	}
	if (*record->fields[FIELD_SEVERITY] &&
	    alert_severity_parse(record->fields[FIELD_SEVERITY], &record->severity)) {
		snprintf(error, error_size, "\"severity\" must be \"info\", \"notice\", \"warning\" or \"alert\"");
		return -EINVAL;
	}
	return 0;
}

static int json_copy(struct alert_record *record, struct json_object *obj, char *error, size_t error_size)
{
	const char *text;

	json_object_object_del(obj, "type");
	text = json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > ALERT_RECORD_MAX) {
		snprintf(error, error_size, "a record must have at most %u bytes", ALERT_RECORD_MAX);
		return -EINVAL;
	}
	record->json_len = strlen(text) + 1;
	record->json = malloc(record->json_len + 1);
	if (!record->json)
		return -ENOMEM;
	snprintf(record->json, record->json_len + 1, "%s\n", text);
	return 0;
}

int alert_record_take(struct json_object *obj, uint64_t now_us, struct alert_record **ret_record, char *error,
		      size_t error_size)
{
	struct alert_record *record = calloc(1, sizeof(*record));
	struct json_object *data;
	int rc;

	if (!record)
		goto memory;
	atomic_init(&record->refs, 1);
	rc = fields_take(record, obj, error, error_size);
	if (!rc && json_get_u64(obj, "seq", INT64_MAX, &record->seq) == -EINVAL) {
		snprintf(error, error_size, "\"seq\" must be an integer from 0 to 2^63 - 1");
		rc = -EINVAL;
	}
	if (!rc)
		rc = json_copy(record, obj, error, error_size);
	if (rc == -ENOMEM)
		goto memory;
	if (rc) {
		alert_record_unref(record);
		return rc;
	}
	if (wall_parse(record->fields[FIELD_WALL], &record->wall_us))
		record->wall_us = now_us;
	if (!json_get_object(obj, "data", &data)) {
		(void)json_get_u64(data, "nodeid", UINT32_MAX, &record->nodeid);
		(void)json_get_u64(data, "exec_time_ms", INT32_MAX, &record->exec_time_ms);
	}
	*ret_record = record;
	return 0;
memory:
	snprintf(error, error_size, "out of memory");
	alert_record_unref(record);
	return -ENOMEM;
}

struct alert_record *alert_record_ref(struct alert_record *record)
{
	atomic_fetch_add(&record->refs, 1);
	return record;
}

void alert_record_unref(struct alert_record *record)
{
	if (!record || atomic_fetch_sub(&record->refs, 1) > 1)
		return;
	for (int i = 0; i < ALERT_FIELDS; i++)
		free(record->fields[i]);
	free(record->json);
	free(record);
}
