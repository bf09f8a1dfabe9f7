/*
 * What a coordinator takes for a proof of death, and whom it admits again: one core of host 1, the test is everybody else. Host 3 is
 * lost, or comes back.
 */
#include "tests/unit/core_leading.h"
#include "tests/unit/test.h"

/* --- proof --- */

static void only_a_reading_is_a_proof(void)
{
	fence_3();
	fence_end(false);
	CHECK_INT(host_now(3).state, HOST_LOST);
	CHECK_INT(place_now().owner, 3);
	live(4000);
	CHECK_INT(count(ACT_FENCE), 1);
	live(2000);
	CHECK_INT(count(ACT_FENCE), 2);
	fence_end(true);
	CHECK_INT(host_now(3).state, HOST_DEAD);
	CHECK_INT(place_now().phase, PHASE_ASSIGNED);
	CHECK_INT(place_now().generation, 2);
	alone_end();
}

static void a_late_reading_proves_nothing(void)
{
	struct core_event event = { .type = EV_FENCE_RESULT, .fence = { .off = true } };

	fence_3();
	event.fence.op = last_op(ACT_FENCE) + 1000;

	step(&event);
	CHECK_INT(host_now(3).state, HOST_LOST);
	alone_end();
}

static void a_certificate_of_a_member_is_not_used(void)
{
	lead_3(3);
	facts.hosts[2].state = HOST_DEAD;
	facts.hosts[2].certificate = (struct certificate){ .method = PROOF_FENCE_DEVICE, .epoch = 1, .boot_id = "b3-1" };
	lead(&facts);
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	live(8000);
	CHECK_INT(place_now().owner, 3);
	CHECK_INT(place_now().phase, PHASE_SETTLED);
	CHECK_INT(host_now(3).state, HOST_DEAD);
	/* It leaves: now its end is seen. */
	alone_present(true, 2, without_3);
	CHECK_INT(place_now().phase, PHASE_ASSIGNED);
	alone_end();
}

static void who_is_here_and_silent_is_lost(void)
{
	static const struct core_member two[] = { { .nodeid = 1, .pid = 100 }, { .nodeid = 2, .pid = 100 } };

	fence_3();
	/* Its corosync is back before its device has read off; its daemon is not. */
	step(&(struct core_event){ .type = EV_QUORUM, .quorum = { .quorate = true, .n = 3, .nodeids = all_3 } });
	step(&(struct core_event){ .type = EV_MEMBERS, .members = { .n = 2, .members = two } });
	fence_end(true);
	CHECK_INT(host_now(3).state, HOST_DEAD);
	live(12000);
	/* The proof is void, and who owns vm1 has not said that it runs. */
	CHECK_INT(host_now(3).state, HOST_LOST);
	CHECK_INT(host_now(3).certificate.method, PROOF_NONE);
	CHECK_INT(place_now().owner, 3);
	alone_end();
}

static const char *ask(enum request_verb verb)
{
	struct core_request request = { .id = 1, .origin = 1, .verb = verb, .host = "h3", .who = "root", .reason = "seen" };

	step(&(struct core_event){ .type = EV_REQUEST, .request = &request });
	return done(ACT_REPLY) ? done(ACT_REPLY)->reply.code : "later";
}

static void a_person_confirms_only_what_can_be(void)
{
	lead_3(3);
	lead(&facts);
	CHECK_STR(ask(REQUEST_CONFIRM_FENCED), "host-alive");
	CHECK_STR(ask(REQUEST_FORGET), "host-alive");
	CHECK_INT(host_now(3).state, HOST_ADMITTED);
	alone_end();
	fence_3();
	CHECK_STR(ask(REQUEST_FORGET), "not-certified");
	CHECK_INT(host_now(3).state, HOST_LOST);
	CHECK_STR(ask(REQUEST_CONFIRM_FENCED), "later"); /* when it is committed */
	CHECK_INT(host_now(3).state, HOST_DEAD);
	CHECK_INT(host_now(3).certificate.method, PROOF_PERSON);
	alone_end();
}

/* --- admission --- */

static void who_comes_back_waits_for_the_power_off_under_way(void)
{
	fence_3();
	alone_present(true, 3, all_3);
	hear_beat(3, false, 0);
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	live(3000);
	CHECK_INT(host_now(3).state, HOST_LOST);
	fence_end(true);
	CHECK_INT(host_now(3).state, HOST_DEAD);
	alone_end();
}

/* The new boot proves the old one dead, and does not call the `off` back that was meant for that: it hits whatever is up. */
static void a_new_boot_waits_for_the_power_off_under_way(void)
{
	uint64_t term;

	fence_3();
	term = view().term << 16 | 1;
	alone_present(true, 3, all_3);
	hear_beat(3, true, term);
	hear_report(3, "b3-2", false, INSTANCE_ABSENT);
	hear_beat(3, true, term);
	live(3000);
	CHECK_INT(host_now(3).state, HOST_QUARANTINED);
	CHECK_INT(host_now(3).certificate.method, PROOF_NEW_BOOT);
	CHECK(host_now(3).fence_intent); /* so that the next coordinator waits too */
	fence_end(false);
	hear_beat(3, true, term);
	live(1000);
	CHECK_INT(host_now(3).state, HOST_ADMITTED);
	CHECK_INT(host_now(3).epoch, 2);
	alone_end();
}

