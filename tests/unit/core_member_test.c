/*
 * What a member does with what it is told: one core of host 3, the test is everybody else. What must be on a disk first, which terms
 * and records it refuses, and what it starts.
 */
#include "tests/unit/core_alone.h"
#include "tests/unit/test.h"

#define T1 TERM(1, 1)
#define T2 TERM(2, 2)

static struct alone_facts facts;

static void record(uint64_t term, uint64_t seq, const struct fact_ref *refs, size_t n)
{
	hear(&(struct core_message){ .type = MSG_RECORD, .from = term & 0xffff, .term = term, .seq = seq, .n_facts = n,
				     .facts = refs });
}

/* vm1 is given to host owner, in a record of its own. */
static void record_assign(uint64_t term, uint64_t seq, uint32_t owner, uint64_t generation, uint64_t epoch)
{
	static struct place_fact place;
	struct fact_ref ref = { .kind = FACT_PLACE, .fact = &place };

	place = facts.place;
	place.version = (struct fact_version){ .term = term, .counter = 100 + seq };
	place.owner = owner;
	place.generation = generation;
	place.owner_epoch = epoch;
	place.phase = PHASE_ASSIGNED;
	record(term, seq, &ref, 1);
}

static int gate_ask_op(uint64_t id, enum gate_op op)
{
	struct gate_query query = { .id = id, .op = op, .protected = true, .spec = facts.spec };

	step(&(struct core_event){ .type = EV_GATE, .gate = &query });
	return done(ACT_GATE_REPLY) ? done(ACT_GATE_REPLY)->gate.allow : -1;
}

static int gate_ask(uint64_t id)
{
	return gate_ask_op(id, GATE_START);
}

static void member_of(uint32_t hosts, uint32_t owner)
{
	alone_begin(3, hosts);
	facts_make(&facts, T1, hosts, owner);
	follow(T1, &facts);
}

/* --- the disk comes first --- */

static void a_promise_waits_for_the_disk(void)
{
	alone_begin(3, 3);
	hear(&(struct core_message){ .type = MSG_PREPARE, .from = 1, .term = T1 });
	CHECK(done(ACT_PERSIST));
	CHECK_INT(done(ACT_PERSIST)->persist.promised, T1);
	CHECK(!sent(MSG_PROMISE));
	elapse(900);
	CHECK(!sent(MSG_PROMISE));
	persisted();
	CHECK(sent(MSG_PROMISE));
	alone_end();
}

static void an_acknowledgement_waits_for_the_disk(void)
{
	member_of(3, 2);
	record_assign(T1, 2, 2, 2, 1);
	CHECK(done(ACT_PERSIST));
	CHECK(!sent(MSG_ACK));
	/* Nor does its beat tell of what is not on the disk yet. */
	elapse(1100);
	hear_beat(1, true, T1);
	CHECK(!sent(MSG_ACK));
	CHECK_INT(view().commit, 1);
	persisted();
	CHECK(sent(MSG_ACK));
	CHECK_INT(sent(MSG_ACK)->seq, 2);
	alone_end();
}

static void a_write_of_an_older_term_is_not_acknowledged(void)
{
	struct core_event late = { .type = EV_PERSISTED };

	member_of(3, 2);
	record_assign(T1, 2, 2, 2, 1);
	hear(&(struct core_message){ .type = MSG_PREPARE, .from = 2, .term = T2 });
	persisted();
	CHECK(sent(MSG_PROMISE));
	CHECK(!sent(MSG_ACK));
	alone_end();
	/* Nor when this host counts again in the new term, and the disk is so far behind. */
	member_of(3, 2);
	record_assign(T1, 2, 2, 2, 1);
	late.persisted.persist_id = done(ACT_PERSIST)->persist.id;
	facts_make(&facts, T2, 3, 2);
	hear(&(struct core_message){ .type = MSG_PREPARE, .from = 2, .term = T2 });
	hear(&(struct core_message){ .type = MSG_RECORD, .from = 2, .term = T2, .seq = 1, .replace = true,
				     .n_facts = facts.n, .facts = facts.refs });
	record_assign(T2, 2, 2, 2, 1);
	step(&late);
	CHECK(!sent(MSG_ACK) && !sent(MSG_PROMISE));
	persisted();
	CHECK(sent(MSG_ACK));
	CHECK_INT(sent(MSG_ACK)->seq, 2);
	alone_end();
}

