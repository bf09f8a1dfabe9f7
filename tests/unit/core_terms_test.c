/*
 * How a coordinator comes by its term, and loses it: one core of host 1, the test is everybody else. On whose promises it opens, whose
 * facts it takes, and when it coordinates no more.
 */
#include "tests/unit/core_leading.h"
#include "tests/unit/test.h"

static void stand(uint32_t hosts, uint32_t answering)
{
	alone_begin(1, hosts);
	facts_make(&facts, T1, hosts, 2);
	alone_present(true, answering, (const uint32_t[]){ 1, 2, 3, 4, 5 });
	for (uint32_t id = 2; id <= answering; id++)
		hear_beat(id, false, T1);
	persisted();
	CHECK(sent(MSG_PROMISE));
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = 1, .term = sent(MSG_PROMISE)->term });
}

static void promise(uint32_t from, uint64_t facts_term)
{
	struct core_message msg = { .type = MSG_PROMISE, .from = from, .facts_term = facts_term, .n_facts = facts.n,
		.facts = facts.refs };

	msg.term = view().term << 16 | 1;
	hear(&msg);
}

static void a_majority_of_all_must_promise(void)
{
	/* Three of five are here; two of them are no majority of the five. */
	stand(5, 3);
	promise(2, T1);
	elapse(2000);
	CHECK(!view().synced);
	promise(3, T1);
	elapse(400);
	CHECK(view().synced);
	alone_end();
	/* Two of four are no majority either, be they all that are here. */
	stand(4, 2);
	promise(2, T1);
	elapse(2000);
	CHECK(!view().synced);
	alone_end();
}

static void promise_blank(uint32_t from)
{
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = from, .term = view().term << 16 | 1, .blank = true });
}

static void empty_stores_open_when_all_are_here(void)
{
	alone_begin(1, 3);
	alone_present(true, 2, without_3);
	hear(&(struct core_message){ .type = MSG_BEAT, .from = 2, .store_ok = true, .blank = true });
	persisted();
	CHECK(sent(MSG_PROMISE));
	promise_blank(1);
	promise_blank(2);
	elapse(3000);
	CHECK(!view().synced);
	/* Host 3 may know of instances, so it is waited for. */
	alone_present(true, 3, all_3);
	hear(&(struct core_message){ .type = MSG_BEAT, .from = 3, .store_ok = true, .blank = true });
	promise_blank(3);
	elapse(400);
	CHECK(view().synced);
	alone_end();
}

static void who_could_not_promise_is_asked_again(void)
{
	stand(3, 3);
	CHECK(!sent(MSG_PREPARE));
	/* Its store was being read when it was asked: nothing is asked of it before it can answer. */
	hear(&(struct core_message){ .type = MSG_BEAT, .from = 3, .promised = T1 });
	CHECK(!sent(MSG_PREPARE));
	hear_beat(3, false, T1);
	CHECK(sent(MSG_PREPARE));
	CHECK_INT(sent(MSG_PREPARE)->term, view().term << 16 | 1);
	/* Who has promised this term, and whose promise is on its way, are not asked. */
	hear_beat(2, false, view().term << 16 | 1);
	CHECK(!sent(MSG_PREPARE));
	promise(3, T1);
	hear_beat(3, false, T1);
	CHECK(!sent(MSG_PREPARE));
	alone_end();
}

static void facts_of_the_newest_opening_count(void)
{
	alone_begin(1, 3);
	for (uint32_t id = 2; id <= 3; id++)
		hear_beat(id, false, TERM(4, 2));
	persisted();
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = 1, .term = sent(MSG_PROMISE)->term });
	/* Host 2 alone went on in term 2, with higher counters; what it says was overruled by the opening of term 3. */
	facts_make(&facts, TERM(3, 3), 3, 3);
	promise(3, TERM(3, 3));
	facts_make(&facts, TERM(2, 2), 3, 2);
	facts.place.version = (struct fact_version){ .term = TERM(9, 2), .counter = 900 };
	promise(2, TERM(2, 2));
	CHECK_INT(place_now().owner, 3);
	alone_end();
}

static void hear_empty(uint32_t from)
{
	hear(&(struct core_message){ .type = MSG_BEAT, .from = from, .store_ok = true, .blank = true });
}

/*
 * Host 3 may have promised a higher term to host 2 before it lost its store: what is committed here with its help would be committed
 * twice. Only the others can say that there is no such term.
 */
static void an_empty_store_is_no_vote_for_a_term_that_may_be_over(void)
{
	uint64_t term;

	alone_begin(1, 3);
	facts_make(&facts, T1, 3, 2);
	term = lead(&facts);
	/* Its ring changes at once: it is quorate all along, and knows nothing of what the two have done. */
	alone_present(true, 1, (const uint32_t[]){ 1 });
	alone_present(true, 2, (const uint32_t[]){ 1, 3 });
	for (int i = 0; i < 20; i++) {
		hear_empty(3);
		CHECK(!sent(MSG_SNAPSHOT));
		elapse(500);
		CHECK(!sent(MSG_SNAPSHOT));
		persisted();
	}
	CHECK(view().coordinating);
	/* Host 2 is here and follows this term: there is no other. */
	alone_present(true, 3, all_3);
	hear_beat(2, true, term);
	CHECK(sent(MSG_SNAPSHOT));
	CHECK_INT(sent(MSG_SNAPSHOT)->to, 3);
	alone_end();
}

/* What host 2 has said before the empty store turned up says nothing of what it has promised since. */
static void a_beat_of_before_confirms_no_term(void)
{
	uint64_t term;

	alone_begin(1, 3);
	facts_make(&facts, T1, 3, 2);
	term = lead(&facts);
	elapse(1500);
	hear_beat(2, true, term);
	hear_empty(3);
	CHECK(!sent(MSG_SNAPSHOT));
	hear_beat(2, true, term);
	CHECK(sent(MSG_SNAPSHOT));
	alone_end();
}

static void a_takeover_has_a_term_of_its_own(void)
{
	alone_begin(1, 3);
	facts_make(&facts, TERM(7, 2), 3, 2);
	follow(TERM(7, 2), &facts);
	alone_present(true, 2, (const uint32_t[]){ 1, 3 });
	hear_beat(3, true, TERM(7, 2));
	elapse(2000);
	CHECK_INT(view().coordinator, 1);
	CHECK_INT(view().term, 8);
	alone_end();
}

static void who_stood_still_coordinates_no_more(void)
{
	fence_3();

	now_ms += 4500;
	step(&(struct core_event){ .type = EV_TICK });
	CHECK(!view().coordinating && !view().synced);
	CHECK(view().tilt);
	CHECK(done(ACT_END_HELPERS));
	fence_end(true);
	CHECK_INT(host_now(3).state, HOST_LOST);
	alone_end();
}

static void quorum_is_that_of_the_present_ring(void)
{
	fence_3();
	fence_end(false);
	alone_present(false, 1, without_3);
	CHECK(!view().quorate && !view().coordinating);
	elapse(30000);
	CHECK_INT(count(ACT_FENCE), 1);
	alone_end();
}

int main(void)
{
	RUN(a_majority_of_all_must_promise);
	RUN(empty_stores_open_when_all_are_here);
	RUN(who_could_not_promise_is_asked_again);
	RUN(facts_of_the_newest_opening_count);
	RUN(an_empty_store_is_no_vote_for_a_term_that_may_be_over);
	RUN(a_beat_of_before_confirms_no_term);
	RUN(a_takeover_has_a_term_of_its_own);
	RUN(who_stood_still_coordinates_no_more);
	RUN(quorum_is_that_of_the_present_ring);
	return 0;
}
