/* The core's facts and messages as JSON. Each struct has one table that serves for writing and for reading. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
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

static const struct field cluster_fields[] = {
	BOOL(cluster_fact, frozen), BOOL(cluster_fact, brake), TEXT(cluster_fact, brake_reason), END
};

static const struct field certificate_fields[] = {
	ENUM(certificate, method, PROOF_PERSON), U64(certificate, epoch), U64(certificate, confirmed_ms),
	TEXT(certificate, device), TEXT(certificate, boot_id), TEXT(certificate, detail), END
};

static const struct field host_fields[] = {
	U32(host_fact, nodeid), TEXT(host_fact, name), ENUM(host_fact, state, HOST_QUARANTINED),
	U64(host_fact, epoch), TEXT(host_fact, boot_id), BOOL(host_fact, maintenance),
	BOOL(host_fact, forgotten), BOOL(host_fact, released), BOOL(host_fact, fence_intent),
	TEXT(host_fact, incident), TEXT(host_fact, nonce), TEXT(host_fact, nonce_before), END
};

static const struct field disk_fields[] = {
	TEXT(disk_fact, id), BOOL(disk_fact, writable), END
};

static const struct field spec_fields[] = {
	TEXT(spec_fact, uuid), TEXT(spec_fact, name), TEXT(spec_fact, title), BOOL(spec_fact, deleted),
	BOOL(spec_fact, protected), BOOL(spec_fact, block_job), U32(spec_fact, memory_mib), U32(spec_fact, vcpus),
	U32(spec_fact, priority), TEXT(spec_fact, group), TEXT(spec_fact, allow), TEXT(spec_fact, deny),
	TEXT(spec_fact, def_hash), END
};

static const struct field place_fields[] = {
	TEXT(place_fact, uuid), U32(place_fact, owner), U32(place_fact, joint), U32(place_fact, heir), U32(place_fact, home),
	BOOL(place_fact, released), U64(place_fact, generation), ENUM(place_fact, wish, WISH_RUNNING),
	ENUM(place_fact, phase, PHASE_HELD), U64(place_fact, owner_epoch), U32(place_fact, attempts),
	BOOL(place_fact, accept_loss), BOOL(place_fact, by_hand), BOOL(place_fact, excluded),
	TEXT(place_fact, incident),
	TEXT(place_fact, reason), TEXT(place_fact, failure), END
};

static const struct field incident_fields[] = {
	TEXT(incident_fact, id), U32(incident_fact, host), U64(incident_fact, epoch),
	ENUM(incident_fact, state, INCIDENT_CLOSED), ENUM(incident_fact, proof, PROOF_PERSON),
	U64(incident_fact, heard_ms), U64(incident_fact, lost_ms), U64(incident_fact, intent_ms),
	U64(incident_fact, certified_ms), U64(incident_fact, closed_ms), U32(incident_fact, total),
	U32(incident_fact, running), U32(incident_fact, held), TEXT(incident_fact, reason), END
};

static const struct field note_fields[] = {
	ENUM(note, severity, NOTE_ALERT), U64(note, at_ms), TEXT(note, incident), TEXT(note, host),
	TEXT(note, instance), TEXT(note, uuid), TEXT(note, text), END
};

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
	U64(core_message, commit), U64(core_message, facts_term), BOOL(core_message, blank),
	BOOL(core_message, replace),
	U32(core_message, to), BOOL(core_message, full), TEXT(core_message, uuid),
	U64(core_message, generation), BOOL(core_message, ok), BOOL(core_message, deleted),
	BOOL(core_message, excluded),
	BOOL(core_message, migrate), TEXT(core_message, text), U64(core_message, request_id),
	U32(core_message, request_origin), TEXT(core_message, code), TEXT(core_message, hint),
	BOOL(core_message, guests_run), END
};

/* --- memory of one decoded message: freed at once --- */

struct chunk {
	struct chunk *next;
	max_align_t data[];
};