/* --- terms --- */

static void helpers_end_before_a_term_is_promised(void)
{
	member_of(3, 3);
	record_assign(T1, 2, 3, 2, 1);
	persisted();
	hear_ack(1, T1, 2);
	hear(&(struct core_message){ .type = MSG_PREPARE, .from = 2, .term = T2 });
	CHECK(done(ACT_END_HELPERS));
	CHECK(!sent(MSG_PROMISE));
	CHECK(!view().synced);
	CHECK_INT(gate_ask(1), -1);
	alone_end();
}

static void a_term_is_promised_once(void)
{
	member_of(3, 2);
	hear(&(struct core_message){ .type = MSG_PREPARE, .from = 2, .term = T2 });
	persisted();
	CHECK(sent(MSG_PROMISE));
	/* Neither the term itself nor an older one, whoever asks. */
	hear(&(struct core_message){ .type = MSG_PREPARE, .from = 1, .term = T2 });
	CHECK(!done(ACT_PERSIST));
	persisted();
	CHECK(!sent(MSG_PROMISE));
	hear(&(struct core_message){ .type = MSG_PREPARE, .from = 1, .term = T1 });
	CHECK(!done(ACT_PERSIST));
	CHECK_INT(view().term, 2);
	alone_end();
}

static void nothing_of_an_older_term_is_taken(void)
{
	struct alone_facts old;

	member_of(3, 2);
	facts_make(&old, T1, 3, 1);
	hear(&(struct core_message){ .type = MSG_PREPARE, .from = 2, .term = T2 });
	persisted();
	for (int synced = 0; synced < 2; synced++) {
		hear(&(struct core_message){ .type = MSG_SNAPSHOT, .from = 1, .to = 3, .term = T1, .seq = 9,
					     .n_facts = old.n, .facts = old.refs });
		CHECK(!done(ACT_PERSIST));
		CHECK_INT(view().term, 2);
		CHECK_INT(view().synced, synced);
		CHECK_INT(place_now().owner, 2);
		record_assign(T1, 2, 1, 2, 1);
		CHECK(!done(ACT_PERSIST));
		CHECK_INT(place_now().owner, 2);
		if (synced)
			break;
		facts_make(&facts, T2, 3, 2);
		hear(&(struct core_message){ .type = MSG_RECORD, .from = 2, .term = T2, .seq = 1, .replace = true,
					     .n_facts = facts.n, .facts = facts.refs });
		persisted();
	}
	alone_end();
}

static void a_missing_record_is_noticed(void)
{
	member_of(3, 2);
	record_assign(T1, 3, 3, 2, 1);
	CHECK(!view().synced);
	CHECK(done(ACT_END_HELPERS));
	CHECK_INT(place_now().owner, 2);
	alone_end();
	/* By the acknowledgements of others too: its record may have been the last for a long time. */
	member_of(3, 2);
	hear_ack(2, T1, 2);
	CHECK(!view().synced);
	alone_end();
}

static void a_store_opened_anew_is_behind(void)
{
	struct core_event loaded = { .type = EV_LOADED, .loaded = { .ok = true, .promised = T1, .facts_term = T1 } };

	member_of(3, 2);
	loaded.loaded.n_facts = facts.n;
	loaded.loaded.facts = facts.refs;
	step(&loaded);
	CHECK(!view().synced);
	CHECK_INT(view().commit, 0);
	/* Until the coordinator has sent it all that went past it. */
	hear(&(struct core_message){ .type = MSG_SNAPSHOT, .from = 1, .to = 3, .term = T1, .seq = 7, .n_facts = facts.n,
				     .facts = facts.refs });
	CHECK(view().synced);
	CHECK_INT(view().seq, 7);
	alone_end();
}

