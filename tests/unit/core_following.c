/* See core_following.h. */
#include "tests/unit/core_following.h"

struct alone_facts facts;

void record(uint64_t term, uint64_t seq, const struct fact_ref *refs, size_t n)
{
	hear(&(struct core_message){ .type = MSG_RECORD, .from = term & 0xffff, .term = term, .seq = seq, .n_facts = n,
				     .facts = refs });
}

void record_assign(uint64_t term, uint64_t seq, uint32_t owner, uint64_t generation, uint64_t epoch)
{
	static struct place_fact place;
	struct fact_ref ref = { .kind = FACT_PLACE, .fact = &place };

	place = facts.place;
	place.version = (struct fact_version){ .term = term, .counter = 100 + seq };
	place.owner = owner;
	place.generation = generation;
	place.owner_epoch = epoch;
	place.phase = PHASE_ASSIGNED;
	record(term, seq, &ref, 1);
}

int gate_ask_op(uint64_t id, enum gate_op op)
{
	struct gate_query query = { .id = id, .op = op, .protected = true, .spec = facts.spec };

	step(&(struct core_event){ .type = EV_GATE, .gate = &query });
	return done(ACT_GATE_REPLY) ? done(ACT_GATE_REPLY)->gate.allow : -1;
}

int gate_ask(uint64_t id)
{
	return gate_ask_op(id, GATE_START);
}

void member_of(uint32_t hosts, uint32_t owner)
{
	alone_begin(3, hosts);
	facts_make(&facts, T1, hosts, owner);
	follow(T1, &facts);
}
