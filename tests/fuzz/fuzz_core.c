/*
 * The core under any sequence of events. Input: lines, the first letter of each says what happens to host 1 of five (or of two):
 *
 *	2		two hosts (as the first line)
 *	mN{...}		a message of node N, as JSON; what the codec refuses does not reach the core
 *	lTERM,TERM[..]	the store is loaded: promised, the facts' term, facts as a JSON array; L: it is unusable
 *	qQDIGITS	quorum: Q is 0 or 1, then the node ids; gDIGITS: the daemons in the group; G: no corosync
 *	tMS		time passes, then the tick; p: all is persisted; P: the store fails
 *	fB sB iJQ kB	the last fencing, start, inspection (job, qemu), stop ends
 *	vO{...}		the gate is asked (O: 0 start, 1 incoming migration) for the spec of a report; h{...}: this host's own report
 *	rV H[ I[ T]]	a request with verb number V; wNMS: an attested watchdog; X: SIGTERM
 *
 * What the core sends must be accepted by the codec; it is delivered to the core itself, as the group does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/wire.h"

#define SENT_MAX 64
#define STEPS_MAX 4000

struct bench {
	struct core *core;
	uint64_t now_ms;
	uint64_t persist_id, fence_op, start_op, inspect_op, stop_op;
	size_t n_sent;
	char *sent[SENT_MAX];
	unsigned int steps;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step(struct bench *b, const struct core_event *event)
{
	const struct core_action *acts;
	size_t n;

	if (b->steps++ >= STEPS_MAX)
		return;
	n = core_step(b->core, b->now_ms, event, &acts);
	for (size_t i = 0; i < n; i++) {
		switch (acts[i].type) {
		case ACT_SEND:
			if (b->n_sent < SENT_MAX)
				b->sent[b->n_sent++] = wire_message_encode(acts[i].send);
			break;
		case ACT_PERSIST:
			b->persist_id = acts[i].persist.id;
			break;
		case ACT_FENCE:
			b->fence_op = acts[i].fence.op;
			break;
		case ACT_START:
			b->start_op = acts[i].instance.op;
			break;
		case ACT_INSPECT:
			b->inspect_op = acts[i].instance.op;
			break;
		case ACT_STOP:
			b->stop_op = acts[i].instance.op;
			break;
		case ACT_TIDY:
		case ACT_END_HELPERS:
		case ACT_GATE_REPLY:
		case ACT_REPLY:
		case ACT_NOTE:
			break;
		}
	}
}

static void message_feed(struct bench *b, const char *text, uint32_t from, bool own)
{
	struct core_event event = { .type = EV_MESSAGE };
	struct wire *wire;
	char error[256];

	if (wire_message_decode(text, strlen(text), from, &wire, &event.message, error, sizeof(error))) {
		if (own) {
			fprintf(stderr, "its own message is refused: %s: %s\n", error, text);
			abort();
		}
		return;
	}
	step(b, &event);
	wire_free(wire);
}

static void sent_deliver(struct bench *b)
{
	for (int round = 0; round < 3 && b->n_sent; round++) {
		char *sent[SENT_MAX];
		size_t n = b->n_sent;

		memcpy(sent, b->sent, sizeof(sent));
		b->n_sent = 0;
		for (size_t i = 0; i < n; i++) {
			if (sent[i])
				message_feed(b, sent[i], 1, true);
			free(sent[i]);
		}
	}
}

static void loaded(struct bench *b, const char *arg)
{
	struct core_event event = { .type = EV_LOADED };
	unsigned long long promised = 0, facts_term = 0;
	const char *array = strchr(arg, '[');
	struct json_object *obj = array ? json_tokener_parse(array) : NULL;
	struct wire *wire = NULL;
	char error[256];

	sscanf(arg, "%llu,%llu", &promised, &facts_term);
	event.loaded.ok = true;
	event.loaded.promised = promised;
	event.loaded.facts_term = facts_term;
	if (obj && (!json_object_is_type(obj, json_type_array) ||
		    wire_facts_decode(obj, &wire, &event.loaded.n_facts, &event.loaded.facts, error, sizeof(error)))) {
		wire = NULL;
		event.loaded.ok = false;
	}
	step(b, &event);
	wire_free(wire);
	json_object_put(obj);
}

/* What follows the letter is a report as the group tells it: decoded by the same codec. */
static void report_feed(struct bench *b, const char *json, int gate)
{
	struct gate_query query = { .id = b->steps + 1, .op = gate == 1 ? GATE_MIGRATE_IN : GATE_START, .protected = true };
	struct core_event event = { .type = EV_REPORTS };
	const struct core_message *msg;
	struct wire *wire;
	char error[256];

	if (wire_message_decode(json, strlen(json), 1, &wire, &msg, error, sizeof(error)))
		return;
	event.reports.full = msg->full;
	event.reports.n = msg->n_reports;
	event.reports.reports = msg->reports;
	if (gate >= 0 && msg->n_reports) {
		query.spec = msg->reports[0].spec;
		query.protected = query.spec.protected;
		event.type = EV_GATE;
		event.gate = &query;
	} else if (msg->type == MSG_HOST) {
		event.type = EV_HOST_REPORT;
		event.host_report = &msg->host;
	} else if (msg->n_verdicts) {
		event.type = EV_VERDICTS;
		event.verdicts.n = msg->n_verdicts;
		event.verdicts.verdicts = msg->verdicts;
	}
	step(b, &event);
	wire_free(wire);
}

