/* See core_leading.h. */
#include "tests/unit/core_leading.h"
#include "tests/unit/test.h"

struct alone_facts facts;
const uint32_t without_3[] = { 1, 2 }, all_3[] = { 1, 2, 3 };

void lead_3(uint32_t owner)
{
	alone_begin(1, 3);
	facts_make(&facts, T1, 3, owner);
	for (uint32_t id = 1; id <= 3; id++)
		hear_report(id, facts.hosts[id - 1].boot_id, false, id == owner ? INSTANCE_RUNNING : INSTANCE_ABSENT);
}

void fence_3(void)
{
	uint64_t term;

	lead_3(3);
	term = lead(&facts);
	alone_present(true, 2, without_3);
	CHECK_INT(host_now(3).state, HOST_LOST);
	elapse(100);
	CHECK(host_now(3).fence_intent);
	/* Before the intent is on the disks of a majority nothing happens; its own disk is one of the two. */
	CHECK_INT(count(ACT_FENCE), 0);
	hear_ack(2, term, view().seq);
	CHECK_INT(count(ACT_FENCE), 0);
	commit_all(term);
	CHECK_INT(count(ACT_FENCE), 1);
}

void live(uint64_t ms)
{
	for (uint64_t past_ms = 0; past_ms < ms; past_ms += 500) {
		elapse(490);
		if (view().coordinator == 1)
			commit_all(view().term << 16 | 1);
	}
}

void fence_end(bool off)
{
	struct core_event event = { .type = EV_FENCE_RESULT, .fence = { .op = last_op(ACT_FENCE), .off = off } };

	strcpy(event.fence.device, "power");
	strcpy(event.fence.detail, off ? "reads off" : "accepted, and reads on");
	step(&event);
}
