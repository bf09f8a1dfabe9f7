/* What a move means to the core that it happens to: the events, as the daemon would give them. */
#include <string.h>

#include "tests/explorer/events.h"

static void report_fill(size_t guest, unsigned int here, struct instance_report *report)
{
	memset(report, 0, sizeof(*report));
	guest_spec(guest, &report->spec);
	report->state = here & HERE_QEMU ? INSTANCE_RUNNING : INSTANCE_ABSENT;
	report->stop_reason = here & HERE_QEMU ? STOP_NONE : (enum stop_reason)(here >> HERE_STOP_SHIFT);
	report->defined = here & HERE_DEFINED;
}

static void run_report(size_t guest, unsigned int here)
{
	struct instance_report report;
	struct core_event event = { .type = EV_REPORTS };

	report_fill(guest, here, &report);
	report.fresh_event = true;
	event.reports.n = 1;
	event.reports.reports = &report;
	event_run(&event);
}

static void run_host_report(bool reported, uint32_t run_number)
{
	struct host_report report = { .gate_loaded = true, .libvirt_ok = true, .reported = reported, .free_mib = 4096 };
	struct core_event event = { .type = EV_HOST_REPORT, .host_report = &report };

	text_copy(report.boot_id, sizeof(report.boot_id), scratch->settings.boot_id);
	if (reported)
		text_copy(report.nonce, sizeof(report.nonce), scratch->own_host.nonce);
	else
		text_format(report.nonce, sizeof(report.nonce), "nonce%u", run_number);
	event_run(&event);
}

static void run_verdicts(void)
{
	struct verdict_report reports[GUESTS_MAX];
	struct core_event event = { .type = EV_VERDICTS };

	for (size_t g = 0; g < step_guests; g++) {
		struct spec_fact spec;

		guest_spec(g, &spec);
		memset(&reports[g], 0, sizeof(reports[g]));
		memcpy(reports[g].uuid, spec.uuid, sizeof(spec.uuid));
		reports[g].verdict = VERDICT_SHARED;
	}
	event.verdicts.n = step_guests;
	event.verdicts.verdicts = reports;
	event_run(&event);
}

static void run_watch(uint64_t arg)
{
	struct instance_report reports[GUESTS_MAX];
	struct core_event event = { .type = EV_REPORTS };
	size_t n = 0;

	for (size_t g = 0; g < step_guests; g++) {
		unsigned int here = (unsigned int)(arg >> 8 * g) & 255;

		if (here & (HERE_QEMU | HERE_DEFINED))
			report_fill(g, here, &reports[n++]);
	}
	event.reports.full = true;
	event.reports.n = n;
	event.reports.reports = reports;
	event_run(&event);
	run_host_report(true, 0);
	run_verdicts();
}

static void run_start(uint64_t arg)
{
	struct core_host_config configs[HOSTS_MAX];
	struct core_event event = { .type = EV_CONFIG };

	core_blank(scratch, arg & 255, (uint32_t)(arg >> 8) & 255);
	memset(configs, 0, sizeof(configs));
	for (size_t h = 0; h < HOSTS; h++) {
		configs[h].nodeid = (uint32_t)h + 1;
		text_format(configs[h].name, sizeof(configs[h].name), "h%zu", h + 1);
		configs[h].votes = configs[h].fence_levels = 1;
	}
	event.config.n = HOSTS;
	event.config.hosts = configs;
	event.config.two_node = HOSTS == 2;
	configs[0].fence_delay_ms = fence_delay_ms;
	event_run(&event);
	run_host_report(false, (uint32_t)(arg >> 16));
}

static void run_loaded(uint64_t arg)
{
	static struct fact_ref refs[FACTS_MAX];
	static struct fact_store space[FACTS_MAX];
	struct core_event event = { .type = EV_LOADED };
	const uint32_t *row;
	size_t n = 0;

	event.loaded.ok = true;
	if (arg) {
		row = (const uint32_t *)(const void *)pool_get(&writes, (uint32_t)arg, &n);
		n = n / sizeof(row[0]) - 5;
		event.loaded.promised = row[0] | (uint64_t)row[1] << 32;
		event.loaded.facts_term = row[2] | (uint64_t)row[3] << 32;
		for (size_t i = 0; i < n; i++)
			fact_get(row[5 + i], &refs[i], &space[i]);
	}
	event.loaded.n_facts = n;
	event.loaded.facts = refs;
	event_run(&event);
}

