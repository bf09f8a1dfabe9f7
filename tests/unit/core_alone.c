/* See core_alone.h. */
#include "tests/unit/core_alone.h"
#include "tests/unit/test.h"

struct core *core;
uint64_t now_ms;

static uint32_t own_id, n_hosts;
static uint64_t last_persist;
static const struct core_action *acts;
static size_t n_acts;
static unsigned int counts[ACT_NOTE + 1];
static uint64_t ops[ACT_NOTE + 1];

static bool group_is_deaf;

static void step_once(const struct core_event *event)
{
	n_acts = core_step(core, ++now_ms, event, &acts);
	for (size_t i = 0; i < n_acts; i++) {
		counts[acts[i].type]++;
		if (acts[i].type == ACT_PERSIST)
			last_persist = acts[i].persist.id;
		else if (acts[i].type == ACT_FENCE)
			ops[ACT_FENCE] = acts[i].fence.op;
		else
			ops[acts[i].type] = acts[i].instance.op;
	}
}

/* What it asks the group before a fencing comes back at once; the actions are then those of that step. */
void step(const struct core_event *event)
{
	const struct core_message *beat;

	step_once(event);
	beat = sent(MSG_BEAT);
	if (beat && beat->fencing && !group_is_deaf) {
		struct core_message own = *beat;

		step_once(&(struct core_event){ .type = EV_MESSAGE, .message = &own });
	}
}

void alone_deaf(bool deaf)
{
	group_is_deaf = deaf;
}

unsigned int count(enum action_type type)
{
	return counts[type];
}

uint64_t last_op(enum action_type type)
{
	return ops[type];
}

void elapse(uint64_t ms)
{
	for (uint64_t until_ms = now_ms + ms; now_ms < until_ms;) {
		now_ms += until_ms - now_ms > 500 ? 499 : until_ms - now_ms - 1;
		step(&(struct core_event){ .type = EV_TICK });
	}
}

const struct core_message *sent(enum message_type type)
{
	for (size_t i = 0; i < n_acts; i++)
		if (acts[i].type == ACT_SEND && acts[i].send->type == type)
			return acts[i].send;
	return NULL;
}

const struct core_action *done(enum action_type type)
{
	for (size_t i = 0; i < n_acts; i++)
		if (acts[i].type == type)
			return &acts[i];
	return NULL;
}

void hear(const struct core_message *msg)
{
	step(&(struct core_event){ .type = EV_MESSAGE, .message = msg });
}

void hear_beat(uint32_t from, bool synced, uint64_t term)
{
	hear(&(struct core_message){ .type = MSG_BEAT, .from = from, .term = term, .promised = term, .synced = synced,
				     .store_ok = true, .coordinator = synced && (term & 0xffff) == from });
}

void hear_ack(uint32_t from, uint64_t term, uint64_t seq)
{
	hear(&(struct core_message){ .type = MSG_ACK, .from = from, .term = term, .seq = seq });
}

static void spec_make(struct spec_fact *spec)
{
	memset(spec, 0, sizeof(*spec));
	strcpy(spec->uuid, VM1);
	strcpy(spec->name, "vm1");
	strcpy(spec->def_hash, "hash");
	spec->protected = true;
	spec->memory_mib = 64;
}

void hear_report(uint32_t from, const char *boot_id, bool stale_qemu, enum instance_state vm1)
{
	struct core_message host = { .type = MSG_HOST, .from = from };
	struct instance_report report = { .state = vm1, .defined = true };
	struct verdict_report verdict = { .uuid = VM1, .verdict = VERDICT_SHARED };
	struct core_message reports = { .type = MSG_REPORT, .from = from, .full = true, .n_reports = 1, .reports = &report };

	snprintf(host.host.boot_id, sizeof(host.host.boot_id), "%s", boot_id);
	host.host.gate_loaded = host.host.libvirt_ok = host.host.reported = true;
	host.host.stale_qemu = stale_qemu;
	host.host.free_mib = 4096;
	spec_make(&report.spec);
	hear(&reports);
	hear(&(struct core_message){ .type = MSG_VERDICTS, .from = from, .n_verdicts = 1, .verdicts = &verdict });
	hear(&host);
}