/* --- what it starts --- */

static void a_start_waits_for_the_commit(void)
{
	/* Of five, the coordinator and this host are no majority. */
	member_of(5, 2);
	record_assign(T1, 2, 3, 2, 1);
	CHECK_INT(gate_ask(1), -1);
	hear_ack(1, T1, 2);
	persisted();
	CHECK_INT(count(ACT_START), 0);
	/* Nor when the two others are not here: it is a majority of those configured. */
	alone_present(true, 3, (const uint32_t[]){ 1, 2, 3 });
	hear_beat(1, true, T1);
	CHECK_INT(count(ACT_START), 0);
	CHECK_INT(count(ACT_GATE_REPLY), 0);
	hear_ack(2, T1, 2);
	CHECK(done(ACT_START));
	CHECK(done(ACT_GATE_REPLY) && done(ACT_GATE_REPLY)->gate.allow);
	alone_end();
}

static void an_acknowledgement_of_another_term_does_not_count(void)
{
	member_of(5, 2);
	record_assign(T1, 2, 3, 2, 1);
	persisted();
	hear_ack(1, T1, 2);
	hear_ack(2, TERM(0, 4), 2);
	hear_ack(4, T2, 2);
	CHECK_INT(view().commit, 1);
	CHECK_INT(count(ACT_START), 0);
	hear_ack(2, T1, 2);
	CHECK_INT(count(ACT_START), 1);
	alone_end();
}

static void half_of_the_votes_commits_nothing(void)
{
	member_of(4, 2);
	record_assign(T1, 2, 3, 2, 1);
	persisted();
	hear_ack(1, T1, 2);
	CHECK_INT(view().commit, 1);
	CHECK(!done(ACT_START));
	hear_ack(2, T1, 2);
	CHECK_INT(view().commit, 2);
	CHECK(done(ACT_START));
	alone_end();
}

static void what_an_earlier_epoch_was_given_is_not_started(void)
{
	alone_begin(3, 3);
	facts_make(&facts, T1, 3, 3);
	facts.hosts[2].epoch = 2;
	facts.place.phase = PHASE_ASSIGNED;
	follow(T1, &facts);
	CHECK_INT(gate_ask(1), 0);
	elapse(2000);
	CHECK_INT(count(ACT_START), 0);
	record_assign(T1, 2, 3, 2, 2);
	persisted();
	hear_ack(1, T1, 2);
	CHECK(done(ACT_START));
	CHECK_INT(gate_ask(2), 1);
	alone_end();
}

static void a_late_end_of_a_start_is_not_taken(void)
{
	struct core_event end = { .type = EV_START_RESULT };

	member_of(3, 2);
	record_assign(T1, 2, 3, 2, 1);
	persisted();
	hear_ack(1, T1, 2);
	CHECK(done(ACT_START));
	end.start.op = done(ACT_START)->instance.op;
	end.start.ok = true;
	/* Another coordinator begins the same instance anew: the end of the first attempt says nothing about it. */
	facts_make(&facts, T2, 3, 3);
	facts.place.phase = PHASE_ASSIGNED;
	facts.place.generation = 4;
	follow(T2, &facts);
	elapse(100);
	step(&end);
	CHECK(!sent(MSG_RESULT));
	alone_end();
}

