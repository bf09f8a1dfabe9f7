/* The codec of messages: what is written comes back to the last field, and what is wrong in any field is refused. */
#include <errno.h>
#include <json-c/json.h>

#include "hamon/wire.h"
#include "tests/unit/test.h"

#define FILL(array, text) snprintf(array, sizeof(array), "%s", text)
#define FILL_WHOLE(array) do { memset(array, 'x', sizeof(array) - 1); array[sizeof(array) - 1] = '\0'; } while (0)

static struct cluster_fact cluster_of_all(void)
{
	struct cluster_fact fact = { .version = { 7, 1 }, .frozen = true, .brake = true };

	FILL_WHOLE(fact.brake_reason);
	return fact;
}

static void host_of_all(struct host_fact *fact)
{
	memset(fact, 0, sizeof(*fact));
	fact->version.term = UINT64_MAX >> 1;
	fact->version.counter = 9;
	fact->nodeid = UINT16_MAX;
	fact->state = HOST_DEAD;
	fact->epoch = 12;
	fact->maintenance = fact->forgotten = fact->released = fact->fence_intent = true;
	fact->certificate.method = PROOF_PERSON;
	fact->certificate.epoch = 12;
	fact->certificate.confirmed_ms = 99;
	FILL_WHOLE(fact->name);
	FILL(fact->boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	FILL(fact->incident, "h1-e12");
	FILL_WHOLE(fact->nonce);
	FILL(fact->nonce_before, "abc");
	FILL(fact->certificate.device, "root");
	FILL(fact->certificate.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	FILL(fact->certificate.detail, "\"quoted\", \\ and a line\nfeed, \xc3\xa4");
}

static void spec_of_all(struct spec_fact *fact)
{
	memset(fact, 0, sizeof(*fact));
	fact->version.term = 3;
	fact->version.counter = 4;
	fact->deleted = fact->protected = fact->block_job = true;
	fact->memory_mib = UINT32_MAX;
	fact->vcpus = 2;
	fact->priority = 1000;
	FILL(fact->uuid, "00000000-0000-4000-8000-000000000001");
	FILL(fact->name, "vm one");
	FILL_WHOLE(fact->title);
	FILL(fact->group, "db");
	FILL(fact->allow, "h1 h2");
	FILL(fact->deny, "h3");
	FILL_WHOLE(fact->def_hash);
	fact->n_disks = CORE_DISKS_MAX;
	for (uint32_t i = 0; i < fact->n_disks; i++) {
		snprintf(fact->disks[i].id, sizeof(fact->disks[i].id), "file:p:%u", i);
		fact->disks[i].writable = i % 2;
	}
	fact->n_places = CORE_PLACES_MAX;
	for (uint32_t i = 0; i < fact->n_places; i++)
		FILL_WHOLE(fact->places[i]);
}

static void place_of_all(struct place_fact *fact)
{
	memset(fact, 0, sizeof(*fact));
	fact->version.term = 3;
	fact->version.counter = 5;
	fact->owner = 1;
	fact->joint = 2;
	fact->home = 3;
	fact->heir = 4;
	fact->released = fact->accept_loss = fact->by_hand = true;
	fact->generation = 1ull << 40;
	fact->wish = WISH_RUNNING;
	fact->phase = PHASE_HELD;
	fact->owner_epoch = 6;
	fact->attempts = 7;
	FILL(fact->uuid, "00000000-0000-4000-8000-000000000001");
	FILL(fact->incident, "h1-e12");
	FILL_WHOLE(fact->reason);
}

static void incident_of_all(struct incident_fact *fact)
{
	memset(fact, 0, sizeof(*fact));
	fact->version.term = 3;
	fact->version.counter = 6;
	fact->host = 1;
	fact->epoch = 12;
	fact->state = INCIDENT_CLOSED;
	fact->proof = PROOF_WATCHDOG;
	fact->heard_ms = 1;
	fact->lost_ms = 2;
	fact->intent_ms = 3;
	fact->certified_ms = 4;
	fact->closed_ms = 5;
	fact->total = 6;
	fact->running = 7;
	fact->held = 8;
	FILL(fact->id, "h1-e12");
	FILL(fact->reason, "because");
}

static const struct core_message *decode(const char *text, uint32_t from, struct wire **ret_wire)
{
	const struct core_message *msg;
	char error[256] = "";
	int rc = wire_message_decode(text, strlen(text), from, ret_wire, &msg, error, sizeof(error));

	if (rc)
		fprintf(stderr, "%s\n%s\n", error, text);
	CHECK_INT(rc, 0);
	return msg;
}

static void facts_come_back(void)
{
	static struct spec_fact spec;
	static const size_t sizes[FACT_KINDS] = { sizeof(struct cluster_fact), sizeof(struct host_fact),
		sizeof(struct spec_fact), sizeof(struct place_fact), sizeof(struct incident_fact) };
	struct cluster_fact cluster = cluster_of_all();
	struct host_fact host;
	struct place_fact place;
	struct incident_fact incident;
	struct fact_ref refs[FACT_KINDS] = { { FACT_CLUSTER, &cluster }, { FACT_HOST, &host }, { FACT_SPEC, &spec },
		{ FACT_PLACE, &place }, { FACT_INCIDENT, &incident } };
	struct core_message msg = { .type = MSG_SNAPSHOT, .term = 3, .seq = 4, .to = 5, .facts = refs,
		.n_facts = FACT_KINDS };
	const struct core_message *back;
	struct wire *wire;
	char *text;

	host_of_all(&host);
	spec_of_all(&spec);
	place_of_all(&place);
	incident_of_all(&incident);
	text = wire_message_encode(&msg);
	back = decode(text, 9, &wire);
	CHECK_INT(back->type, MSG_SNAPSHOT);
	CHECK_INT(back->from, 9);
	CHECK_INT(back->to, 5);
	CHECK_INT(back->n_facts, FACT_KINDS);
	for (size_t i = 0; i < FACT_KINDS; i++) {
		CHECK_INT(back->facts[i].kind, refs[i].kind);
		CHECK(!memcmp(back->facts[i].fact, refs[i].fact, sizes[i]));
	}
	wire_free(wire);
	free(text);
}

static void messages_come_back(void)
{
	struct instance_report report = { .state = INSTANCE_INCOMING, .stop_reason = STOP_SAVED, .fresh_event = true,
		.host_shutting_down = true, .defined = true, .managed_save = true, .undefined = true };
	struct verdict_report verdict = { .verdict = VERDICT_VOLUME, .held = true };
	struct note note = { .kind = "host-lost", .severity = NOTE_ALERT, .at_ms = 77 };
	struct core_request request = { .id = 3, .verb = REQUEST_EVACUATE, .on = true, .dry_run = true };
	static struct core_message msg;
	const struct core_message *back;

	spec_of_all(&report.spec);
	memset(&report.spec.version, 0, sizeof(report.spec.version)); /* a report has none */
	FILL(verdict.uuid, report.spec.uuid);
	FILL_WHOLE(verdict.reason);
	FILL(note.incident, "h1-e1");
	FILL(note.host, "h1");
	FILL(note.instance, "vm1");
	FILL(note.uuid, report.spec.uuid);
	FILL_WHOLE(note.text);
	FILL(request.host, "h1");
	FILL(request.instance, "vm1");
	FILL(request.target, "h2");
	FILL_WHOLE(request.accept_loss);
	FILL_WHOLE(request.reason);
	FILL(request.who, "root");
	for (int type = 0; type < MSG_TYPES; type++) {
		struct wire *wire;
		char *text, *again;

		memset(&msg, 0, sizeof(msg));
		msg.type = (enum message_type)type;
		msg.term = UINT64_MAX >> 1;
		msg.seq = 2;
		msg.promised = 3;
		msg.commit = 4;
		msg.facts_term = 5;
		msg.generation = 6;
		msg.request_id = 7;
		msg.request_origin = 8;
		msg.to = 9;
		msg.coordinator = msg.synced = msg.store_ok = msg.replace = msg.full = msg.ok = true;
		msg.deleted = msg.migrate = msg.guests_run = msg.blank = true;
		FILL(msg.uuid, report.spec.uuid);
		FILL_WHOLE(msg.text);
		FILL(msg.code, "code");
		FILL_WHOLE(msg.hint);
		msg.n_late_offs = 2;
		msg.late_offs[0] = 1;
		msg.late_offs[1] = UINT16_MAX;
		if (type == MSG_HOST) {
			msg.host.gate_loaded = msg.host.libvirt_ok = msg.host.reported = msg.host.stale_qemu = true;
			msg.host.free_mib = 1ull << 33;
			FILL(msg.host.boot_id, "boot");
			FILL_WHOLE(msg.host.nonce);
			FILL_WHOLE(msg.host.config_digest);
		}
		msg.reports = &report;
		msg.verdicts = &verdict;
		msg.notes = &note;
		msg.n_reports = msg.n_verdicts = msg.n_notes = 1;
		msg.request = &request;
		msg.claim = &report;
		text = wire_message_encode(&msg);
		back = decode(text, 9, &wire);
		CHECK(!memcmp(&back->reports[0], &report, sizeof(report)));
		CHECK(!memcmp(back->claim, &report, sizeof(report)));
		CHECK(!memcmp(&back->verdicts[0], &verdict, sizeof(verdict)));
		CHECK(!memcmp(back->request, &request, sizeof(request)));
		CHECK_STR(back->notes[0].kind, note.kind);
		CHECK(!memcmp(&back->notes[0].severity, &note.severity, sizeof(note) - offsetof(struct note, severity)));
		/* All that is in the message itself; what points elsewhere was compared above. */
		msg.from = 9;
		msg.facts = back->facts;
		msg.reports = back->reports;
		msg.verdicts = back->verdicts;
		msg.notes = back->notes;
		msg.request = back->request;
		msg.claim = back->claim;
		CHECK(!memcmp(back, &msg, sizeof(msg)));
		again = wire_message_encode(back);
		CHECK_STR(again, text);
		wire_free(wire);
		free(again);
		free(text);
	}
}

static void sender_is_not_taken_from_the_text(void)
{
	struct wire *wire;
	const struct core_message *msg =
		decode("{\"v\":1,\"type\":\"request\",\"from\":1,\"request\":{\"origin\":1,\"verb\":4}}", 7, &wire);

	CHECK_INT(msg->from, 7);
	CHECK_INT(msg->request->origin, 0);
	wire_free(wire);
}

static void wrong_ones_are_refused(void)
{
	static const struct {
		const char *text;
		const char *names; /* what the error must name */
	} wrong[] = {
		{ "", "JSON" }, { "{", "JSON" }, { "[]", "" }, { "null", "" }, { "{}", "version" },
		{ "{\"v\":2,\"type\":\"beat\"}", "version" }, { "{\"v\":1,\"type\":\"bleat\"}", "type" },
		{ "{\"v\":1,\"type\":\"beat\",\"term\":-1}", "term" },
		{ "{\"v\":1,\"type\":\"beat\",\"term\":\"1\"}", "term" },
		{ "{\"v\":1,\"type\":\"beat\",\"synced\":1}", "synced" },
		{ "{\"v\":1,\"type\":\"host\"}", "host" },
		{ "{\"v\":1,\"type\":\"promise\",\"late_offs\":[0]}", "late_offs" },
		{ "{\"v\":1,\"type\":\"promise\",\"late_offs\":[\"1\"]}", "late_offs" },
		{ "{\"v\":1,\"type\":\"record\",\"facts\":[1]}", "kind" },
		{ "{\"v\":1,\"type\":\"record\",\"facts\":[{\"kind\":\"horst\"}]}", "kind" },
		{ "{\"v\":1,\"type\":\"record\",\"facts\":[{\"kind\":\"host\",\"term\":1,\"counter\":1,\"value\":{}}]}", "nodeid" },
		{ "{\"v\":1,\"type\":\"record\",\"facts\":[{\"kind\":\"host\",\"term\":1,\"counter\":1,"
		  "\"value\":{\"nodeid\":1,\"state\":4,\"epoch\":2}}]}", "certificate" },
		{ "{\"v\":1,\"type\":\"record\",\"facts\":[{\"kind\":\"host\",\"term\":1,\"counter\":1,"
		  "\"value\":{\"nodeid\":1,\"state\":6}}]}", "state" },
		{ "{\"v\":1,\"type\":\"record\",\"facts\":[{\"kind\":\"place\",\"term\":1,\"counter\":1,"
		  "\"value\":{\"uuid\":\"u\",\"owner\":1,\"joint\":1}}]}", "joint" },
		{ "{\"v\":1,\"type\":\"record\",\"facts\":[{\"kind\":\"place\",\"term\":1,\"counter\":1,"
		  "\"value\":{\"uuid\":\"u\",\"phase\":2,\"released\":true}}]}", "released" },
		{ "{\"v\":1,\"type\":\"record\",\"facts\":[{\"kind\":\"incident\",\"term\":1,\"counter\":1,\"value\":{}}]}", "id" },
		{ "{\"v\":1,\"type\":\"report\",\"reports\":[{}]}", "uuid" },
		{ "{\"v\":1,\"type\":\"report\",\"reports\":[{\"uuid\":\"u\",\"state\":9}]}", "state" },
		{ "{\"v\":1,\"type\":\"request\",\"request\":{\"verb\":6}}", "verb" },
	};
	char big[CORE_NAME_SIZE + 64];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const struct core_message *msg = NULL;
		struct wire *wire = NULL;
		char error[256] = "";
		int rc = wire_message_decode(wrong[i].text, strlen(wrong[i].text), 1, &wire, &msg, error, sizeof(error));

		if (!rc || !strstr(error, wrong[i].names))
			fprintf(stderr, "%s: %d, %s\n", wrong[i].text, rc, error);
		CHECK_INT(rc, -EINVAL);
		CHECK(!wire && !msg && error[0] && strstr(error, wrong[i].names));
	}
	snprintf(big, sizeof(big), "{\"v\":1,\"type\":\"reply\",\"code\":\"%0*d\"}", CORE_NAME_SIZE, 0);
	CHECK(wire_message_decode(big, strlen(big), 1, &(struct wire *){ NULL }, &(const struct core_message *){ NULL },
				  (char[64]){ "" }, 64));
}

static void cut_characters_are_mended(void)
{
	static struct core_message msg = { .type = MSG_REPLY };
	static const struct {
		const char *text;
		const char *becomes;
	} texts[] = {
		{ "gr\xc3\xb6\xc3\x9f", NULL }, { "cut \xc3", "cut ?" }, { "cut \xe2\x82", "cut ??" },
		{ "\xe2\x82\xac \xf0\x9f\x98\x80", NULL }, { "\xff\xc0\x80", "???" }, { "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct wire *wire;
		char *text;

		FILL(msg.text, texts[i].text);
		text = wire_message_encode(&msg);
		CHECK_STR(decode(text, 1, &wire)->text, texts[i].becomes ? texts[i].becomes : texts[i].text);
		wire_free(wire);
		free(text);
	}
}

int main(void)
{
	RUN(cut_characters_are_mended);
	RUN(facts_come_back);
	RUN(messages_come_back);
	RUN(sender_is_not_taken_from_the_text);
	RUN(wrong_ones_are_refused);
	return 0;
}