static void membership(struct bench *b, const char *line)
{
	struct core_event event = { .type = line[0] == 'q' ? EV_QUORUM : EV_MEMBERS };
	struct core_member members[16];
	uint32_t nodeids[16];
	size_t n = 0;

	for (const char *at = line + (line[0] == 'q' && line[1] ? 2 : 1); *at && n < 16; at++) {
		nodeids[n] = (uint32_t)(*at - '0') & 15;
		members[n].nodeid = nodeids[n];
		members[n++].pid = 100;
	}
	if (line[0] == 'q') {
		event.quorum.quorate = line[1] == '1';
		event.quorum.n = n;
		event.quorum.nodeids = nodeids;
	} else {
		event.members.n = n;
		event.members.members = members;
	}
	step(b, &event);
}

static void request_feed(struct bench *b, const char *arg)
{
	struct core_request request = { .id = b->steps + 1, .origin = 1, .verb = (unsigned char)arg[0] % 6, .on = true };
	struct core_event event = { .type = EV_REQUEST, .request = &request };

	sscanf(arg + (arg[0] != '\0'), "%63s %63s %63s %255s", request.host, request.instance, request.target, request.accept_loss);
	if (request.verb == REQUEST_CONFIRM_FENCED)
		strcpy(request.reason, "it is off");
	strcpy(request.who, "root");
	step(b, &event);
}

static void helper_end(struct bench *b, const char *line)
{
	struct core_event event = { .type = EV_TICK };

	if (line[0] == 'f') {
		event.type = EV_FENCE_RESULT;
		event.fence.op = b->fence_op;
		event.fence.off = line[1] == '1';
	} else if (line[0] == 's') {
		event.type = EV_START_RESULT;
		event.start.op = b->start_op;
		event.start.ok = line[1] == '1';
	} else if (line[0] == 'i') {
		event.type = EV_INSPECT_RESULT;
		event.inspect.op = b->inspect_op;
		event.inspect.known = true;
		event.inspect.job = line[1] == '1';
		event.inspect.qemu = line[1] && line[2] == '1';
	} else {
		event.type = EV_STOP_RESULT;
		event.stop.op = b->stop_op;
		event.stop.gone = line[1] == '1';
	}
	step(b, &event);
}

static void line_feed(struct bench *b, char *line)
{
	struct core_event event = { .type = EV_TICK };
	unsigned int node = 0, ms = 0;

	switch (line[0]) {
	case 'm':
		if (line[1])
			message_feed(b, line + 2, (uint32_t)(line[1] - '0') & 15, false);
		break;
	case 'l':
		loaded(b, line + 1);
		break;
	case 'L':
		event.type = EV_LOADED;
		step(b, &event);
		break;
	case 'q':
	case 'g':
		membership(b, line);
		break;
	case 'G':
		event.type = EV_GROUP_DOWN;
		step(b, &event);
		break;
	case 't':
		b->now_ms += strtoul(line + 1, NULL, 10) % 1000000;
		step(b, &event);
		break;
	case 'p':
		event.type = EV_PERSISTED;
		event.persisted.persist_id = b->persist_id;
		step(b, &event);
		break;
	case 'P':
		event.type = EV_PERSIST_FAILED;
		step(b, &event);
		break;
	case 'f':
	case 's':
	case 'i':
	case 'k':
		helper_end(b, line);
		break;
	case 'v':
		if (line[1])
			report_feed(b, line + 2, line[1] == '1');
		break;
	case 'h':
		report_feed(b, line + 1, -1);
		break;
	case 'r':
		request_feed(b, line + 1);
		break;
	case 'w':
		sscanf(line + 1, "%1u%6u", &node, &ms);
		event.type = EV_WATCHDOG;
		event.watchdog.nodeid = node;
		event.watchdog.armed = true;
		event.watchdog.lease_ms = event.watchdog.watchdog_ms = ms;
		step(b, &event);
		break;
	case 'X':
		event.type = EV_LEAVE;
		step(b, &event);
		break;
	}
}

static void configure(struct bench *b, size_t hosts)
{
	struct core_settings settings = { .self = 1, .boot_id = "h1-boot1", .start_grace_ms = 30000,
		.failure_window_ms = 300000, .max_failed_share_percent = 50, .beat_ms = 1000,
		.coordinator_timeout_ms = 4000, .tilt_ms = 3000, .parallel_starts = 4, .attempts = 3,
		.retry_delay_ms = 10000, .fence_backoff_ms = 5000, .fence_backoff_max_ms = 60000, .late_effect_ms = 10000 };
	struct core_host_config configs[5];
	struct core_event event = { .type = EV_CONFIG };

	b->core = core_new(&settings);
	b->now_ms = 1000;
	memset(configs, 0, sizeof(configs));
	for (uint32_t i = 0; i < 5; i++) {
		configs[i].nodeid = i + 1;
		snprintf(configs[i].name, sizeof(configs[i].name), "h%u", i + 1);
		configs[i].votes = 1;
		configs[i].fence_levels = 2;
	}
	event.config.n = hosts;
	event.config.hosts = configs;
	event.config.two_node = hosts == 2;
	step(b, &event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench b = { 0 };
	char *text = malloc(size + 1), *save = NULL;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	configure(&b, text[0] == '2' ? 2 : 5);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line_feed(&b, line);
		sent_deliver(&b);
	}
	for (size_t i = 0; i < b.n_sent; i++)
		free(b.sent[i]);
	core_free(b.core);
	free(text);
	return 0;
}