/* The coordinator did not heed the report of the stop while it waited for the start: it hears it again, after the start's success. */
static void a_stop_during_the_verification_is_told_again(void)
{
	struct instance_report report = { .state = INSTANCE_ABSENT, .defined = true, .stop_reason = STOP_BY_API };
	struct core_event told = { .type = EV_REPORTS, .reports = { .n = 1, .reports = &report } };
	struct core_event end = { .type = EV_START_RESULT, .start = { .ok = true } };

	for (int stopped = 0; stopped < 2; stopped++) {
		member_of(3, 2);
		record_assign(T1, 2, 3, 2, 1);
		persisted();
		hear_ack(1, T1, 2);
		CHECK(done(ACT_START));
		end.start.op = done(ACT_START)->instance.op;
		end.start.stopped = stopped;
		report.spec = facts.spec;
		step(&told);
		elapse(100);
		step(&end);
		CHECK(sent(MSG_RESULT) && sent(MSG_RESULT)->ok);
		CHECK_INT(sent(MSG_REPORT) != NULL, stopped);
		if (stopped) {
			CHECK(sent(MSG_RESULT) < sent(MSG_REPORT));
			CHECK_INT(sent(MSG_REPORT)->n_reports, 1);
			CHECK_INT(sent(MSG_REPORT)->reports[0].stop_reason, STOP_BY_API);
		}
		alone_end();
	}
}

/* A guest whose definition was taken away while it runs is in every full report as long as it does. */
static void one_without_a_definition_is_told_of(void)
{
	struct instance_report report = { .state = INSTANCE_RUNNING, .undefined = true };
	struct core_event told = { .type = EV_REPORTS, .reports = { .n = 1, .reports = &report } };
	struct core_event end = { .type = EV_START_RESULT, .start = { .ok = true, .stopped = true } };

	member_of(3, 2);
	record_assign(T1, 2, 3, 2, 1);
	persisted();
	hear_ack(1, T1, 2);
	end.start.op = done(ACT_START)->instance.op;
	report.spec = facts.spec;
	step(&told);
	step(&end); /* calls for a full report */
	CHECK(sent(MSG_REPORT) && sent(MSG_REPORT)->full);
	CHECK_INT(sent(MSG_REPORT)->n_reports, 1);
	report.state = INSTANCE_ABSENT;
	step(&told);
	elapse(60000);
	CHECK(!sent(MSG_REPORT) || !sent(MSG_REPORT)->n_reports);
	alone_end();
}

static void a_migration_in_is_granted_once(void)
{
	struct instance_report coming = { .state = INSTANCE_INCOMING };
	struct core_event told = { .type = EV_REPORTS, .reports = { .n = 1, .reports = &coming } };

	alone_begin(3, 3);
	facts_make(&facts, T1, 3, 2);
	facts.place.joint = 3;
	follow(T1, &facts);
	CHECK_INT(gate_ask(1), 0);
	/* libvirt asks for the migration, then for the QEMU that waits for it; whoever asks next is somebody else. */
	CHECK_INT(gate_ask_op(2, GATE_MIGRATE_IN), 1);
	CHECK_INT(gate_ask(3), 1);
	CHECK_INT(gate_ask(4), 0);
	CHECK_INT(gate_ask_op(5, GATE_MIGRATE_IN), 1);
	elapse(3000);
	persisted();
	hear_beat(1, true, T1);
	elapse(2100);
	CHECK_INT(gate_ask(6), 0);
	/* Once it is seen to come in, the QEMU is prepared: nobody else may use what was granted for it. */
	CHECK_INT(gate_ask_op(7, GATE_MIGRATE_IN), 1);
	coming.spec = facts.spec;
	step(&told);
	CHECK_INT(gate_ask(8), 0);
	alone_end();
}

static void without_quorum_nothing_is_started(void)
{
	member_of(3, 3);
	CHECK_INT(gate_ask(1), 1);
	alone_present(false, 1, (const uint32_t[]){ 3 });
	CHECK(!view().synced && !view().quorate);
	CHECK_INT(gate_ask(2), -1);
	elapse(1600);
	CHECK_INT(gate_ask(3), -1);
	alone_end();
}

static uint64_t next_inspection(void)
{
	unsigned int before = count(ACT_INSPECT);

	for (int i = 0; i < 50 && count(ACT_INSPECT) == before; i++) {
		hear_beat(1, true, T1);
		persisted();
		elapse(100);
	}
	CHECK_INT(count(ACT_INSPECT), before + 1);
	return last_op(ACT_INSPECT);
}

