/* The core's messages as JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
#include "hamon/wire_fields.h"

static const struct field host_report_fields[] = {
	TEXT(host_report, boot_id), BOOL(host_report, gate_loaded), BOOL(host_report, libvirt_ok),
	BOOL(host_report, reported), BOOL(host_report, stale_qemu),
	BOOL(host_report, shutting_down), U64(host_report, free_mib),
	TEXT(host_report, nonce), TEXT(host_report, config_digest), END
};

static const struct field report_fields[] = {
	ENUM(instance_report, state, INSTANCE_INCOMING), ENUM(instance_report, stop_reason, STOP_SAVED),
	BOOL(instance_report, fresh_event), BOOL(instance_report, host_shutting_down),
	BOOL(instance_report, defined), BOOL(instance_report, managed_save),
	BOOL(instance_report, undefined), END
};

static const struct field verdict_fields[] = {
	TEXT(verdict_report, uuid), ENUM(verdict_report, verdict, VERDICT_VOLUME),
	BOOL(verdict_report, held), TEXT(verdict_report, reason), END
};

static const struct field request_fields[] = {
	U64(core_request, id), ENUM(core_request, verb, REQUEST_EVACUATE), BOOL(core_request, on),
	BOOL(core_request, dry_run), TEXT(core_request, host), TEXT(core_request, instance),
	TEXT(core_request, target), TEXT(core_request, accept_loss), TEXT(core_request, reason),
	TEXT(core_request, who), END
};

static const struct field message_fields[] = {
	U64(core_message, term), U64(core_message, seq), BOOL(core_message, coordinator),
	BOOL(core_message, synced), BOOL(core_message, store_ok), U64(core_message, promised),
	U64(core_message, commit), U64(core_message, facts_term), BOOL(core_message, blank), U32(core_message, fencing),
	BOOL(core_message, replace),
	U32(core_message, to), BOOL(core_message, full), TEXT(core_message, uuid),
	U64(core_message, generation), BOOL(core_message, ok), BOOL(core_message, deleted),
	BOOL(core_message, excluded),
	BOOL(core_message, migrate), TEXT(core_message, text), U64(core_message, request_id),
	U32(core_message, request_origin), TEXT(core_message, code), TEXT(core_message, hint),
	BOOL(core_message, guests_run), END
};

static struct json_object *report_encode(const struct instance_report *report)
{
	struct json_object *obj = wire_spec_encode(&report->spec);

	wire_fields_encode(obj, report_fields, report);
	return obj;
}

static int report_decode(struct wire *wire, struct json_object *obj, void *to)
{
	struct instance_report *report = to;
	int rc = wire_spec_decode(wire, obj, &report->spec);

	return rc ? rc : wire_fields_decode(wire, obj, "report", report_fields, report);
}

static int reports_decode(struct wire *wire, struct json_object *array, struct core_message *msg)
{
	return wire_list_decode(wire, array, "reports", CORE_INSTANCES_MAX, sizeof(*msg->reports), report_decode,
				&msg->n_reports, &msg->reports);
}

static int verdict_decode(struct wire *wire, struct json_object *obj, void *to)
{
	return wire_fields_decode(wire, obj, "verdict", verdict_fields, to);
}

static int verdicts_decode(struct wire *wire, struct json_object *array, struct core_message *msg)
{
	return wire_list_decode(wire, array, "verdicts", CORE_INSTANCES_MAX, sizeof(*msg->verdicts), verdict_decode,
				&msg->n_verdicts, &msg->verdicts);
}

/* --- messages --- */

static void lists_encode(struct json_object *obj, const struct core_message *msg)
{
	struct json_object *array;

	if (msg->n_facts) {
		array = json_object_new_array_ext((int)msg->n_facts);
		for (size_t i = 0; i < msg->n_facts; i++)
			json_object_array_add(array, wire_fact_encode(&msg->facts[i]));
		json_object_object_add(obj, "facts", array);
	}
	if (msg->n_notes)
		json_object_object_add(obj, "notes", wire_notes_encode(msg->n_notes, msg->notes));
	if (msg->n_reports) {
		array = json_object_new_array_ext((int)msg->n_reports);
		for (size_t i = 0; i < msg->n_reports; i++)
			json_object_array_add(array, report_encode(&msg->reports[i]));
		json_object_object_add(obj, "reports", array);
	}
	if (msg->n_verdicts) {
		array = json_object_new_array_ext((int)msg->n_verdicts);
		for (size_t i = 0; i < msg->n_verdicts; i++) {
			struct json_object *verdict = json_object_new_object();

			wire_fields_encode(verdict, verdict_fields, &msg->verdicts[i]);
			json_object_array_add(array, verdict);
		}
		json_object_object_add(obj, "verdicts", array);
	}
	if (msg->n_late_offs) {
		array = json_object_new_array();
		for (uint32_t i = 0; i < msg->n_late_offs; i++)
			json_object_array_add(array, json_object_new_int64(msg->late_offs[i]));
		json_object_object_add(obj, "late_offs", array);
	}
}

