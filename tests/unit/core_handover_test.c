/*
 * A stopped instance that its control plane starts on another host: what the coordinator makes of the claim, what the owner says to
 * it, and what the gate of the other host answers meanwhile. One core alone, the test is everybody else.
 */
#include "tests/unit/core_alone.h"
#include "tests/unit/test.h"

#define T1 TERM(1, 2) /* host 2 coordinates, where host 1 does not */

static struct alone_facts facts;

/* --- the coordinator: host 1; vm1 is host 2's, and host 3 claims it --- */

static uint64_t lead_stopped(enum wish wish, bool hand_over)
{
	uint64_t term;

	alone_begin(1, 3);
	alone_hand_over(hand_over);
	facts_make(&facts, T1, 3, 2);
	facts.place.wish = wish;
	for (uint32_t id = 1; id <= 3; id++)
		hear_report(id, facts.hosts[id - 1].boot_id, false,
			    id == 2 && wish == WISH_RUNNING ? INSTANCE_RUNNING : INSTANCE_ABSENT);
	term = lead(&facts);
	return term;
}

static void claim(uint32_t from)
{
	hear(&(struct core_message){ .type = MSG_CLAIM, .from = from, .uuid = VM1 });
}

static void released(uint32_t from, uint64_t generation)
{
	hear(&(struct core_message){ .type = MSG_RELEASED, .from = from, .uuid = VM1, .generation = generation });
}

static void check_place(uint32_t owner, enum phase phase, uint32_t heir)
{
	CHECK_INT(place_now().owner, owner);
	CHECK_INT(place_now().phase, phase);
	CHECK_INT(place_now().heir, heir);
}

static void its_owner_consents(void)
{
	uint64_t term = lead_stopped(WISH_STOPPED, true);

	claim(3);
	check_place(2, PHASE_REVOKING, 3);
	CHECK_INT(place_now().generation, 2);
	commit_all(term);
	/* Nobody else's word counts, nor one about an earlier generation. */
	released(3, 2);
	released(2, 1);
	check_place(2, PHASE_REVOKING, 3);
	released(2, 2);
	check_place(3, PHASE_SETTLED, 0);
	CHECK_INT(place_now().generation, 3);
	CHECK_INT(place_now().home, 3);
	CHECK_INT(place_now().wish, WISH_STOPPED);
	CHECK(!place_now().released);
	alone_end();
}

static void what_runs_or_is_to_run_stays(void)
{
	lead_stopped(WISH_RUNNING, true);
	claim(3);
	check_place(2, PHASE_SETTLED, 0);
	alone_end();
	/* Wished stopped, and a host has it all the same. */
	for (uint32_t has = 2; has <= 3; has++) {
		lead_stopped(WISH_STOPPED, true);
		hear_report(has, facts.hosts[has - 1].boot_id, false, INSTANCE_PAUSED);
		claim(3);
		check_place(2, PHASE_SETTLED, 0);
		alone_end();
	}
	/* Where the control plane moves nothing by itself. */
	lead_stopped(WISH_STOPPED, false);
	claim(3);
	check_place(2, PHASE_SETTLED, 0);
	CHECK_INT(place_now().generation, 1);
	alone_end();
}

static void no_answer_leaves_it_where_it_is(void)
{
	uint64_t term = lead_stopped(WISH_STOPPED, true);

	claim(3);
	commit_all(term);
	elapse(900);
	check_place(2, PHASE_REVOKING, 3);
	elapse(400);
	check_place(2, PHASE_SETTLED, 0);
	commit_all(term);
	released(2, 2);
	check_place(2, PHASE_SETTLED, 0);
	/* Nor is that late word an answer to the next question. */
	claim(3);
	check_place(2, PHASE_REVOKING, 3);
	released(2, 2);
	check_place(2, PHASE_REVOKING, 3);
	CHECK_INT(place_now().generation, 3);
	alone_end();
}

static void its_owner_has_started_it_meanwhile(void)
{
	uint64_t term = lead_stopped(WISH_STOPPED, true);

	claim(3);
	commit_all(term);
	hear_report(2, facts.hosts[1].boot_id, false, INSTANCE_RUNNING);
	check_place(2, PHASE_SETTLED, 0);
	CHECK_INT(place_now().wish, WISH_RUNNING);
	alone_end();
}