struct wire {
	struct chunk *chunks;
	struct core_message msg;
	char *error;
	size_t error_size;
};

static void *wire_alloc(struct wire *wire, size_t size)
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

static int wrong(struct wire *wire, const char *what, const char *field)
{
	if (wire->error)
		snprintf(wire->error, wire->error_size, "%s: the field %s is wrong", what, field);
	return -EINVAL;
}

/* --- fields --- */

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
static void text_encode(struct json_object *obj, const char *key, const char *text)
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

static void fields_encode(struct json_object *obj, const struct field *fields, const void *from)
{
	for (; fields->name; fields++) {
		const char *at = (const char *)from + fields->offset;

		switch (fields->type) {
		case FIELD_TEXT:
			if (*at)
				text_encode(obj, fields->name, at);
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
static int fields_decode(struct wire *wire, struct json_object *obj, const char *what,
			 const struct field *fields, void *to)
{
	if (!json_object_is_type(obj, json_type_object))
		return wrong(wire, what, "(the object itself)");
	for (; fields->name; fields++) {
		int rc = field_decode(obj, fields, (char *)to + fields->offset);

		if (rc && rc != -ENOENT)
			return wrong(wire, what, fields->name);
	}
	return 0;
}

_Static_assert(sizeof(enum phase) == sizeof(uint32_t), "enums are read and written as 32 bits");

/* --- facts --- */

static struct json_object *spec_encode(const struct spec_fact *spec)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *disks = json_object_new_array(), *places = json_object_new_array();

	fields_encode(obj, spec_fields, spec);
	for (uint32_t i = 0; i < spec->n_disks; i++) {
		struct json_object *disk = json_object_new_object();

		fields_encode(disk, disk_fields, &spec->disks[i]);
		json_object_array_add(disks, disk);
	}
	for (uint32_t i = 0; i < spec->n_places; i++)
		json_object_array_add(places, json_object_new_string(spec->places[i]));
	json_object_object_add(obj, "disks", disks);
	json_object_object_add(obj, "places", places);
	return obj;
}

static int spec_decode(struct wire *wire, struct json_object *obj, struct spec_fact *spec)
{
	struct json_object *array;
	int rc = fields_decode(wire, obj, "spec", spec_fields, spec);

	if (rc)
		return rc;
	if (!spec->uuid[0])
		return wrong(wire, "spec", "uuid");
	if (!json_get_array(obj, "disks", &array)) {
		if (json_object_array_length(array) > CORE_DISKS_MAX)
			return wrong(wire, "spec", "disks");
		for (size_t i = 0; i < json_object_array_length(array); i++) {
			rc = fields_decode(wire, json_object_array_get_idx(array, i), "disk", disk_fields,
					   &spec->disks[spec->n_disks++]);
			if (rc)
				return rc;
		}
	}
	if (!json_get_array(obj, "places", &array)) {
		if (json_object_array_length(array) > CORE_PLACES_MAX)
			return wrong(wire, "spec", "places");
		for (size_t i = 0; i < json_object_array_length(array); i++) {
			struct json_object *place = json_object_array_get_idx(array, i);

			if (!json_object_is_type(place, json_type_string) ||
			    json_object_get_string_len(place) >= CORE_PATH_SIZE)
				return wrong(wire, "spec", "places");
			strcpy(spec->places[spec->n_places++], json_object_get_string(place));
		}
	}
	return 0;
}

struct json_object *wire_fact_encode(const struct fact_ref *ref)
{
	struct json_object *obj = json_object_new_object(), *value = json_object_new_object(), *cert;
	const struct fact_version *version = ref->fact;
	char number[16];
	const char *key = "cluster";

	switch (ref->kind) {
	case FACT_CLUSTER:
		fields_encode(value, cluster_fields, ref->fact);
		break;
	case FACT_HOST:
		fields_encode(value, host_fields, ref->fact);
		cert = json_object_new_object();
		fields_encode(cert, certificate_fields, &((const struct host_fact *)ref->fact)->certificate);
		json_object_object_add(value, "certificate", cert);
		snprintf(number, sizeof(number), "%u", ((const struct host_fact *)ref->fact)->nodeid);
		key = number;
		break;
	case FACT_SPEC:
		json_object_put(value);
		value = spec_encode(ref->fact);
		key = ((const struct spec_fact *)ref->fact)->uuid;
		break;
	case FACT_PLACE:
		fields_encode(value, place_fields, ref->fact);
		key = ((const struct place_fact *)ref->fact)->uuid;
		break;
	case FACT_INCIDENT:
		fields_encode(value, incident_fields, ref->fact);
		key = ((const struct incident_fact *)ref->fact)->id;
		break;
	case FACT_KINDS:
		break;
	}
	json_put_string(obj, "kind", fact_kind_name(ref->kind));
	json_put_string(obj, "key", key);
	json_put_u64(obj, "term", version->term);
	json_put_u64(obj, "counter", version->counter);
	json_object_object_add(obj, "value", value);
	return obj;
}

static int host_check(struct wire *wire, const struct host_fact *host)
{
	if (!host->nodeid || host->nodeid > UINT16_MAX)
		return wrong(wire, "host", "nodeid");
	if ((host->state == HOST_DEAD || host->state == HOST_QUARANTINED) &&
	    (host->certificate.method == PROOF_NONE || host->certificate.epoch != host->epoch))
		return wrong(wire, "host", "certificate");
	return 0;
}

static int place_check(struct wire *wire, const struct place_fact *place)
{
	if (!place->uuid[0])
		return wrong(wire, "place", "uuid");
	if (place->joint && (place->joint == place->owner || place->phase == PHASE_ASSIGNED))
		return wrong(wire, "place", "joint");
	if (place->phase == PHASE_ASSIGNED && place->released)
		return wrong(wire, "place", "released");
	return 0;
}

static const struct { const char *name; size_t size; } fact_kinds[FACT_KINDS] = {
	[FACT_CLUSTER] = { "cluster", sizeof(struct cluster_fact) },
	[FACT_HOST] = { "host", sizeof(struct host_fact) },
	[FACT_SPEC] = { "spec", sizeof(struct spec_fact) },
	[FACT_PLACE] = { "place", sizeof(struct place_fact) },
	[FACT_INCIDENT] = { "incident", sizeof(struct incident_fact) },
};

static int fact_decode(struct wire *wire, struct json_object *obj, struct fact_ref *ref)
{
	struct json_object *value, *cert;
	struct fact_version *version;
	const char *kind = json_string_or(obj, "kind", "");
	unsigned int k = 0;
	void *fact;
	int rc = 0;

	while (k < FACT_KINDS && strcmp(kind, fact_kinds[k].name))
		k++;
	if (k == FACT_KINDS)
		return wrong(wire, "fact", "kind");
	if (json_get_object(obj, "value", &value))
		return wrong(wire, kind, "value");
	fact = wire_alloc(wire, fact_kinds[k].size);
	if (!fact)
		return -ENOMEM;
	version = fact;
	if (json_get_u64(obj, "term", UINT64_MAX, &version->term) ||
	    json_get_u64(obj, "counter", UINT64_MAX, &version->counter))
		return wrong(wire, kind, "term or counter");
	ref->kind = (enum fact_kind)k;
	ref->fact = fact;
	switch (ref->kind) {
	case FACT_CLUSTER:
		return fields_decode(wire, value, kind, cluster_fields, fact);
	case FACT_HOST:
		rc = fields_decode(wire, value, kind, host_fields, fact);
		if (!rc && !json_get_object(value, "certificate", &cert))
			rc = fields_decode(wire, cert, "certificate", certificate_fields,
					   &((struct host_fact *)fact)->certificate);
		return rc ? rc : host_check(wire, fact);
	case FACT_SPEC:
		return spec_decode(wire, value, fact);
	case FACT_PLACE:
		rc = fields_decode(wire, value, kind, place_fields, fact);
		return rc ? rc : place_check(wire, fact);
	case FACT_INCIDENT:
		rc = fields_decode(wire, value, kind, incident_fields, fact);
		return rc || ((struct incident_fact *)fact)->id[0] ? rc : wrong(wire, kind, "id");
	case FACT_KINDS:
		break;
	}
	return -EINVAL;
}

static int facts_decode(struct wire *wire, struct json_object *array, size_t *ret_n,
			const struct fact_ref **ret_facts)
{
	size_t n = json_object_array_length(array);
	struct fact_ref *refs;

	if (n > CORE_REFS_MAX)
		return wrong(wire, "message", "facts");
	refs = wire_alloc(wire, n * sizeof(*refs));
	if (!refs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int rc = fact_decode(wire, json_object_array_get_idx(array, i), &refs[i]);

		if (rc)
			return rc;
	}
	*ret_n = n;
	*ret_facts = refs;
	return 0;
}

int wire_facts_decode(struct json_object *array, struct wire **ret_wire, size_t *ret_n,
		      const struct fact_ref **ret_facts, char *error, size_t error_size)
{
	struct wire *wire = calloc(1, sizeof(*wire));
	int rc;

	if (!wire)
		return -ENOMEM;
	wire->error = error;
	wire->error_size = error_size;
	rc = facts_decode(wire, array, ret_n, ret_facts);
	if (rc) {
		wire_free(wire);
		return rc;
	}
	*ret_wire = wire;
	return 0;
}

/* --- notes --- */

void wire_note_id(uint64_t term, uint64_t seq, uint32_t n, char id[WIRE_NOTE_ID_SIZE])
{
	snprintf(id, WIRE_NOTE_ID_SIZE, "%llu.%llu.%u", (unsigned long long)(term >> 16), (unsigned long long)seq, n);
}

struct json_object *wire_note_encode(const struct note *note, const char *id, const char *wall)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "id", id);
	json_put_u64(obj, "t_ms", note->at_ms);
	json_put_string(obj, "wall", wall);
	json_put_string(obj, "incident", note->incident[0] ? note->incident : NULL);
	json_put_string(obj, "kind", note->kind);
	json_put_string(obj, "severity", note_severity_name(note->severity));
	json_put_string(obj, "host", note->host[0] ? note->host : NULL);
	json_put_string(obj, "instance", note->instance[0] ? note->instance : NULL);
	json_put_string(obj, "uuid", note->uuid[0] ? note->uuid : NULL);
	json_put_string(obj, "text", note->text);
	return obj;
}

