/*
 * Two hosts alone (two_node): each is quorate by itself and may act by facts of its own. One core of host 1, the test is host 2: whose
 * facts win, and when host 2 counts as dead.
 */
#include "tests/unit/core_leading.h"
#include "tests/unit/test.h"

static const uint32_t both[] = { 1, 2 };

static void pair_begin(void)
{
	alone_begin_two(1);
	facts_make(&facts, T1, 2, 2);
	for (uint32_t id = 1; id <= 2; id++)
		hear_report(id, facts.hosts[id - 1].boot_id, false, INSTANCE_ABSENT);
}

/* Of host 2 the boot before this one is proven dead; it is back, and not admitted yet. */
static void quarantine_2(void)
{
	facts.hosts[1].state = HOST_QUARANTINED;
	facts.hosts[1].certificate = (struct certificate){ .method = PROOF_FENCE_DEVICE, .epoch = 1 };
	strcpy(facts.hosts[1].boot_id, "b2-0");
	strcpy(facts.hosts[1].certificate.boot_id, "b2-0");
	strcpy(facts.hosts[1].incident, "h2-e1");
}

/* Host 2, whose facts these are, is gone: this one stands by itself, and opens. */
static void open_alone(void)
{
	alone_present(true, 1, both);
	elapse(2000);
	persisted();
	hear(&(struct core_message){ .type = MSG_PROMISE, .from = 1, .term = view().term << 16 | 1, .facts_term = T1 });
	for (int i = 0; i < 10 && !view().synced; i++)
		elapse(100);
}

static void who_leaves_out_of_quarantine_is_not_proven_dead(void)
{
	uint64_t term;

	pair_begin();
	quarantine_2();
	hear_report(2, "b2-1", false, INSTANCE_ABSENT);
	term = lead(&facts);
	hear_beat(1, true, term);
	CHECK_INT(host_now(2).state, HOST_QUARANTINED);
	/* It has these facts, and may go on alone as this host does. */
	alone_present(true, 1, both);
	elapse(100);
	CHECK_INT(host_now(2).state, HOST_LOST);
	CHECK_INT(host_now(2).epoch, 2);
	CHECK(!strcmp(host_now(2).boot_id, "b2-1"));
	/* Back in that boot it is where it was, and nothing of it is taken for verified. */
	alone_present(true, 2, both);
	hear_beat(2, true, term);
	hear_beat(1, true, term);
	hear(&(struct core_message){ .type = MSG_HOST, .from = 2, .host = { .boot_id = "b2-1" } });
	CHECK_INT(host_now(2).state, HOST_QUARANTINED);
	alone_end();
}

static void what_was_opened_alone_replaces_nothing(void)
{
	pair_begin();
	follow(T1, &facts);
	open_alone();
	persisted();
	hear_beat(1, true, view().term << 16 | 1);
	CHECK(view().coordinating);
	/* Host 2 is back with its store, and may have committed something: it is asked before it is told. */
	alone_present(true, 2, both);
	hear_beat(2, false, T1);
	CHECK(!sent(MSG_SNAPSHOT));
	CHECK(sent(MSG_PREPARE));
	alone_end();
}

static void who_opens_gives_way_to_a_higher_promise(void)
{
	uint64_t term;

	pair_begin();
	hear_beat(2, false, T1);
	CHECK(sent(MSG_PREPARE));
	term = sent(MSG_PREPARE)->term;
	persisted();
	for (uint32_t id = 1; id <= 2; id++)
		hear(&(struct core_message){ .type = MSG_PROMISE, .from = id, .term = term, .facts_term = T1,
					     .n_facts = facts.n, .facts = facts.refs });
	CHECK(sent(MSG_RECORD) && sent(MSG_RECORD)->replace);
	/* Nobody will acknowledge this term any more. */
	hear_beat(2, false, term + TERM(1, 0));
	CHECK(sent(MSG_PREPARE));
	CHECK(sent(MSG_PREPARE)->term > term + TERM(1, 0));
	alone_end();
}

/* The fact of the instance is one side's, the fact of its host the other's. */
static void facts_of_both_are_made_to_fit(void)
{
	pair_begin();
	facts.place.phase = PHASE_ASSIGNED;
	facts.place.owner_epoch = 7;
	lead(&facts);
	CHECK_INT(place_now().owner_epoch, 1);
	CHECK_INT(place_now().phase, PHASE_SETTLED);
	alone_end();
}

