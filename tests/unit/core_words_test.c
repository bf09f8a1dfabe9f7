/*
 * Words of other hosts about instances that a coordinator must not take for more than they are: late ones, repeated ones, those of an
 * earlier run, of another instance. One core of host 1, the test is everybody else.
 */
#include "tests/unit/core_leading.h"
#include "tests/unit/test.h"

static void words_of_an_older_generation_are_not_taken(void)
{
	struct core_message result = { .type = MSG_RESULT, .from = 2, .uuid = VM1, .generation = 4, .ok = true };
	struct core_message released = { .type = MSG_RELEASED, .from = 2, .uuid = VM1, .generation = 4 };

	lead_3(2);
	facts.place.phase = PHASE_ASSIGNED;
	facts.place.generation = 5;
	lead(&facts);
	hear(&result);
	CHECK_INT(place_now().phase, PHASE_ASSIGNED);
	result.ok = false;
	hear(&result);
	CHECK_INT(place_now().phase, PHASE_ASSIGNED);
	result.generation = 5;
	result.from = 3;
	hear(&result);
	CHECK_INT(place_now().phase, PHASE_ASSIGNED);
	result.from = 2;
	hear(&result);
	CHECK_INT(place_now().phase, PHASE_REVOKING);
	/* It has failed: it is still its host's, until that one itself gives this very generation back. */
	hear(&released);
	CHECK_INT(place_now().phase, PHASE_REVOKING);
	released.generation = 5;
	released.from = 3;
	hear(&released);
	CHECK_INT(place_now().phase, PHASE_REVOKING);
	CHECK_INT(place_now().owner, 2);
	released.from = 2;
	hear(&released);
	CHECK(place_now().released || place_now().generation == 6);
	CHECK(place_now().owner != 2 || place_now().phase == PHASE_WAITING);
	alone_end();
}

/* vm1 has migrated away from host 2, whose libvirtd hangs, and was shut down there: host 2 still lists it as it was. */
static void what_is_repeated_while_libvirt_hangs_is_no_wish(void)
{
	struct instance_report report = { .state = INSTANCE_RUNNING, .defined = true };
	struct core_message list = { .type = MSG_REPORT, .from = 2, .full = true, .n_reports = 1, .reports = &report };
	struct core_message host = { .type = MSG_HOST, .from = 2, .host = { .boot_id = "b2-1", .gate_loaded = true,
		.reported = true } };

	lead_3(2);
	facts.place.wish = WISH_STOPPED;
	lead(&facts);
	report.spec = facts.spec;
	hear(&host);
	hear(&list);
	CHECK_INT(place_now().wish, WISH_STOPPED);
	host.host.libvirt_ok = true;
	hear(&host);
	hear(&list);
	CHECK_INT(place_now().wish, WISH_RUNNING);
	alone_end();
}

/* Host 3, lost for a while, is back in its boot, and an `off` may still hit it: somebody shuts vm1 down there. */
static void who_is_back_and_may_be_hit_is_believed(void)
{
	struct instance_report report = { .state = INSTANCE_RUNNING, .defined = true };
	struct core_message news = { .type = MSG_REPORT, .from = 3, .n_reports = 1, .reports = &report };

	fence_3();
	report.spec = facts.spec;
	alone_present(true, 3, all_3);
	hear_beat(3, false, T1);
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	CHECK_INT(host_now(3).state, HOST_LOST);
	report.state = INSTANCE_ABSENT;
	report.stop_reason = STOP_BY_GUEST;
	hear(&news);
	CHECK_INT(host_now(3).state, HOST_LOST);
	CHECK_INT(place_now().wish, WISH_STOPPED);
	alone_end();
	/* What a host says of itself that is not here is older than its loss. */
	fence_3();
	hear(&news);
	CHECK_INT(place_now().wish, WISH_RUNNING);
	alone_end();
}

static void what_the_control_plane_deleted_is_no_instance(void)
{
	struct core_message result = { .type = MSG_RESULT, .from = 3, .generation = 2, .deleted = true, .uuid = VM1 };
	struct core_instance_view seen;

	lead_3(2);
	facts.place.owner = 3;
	facts.place.generation = 2;
	facts.place.phase = PHASE_ASSIGNED;
	facts.place.home = 2;
	hear_report(3, "b3-1", false, INSTANCE_ABSENT);
	lead(&facts);
	/* Of an older start: nothing is known of this one. */
	result.generation = 1;
	hear(&result);
	CHECK(core_instance(core, 0, &seen) && !seen.spec->deleted);
	result.generation = 2;
	hear(&result);
	CHECK(!core_instance(core, 0, &seen) || seen.spec->deleted);
	alone_end();
}

static void a_claim_of_another_instance_is_not_taken(void)
{
	struct instance_report vm1 = { .defined = true };

	alone_begin(1, 3);
	facts_make(&facts, TERM(1, 2), 3, 2);
	lead(&facts);
	for (uint32_t id = 2; id <= 3; id++)
		hear_report(id, id == 2 ? "b2-1" : "b3-1", false, id == 2 ? INSTANCE_RUNNING : INSTANCE_ABSENT);
	vm1.spec = facts.spec;
	hear(&(struct core_message){ .type = MSG_CLAIM, .from = 3, .claim = &vm1,
				     .uuid = "00000000-0000-4000-8000-000000000002" });
	CHECK_INT(place_now().owner, 2);
	CHECK_INT(place_now().generation, 1);
	CHECK_INT(place_now().wish, WISH_RUNNING);
	alone_end();
}

static void each_run_proves_the_disks_anew(void)
{
	static const struct core_member again[] = { { .nodeid = 1, .pid = 100 }, { .nodeid = 2, .pid = 101 },
		{ .nodeid = 3, .pid = 100 } };
	const char *reason;

	lead_3(3);
	lead(&facts);
	CHECK_INT(core_verdict(core, 0, 1, &reason), VERDICT_SHARED);
	step(&(struct core_event){ .type = EV_MEMBERS, .members = { .n = 3, .members = again } });
	CHECK_INT(core_verdict(core, 0, 1, &reason), VERDICT_UNKNOWN);
	CHECK_INT(core_verdict(core, 0, 2, &reason), VERDICT_SHARED);
	alone_end();
}

int main(void)
{
	RUN(words_of_an_older_generation_are_not_taken);
	RUN(what_is_repeated_while_libvirt_hangs_is_no_wish);
	RUN(who_is_back_and_may_be_hit_is_believed);
	RUN(what_the_control_plane_deleted_is_no_instance);
	RUN(a_claim_of_another_instance_is_not_taken);
	RUN(each_run_proves_the_disks_anew);
	return 0;
}