static void without_its_owner_nobody_consents(void)
{
	uint64_t term = lead_stopped(WISH_STOPPED, true);

	claim(3);
	commit_all(term);
	alone_present(true, 2, (const uint32_t[]){ 1, 3 });
	check_place(2, PHASE_SETTLED, 0);
	/* Nothing that must run is lost with it. */
	CHECK_INT(host_now(2).state, HOST_LOST);
	CHECK(!host_now(2).fence_intent);
	claim(3);
	check_place(2, PHASE_SETTLED, 0);
	alone_end();
}

static void without_its_heir_it_stays(void)
{
	uint64_t term = lead_stopped(WISH_STOPPED, true);

	claim(3);
	commit_all(term);
	alone_present(true, 2, (const uint32_t[]){ 1, 2 });
	released(2, 2);
	check_place(2, PHASE_SETTLED, 0);
	alone_end();
}

/* It ran there long ago, and was stopped since, before this coordinator's time: only a list of that host's own says what it runs. */
static void what_its_owner_ran_before_is_no_wish(void)
{
	const uint32_t without[] = { 1, 3 }, all[] = { 1, 2, 3 };

	alone_begin(1, 3);
	alone_hand_over(true);
	facts_make(&facts, T1, 3, 2);
	facts.place.wish = WISH_STOPPED;
	facts.place.phase = PHASE_REVOKING;
	facts.place.heir = 3;
	hear_report(2, facts.hosts[1].boot_id, false, INSTANCE_RUNNING);
	alone_present(true, 2, without);
	alone_present(true, 3, all);
	lead(&facts);
	check_place(2, PHASE_SETTLED, 0);
	CHECK_INT(place_now().wish, WISH_STOPPED);
	hear_report(2, facts.hosts[1].boot_id, false, INSTANCE_RUNNING);
	CHECK_INT(place_now().wish, WISH_RUNNING);
	alone_end();
}

/* --- its owner: host 3, asked for host 1 --- */

static void own_stopped(void)
{
	alone_begin(3, 3);
	alone_hand_over(true);
	facts_make(&facts, T1, 3, 3);
	facts.place.wish = WISH_STOPPED;
}

/* The record that asks this host for it, committed. */
static void be_asked(void)
{
	static struct place_fact place;
	struct fact_ref ref = { .kind = FACT_PLACE, .fact = &place };

	place = facts.place;
	place.version = (struct fact_version){ .term = T1, .counter = 100 };
	place.generation = 2;
	place.heir = 1;
	place.phase = PHASE_REVOKING;
	hear(&(struct core_message){ .type = MSG_RECORD, .from = 2, .term = T1, .seq = 2, .n_facts = 1, .facts = &ref });
	CHECK_INT(count(ACT_INSPECT), 0); /* on no disk yet */
	persisted();
	hear_ack(2, T1, 2);
}

static void inspected(bool known, bool job, bool qemu)
{
	step(&(struct core_event){ .type = EV_INSPECT_RESULT, .inspect = { .op = last_op(ACT_INSPECT), .known = known,
									     .job = job, .qemu = qemu } });
}

static int gate_ask(uint64_t id)
{
	struct gate_query query = { .id = id, .op = GATE_START, .protected = true, .spec = facts.spec };

	step(&(struct core_event){ .type = EV_GATE, .gate = &query });
	return done(ACT_GATE_REPLY) ? done(ACT_GATE_REPLY)->gate.allow : -1;
}

static void an_owner_looks_before_it_consents(void)
{
	own_stopped();
	follow(T1, &facts);
	be_asked();
	CHECK_INT(count(ACT_INSPECT), 1);
	CHECK_INT(gate_ask(1), 0);
	inspected(true, false, false);
	CHECK(sent(MSG_RELEASED));
	CHECK_INT(sent(MSG_RELEASED)->generation, 2);
	/* Nothing is let in any more, though it still says that this host owns it. */
	CHECK_INT(gate_ask(2), 0);
	alone_end();
}