void persisted(void)
{
	step(&(struct core_event){ .type = EV_PERSISTED, .persisted = { .persist_id = last_persist } });
}

void alone_present(bool quorate, size_t n, const uint32_t *nodeids)
{
	struct core_member members[ALONE_HOSTS_MAX];

	for (size_t i = 0; i < n; i++)
		members[i] = (struct core_member){ .nodeid = nodeids[i], .pid = 100 };
	step(&(struct core_event){ .type = EV_QUORUM, .quorum = { .quorate = quorate, .n = n, .nodeids = nodeids } });
	step(&(struct core_event){ .type = EV_MEMBERS, .members = { .n = n, .members = members } });
}

static struct core_settings settings;

void alone_hand_over(bool on)
{
	settings.hand_over = on;
	step(&(struct core_event){ .type = EV_SETTINGS, .settings = &settings });
}

static void begin(uint32_t self, uint32_t hosts, bool two_node)
{
	static const uint32_t all[] = { 1, 2, 3, 4, 5 };
	struct core_host_config configs[ALONE_HOSTS_MAX] = { 0 };
	struct host_report report = { .gate_loaded = true, .libvirt_ok = true, .reported = true, .free_mib = 4096 };

	settings = (struct core_settings){
		.self = self, .start_grace_ms = 30000, .failure_window_ms = 300000, .max_failed_hosts = 3, .beat_ms = 1000,
		.coordinator_timeout_ms = 4000, .tilt_ms = 3000, .parallel_starts = 4, .attempts = 3, .retry_delay_ms = 10000,
		.fence_backoff_ms = 5000, .fence_backoff_max_ms = 60000, .late_effect_ms = 10000,
	};
	snprintf(settings.boot_id, sizeof(settings.boot_id), "b%u-1", self);
	snprintf(report.boot_id, sizeof(report.boot_id), "b%u-1", self);
	core = core_new(&settings);
	CHECK(core);
	own_id = self;
	n_hosts = hosts;
	now_ms = 1000000;
	group_is_deaf = false;
	memset(counts, 0, sizeof(counts));
	memset(ops, 0, sizeof(ops));
	for (uint32_t i = 0; i < hosts; i++) {
		configs[i] = (struct core_host_config){ .nodeid = i + 1, .votes = 1, .fence_levels = 1 };
		snprintf(configs[i].name, sizeof(configs[i].name), "h%u", i + 1);
	}
	step(&(struct core_event){ .type = EV_CONFIG, .config = { .n = hosts, .hosts = configs,
									.two_node = two_node } });
	step(&(struct core_event){ .type = EV_LOADED, .loaded = { .ok = true } });
	step(&(struct core_event){ .type = EV_HOST_REPORT, .host_report = &report });
	step(&(struct core_event){ .type = EV_REPORTS, .reports = { .full = true } });
	alone_present(true, hosts, all);
}

void alone_begin(uint32_t self, uint32_t hosts)
{
	begin(self, hosts, false);
}

void alone_begin_two(uint32_t self)
{
	begin(self, 2, true);
}

void alone_end(void)
{
	core_free(core);
	core = NULL;
}

static void ref_add(struct alone_facts *facts, enum fact_kind kind, struct fact_version *version, uint64_t term)
{
	version->term = term;
	version->counter = facts->n + 1;
	facts->refs[facts->n++] = (struct fact_ref){ .kind = kind, .fact = version }; /* every fact begins with it */
}