static void a_release_waits_for_the_job_to_end(void)
{
	struct core_event seen = { .type = EV_INSPECT_RESULT };

	alone_begin(3, 3);
	facts_make(&facts, T1, 3, 3);
	facts.place.phase = PHASE_REVOKING;
	follow(T1, &facts);
	seen.inspect.op = last_op(ACT_INSPECT);
	CHECK(seen.inspect.op);
	seen.inspect.known = seen.inspect.job = true;
	step(&seen);
	CHECK(!sent(MSG_RELEASED));
	seen.inspect.op = next_inspection();
	seen.inspect.job = false;
	seen.inspect.known = false;
	step(&seen);
	CHECK(!sent(MSG_RELEASED));
	seen.inspect.op = next_inspection();
	seen.inspect.known = true;
	step(&seen);
	CHECK(sent(MSG_RELEASED));
	alone_end();
}

/* A member that is cut off hears a last beat after it: it waits, and is not woken each millisecond for what has passed. */
static void nobody_is_woken_for_what_is_past(void)
{
	static const uint32_t only_me[] = { 3 };

	member_of(3, 2);
	alone_present(false, 1, only_me);
	hear_beat(T1 & 0xffff, true, T1);
	elapse(10000);
	CHECK(core_deadline(core) > now_ms + 100);
	alone_end();
}

/* --- several messages of one step --- */

/* Host 3 runs vm1, and in the next step its whole report is due again. */
static void report_again_soon(struct instance_report *vm1)
{
	uint64_t due_ms;

	member_of(3, 3);
	*vm1 = (struct instance_report){ .spec = facts.spec, .state = INSTANCE_RUNNING, .defined = true };
	step(&(struct core_event){ .type = EV_REPORTS, .reports = { .full = true, .n = 1, .reports = vm1 } });
	CHECK(sent(MSG_REPORT) && sent(MSG_REPORT)->full);
	due_ms = now_ms + 60000;
	while (now_ms + 1000 < due_ms) {
		elapse(500);
		hear_beat(1, true, T1);
	}
	now_ms = due_ms - 1;
}

static void a_claim_is_of_the_instance_that_is_started(void)
{
	struct gate_query query = { .id = 1, .op = GATE_START, .protected = true };
	struct instance_report vm1;

	report_again_soon(&vm1);
	query.spec = facts.spec;
	strcpy(query.spec.uuid, "00000000-0000-4000-8000-000000000002");
	strcpy(query.spec.name, "vm2");
	step(&(struct core_event){ .type = EV_GATE, .gate = &query });
	CHECK(sent(MSG_REPORT) && sent(MSG_REPORT)->full);
	CHECK(sent(MSG_CLAIM) && sent(MSG_CLAIM)->claim);
	CHECK(!strcmp(sent(MSG_CLAIM)->uuid, query.spec.uuid));
	CHECK(!strcmp(sent(MSG_CLAIM)->claim->spec.uuid, query.spec.uuid));
	alone_end();
}

static void a_change_is_told_beside_a_whole_report(void)
{
	struct instance_report vm1;

	report_again_soon(&vm1);
	vm1.state = INSTANCE_ABSENT;
	vm1.defined = false;
	vm1.undefined = true;
	step(&(struct core_event){ .type = EV_REPORTS, .reports = { .n = 1, .reports = &vm1 } });
	CHECK(sent(MSG_REPORT) && !sent(MSG_REPORT)->full);
	CHECK_INT(sent(MSG_REPORT)->n_reports, 1);
	CHECK(sent(MSG_REPORT)->reports[0].undefined);
	step(&(struct core_event){ .type = EV_TICK });
	CHECK(sent(MSG_REPORT) && sent(MSG_REPORT)->full);
	CHECK_INT(sent(MSG_REPORT)->n_reports, 0);
	alone_end();
}

/* --- leaving in order --- */

static bool leaves_guests(void)
{
	step(&(struct core_event){ .type = EV_LEAVE });
	CHECK(sent(MSG_LEAVE));
	return sent(MSG_LEAVE)->guests_run;
}