static struct json_object *notes_encode(size_t n, const struct note *notes)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *obj = json_object_new_object();

		json_put_string(obj, "kind", notes[i].kind);
		fields_encode(obj, note_fields, &notes[i]);
		json_object_array_add(array, obj);
	}
	return array;
}

static int notes_decode(struct wire *wire, struct json_object *array, struct core_message *msg)
{
	size_t n = json_object_array_length(array);
	struct note *notes;

	if (n > CORE_NOTES_MAX / 2)
		return wrong(wire, "message", "notes");
	notes = wire_alloc(wire, n * sizeof(*notes));
	if (!notes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct json_object *obj = json_object_array_get_idx(array, i);
		const char *kind;
		char *copy;
		int rc = fields_decode(wire, obj, "note", note_fields, &notes[i]);

		if (rc)
			return rc;
		if (json_get_string(obj, "kind", &kind) || strlen(kind) >= CORE_NAME_SIZE)
			return wrong(wire, "note", "kind");
		copy = wire_alloc(wire, strlen(kind) + 1);
		if (!copy)
			return -ENOMEM;
		notes[i].kind = strcpy(copy, kind);
	}
	msg->n_notes = n;
	msg->notes = notes;
	return 0;
}

/* --- reports, verdicts, requests --- */

static struct json_object *report_encode(const struct instance_report *report)
{
	struct json_object *obj = spec_encode(&report->spec);