char *wire_message_encode(const struct core_message *msg)
{
	struct json_object *obj = json_object_new_object(), *part;
	char *text;

	json_put_u64(obj, "v", WIRE_VERSION);
	json_put_string(obj, "type", message_type_name(msg->type));
	wire_fields_encode(obj, message_fields, msg);
	if (msg->type == MSG_HOST) {
		part = json_object_new_object();
		wire_fields_encode(part, host_report_fields, &msg->host);
		json_object_object_add(obj, "host", part);
	}
	if (msg->request) {
		part = json_object_new_object();
		wire_fields_encode(part, request_fields, msg->request);
		json_object_object_add(obj, "request", part);
	}
	if (msg->claim)
		json_object_object_add(obj, "claim", report_encode(msg->claim));
	lists_encode(obj, msg);
	text = strdup(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
						     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(obj);
	return text;
}

static int late_offs_decode(struct wire *wire, struct json_object *array, struct core_message *msg)
{
	size_t n = json_object_array_length(array);

	if (n > CORE_HOSTS_MAX)
		return wire_wrong(wire, "message", "late_offs");
	for (size_t i = 0; i < n; i++) {
		struct json_object *number = json_object_array_get_idx(array, i);
		int64_t nodeid = json_object_get_int64(number);

		if (!json_object_is_type(number, json_type_int) || nodeid < 1 || nodeid > UINT16_MAX)
			return wire_wrong(wire, "message", "late_offs");
		msg->late_offs[msg->n_late_offs++] = (uint32_t)nodeid;
	}
	return 0;
}

static int parts_decode(struct wire *wire, struct json_object *obj, struct core_message *msg)
{
	struct json_object *part;
	struct core_request *request;
	struct instance_report *claim;
	int rc;

	if (msg->type == MSG_HOST) {
		if (json_get_object(obj, "host", &part))
			return wire_wrong(wire, "message", "host");
		rc = wire_fields_decode(wire, part, "host", host_report_fields, &msg->host);
		if (rc)
			return rc;
	}
	if (!json_get_object(obj, "request", &part)) {
		request = wire_alloc(wire, sizeof(*request));
		if (!request)
			return -ENOMEM;
		msg->request = request;
		rc = wire_fields_decode(wire, part, "request", request_fields, request);
		if (rc)
			return rc;
	}
	if (!json_get_object(obj, "claim", &part)) {
		claim = wire_alloc(wire, sizeof(*claim));
		if (!claim)
			return -ENOMEM;
		msg->claim = claim;
		return report_decode(wire, part, claim);
	}
	return 0;
}

static int message_decode(struct wire *wire, struct json_object *obj)
{
	static const struct {
		const char *name;
		int (*decode)(struct wire *wire, struct json_object *array, struct core_message *msg);
	} lists[] = {
		{ "notes", wire_notes_decode }, { "reports", reports_decode }, { "verdicts", verdicts_decode },
		{ "late_offs", late_offs_decode },
	};
	struct core_message *msg = &wire->msg;
	const char *type = json_string_or(obj, "type", "");
	struct json_object *array;
	unsigned int t = 0;
	int rc;

	if (json_u64_or(obj, "v", 0) != WIRE_VERSION)
		return wire_wrong(wire, "message", "v (another version of hamon?)");
	while (t < MSG_TYPES && strcmp(type, message_type_name((enum message_type)t)))
		t++;
	if (t == MSG_TYPES)
		return wire_wrong(wire, "message", "type");
	msg->type = (enum message_type)t;
	rc = wire_fields_decode(wire, obj, type, message_fields, msg);
	if (rc)
		return rc;
	rc = parts_decode(wire, obj, msg);
	if (rc)
		return rc;
	if (!json_get_array(obj, "facts", &array)) {
		rc = wire_fact_list_decode(wire, array, &msg->n_facts, &msg->facts);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (json_get_array(obj, lists[i].name, &array))
			continue;
		rc = lists[i].decode(wire, array, msg);
		if (rc)
			return rc;
	}
	return 0;
}

int wire_message_decode(const char *text, size_t len, uint32_t from, struct wire **ret_wire,
			const struct core_message **ret_msg, char *error, size_t error_size)
{
	struct json_object *obj = NULL;
	struct wire *wire = calloc(1, sizeof(*wire));
	int rc;

	if (!wire)
		return -ENOMEM;
	wire->error = error;
	wire->error_size = error_size;
	rc = json_parse(text, len, &obj);
	if (rc) {
		snprintf(error, error_size, "not a JSON object of bounded size");
		goto out;
	}
	rc = message_decode(wire, obj);
	if (rc)
		goto out;
	wire->msg.from = from;
	*ret_msg = &wire->msg;
	*ret_wire = wire;
out:
	json_object_put(obj);
	if (rc)
		wire_free(wire);
	return rc;
}
