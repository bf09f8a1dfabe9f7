/* The core's facts, and the notes that go with them, as JSON: in records, promises and snapshots, and in the store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
#include "hamon/wire_fields.h"

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

struct json_object *wire_spec_encode(const struct spec_fact *spec)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *disks = json_object_new_array(), *places = json_object_new_array();

	wire_fields_encode(obj, spec_fields, spec);
	for (uint32_t i = 0; i < spec->n_disks; i++) {
		struct json_object *disk = json_object_new_object();

		wire_fields_encode(disk, disk_fields, &spec->disks[i]);
		json_object_array_add(disks, disk);
	}
	for (uint32_t i = 0; i < spec->n_places; i++)
		json_object_array_add(places, json_object_new_string(spec->places[i]));
	json_object_object_add(obj, "disks", disks);
	json_object_object_add(obj, "places", places);
	return obj;
}

int wire_spec_decode(struct wire *wire, struct json_object *obj, struct spec_fact *spec)
{
	struct json_object *array;
	int rc = wire_fields_decode(wire, obj, "spec", spec_fields, spec);

	if (rc)
		return rc;
	if (!spec->uuid[0])
		return wire_wrong(wire, "spec", "uuid");
	if (!json_get_array(obj, "disks", &array)) {
		if (json_object_array_length(array) > CORE_DISKS_MAX)
			return wire_wrong(wire, "spec", "disks");
		for (size_t i = 0; i < json_object_array_length(array); i++) {
			rc = wire_fields_decode(wire, json_object_array_get_idx(array, i), "disk", disk_fields,
					   &spec->disks[spec->n_disks++]);
			if (rc)
				return rc;
		}
	}
	if (!json_get_array(obj, "places", &array)) {
		if (json_object_array_length(array) > CORE_PLACES_MAX)
			return wire_wrong(wire, "spec", "places");
		for (size_t i = 0; i < json_object_array_length(array); i++) {
			struct json_object *place = json_object_array_get_idx(array, i);

			if (!json_object_is_type(place, json_type_string) ||
			    json_object_get_string_len(place) >= CORE_PATH_SIZE)
				return wire_wrong(wire, "spec", "places");
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
		wire_fields_encode(value, cluster_fields, ref->fact);
		break;
	case FACT_HOST:
		wire_fields_encode(value, host_fields, ref->fact);
		cert = json_object_new_object();
		wire_fields_encode(cert, certificate_fields, &((const struct host_fact *)ref->fact)->certificate);
		json_object_object_add(value, "certificate", cert);
		snprintf(number, sizeof(number), "%u", ((const struct host_fact *)ref->fact)->nodeid);
		key = number;
		break;
	case FACT_SPEC:
		json_object_put(value);
		value = wire_spec_encode(ref->fact);
		key = ((const struct spec_fact *)ref->fact)->uuid;
		break;
	case FACT_PLACE:
		wire_fields_encode(value, place_fields, ref->fact);
		key = ((const struct place_fact *)ref->fact)->uuid;
		break;
	case FACT_INCIDENT:
		wire_fields_encode(value, incident_fields, ref->fact);
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
		return wire_wrong(wire, "host", "nodeid");
	if ((host->state == HOST_DEAD || host->state == HOST_QUARANTINED) &&
	    (host->certificate.method == PROOF_NONE || host->certificate.epoch != host->epoch))
		return wire_wrong(wire, "host", "certificate");
	return 0;
}

static int place_check(struct wire *wire, const struct place_fact *place)
{
	if (!place->uuid[0])
		return wire_wrong(wire, "place", "uuid");
	if (place->joint && (place->joint == place->owner || place->phase == PHASE_ASSIGNED))
		return wire_wrong(wire, "place", "joint");
	if (place->phase == PHASE_ASSIGNED && place->released)
		return wire_wrong(wire, "place", "released");
	return 0;
}

static const struct { const char *name; size_t size; } fact_kinds[FACT_KINDS] = {
	[FACT_CLUSTER] = { "cluster", sizeof(struct cluster_fact) },
	[FACT_HOST] = { "host", sizeof(struct host_fact) },
	[FACT_SPEC] = { "spec", sizeof(struct spec_fact) },
	[FACT_PLACE] = { "place", sizeof(struct place_fact) },
	[FACT_INCIDENT] = { "incident", sizeof(struct incident_fact) },
};

static int fact_decode(struct wire *wire, struct json_object *obj, void *to)
{
	struct fact_ref *ref = to;
	struct json_object *value, *cert;
	struct fact_version *version;
	const char *kind = json_string_or(obj, "kind", "");
	unsigned int k = 0;
	void *fact;
	int rc = 0;

	while (k < FACT_KINDS && strcmp(kind, fact_kinds[k].name))
		k++;
	if (k == FACT_KINDS)
		return wire_wrong(wire, "fact", "kind");
	if (json_get_object(obj, "value", &value))
		return wire_wrong(wire, kind, "value");
	fact = wire_alloc(wire, fact_kinds[k].size);
	if (!fact)
		return -ENOMEM;
	version = fact;
	if (json_get_u64(obj, "term", UINT64_MAX, &version->term) ||
	    json_get_u64(obj, "counter", UINT64_MAX, &version->counter))
		return wire_wrong(wire, kind, "term or counter");
	ref->kind = (enum fact_kind)k;
	ref->fact = fact;
	switch (ref->kind) {
	case FACT_CLUSTER:
		return wire_fields_decode(wire, value, kind, cluster_fields, fact);
	case FACT_HOST:
		rc = wire_fields_decode(wire, value, kind, host_fields, fact);
		if (!rc && !json_get_object(value, "certificate", &cert))
			rc = wire_fields_decode(wire, cert, "certificate", certificate_fields,
					   &((struct host_fact *)fact)->certificate);
		return rc ? rc : host_check(wire, fact);
	case FACT_SPEC:
		return wire_spec_decode(wire, value, fact);
	case FACT_PLACE:
		rc = wire_fields_decode(wire, value, kind, place_fields, fact);
		return rc ? rc : place_check(wire, fact);
	case FACT_INCIDENT:
		rc = wire_fields_decode(wire, value, kind, incident_fields, fact);
		return rc || ((struct incident_fact *)fact)->id[0] ? rc : wire_wrong(wire, kind, "id");
	case FACT_KINDS:
		break;
	}
	return -EINVAL;
}

int wire_fact_list_decode(struct wire *wire, struct json_object *array, size_t *ret_n,
			  const struct fact_ref **ret_facts)
{
	return wire_list_decode(wire, array, "facts", CORE_REFS_MAX, sizeof(**ret_facts), fact_decode, ret_n, ret_facts);
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
	rc = wire_fact_list_decode(wire, array, ret_n, ret_facts);
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

struct json_object *wire_notes_encode(size_t n, const struct note *notes)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *obj = json_object_new_object();

		json_put_string(obj, "kind", notes[i].kind);
		wire_fields_encode(obj, note_fields, &notes[i]);
		json_object_array_add(array, obj);
	}
	return array;
}

static int note_decode(struct wire *wire, struct json_object *obj, void *to)
{
	struct note *note = to;
	const char *kind;
	char *copy;
	int rc = wire_fields_decode(wire, obj, "note", note_fields, note);

	if (rc)
		return rc;
	if (json_get_string(obj, "kind", &kind) || strlen(kind) >= CORE_NAME_SIZE)
		return wire_wrong(wire, "note", "kind");
	copy = wire_alloc(wire, strlen(kind) + 1);
	if (!copy)
		return -ENOMEM;
	note->kind = strcpy(copy, kind);
	return 0;
}

int wire_notes_decode(struct wire *wire, struct json_object *array, struct core_message *msg)
{
	return wire_list_decode(wire, array, "notes", CORE_NOTES_MAX / 2, sizeof(*msg->notes), note_decode, &msg->n_notes,
				&msg->notes);
}