	fields_encode(obj, report_fields, report);
	return obj;
}

static int report_decode(struct wire *wire, struct json_object *obj, struct instance_report *report)
{
	int rc = spec_decode(wire, obj, &report->spec);

	return rc ? rc : fields_decode(wire, obj, "report", report_fields, report);
}

static int reports_decode(struct wire *wire, struct json_object *array, struct core_message *msg)
{
	size_t n = json_object_array_length(array);
	struct instance_report *reports;

	if (n > CORE_INSTANCES_MAX)
		return wrong(wire, "message", "reports");
	reports = wire_alloc(wire, n * sizeof(*reports));
	if (!reports)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int rc = report_decode(wire, json_object_array_get_idx(array, i), &reports[i]);

		if (rc)
			return rc;
	}
	msg->n_reports = n;
	msg->reports = reports;
	return 0;
}

static int verdicts_decode(struct wire *wire, struct json_object *array, struct core_message *msg)
{
	size_t n = json_object_array_length(array);
	struct verdict_report *verdicts;

	if (n > CORE_INSTANCES_MAX)
		return wrong(wire, "message", "verdicts");
	verdicts = wire_alloc(wire, n * sizeof(*verdicts));
	if (!verdicts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int rc = fields_decode(wire, json_object_array_get_idx(array, i), "verdict",
				       verdict_fields, &verdicts[i]);

		if (rc)
			return rc;
	}
	msg->n_verdicts = n;
	msg->verdicts = verdicts;
	return 0;
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
		json_object_object_add(obj, "notes", notes_encode(msg->n_notes, msg->notes));
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

			fields_encode(verdict, verdict_fields, &msg->verdicts[i]);
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
	fields_encode(obj, message_fields, msg);
	if (msg->type == MSG_HOST) {
		part = json_object_new_object();
		fields_encode(part, host_report_fields, &msg->host);
		json_object_object_add(obj, "host", part);
	}
	if (msg->request) {
		part = json_object_new_object();
		fields_encode(part, request_fields, msg->request);
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
		return wrong(wire, "message", "late_offs");
	for (size_t i = 0; i < n; i++) {
		struct json_object *number = json_object_array_get_idx(array, i);
		int64_t nodeid = json_object_get_int64(number);

		if (!json_object_is_type(number, json_type_int) || nodeid < 1 || nodeid > UINT16_MAX)
			return wrong(wire, "message", "late_offs");
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
			return wrong(wire, "message", "host");
		rc = fields_decode(wire, part, "host", host_report_fields, &msg->host);
		if (rc)
			return rc;
	}
	if (!json_get_object(obj, "request", &part)) {
		request = wire_alloc(wire, sizeof(*request));
		if (!request)
			return -ENOMEM;
		msg->request = request;
		rc = fields_decode(wire, part, "request", request_fields, request);
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
		{ "notes", notes_decode }, { "reports", reports_decode }, { "verdicts", verdicts_decode },
		{ "late_offs", late_offs_decode },
	};
	struct core_message *msg = &wire->msg;
	const char *type = json_string_or(obj, "type", "");
	struct json_object *array;
	unsigned int t = 0;
	int rc;

	if (json_u64_or(obj, "v", 0) != WIRE_VERSION)
		return wrong(wire, "message", "v (another version of hamon?)");
	while (t < MSG_TYPES && strcmp(type, message_type_name((enum message_type)t)))
		t++;
	if (t == MSG_TYPES)
		return wrong(wire, "message", "type");
	msg->type = (enum message_type)t;
	rc = fields_decode(wire, obj, type, message_fields, msg);
	if (rc)
		return rc;
	rc = parts_decode(wire, obj, msg);
	if (rc)
		return rc;
	if (!json_get_array(obj, "facts", &array)) {
		rc = facts_decode(wire, array, &msg->n_facts, &msg->facts);
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