/* Strong facts that were written before the proof count from the first record that outranks the other's. */
static void alone_nothing_counts_before_its_mark_is_on_the_disk(void)
{
	struct instance_report report = { .state = INSTANCE_RUNNING, .defined = true };
	struct core_event off = { .type = EV_FENCE_RESULT, .fence = { .off = true } };
	uint64_t seq, term;

	pair_begin();
	term = lead(&facts);
	hear_beat(1, true, term);
	alone_present(true, 1, both);
	for (int i = 0; i < 4 && !count(ACT_FENCE); i++) {
		persisted();
		elapse(100);
	}
	CHECK_INT(count(ACT_FENCE), 1);
	report.spec = facts.spec;
	strcpy(report.spec.uuid, "00000000-0000-4000-8000-000000000002");
	strcpy(report.spec.name, "vm2");
	seq = view().seq;
	hear(&(struct core_message){ .type = MSG_REPORT, .from = 1, .n_reports = 1, .reports = &report });
	persisted();
	elapse(100);
	CHECK_INT(view().commit, seq);
	off.fence.op = last_op(ACT_FENCE);
	step(&off);
	step(&(struct core_event){ .type = EV_TICK });
	CHECK_INT(view().commit, seq);
	persisted();
	elapse(10);
	CHECK(view().commit > seq + 1);
	alone_end();
}

/* What became of an instance was not committed by both when the other went: only its death makes it count, so it is fenced for that. */
static void alone_the_other_is_fenced_for_what_waits_for_it(void)
{
	struct instance_report report = { .state = INSTANCE_RUNNING, .defined = true };
	uint64_t term;

	pair_begin();
	facts.place.owner = facts.place.home = 1;
	hear_report(1, facts.hosts[0].boot_id, false, INSTANCE_RUNNING);
	term = lead(&facts);
	hear_beat(1, true, term);
	report.spec = facts.spec;
	strcpy(report.spec.uuid, "00000000-0000-4000-8000-000000000002");
	strcpy(report.spec.name, "vm2");
	hear(&(struct core_message){ .type = MSG_REPORT, .from = 1, .n_reports = 1, .reports = &report });
	persisted();
	alone_present(true, 1, both);
	for (int i = 0; i < 4 && !count(ACT_FENCE); i++) {
		persisted();
		elapse(100);
	}
	CHECK_INT(host_now(2).state, HOST_LOST);
	CHECK(host_now(2).fence_intent);
	CHECK_INT(count(ACT_FENCE), 1);
	alone_end();
}

/* Who was shut down on purpose is not fenced; that the other can start nothing without it is told, once. */
static void alone_after_the_other_left_says_what_it_waits_for(void)
{
	struct instance_report report = { .state = INSTANCE_RUNNING, .defined = true };
	struct core_host_view host;
	uint64_t seq, term;

	pair_begin();
	facts.place.owner = facts.place.home = 1;
	hear_report(1, facts.hosts[0].boot_id, false, INSTANCE_RUNNING);
	term = lead(&facts);
	hear_beat(1, true, term);
	hear(&(struct core_message){ .type = MSG_LEAVE, .from = 2 });
	alone_present(true, 1, both);
	persisted();
	elapse(100);
	CHECK_INT(host_now(2).state, HOST_LEFT);
	report.spec = facts.spec;
	strcpy(report.spec.uuid, "00000000-0000-4000-8000-000000000002");
	strcpy(report.spec.name, "vm2");
	hear(&(struct core_message){ .type = MSG_REPORT, .from = 1, .n_reports = 1, .reports = &report });
	persisted();
	elapse(1000);
	CHECK(core_host(core, 1, &host) && strstr(host.reason, "hamonctl confirm-fenced"));
	seq = view().seq;
	persisted();
	elapse(5000);
	CHECK_INT(view().seq, seq);
	CHECK_INT(host_now(2).state, HOST_LEFT);
	CHECK_INT(count(ACT_FENCE), 0);
	alone_end();
}

/* Host 2 coordinated, and is gone: host 1 opens a term alone, and fences. Returns the term. */
static uint64_t alone_of_two(void)
{
	alone_begin_two(1);
	facts_make(&facts, T1, 2, 2);
	for (uint32_t id = 1; id <= 2; id++)
		hear_report(id, facts.hosts[id - 1].boot_id, false, id == 2 ? INSTANCE_RUNNING : INSTANCE_ABSENT);
	follow(T1, &facts);
	alone_present(true, 1, both);
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
	uint64_t term = alone_of_two();

	alone_present(true, 2, both);
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
	open_alone();
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
	alone_present(true, 1, both);
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

int main(void)
{
	RUN(who_leaves_out_of_quarantine_is_not_proven_dead);
	RUN(what_was_opened_alone_replaces_nothing);
	RUN(who_opens_gives_way_to_a_higher_promise);
	RUN(facts_of_both_are_made_to_fit);
	RUN(alone_nothing_counts_before_its_mark_is_on_the_disk);
	RUN(alone_the_other_is_fenced_for_what_waits_for_it);
	RUN(alone_after_the_other_left_says_what_it_waits_for);
	RUN(alone_of_two_it_outranks_nobody);
	RUN(alone_of_two_it_merges_with_who_comes_back);
	RUN(alone_of_two_an_old_boots_proof_is_none);
	RUN(alone_of_two_it_commits_its_intent_alone);
	RUN(who_proves_the_other_of_two_dead_outranks_it);
	return 0;
}
