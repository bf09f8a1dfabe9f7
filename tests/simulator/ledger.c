/*
 * The ledger of committed facts. A record is committed when it is on the disks of a strict majority of the hosts (of one host of two
 * alone): the ledger looks at the disks. What it holds must never be lost by a later term, and each change of it must be one
 * that the invariants allow (transitions.c).
 */
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/ledger.h"

struct ledger *ledger_new(void)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		abort();
	return ledger;
}

void ledger_free(struct ledger *ledger)
{
	for (size_t i = 0; ledger && i < ledger->n_records; i++)
		parcel_release(ledger->records[i]);
	free(ledger);
}

static bool is_newer(struct fact_version a, struct fact_version b)
{
	return fact_version_cmp(a, b) > 0;
}

/* --- what is lost --- */

static const void *record_fact(const struct core_message *msg, enum fact_kind kind, uint32_t nodeid, size_t guest)
{
	for (size_t i = 0; i < msg->n_facts; i++) {
		const struct fact_ref *ref = &msg->facts[i];

		if (ref->kind != kind)
			continue;
		if (kind == FACT_HOST && ((const struct host_fact *)ref->fact)->nodeid == nodeid)
			return ref->fact;
		if (kind == FACT_PLACE && guest_number(((const struct place_fact *)ref->fact)->uuid) == guest)
			return ref->fact;
	}
	return NULL;
}

/* An opening record carries all that was committed before it, or newer. */
static void opening_check(struct world *w, const struct core_message *msg)
{
	struct ledger *ledger = w->ledger;

	for (size_t h = 0; h < w->n_hosts; h++) {
		const struct host_fact *fact = record_fact(msg, FACT_HOST, w->hosts[h].nodeid, 0);
		const struct fact_version version = ledger->hosts[h].fact.version;

		if (version.term && (!fact || is_newer(version, fact->version)))
			fail(w, "I5: a term was opened without a committed fact of %s", w->hosts[h].name);
	}
	for (size_t g = 0; g < w->n_guests; g++) {
		struct ledger_place *place = &ledger->places[g];
		const struct place_fact *fact;

		if (!place->known || place->deleted)
			continue;
		fact = record_fact(msg, FACT_PLACE, 0, g);
		/* A person has undefined it: whether that was committed before, or is now, makes no difference. */
		if (!fact && place->deleting) {
			place->deleted = true;
			continue;
		}
		if (!fact || is_newer(place->version, fact->version))
			fail(w, "I5: a term was opened without a committed fact of vm%zu", g + 1);
	}
}

/* --- what is committed --- */

static void spec_commit(struct world *w, const struct spec_fact *fact)
{
	size_t guest = guest_number(fact->uuid);
	struct ledger_place *place = &w->ledger->places[guest];

	if (!is_newer(fact->version, place->spec_version))
		return;
	if (fact->deleted && !place->deleted && !place->deleting)
		fail(w, "I13: vm%zu is taken for deleted, and nobody has undefined it", guest + 1);
	place->spec_version = fact->version;
	place->deleted = fact->deleted;
}

static void place_commit(struct world *w, const struct place_fact *fact)
{
	size_t guest = guest_number(fact->uuid);
	struct ledger_place *place = &w->ledger->places[guest], old = *place;

	if (place->known && !is_newer(fact->version, place->version))
		return;
	place->known = true;
	place->version = fact->version;
	place->owner = fact->owner;
	place->joint = fact->joint;
	place->home = fact->home;
	place->owner_epoch = fact->owner_epoch;
	place->generation = fact->generation;
	place->phase = fact->phase;
	place->wish = fact->wish;
	place->accept_loss = fact->accept_loss;
	ledger_place_check(w, guest, &old, fact);
	if (place->intended && fact->wish == place->intent && is_newer(fact->version, place->intended_after))
		place->recorded = true;
}

/* True when it is to be fenced, and was not before. */
static bool host_commit(struct world *w, const struct host_fact *fact)
{
	struct ledger_host *host = &w->ledger->hosts[host_of_node(w, fact->nodeid)], old = *host;

	if (!is_newer(fact->version, host->fact.version))
		return false;
	/* That its certificate is void is no new loss: it is a member. */
	if (fact->state == HOST_LOST && old.fact.state != HOST_LOST &&
	    (old.fact.state != HOST_DEAD || old.fact.epoch != fact->epoch))
		host->lost_ms = w->now_ms;
	if (fact->state == HOST_ADMITTED || fact->state == HOST_LEFT)
		host->lost_ms = 0;
	host->fact = *fact;
	ledger_host_check(w, &old, fact);
	/* Of one that was proven dead in another way it says that an `off` may still be under way. */
	return fact->state == HOST_LOST && fact->fence_intent && !old.fact.fence_intent;
}

/* A new coordinator may not know when a host was lost whose incident is closed: its brake need not count that one. */
static void losses_forget(struct world *w, const struct core_message *msg)
{
	for (size_t i = 0; i < msg->n_facts; i++) {
		const struct incident_fact *incident = msg->facts[i].fact;

		if (msg->facts[i].kind == FACT_INCIDENT && incident->state == INCIDENT_CLOSED)
			w->ledger->hosts[host_of_node(w, incident->host)].lost_ms = 0;
	}
}

