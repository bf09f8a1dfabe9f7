/*
 * What a coordinator does with what it is told: one core of host 1, the test is everybody else. On whose promises it opens, what it
 * takes for a proof of death, whom it admits, and which late words it refuses.
 */
#include "tests/unit/core_alone.h"
#include "tests/unit/test.h"

#define T1 TERM(1, 2) /* the term whose facts host 1 finds; its own is the next */

static struct alone_facts facts;
static const uint32_t without_3[] = { 1, 2 }, all_3[] = { 1, 2, 3 };

static void lead_3(uint32_t owner)
{
	alone_begin(1, 3);
	facts_make(&facts, T1, 3, owner);
	for (uint32_t id = 1; id <= 3; id++)
		hear_report(id, facts.hosts[id - 1].boot_id, false, id == owner ? INSTANCE_RUNNING : INSTANCE_ABSENT);
}

/* Host 3 has left; its intent is committed and its device is told. */
static void fence_3(void)
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

/* Time passes in which the disk writes, and the others have what is written. */
static void live(uint64_t ms)
{
	for (uint64_t past_ms = 0; past_ms < ms; past_ms += 500) {
		elapse(490);
		if (view().coordinator == 1)
			commit_all(view().term << 16 | 1);
	}
}

static void fence_end(bool off)
{
	struct core_event event = { .type = EV_FENCE_RESULT, .fence = { .op = last_op(ACT_FENCE), .off = off } };

	strcpy(event.fence.device, "power");
	strcpy(event.fence.detail, off ? "reads off" : "accepted, and reads on");
	step(&event);
}

/* --- terms --- */

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

/* --- late words --- */

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

/* --- two nodes --- */

/* Host 2 coordinated, and is gone: host 1 opens a term alone, and fences. Returns the term. */
static uint64_t alone_of_two(void)
{
	alone_begin_two(1);
	facts_make(&facts, T1, 2, 2);
	for (uint32_t id = 1; id <= 2; id++)
		hear_report(id, facts.hosts[id - 1].boot_id, false, id == 2 ? INSTANCE_RUNNING : INSTANCE_ABSENT);
	follow(T1, &facts);
	alone_present(true, 1, without_3);
	elapse(2000);
	CHECK_INT(view().coordinator, 1);
	persisted();
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = 1, .term = view().term << 16 | 1, .facts_term = T1 });
	for (int i = 0; i < 10 && !view().synced; i++)
		elapse(100);
	CHECK(done(ACT_PERSIST) && done(ACT_PERSIST)->persist.replace);
	/* Nobody is to take that state for the cluster's. */
	CHECK(!sent(MSG_RECORD));
	/* Should host 2 have gone on in the meantime, its facts must win. */
	CHECK_INT(done(ACT_PERSIST)->persist.facts_term, T1);
	hear_beat(1, true, view().term << 16 | 1);
	for (int i = 0; i < 4 && !count(ACT_FENCE); i++) {
		persisted();
		elapse(100);
	}
	CHECK_INT(count(ACT_FENCE), 1);
	return view().term << 16 | 1;
}

static void alone_of_two_it_outranks_nobody(void)
{
	uint64_t term = alone_of_two();

	fence_end(true);
	CHECK(done(ACT_PERSIST)->persist.facts_term >= term); /* host 2 is proven dead: now its own count */
	CHECK(done(ACT_PERSIST)->persist.facts_term < term + TERM(1, 0));
	alone_end();
}

/* Host 2 was not dead: it comes back in a new boot, in which it may have decided alone. */
static void alone_of_two_it_merges_with_who_comes_back(void)
{
	static const uint32_t two[] = { 1, 2 };
	uint64_t term = alone_of_two();

	alone_present(true, 2, two);
	hear_report(2, "b2-2", false, INSTANCE_RUNNING);
	persisted();
	CHECK(!done(ACT_PERSIST) || done(ACT_PERSIST)->persist.facts_term == T1);
	hear_beat(2, true, T1);
	CHECK(!sent(MSG_SNAPSHOT));
	CHECK(sent(MSG_PREPARE) && sent(MSG_PREPARE)->term > term);
	alone_end();
}

/* The proof is of host 2's old boot. In its new one it is a member, quarantined; gone again, it may decide alone as well. */
static void alone_of_two_an_old_boots_proof_is_none(void)
{
	alone_begin_two(1);
	facts_make(&facts, T1, 2, 2);
	facts.hosts[1].state = HOST_QUARANTINED;
	facts.hosts[1].certificate.method = PROOF_FENCE_DEVICE;
	facts.hosts[1].certificate.epoch = 1;
	hear_report(1, facts.hosts[0].boot_id, false, INSTANCE_ABSENT);
	hear_report(2, "b2-2", false, INSTANCE_ABSENT);
	follow(T1, &facts);
	alone_present(true, 1, without_3);
	elapse(2000);
	persisted();
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = 1, .term = view().term << 16 | 1, .facts_term = T1 });
	for (int i = 0; i < 10 && !view().synced; i++)
		elapse(100);
	CHECK_INT(done(ACT_PERSIST)->persist.facts_term, T1);
	for (int i = 0; i < 20; i++) {
		persisted();
		hear_beat(1, true, view().term << 16 | 1);
		elapse(100);
	}
	CHECK_INT(host_now(2).state, HOST_LOST);
	CHECK_INT(host_now(2).epoch, 2);
	CHECK_INT(place_now().owner, 2);
	/* So it is fenced, and only then vm1 goes on. */
	CHECK_INT(count(ACT_FENCE), 1);
	fence_end(true);
	elapse(100);
	CHECK_INT(place_now().owner, 1);
	alone_end();
}

