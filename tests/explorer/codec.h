/*
 * A core as a row of bytes and back. Times are kept relative to the core's own now, ages only as far as anything asks for
 * them, operations by what they are for: two cores that go on alike have the same bytes. The core's own state is opened
 * here and in step.c, nowhere else in the search.
 */
#ifndef HAMON_TESTS_EXPLORER_CODEC_H
#define HAMON_TESTS_EXPLORER_CODEC_H

#include "hamon/core/core.h"
#include "tests/explorer/intern.h"

#define HOSTS_MAX 3
#define HOSTS hosts_n       /* three, or two with two_node: each of them may be quorate alone */
#define GUESTS_MAX 2
#define NOW_MS 1000000      /* of every core, whenever its turn comes */

/* The settings of every daemon: hamon's own, with a coarser beat, so that few turns of the clock matter. */
#define BEAT_MS 5000
#define COORDINATOR_TIMEOUT_MS 7500
#define START_GRACE_MS 10000
#define LATE_EFFECT_MS 10000

/* The number of an operation that no core has under way any more; operations given out by a step begin above it. */
#define OP_STALE 999

struct fact_store {
	union {
		struct fact_version version;
		struct cluster_fact cluster;
		struct host_fact host;
		struct spec_fact spec;
		struct place_fact place;
		struct incident_fact incident;
	} as;
};

#define FACTS_MAX 32

extern size_t hosts_n;
extern bool hand_over;          /* what is stopped may be started on another host, if its owner consents */
extern uint32_t fence_delay_ms; /* of the first host: of two, it wins */

extern struct pool strings, facts, messages, cores, writes;

void codec_init(size_t guests);
void codec_free(void);

void guest_spec(size_t guest, struct spec_fact *spec);
size_t guest_of(const char *uuid);
/* The canonical number of an operation, by what it is for. */
uint64_t op_fence(size_t target);
uint64_t op_start(size_t guest);
uint64_t op_inspect(size_t guest);
uint64_t op_stop(size_t guest);

uint32_t string_put(const char *text);
const char *string_get(uint32_t number);

uint32_t fact_put(const struct fact_ref *ref);
void fact_get(uint32_t number, struct fact_ref *ret, struct fact_store *space);

uint32_t message_put(const struct core_message *msg);
/* *ret points into static space that the next call overwrites. */
void message_get(uint32_t number, struct core_message *ret);

/* The core must be between two steps. */
uint32_t core_put(struct core *core, int *ret_new);
void core_get(uint32_t number, struct core *core);
/* A core of that host's boot before its first event. */
void core_blank(struct core *core, size_t host, uint32_t boot);

/* With every field that is not kept in the bytes poisoned: what the search found must not depend on them. */
extern uint8_t codec_poison;

#endif
