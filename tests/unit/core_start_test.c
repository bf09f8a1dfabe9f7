/*
 * What a member starts, and lets start: one core of host 3, the test is everybody else. A start, and the gate's yes, wait until they are
 * committed; a late word of an earlier generation changes nothing; what is given back is really over.
 */
#include "tests/unit/core_following.h"
#include "tests/unit/test.h"

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

static void what_belongs_here_does_not_come_in(void)
{
	member_of(3, 3);
	CHECK_INT(gate_ask_op(1, GATE_MIGRATE_IN), 0);
	alone_end();
}

int main(void)
{
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
	RUN(what_belongs_here_does_not_come_in);
	return 0;
}