static void alone_of_two_it_commits_its_intent_alone(void)
{
	struct instance_report report = { .state = INSTANCE_RUNNING, .defined = true };
	uint64_t seq;

	alone_of_two();
	/* An instance that is new here is a claim, and nobody else has that on a disk. */
	report.spec = facts.spec;
	strcpy(report.spec.uuid, "00000000-0000-4000-8000-000000000002");
	strcpy(report.spec.name, "vm2");
	seq = view().seq;
	hear(&(struct core_message){ .type = MSG_REPORT, .from = 1, .n_reports = 1, .reports = &report });
	CHECK_INT(view().seq, seq + 1);
	persisted();
	elapse(100);
	CHECK_INT(view().commit, seq);
	fence_end(true);
	persisted();
	CHECK_INT(view().commit, view().seq);
	CHECK_INT(place_now().owner, 1);
	alone_end();
}

static void who_proves_the_other_of_two_dead_outranks_it(void)
{
	uint64_t term;

	alone_begin_two(1);
	facts_make(&facts, T1, 2, 2);
	for (uint32_t id = 1; id <= 2; id++)
		hear_report(id, facts.hosts[id - 1].boot_id, false, id == 2 ? INSTANCE_RUNNING : INSTANCE_ABSENT);
	term = lead(&facts);
	hear_beat(1, true, term);
	alone_present(true, 1, without_3);
	hear_beat(1, true, term);
	for (int i = 0; i < 4 && !count(ACT_FENCE); i++) {
		persisted();
		elapse(100);
	}
	CHECK_INT(count(ACT_FENCE), 1);
	fence_end(true);
	/* Host 2 may have opened a later term alone before it died, on the same facts: those of its are not to win. */
	CHECK(done(ACT_PERSIST)->persist.facts_term > term);
	CHECK(done(ACT_PERSIST)->persist.facts_term < term + TERM(1, 0));
	alone_end();
}

/* --- deletion --- */

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

/* --- what is left to its own host --- */

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

/* --- evacuation by hand --- */

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

/* --- live migration --- */

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

/* --- what was true of an earlier run, and who says nothing --- */

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
	RUN(a_majority_of_all_must_promise);
	RUN(empty_stores_open_when_all_are_here);
	RUN(who_could_not_promise_is_asked_again);
	RUN(facts_of_the_newest_opening_count);
	RUN(a_takeover_has_a_term_of_its_own);
	RUN(who_stood_still_coordinates_no_more);
	RUN(quorum_is_that_of_the_present_ring);
	RUN(only_a_reading_is_a_proof);
	RUN(a_late_reading_proves_nothing);
	RUN(a_certificate_of_a_member_is_not_used);
	RUN(a_person_confirms_only_what_can_be);
	RUN(who_comes_back_waits_for_the_power_off_under_way);
	RUN(a_new_boot_waits_for_the_power_off_under_way);
	RUN(who_comes_back_waits_for_one_of_an_earlier_coordinator);
	RUN(who_comes_back_waits_for_one_that_a_member_sent);
	RUN(who_runs_what_went_elsewhere_is_not_admitted);
	RUN(words_of_an_older_generation_are_not_taken);
	RUN(what_is_repeated_while_libvirt_hangs_is_no_wish);
	RUN(alone_of_two_it_outranks_nobody);
	RUN(alone_of_two_it_merges_with_who_comes_back);
	RUN(alone_of_two_an_old_boots_proof_is_none);
	RUN(alone_of_two_it_commits_its_intent_alone);
	RUN(who_proves_the_other_of_two_dead_outranks_it);
	RUN(what_the_control_plane_deleted_is_no_instance);
	RUN(what_is_not_to_be_recovered_waits_for_its_host);
	RUN(what_nobody_has_told_yet_is_not_held);
	RUN(what_another_host_has_is_not_planned);
	RUN(a_list_of_who_stood_still_ends_no_migration);
	RUN(a_report_of_an_earlier_run_ends_no_migration);
	RUN(a_claim_of_another_instance_is_not_taken);
	RUN(a_migration_undefines_nothing);
	RUN(each_run_proves_the_disks_anew);
	RUN(who_is_here_and_silent_is_lost);
	RUN(who_waits_for_a_lost_host_is_admitted);
	return 0;
}
