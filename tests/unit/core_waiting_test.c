/*
 * Host 3 is dead, and its instance is not simply started elsewhere: it is left to its own host, nobody has said yet who can reach its
 * disks, or another host has it already. One core of host 1 coordinates, the test is everybody else.
 */
#include "tests/unit/core_leading.h"
#include "tests/unit/test.h"

/* What this core has just sent, as the group gives it back. */
static void hear_own(enum message_type type)
{
	struct core_message word;

	CHECK(sent(type));
	word = *sent(type);
	word.from = 1;
	hear(&word);
}

/* Host 3 is dead, this host was given vm1, and its helper says that it is none of those which are recovered. */
static uint64_t leave_to_3(void)
{
	struct core_event result = { .type = EV_START_RESULT }, inspected = { .type = EV_INSPECT_RESULT };
	uint64_t term;

	fence_3();
	term = view().term << 16 | 1;
	fence_end(true);
	commit_all(term);
	CHECK_INT(place_now().owner, 1);
	result.start.op = last_op(ACT_START);
	result.start.excluded = true;
	strcpy(result.start.detail, "not-selected: HA_Enabled is not True");
	step(&result);
	hear_own(MSG_RESULT);
	CHECK_INT(place_now().phase, PHASE_REVOKING);
	commit_all(term);
	inspected.inspect.op = last_op(ACT_INSPECT);
	inspected.inspect.known = true;
	step(&inspected);
	hear_own(MSG_RELEASED);
	commit_all(term);
	return term;
}

static void what_is_not_to_be_recovered_waits_for_its_host(void)
{
	uint64_t term = leave_to_3();
	const struct incident_fact *incident = core_incident(core, 0);

	CHECK_INT(place_now().phase, PHASE_HELD);
	CHECK(strstr(place_now().reason, "left alone until h3 is back"));
	CHECK(strstr(place_now().reason, "HA_Enabled"));
	/* Nobody waits for it: its host may never come back. */
	CHECK_INT(incident->state, INCIDENT_CLOSED);
	CHECK_INT(incident->total, 0);
	live(600000);
	CHECK_INT(place_now().generation, 2);
	/* It is back: vm1 is its again, and nobody else's. */
	alone_present(true, 3, all_3);
	hear_beat(3, true, term);
	hear_report(3, "b3-2", false, INSTANCE_ABSENT);
	live(3000);
	hear_beat(3, true, term);
	live(1000);
	CHECK_INT(host_now(3).state, HOST_ADMITTED);
	CHECK_INT(place_now().owner, 3);
	CHECK_INT(place_now().phase, PHASE_ASSIGNED);
	CHECK_INT(place_now().generation, 3);
	CHECK(place_now().excluded);
	/* That it fails there is no reason to try elsewhere. */
	hear(&(struct core_message){ .type = MSG_RESULT, .from = 3, .generation = 3, .uuid = VM1 });
	hear(&(struct core_message){ .type = MSG_RELEASED, .from = 3, .generation = 3, .uuid = VM1 });
	CHECK_INT(place_now().phase, PHASE_WAITING);
	for (int i = 0; i < 12; i++) {
		hear_beat(3, true, term);
		live(1000);
	}
	CHECK_INT(place_now().owner, 3);
	CHECK_INT(place_now().generation, 4);
	hear(&(struct core_message){ .type = MSG_RESULT, .from = 3, .generation = 4, .ok = true, .uuid = VM1 });
	CHECK_INT(place_now().phase, PHASE_SETTLED);
	CHECK(!place_now().excluded);
	alone_end();
}

/* Its hosts' words about storage come a moment after a coordinator begins: until then nobody is called. */
static void what_nobody_has_told_yet_is_not_held(void)
{
	static const uint32_t both[] = { 1, 2 };

	alone_begin(1, 3);
	facts_make(&facts, T1, 3, 3);
	facts.hosts[2].state = HOST_DEAD;
	facts.hosts[2].certificate = (struct certificate){ .method = PROOF_PERSON, .epoch = 1 };
	facts.place.phase = PHASE_WAITING;
	lead(&facts);
	alone_present(true, 2, both);
	live(1000);
	CHECK_INT(place_now().phase, PHASE_WAITING);
	CHECK(strstr(place_now().reason, "h2: unknown, not checked yet"));
	/* Longer than that takes nobody to tell it. */
	live(10000);
	CHECK_INT(place_now().phase, PHASE_HELD);
	alone_end();
}

/* Somebody has started it past hamon, on a host that does not own it: the dry run knows that as the act does. */
static void what_another_host_has_is_not_planned(void)
{
	static const uint32_t both[] = { 1, 2 };
	struct core_request request = { .id = 9, .origin = 1, .verb = REQUEST_EVACUATE, .instance = VM1, .on = true, .who = "root" };
	struct core_plan plan;

	lead_3(3);
	facts.hosts[2].state = HOST_DEAD;
	facts.hosts[2].maintenance = true;
	facts.hosts[2].certificate = (struct certificate){ .method = PROOF_PERSON, .epoch = 1 };
	facts.place.phase = PHASE_WAITING;
	lead(&facts);
	alone_present(true, 2, both);
	hear_report(2, "b2-1", false, INSTANCE_RUNNING);
	live(1000);
	CHECK_INT(place_now().phase, PHASE_WAITING);
	CHECK_INT(core_evacuation_plan(core, &request, 1, &plan), 1);
	CHECK_INT(plan.action, PLAN_REFUSE);
	CHECK_STR(plan.code, "host-alive");
	CHECK_STR(plan.text, "vm1 is on h2 in this moment");
	step(&(struct core_event){ .type = EV_REQUEST, .request = &request });
	CHECK(done(ACT_REPLY));
	CHECK_STR(done(ACT_REPLY)->reply.code, plan.code);
	CHECK_STR(done(ACT_REPLY)->reply.text, plan.text);
	CHECK_INT(place_now().generation, 1);
	/* It has ended it. */
	hear_report(2, "b2-1", false, INSTANCE_ABSENT);
	CHECK_INT(core_evacuation_plan(core, &request, 1, &plan), 1);
	CHECK_INT(plan.action, PLAN_START);
	step(&(struct core_event){ .type = EV_REQUEST, .request = &request });
	CHECK_INT(place_now().phase, PHASE_ASSIGNED);
	CHECK_INT(place_now().owner, plan.target);
	alone_end();
}

int main(void)
{
	RUN(what_is_not_to_be_recovered_waits_for_its_host);
	RUN(what_nobody_has_told_yet_is_not_held);
	RUN(what_another_host_has_is_not_planned);
	return 0;
}