void facts_make(struct alone_facts *facts, uint64_t term, uint32_t hosts, uint32_t owner)
{
	memset(facts, 0, sizeof(*facts));
	for (uint32_t i = 0; i < hosts; i++) {
		struct host_fact *host = &facts->hosts[i];

		host->nodeid = i + 1;
		host->state = HOST_ADMITTED;
		host->epoch = 1;
		snprintf(host->name, sizeof(host->name), "h%u", i + 1);
		snprintf(host->boot_id, sizeof(host->boot_id), "b%u-1", i + 1);
		ref_add(facts, FACT_HOST, &host->version, term);
	}
	spec_make(&facts->spec);
	ref_add(facts, FACT_SPEC, &facts->spec.version, term);
	facts->place = (struct place_fact){ .owner = owner, .home = owner, .generation = 1, .owner_epoch = 1,
		.wish = WISH_RUNNING, .phase = PHASE_SETTLED, .uuid = VM1 };
	ref_add(facts, FACT_PLACE, &facts->place.version, term);
}

void follow(uint64_t term, const struct alone_facts *facts)
{
	uint32_t leader = term & 0xffff;

	hear(&(struct core_message){ .type = MSG_PREPARE, .from = leader, .term = term });
	persisted();
	CHECK(sent(MSG_PROMISE));
	hear(&(struct core_message){ .type = MSG_RECORD, .from = leader, .term = term, .seq = 1, .replace = true,
				     .n_facts = facts->n, .facts = facts->refs });
	persisted();
	for (uint32_t id = 1; id <= n_hosts; id++)
		if (id != own_id)
			hear_ack(id, term, 1);
	CHECK(view().synced);
	CHECK_INT(view().commit, 1);
}

uint64_t lead(const struct alone_facts *facts)
{
	uint64_t facts_term = facts->hosts[0].version.term, term;

	CHECK_INT(own_id, 1);
	for (uint32_t id = 2; id <= n_hosts; id++)
		hear_beat(id, false, facts_term);
	CHECK(sent(MSG_PREPARE));
	term = sent(MSG_PREPARE)->term;
	CHECK(term > facts_term);
	persisted();
	CHECK(sent(MSG_PROMISE));
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = 1, .term = term, .blank = true });
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = 2, .term = term, .facts_term = facts_term,
				     .n_facts = facts->n, .facts = facts->refs });
	if (n_hosts > 2)
		hear(&(struct core_message){ .type = MSG_PROMISE, .from = 3, .term = term, .facts_term = facts_term,
					     .n_facts = facts->n, .facts = facts->refs });
	for (uint32_t id = 4; id <= n_hosts; id++)
		hear(&(struct core_message){ .type = MSG_PROMISE, .from = id, .term = term, .facts_term = facts_term });
	CHECK(sent(MSG_RECORD) && sent(MSG_RECORD)->replace);
	persisted();
	for (uint32_t id = 2; id <= n_hosts; id++)
		hear_ack(id, term, 1);
	CHECK(view().coordinating);
	for (uint32_t id = 2; id <= n_hosts; id++)
		hear_beat(id, true, term);
	commit_all(term);
	return term;
}

void commit_all(uint64_t term)
{
	persisted();
	for (uint32_t id = 2; id <= n_hosts; id++)
		hear_ack(id, term, view().seq);
}

struct core_view view(void)
{
	struct core_view ret;

	core_view(core, &ret);
	return ret;
}

struct place_fact place_now(void)
{
	struct core_instance_view inst;

	for (size_t i = 0; i < core_instance_count(core); i++)
		if (core_instance(core, i, &inst) && !strcmp(inst.spec->uuid, VM1))
			return *inst.place;
	CHECK(!"vm1 is known");
	return (struct place_fact){ 0 };
}

struct host_fact host_now(uint32_t nodeid)
{
	struct core_host_view host;

	for (size_t i = 0; core_host(core, i, &host); i++)
		if (host.nodeid == nodeid)
			return *host.fact;
	CHECK(!"a known host");
	return (struct host_fact){ 0 };
}
