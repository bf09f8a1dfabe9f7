/* A fencing begins only when the group has given this member's own word back: it may have been suspended since it decided. */
#include "tests/unit/core_alone.h"
#include "tests/unit/test.h"

#define T1 (UINT64_C(1) << 16 | 2)

static struct alone_facts facts;
static uint64_t term;
static bool asked_at_once;

/* Host 3, which runs vm1, has left; its intent is committed; what this member says does not come back to it. */
static void begin_deaf(void)
{
	alone_begin(1, 3);
	facts_make(&facts, T1, 3, 3);
	for (uint32_t id = 1; id <= 3; id++)
		hear_report(id, facts.hosts[id - 1].boot_id, false, id == 3 ? INSTANCE_RUNNING : INSTANCE_ABSENT);
	term = lead(&facts);
	alone_deaf(true);
	alone_present(true, 2, (const uint32_t[]){ 1, 2 });
	elapse(100);
	CHECK(host_now(3).fence_intent);
	persisted();
	hear_ack(2, term, view().seq);
	asked_at_once = sent(MSG_BEAT) && sent(MSG_BEAT)->fencing == 1 << 2;
}

static void hear_own(uint64_t of_term, uint32_t fencing)
{
	hear(&(struct core_message){ .type = MSG_BEAT, .from = 1, .term = of_term, .promised = of_term, .synced = true,
				     .store_ok = true, .coordinator = true, .fencing = fencing });
}

static void the_question_goes_out_at_once_and_again(void)
{
	const struct core_message *beat = NULL;

	begin_deaf();
	CHECK(asked_at_once);
	for (int i = 0; i < 4 && !(beat = sent(MSG_BEAT)); i++)
		elapse(500);
	CHECK(beat && beat->fencing == 1 << 2);
	CHECK_INT(count(ACT_FENCE), 0);
	hear_own(term, 1 << 2);
	CHECK_INT(count(ACT_FENCE), 1);
	alone_end();
}

static void what_was_said_before_the_commit_is_no_answer(void)
{
	begin_deaf();
	hear_own(term, 0);
	hear_own(T1, 1 << 2);
	hear_own(term, 1 << 1);
	CHECK_INT(count(ACT_FENCE), 0);
	alone_end();
}

static void a_host_that_came_back_meanwhile_is_spared(void)
{
	begin_deaf();
	alone_present(true, 3, (const uint32_t[]){ 1, 2, 3 });
	hear_beat(3, true, term);
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	hear_own(term, 1 << 2);
	CHECK_INT(count(ACT_FENCE), 0);
	CHECK(!host_now(3).fence_intent);
	commit_all(term);
	/* Lost again: the answer of the first time is not one of this time. */
	alone_present(true, 2, (const uint32_t[]){ 1, 2 });
	elapse(100);
	CHECK(host_now(3).fence_intent);
	commit_all(term);
	CHECK_INT(count(ACT_FENCE), 0);
	hear_own(term, 1 << 2);
	CHECK_INT(count(ACT_FENCE), 1);
	alone_end();
}

static void each_attempt_asks_anew(void)
{
	struct core_event failed = { .type = EV_FENCE_RESULT };

	begin_deaf();
	hear_own(term, 1 << 2);
	CHECK_INT(count(ACT_FENCE), 1);
	failed.fence.op = last_op(ACT_FENCE);
	step(&failed);
	commit_all(term);
	elapse(6000);
	CHECK_INT(count(ACT_FENCE), 1);
	hear_own(term, 1 << 2);
	CHECK_INT(count(ACT_FENCE), 2);
	alone_end();
}

int main(void)
{
	the_question_goes_out_at_once_and_again();
	what_was_said_before_the_commit_is_no_answer();
	a_host_that_came_back_meanwhile_is_spared();
	each_attempt_asks_anew();
	return 0;
}
