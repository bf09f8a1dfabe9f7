/* One core of host 3 that follows a coordinator: what the unit tests of a member share. See core_alone.h. */
#ifndef HAMON_TESTS_UNIT_CORE_FOLLOWING_H
#define HAMON_TESTS_UNIT_CORE_FOLLOWING_H

#include "tests/unit/core_alone.h"

#define T1 TERM(1, 1)
#define T2 TERM(2, 2)

extern struct alone_facts facts;

/* Of so many hosts, synced in term T1 of host 1; vm1 is host owner's. */
void member_of(uint32_t hosts, uint32_t owner);
void record(uint64_t term, uint64_t seq, const struct fact_ref *refs, size_t n);
/* vm1 is given to host owner, in a record of its own. */
void record_assign(uint64_t term, uint64_t seq, uint32_t owner, uint64_t generation, uint64_t epoch);
/* May vm1 do this here? 1, 0, or -1 when that is not answered at once. */
int gate_ask_op(uint64_t id, enum gate_op op);
int gate_ask(uint64_t id);

#endif