static void who_comes_back_waits_for_one_of_an_earlier_coordinator(void)
{
	lead_3(3);
	facts.hosts[2].state = HOST_LOST;
	facts.hosts[2].fence_intent = true;
	strcpy(facts.hosts[2].incident, "h3-e1");
	lead(&facts);
	hear_report(3, "b3-1", false, INSTANCE_RUNNING);
	live(8000);
	CHECK_INT(host_now(3).state, HOST_LOST);
	live(4000);
	CHECK_INT(host_now(3).state, HOST_ADMITTED);
	CHECK_INT(host_now(3).epoch, 1);
	CHECK_INT(count(ACT_FENCE), 0);
	alone_end();
}

static void who_comes_back_waits_for_one_that_a_member_sent(void)
{
	struct core_message msg = { .type = MSG_PROMISE, .from = 2, .facts_term = T1, .n_late_offs = 1, .late_offs = { 3 } };
	uint64_t term;

	lead_3(2);
	facts.hosts[2].state = HOST_QUARANTINED;
	facts.hosts[2].certificate = (struct certificate){ .method = PROOF_PERSON, .epoch = 1, .boot_id = "b3-1" };
	hear_report(3, "b3-2", false, INSTANCE_ABSENT);
	hear_beat(2, false, T1);
	hear_beat(3, false, T1);
	CHECK(sent(MSG_PREPARE));
	term = sent(MSG_PREPARE)->term;
	persisted();
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = 1, .term = term });
	msg.term = term;
	msg.n_facts = facts.n;
	msg.facts = facts.refs;
	hear(&msg);
	msg.from = 3;
	msg.n_late_offs = 0;
	hear(&msg);
	live(1000);
	CHECK(view().coordinating);
	hear_beat(2, true, term);
	hear_beat(3, true, term);
	live(7000);
	CHECK_INT(host_now(3).state, HOST_QUARANTINED);
	live(4000);
	CHECK_INT(host_now(3).state, HOST_ADMITTED);
	alone_end();
}

static void who_runs_what_went_elsewhere_is_not_admitted(void)
{
	uint64_t term;

	lead_3(2);
	facts.hosts[2].state = HOST_QUARANTINED;
	facts.hosts[2].certificate = (struct certificate){ .method = PROOF_FENCE_DEVICE, .epoch = 1, .boot_id = "b3-1" };
	hear_report(3, "b3-2", true, INSTANCE_RUNNING);
	term = lead(&facts);
	live(3000);
	CHECK_INT(host_now(3).state, HOST_QUARANTINED);
	/* Its own word that all is well does not suffice while its list says otherwise. */
	hear_report(3, "b3-2", false, INSTANCE_PAUSED);
	live(3000);
	CHECK_INT(host_now(3).state, HOST_QUARANTINED);
	hear_report(3, "b3-2", false, INSTANCE_ABSENT);
	hear_beat(3, true, term);
	CHECK_INT(host_now(3).state, HOST_ADMITTED);
	CHECK_INT(host_now(3).epoch, 2);
	alone_end();
}

static void who_waits_for_a_lost_host_is_admitted(void)
{
	static const uint32_t without_2[] = { 1, 3 };
	struct host_fact *three = &facts.hosts[2];
	uint64_t term;

	lead_3(2);
	facts.place.phase = PHASE_ASSIGNED;
	strcpy(facts.place.incident, "h3-e1");
	three->state = HOST_QUARANTINED;
	three->certificate = (struct certificate){ .method = PROOF_FENCE_DEVICE, .epoch = 1, .boot_id = "b3-0" };
	strcpy(three->boot_id, "b3-0");
	strcpy(three->incident, "h3-e1");
	term = lead(&facts);
	live(1000);
	/* What it had is being started by host 2. */
	CHECK_INT(host_now(3).state, HOST_QUARANTINED);
	alone_present(true, 2, without_2);
	hear_beat(3, true, term);
	hear_ack(3, term, view().seq);
	persisted();
	elapse(500);
	CHECK_INT(host_now(2).state, HOST_LOST);
	CHECK_INT(host_now(3).state, HOST_ADMITTED);
	alone_end();
}

int main(void)
{
	RUN(only_a_reading_is_a_proof);
	RUN(a_late_reading_proves_nothing);
	RUN(a_certificate_of_a_member_is_not_used);
	RUN(who_is_here_and_silent_is_lost);
	RUN(a_person_confirms_only_what_can_be);
	RUN(who_comes_back_waits_for_the_power_off_under_way);
	RUN(a_new_boot_waits_for_the_power_off_under_way);
	RUN(who_comes_back_waits_for_one_of_an_earlier_coordinator);
	RUN(who_comes_back_waits_for_one_that_a_member_sent);
	RUN(who_runs_what_went_elsewhere_is_not_admitted);
	RUN(who_waits_for_a_lost_host_is_admitted);
	return 0;
}