static void an_owner_keeps_what_is_there(void)
{
	static const bool found[][3] = { { true, true, false }, { true, false, true }, { false, false, false } };

	for (size_t i = 0; i < 3; i++) {
		own_stopped();
		follow(T1, &facts);
		be_asked();
		CHECK_INT(count(ACT_INSPECT), 1);
		inspected(found[i][0], found[i][1], found[i][2]);
		CHECK(!sent(MSG_RELEASED));
		CHECK_INT(count(ACT_STOP), 0);
		alone_end();
	}
}

/* Its gate has let it in a moment ago: that nothing is there yet does not mean that nothing comes. */
static void an_owner_remembers_what_it_let_in(void)
{
	own_stopped();
	follow(T1, &facts);
	CHECK_INT(gate_ask(1), 1);
	be_asked();
	CHECK_INT(count(ACT_INSPECT), 0);
	alone_end();
}

/* --- the gate of host 3, while vm1 is host 1's --- */

static void other_stopped(enum wish wish, bool hand_over)
{
	alone_begin(3, 3);
	alone_hand_over(hand_over);
	facts_make(&facts, T1, 3, 1);
	facts.place.wish = wish;
	follow(T1, &facts);
}

static void record_place(uint64_t seq, uint32_t owner, uint32_t heir)
{
	static struct place_fact place;
	struct fact_ref ref = { .kind = FACT_PLACE, .fact = &place };

	place = facts.place;
	place.version = (struct fact_version){ .term = T1, .counter = 100 + seq };
	place.generation = seq;
	place.owner = owner;
	place.heir = heir;
	place.phase = heir ? PHASE_REVOKING : PHASE_SETTLED;
	hear(&(struct core_message){ .type = MSG_RECORD, .from = 2, .term = T1, .seq = seq, .n_facts = 1, .facts = &ref });
}

static void the_gate_waits_for_the_commit(void)
{
	other_stopped(WISH_STOPPED, true);
	CHECK_INT(gate_ask(1), -1);
	CHECK(sent(MSG_CLAIM) && !sent(MSG_CLAIM)->migrate && !sent(MSG_CLAIM)->claim);
	record_place(2, 1, 3);
	persisted();
	hear_ack(2, T1, 2);
	CHECK(!done(ACT_GATE_REPLY));
	record_place(3, 3, 0);
	CHECK(!done(ACT_GATE_REPLY));
	persisted();
	hear_ack(2, T1, 3);
	CHECK(done(ACT_GATE_REPLY) && done(ACT_GATE_REPLY)->gate.allow);
	alone_end();
}

static void the_gate_refuses_in_the_end(void)
{
	other_stopped(WISH_STOPPED, true);
	CHECK_INT(gate_ask(1), -1);
	record_place(2, 1, 0);
	persisted();
	hear_ack(2, T1, 2);
	for (int i = 0; i < 32 && !done(ACT_GATE_REPLY); i++)
		elapse(50);
	CHECK(done(ACT_GATE_REPLY) && !done(ACT_GATE_REPLY)->gate.allow);
	alone_end();
	/* Not asked at all: it is to run where it is; or nothing moves by itself here; or another host is to have it. */
	other_stopped(WISH_RUNNING, true);
	CHECK_INT(gate_ask(1), 0);
	alone_end();
	other_stopped(WISH_STOPPED, false);
	CHECK_INT(gate_ask(1), 0);
	alone_end();
	other_stopped(WISH_STOPPED, true);
	record_place(2, 1, 2);
	persisted();
	hear_ack(2, T1, 2);
	CHECK_INT(gate_ask(1), 0);
	alone_end();
}

int main(void)
{
	RUN(its_owner_consents);
	RUN(what_runs_or_is_to_run_stays);
	RUN(no_answer_leaves_it_where_it_is);
	RUN(its_owner_has_started_it_meanwhile);
	RUN(without_its_owner_nobody_consents);
	RUN(without_its_heir_it_stays);
	RUN(what_its_owner_ran_before_is_no_wish);
	RUN(an_owner_looks_before_it_consents);
	RUN(an_owner_keeps_what_is_there);
	RUN(an_owner_remembers_what_it_let_in);
	RUN(the_gate_waits_for_the_commit);
	RUN(the_gate_refuses_in_the_end);
	return 0;
}
