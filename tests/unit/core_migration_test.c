/*
 * Who has an instance at the end of a live migration, and what that end is not: one core of host 1 coordinates, the test is everybody
 * else. vm1 goes from host 2 to host 3.
 */
#include "tests/unit/core_leading.h"
#include "tests/unit/test.h"

/* The news of host 2 that vm1 has just migrated away from it. */
static void hear_left_2(void)
{
	struct instance_report left = { .spec = facts.spec, .stop_reason = STOP_MIGRATED, .defined = true };

	hear(&(struct core_message){ .type = MSG_REPORT, .from = 2, .n_reports = 1, .reports = &left });
}

/* Its daemon stood still since before the guest was started there: its list knows nothing of it, and nor does any other word. */
static void a_list_of_who_stood_still_ends_no_migration(void)
{
	lead_3(2);
	facts.place.joint = 3;
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	lead(&facts);
	hear_report(2, "b2-1", false, INSTANCE_ABSENT);
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	live(1000);
	CHECK_INT(place_now().owner, 2);
	CHECK_INT(place_now().joint, 3);
	hear_left_2();
	CHECK_INT(place_now().owner, 3);
	alone_end();
	/* Long after a migration must be over a list is enough. */
	lead_3(2);
	facts.place.joint = 3;
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	lead(&facts);
	live(16000);
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	hear_report(2, "b2-1", false, INSTANCE_ABSENT);
	CHECK_INT(place_now().owner, 3);
	alone_end();
}

static void a_report_of_an_earlier_run_ends_no_migration(void)
{
	static const struct core_member two[] = { { .nodeid = 1, .pid = 100 }, { .nodeid = 2, .pid = 100 } };
	uint64_t term;

	lead_3(2);
	facts.place.joint = 3;
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	term = lead(&facts);
	CHECK_INT(place_now().owner, 2);
	/* Its daemon is started anew, and has not looked at its guests yet, when the source says that it is gone. */
	step(&(struct core_event){ .type = EV_MEMBERS, .members = { .n = 2, .members = two } });
	alone_present(true, 3, all_3);
	hear_beat(3, true, term);
	hear_left_2();
	live(1000);
	CHECK_INT(place_now().owner, 2);
	CHECK_INT(place_now().joint, 3);
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	CHECK_INT(place_now().owner, 3);
	CHECK_INT(place_now().joint, 0);
	alone_end();
}

static void undefine(uint32_t from, enum stop_reason reason)
{
	struct instance_report report = { .undefined = true, .stop_reason = reason };

	strcpy(report.spec.uuid, VM1);
	hear(&(struct core_message){ .type = MSG_REPORT, .from = from, .n_reports = 1, .reports = &report });
}

static bool vm1_is_known(void)
{
	struct core_instance_view inst;

	return core_instance(core, 0, &inst);
}

static void a_migration_undefines_nothing(void)
{
	lead_3(2);
	facts.place.joint = 3;
	lead(&facts);
	undefine(2, STOP_NONE);
	CHECK(vm1_is_known());
	alone_end();
	/* Its target has died since, so that it is this host's again. */
	lead_3(2);
	lead(&facts);
	undefine(2, STOP_MIGRATED);
	CHECK(vm1_is_known());
	undefine(2, STOP_NONE);
	CHECK(!vm1_is_known());
	alone_end();
}

static void hear_news(uint32_t from, enum instance_state state, enum stop_reason reason)
{
	struct instance_report report = { .spec = facts.spec, .state = state, .stop_reason = reason, .defined = true, .fresh_event = true };

	hear(&(struct core_message){ .type = MSG_REPORT, .from = from, .n_reports = 1, .reports = &report });
}

/* It has gone on on host 3 and was shut down there; host 2 listed its guests before libvirt told it that vm1 has left. */
static void what_a_source_lists_is_no_wish(void)
{
	lead_3(2);
	facts.place.joint = 3;
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	lead(&facts);
	hear_news(3, INSTANCE_ABSENT, STOP_BY_GUEST);
	CHECK_INT(place_now().wish, WISH_STOPPED);
	hear_report(2, "b2-1", false, INSTANCE_RUNNING);
	CHECK_INT(place_now().wish, WISH_STOPPED);
	/* But what it has just seen go on is one. */
	hear_news(2, INSTANCE_RUNNING, STOP_NONE);
	CHECK_INT(place_now().wish, WISH_RUNNING);
	alone_end();
}

/* Host 2 had started it while nobody coordinated; its list came while host 3 took it in, and host 3 is gone. It runs, and must not be lost. */
static void what_a_source_lists_long_after_its_target_has_gone_is_a_wish(void)
{
	uint64_t term;

	lead_3(2);
	facts.place.joint = 3;
	facts.place.wish = WISH_STOPPED;
	term = lead(&facts);
	alone_present(true, 2, (const uint32_t[]){ 1, 2 });
	hear_report(2, "b2-1", false, INSTANCE_RUNNING);
	CHECK_INT(place_now().wish, WISH_STOPPED);
	for (int i = 0; i < 31; i++) {
		elapse(500);
		persisted();
		hear_beat(2, true, term);
	}
	CHECK(view().coordinating);
	hear_report(2, "b2-1", false, INSTANCE_RUNNING);
	CHECK_INT(place_now().wish, WISH_RUNNING);
	alone_end();
}

/* vm1 was let in by host 3 for a migration whose earlier try left the place joint, and the end of that was decided meanwhile. */
static void who_takes_it_in_is_joint(void)
{
	lead_3(2);
	lead(&facts);
	CHECK_INT(place_now().joint, 0);
	hear_news(3, INSTANCE_INCOMING, STOP_NONE);
	CHECK_INT(place_now().joint, 3);
	CHECK_INT(place_now().owner, 2);
	hear_news(3, INSTANCE_RUNNING, STOP_NONE);
	hear_left_2();
	CHECK_INT(place_now().owner, 3);
	CHECK_INT(place_now().joint, 0);
	alone_end();
}

int main(void)
{
	RUN(a_list_of_who_stood_still_ends_no_migration);
	RUN(a_report_of_an_earlier_run_ends_no_migration);
	RUN(a_migration_undefines_nothing);
	RUN(what_a_source_lists_is_no_wish);
	RUN(what_a_source_lists_long_after_its_target_has_gone_is_a_wish);
	RUN(who_takes_it_in_is_joint);
	return 0;
}