static void record_commit(struct world *w, const struct core_message *msg)
{
	uint64_t intents = 0; /* in a record that is no opening hosts are few */

	w->ledger->commits++;
	if (!w->two_node && msg->term < w->ledger->term)
		fail(w, "I5: a record of term %llu is committed after one of term %llu",
		     (unsigned long long)msg->term >> 16, (unsigned long long)w->ledger->term >> 16);
	/* What was committed between its sending and now is in it too. */
	if (!w->two_node && msg->replace && msg->term > w->ledger->term)
		opening_check(w, msg);
	w->ledger->term = msg->term > w->ledger->term ? msg->term : w->ledger->term;
	w->ledger->opening = msg->replace;
	if (msg->replace)
		losses_forget(w, msg);
	/* Whether an instance may move rests on its host's state: that one goes first. */
	for (size_t i = 0; i < msg->n_facts; i++) {
		if (msg->facts[i].kind == FACT_HOST)
			intents |= (uint64_t)host_commit(w, msg->facts[i].fact) << i % 64;
		else if (msg->facts[i].kind == FACT_CLUSTER)
			w->ledger->frozen = ((const struct cluster_fact *)msg->facts[i].fact)->frozen;
	}
	/* An opening may carry an intent that an earlier term let pass, beside hosts that failed since. */
	for (size_t i = 0; i < msg->n_facts && i < 64 && !msg->replace; i++)
		if (intents >> i & 1 && msg->facts[i].kind == FACT_HOST)
			ledger_brake_check(w, msg->facts[i].fact);
	for (size_t i = 0; i < msg->n_facts; i++)
		if (msg->facts[i].kind == FACT_PLACE)
			place_commit(w, msg->facts[i].fact);
	for (size_t i = 0; i < msg->n_facts; i++)
		if (msg->facts[i].kind == FACT_SPEC)
			spec_commit(w, msg->facts[i].fact);
}

/* An opening carries on what was decided before. */
static void places_sent(struct world *w, const struct core_message *msg)
{
	for (size_t i = 0; i < msg->n_facts; i++) {
		const struct place_fact *fact = msg->facts[i].fact;
		struct ledger_place *place;

		if (msg->facts[i].kind != FACT_PLACE)
			continue;
		if (!msg->replace)
			ledger_assignment_check(w, fact);
		place = &w->ledger->places[guest_number(fact->uuid)];
		place->sent_generation = fact->generation;
		place->sent_wish = fact->wish;
		if (is_newer(fact->version, place->sent_version))
			place->sent_version = fact->version;
	}
}

void ledger_sent(struct world *w, struct parcel *parcel)
{
	struct ledger *ledger = w->ledger;

	places_sent(w, parcel->msg);
	/* One whose last promise comes when a later term has begun is never committed: see record_commit(). */
	if (parcel->msg->replace && !w->two_node && parcel->msg->term >= ledger->term)
		opening_check(w, parcel->msg);
	if (ledger->n_records == LEDGER_RECORDS_MAX) {
		/* The older half was never committed. */
		for (size_t i = 0; i < LEDGER_RECORDS_MAX / 2; i++)
			parcel_release(ledger->records[i]);
		ledger->n_records -= LEDGER_RECORDS_MAX / 2;
		memmove(ledger->records, &ledger->records[LEDGER_RECORDS_MAX / 2],
			ledger->n_records * sizeof(ledger->records[0]));
	}
	parcel->refs++;
	ledger->records[ledger->n_records++] = parcel;
}

static bool is_on_majority(struct world *w, uint64_t term, uint64_t seq)
{
	size_t n = 0;

	for (size_t h = 0; h < w->n_hosts; h++)
		n += w->hosts[h].store.record_term == term && w->hosts[h].store.record_seq >= seq;
	return w->two_node ? n > 0 : n * 2 > w->n_hosts;
}

void ledger_persisted(struct world *w, struct world_host *host, uint64_t term, uint64_t seq)
{
	struct ledger *ledger = w->ledger;
	size_t kept = 0;

	(void)host;
	/* In the order in which they were sent: the records of one term are in order. */
	for (size_t i = 0; i < ledger->n_records; i++) {
		struct parcel *parcel = ledger->records[i];

		if (parcel->msg->term == term && parcel->msg->seq <= seq && !w->failed &&
		    is_on_majority(w, term, parcel->msg->seq)) {
			record_commit(w, parcel->msg);
			parcel_release(parcel);
		} else {
			ledger->records[kept++] = parcel;
		}
	}
	ledger->n_records = kept;
}

/* --- what people want --- */

void ledger_intent(struct world *w, size_t guest, enum wish wish)
{
	struct ledger_place *place = &w->ledger->places[guest];

	place->intended = true;
	place->intent = wish;
	place->intended_after = place->sent_version;
	place->recorded = false;
}

/* Somebody asked for something whose outcome nobody waited for: either wish may come of it. */
void ledger_loose(struct world *w, size_t guest)
{
	w->ledger->places[guest].loose = true;
}

void ledger_deleting(struct world *w, size_t guest)
{
	w->ledger->places[guest].deleting = true;
}

bool ledger_wish(struct world *w, size_t guest, enum wish *ret_wish)
{
	const struct ledger_place *place = &w->ledger->places[guest];

	*ret_wish = place->intent;
	return place->recorded && !place->loose;
}

bool ledger_is_deleted(struct world *w, size_t guest)
{
	return w->ledger->places[guest].deleted;
}

uint64_t ledger_commits(struct world *w)
{
	return w->ledger->commits;
}
