/*
 * One walk over each struct both writes and reads it, so that the two cannot differ. Shared by the files of the codec only.
 */
#ifndef HAMON_TESTS_EXPLORER_WALK_H
#define HAMON_TESTS_EXPLORER_WALK_H

#include "hamon/core/state.h"
#include "tests/explorer/codec.h"

struct codec {
	bool write;
	bool in_core;           /* times in facts mean something: this core wrote them itself */
	uint64_t now_ms;        /* of the core that is written; what is read begins at NOW_MS */
	const uint8_t *from;
	size_t at;
	uint8_t to[16384];
};

void num_walk(struct codec *c, uint64_t *value);
/* An age, as far as cap_ms; what lies ahead is kept whole. 0 is never. */
void time_walk(struct codec *c, uint64_t *at_ms, uint64_t cap_ms);
/* An end: when it is past it is as good as never set. */
void end_walk(struct codec *c, uint64_t *at_ms);
void text_walk(struct codec *c, char *text, size_t size);
void uuid_walk(struct codec *c, char *uuid);
void op_walk(struct codec *c, uint64_t *op, uint64_t canonical);

#define N(field) do { \
	uint64_t number_ = (uint64_t)(field); \
	num_walk(c, &number_); \
	(field) = (__typeof__(field))number_; \
} while (0)
#define TEXT(field) text_walk(c, field, sizeof(field))
#define AGE(field, cap_ms) time_walk(c, &(field), cap_ms)
#define END(field) end_walk(c, &(field))
/* A field that nothing reads as long as the condition does not hold. */
#define ONLY(condition, field, walk) do { \
	if (condition) \
		walk; \
	else \
		(field) = 0; \
} while (0)

void cluster_walk(struct codec *c, struct cluster_fact *fact);
void host_fact_walk(struct codec *c, struct host_fact *fact);
void spec_walk(struct codec *c, struct spec_fact *spec);
void place_walk(struct codec *c, struct place_fact *place);
void incident_walk(struct codec *c, struct incident_fact *incident);
void host_report_walk(struct codec *c, struct host_report *report);
void report_walk(struct codec *c, struct instance_report *report);

#endif
