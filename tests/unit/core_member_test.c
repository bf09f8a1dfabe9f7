/*
 * What a member does with what it is told: one core of host 3, the test is everybody else. What must be on a disk first, which terms
 * and records it refuses, and what it tells. What it starts is in core_start_test.c.
 */
#include "tests/unit/core_following.h"
#include "tests/unit/test.h"

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

/* What it has kept is from before it stood still: what happened since is heard first. */
static void who_stood_still_lists_nothing_old(void)
{
	struct instance_report vm1;
	unsigned int wholes = 0;

	report_again_soon(&vm1);
	now_ms += 2500;
	step(&(struct core_event){ .type = EV_TICK });
	CHECK(view().tilt && view().synced);
	CHECK(!sent(MSG_REPORT));
	vm1.state = INSTANCE_ABSENT;
	vm1.stop_reason = STOP_BY_GUEST;
	step(&(struct core_event){ .type = EV_REPORTS, .reports = { .n = 1, .reports = &vm1 } });
	CHECK(sent(MSG_REPORT) && !sent(MSG_REPORT)->full);
	while (view().tilt) {
		CHECK(!sent(MSG_REPORT) || !sent(MSG_REPORT)->full);
		elapse(500);
		wholes += sent(MSG_REPORT) && sent(MSG_REPORT)->full && sent(MSG_REPORT)->reports[0].state == INSTANCE_ABSENT;
		hear_beat(1, true, T1);
	}
	CHECK_INT(wholes, 1);
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

/* --- what it tells --- */

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
	RUN(a_claim_is_of_the_instance_that_is_started);
	RUN(a_change_is_told_beside_a_whole_report);
	RUN(who_stood_still_lists_nothing_old);
	RUN(who_cannot_know_leaves_guests);
	RUN(a_definition_that_went_along_is_no_wish);
	return 0;
}
