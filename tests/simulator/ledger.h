/* What is committed, as the disks say and not as any daemon believes. */
#ifndef HAMON_TESTS_SIMULATOR_LEDGER_H
#define HAMON_TESTS_SIMULATOR_LEDGER_H

#include "tests/simulator/inner.h"

#define LEDGER_RECORDS_MAX 1024

struct ledger_place {
	bool known;
	bool deleted;
	bool deleting; /* a person has undefined it somewhere */
	struct fact_version version;
	struct fact_version spec_version;
	uint32_t owner, joint, home;
	uint64_t owner_epoch, generation;
	uint64_t sent_generation; /* of the last record that was sent, committed or not */
	struct fact_version sent_version;
	enum wish sent_wish;
	enum phase phase;
	enum wish wish;
	bool accept_loss;
	/* What people want of it at last, and whether that is committed: from then on it holds until they want otherwise. */
	bool intended, recorded, loose;
	enum wish intent;
	struct fact_version intended_after; /* what was under way by then was decided before */
};

/* Of two hosts each alone commits for itself, until one is proven dead: their ledger has both sides' facts and proves little. */
struct ledger_host {
	struct host_fact fact;
	uint64_t lost_ms; /* when its loss was committed */
};

struct ledger {
	size_t n_records;
	struct parcel *records[LEDGER_RECORDS_MAX]; /* sent, and not committed yet */
	bool frozen;
	bool opening; /* the record that is being committed opens a term: it carries what was decided before, in any order */
	struct ledger_host hosts[WORLD_HOSTS_MAX];
	struct ledger_place places[WORLD_GUESTS_MAX];
	uint64_t commits;
	uint64_t term; /* the highest of which a record is committed */
};

/* transitions.c: what may follow what */
void ledger_host_check(struct world *w, const struct ledger_host *old, const struct host_fact *fact);
void ledger_brake_check(struct world *w, const struct host_fact *fact);
void ledger_assignment_check(struct world *w, const struct place_fact *fact);
void ledger_place_check(struct world *w, size_t guest, const struct ledger_place *old, const struct place_fact *fact);

#endif