static void run_members(uint64_t arg)
{
	struct core_event event = { .type = EV_MEMBERS };
	struct core_member members[HOSTS_MAX];
	bool joined = false;

	for (size_t h = 0; h < HOSTS; h++) {
		if (!(marker_mask((uint32_t)arg) & 1u << h))
			continue;
		joined |= !scratch->hosts[h].daemon || scratch->hosts[h].pid != (arg >> (4 + 6 * h) & 63);
		members[event.members.n].nodeid = (uint32_t)h + 1;
		members[event.members.n++].pid = (uint32_t)(arg >> (4 + 6 * h) & 63);
	}
	event.members.members = members;
	event_run(&event);
	/* Every host tells its verdicts again and again; who has just come must not wait for them. */
	if (joined && scratch->own_reported)
		run_verdicts();
}

static void run_message(uint64_t arg)
{
	static struct core_message msg;
	struct core_event event = { .type = EV_MESSAGE, .message = &msg };

	message_get((uint32_t)arg, &msg);
	event_run(&event);
}

static void run_quorum(uint64_t arg)
{
	uint32_t nodes[HOSTS_MAX];
	struct core_event event = { .type = EV_QUORUM };

	for (size_t h = 0; h < HOSTS; h++)
		if (arg & 1u << h)
			nodes[event.quorum.n++] = (uint32_t)h + 1;
	event.quorum.nodeids = nodes;
	event.quorum.quorate = arg & VIEW_QUORATE;
	event_run(&event);
}

static void run_gate(uint64_t arg)
{
	struct gate_query query = { .op = GATE_START, .protected = true, .id = arg + 1 };
	struct core_event event = { .type = EV_GATE, .gate = &query };

	guest_spec(arg, &query.spec);
	event_run(&event);
}

static void run_outcome(enum step_kind kind, uint64_t arg)
{
	struct core_event event = { .type = EV_TICK };
	size_t about = arg & 255;
	uint64_t op = arg & FLAG_STALE ? OP_STALE : 0;
	bool ok = arg & FLAG_OK;

	if (kind == STEP_FENCED) {
		event.type = EV_FENCE_RESULT;
		event.fence.op = op ? op : op_fence(about);
		event.fence.off = ok;
		text_copy(event.fence.device, sizeof(event.fence.device), "power");
		text_copy(event.fence.detail, sizeof(event.fence.detail), ok ? "reads off" : "unreachable");
	} else if (kind == STEP_STARTED) {
		event.type = EV_START_RESULT;
		event.start.op = op ? op : op_start(about);
		event.start.ok = ok;
		text_copy(event.start.detail, sizeof(event.start.detail), ok ? "verified" : "it did not start");
	} else if (kind == STEP_INSPECTED) {
		event.type = EV_INSPECT_RESULT;
		event.inspect.op = op ? op : op_inspect(about);
		event.inspect.known = true;
		event.inspect.job = arg & FLAG_JOB;
		event.inspect.qemu = event.inspect.running = arg & FLAG_QEMU;
	} else {
		event.type = EV_STOP_RESULT;
		event.stop.op = op ? op : op_stop(about);
		event.stop.gone = true;
	}
	event_run(&event);
	if (kind == STEP_STOPPED)
		run_report(about, (unsigned int)(arg >> 8) & 255);
}

void events_run(enum step_kind kind, uint64_t arg)
{
	struct core_event event = { .type = EV_TICK };

	switch (kind) {
	case STEP_START:
		run_start(arg);
		break;
	case STEP_LOADED:
		run_loaded(arg);
		break;
	case STEP_QUORUM:
		run_quorum(arg);
		break;
	case STEP_MEMBERS:
		run_members(arg);
		break;
	case STEP_MESSAGE:
		run_message(arg);
		break;
	case STEP_TICK:
		event_run(&event);
		break;
	case STEP_SHIFT:
		break;
	case STEP_PERSISTED:
		event.type = EV_PERSISTED;
		event.persisted.persist_id = arg;
		event_run(&event);
		break;
	case STEP_WATCH:
		run_watch(arg);
		break;
	case STEP_REPORT:
		run_report(arg & 255, (unsigned int)(arg >> 8) & 255);
		break;
	case STEP_GATE:
		run_gate(arg);
		break;
	case STEP_FENCED:
	case STEP_STARTED:
	case STEP_INSPECTED:
	case STEP_STOPPED:
		run_outcome(kind, arg);
		break;
	}
}