static void who_cannot_know_leaves_guests(void)
{
	struct host_report hung = { .boot_id = "b3-1", .gate_loaded = true, .reported = true };

	member_of(3, 2);
	CHECK(!leaves_guests());
	alone_end();
	member_of(3, 2);
	step(&(struct core_event){ .type = EV_HOST_REPORT, .host_report = &hung });
	CHECK(leaves_guests());
	alone_end();
	/* libvirtd may still be starting what the gate has let in. */
	member_of(3, 3);
	CHECK_INT(gate_ask(1), 1);
	CHECK(leaves_guests());
	alone_end();
}

/* --- migrations --- */

static void what_belongs_here_does_not_come_in(void)
{
	member_of(3, 3);
	CHECK_INT(gate_ask_op(1, GATE_MIGRATE_IN), 0);
	alone_end();
}

static void a_definition_that_went_along_is_no_wish(void)
{
	struct instance_report report = { .state = INSTANCE_ABSENT, .stop_reason = STOP_MIGRATED };
	struct core_event told = { .type = EV_REPORTS, .reports = { .n = 1, .reports = &report } };

	member_of(3, 3);
	report.spec = facts.spec;
	step(&told);
	report.stop_reason = STOP_NONE;
	report.undefined = true;
	step(&told);
	CHECK(sent(MSG_REPORT) && sent(MSG_REPORT)->reports[0].undefined);
	CHECK_INT(sent(MSG_REPORT)->reports[0].stop_reason, STOP_MIGRATED);
	alone_end();
}

static void a_title_stands_before_the_name(void)
{
	struct { struct spec_fact spec; } inst = { .spec = { .name = "instance-0000000a" } };

	CHECK_STR(LABEL(&inst), "instance-0000000a");
	strcpy(inst.spec.title, "instance-0000000a");
	CHECK_STR(LABEL(&inst), "instance-0000000a");
	strcpy(inst.spec.title, "web 1");
	CHECK_STR(LABEL(&inst), "web 1 (instance-0000000a)");
	/* 36 characters of two bytes are shown, and none is torn. */
	memset(inst.spec.title, 0, sizeof(inst.spec.title));
	inst.spec.title[0] = 'x';
	for (size_t i = 1; i + 1 < sizeof(inst.spec.title); i += 2)
		memcpy(&inst.spec.title[i], "\u00e4", 2);
	CHECK_INT(strlen(LABEL(&inst)), 71 + strlen("... (instance-0000000a)"));
}

int main(void)
{
	RUN(a_title_stands_before_the_name);
	RUN(a_promise_waits_for_the_disk);
	RUN(an_acknowledgement_waits_for_the_disk);
	RUN(a_write_of_an_older_term_is_not_acknowledged);
	RUN(helpers_end_before_a_term_is_promised);
	RUN(a_term_is_promised_once);
	RUN(nothing_of_an_older_term_is_taken);
	RUN(a_missing_record_is_noticed);
	RUN(a_store_opened_anew_is_behind);
	RUN(a_start_waits_for_the_commit);
	RUN(an_acknowledgement_of_another_term_does_not_count);
	RUN(half_of_the_votes_commits_nothing);
	RUN(nobody_is_woken_for_what_is_past);
	RUN(what_an_earlier_epoch_was_given_is_not_started);
	RUN(a_late_end_of_a_start_is_not_taken);
	RUN(a_stop_during_the_verification_is_told_again);
	RUN(one_without_a_definition_is_told_of);
	RUN(a_migration_in_is_granted_once);
	RUN(without_quorum_nothing_is_started);
	RUN(a_release_waits_for_the_job_to_end);
	RUN(a_claim_is_of_the_instance_that_is_started);
	RUN(a_change_is_told_beside_a_whole_report);
	RUN(who_cannot_know_leaves_guests);
	RUN(what_belongs_here_does_not_come_in);
	RUN(a_definition_that_went_along_is_no_wish);
	return 0;
}
