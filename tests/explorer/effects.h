/* What a move is made of: shared by model.c and effects.c. */
#ifndef HAMON_TESTS_EXPLORER_EFFECTS_H
#define HAMON_TESTS_EXPLORER_EFFECTS_H

#include "tests/explorer/model.h"

#define SEEN_QEMU 1
#define SEEN_JOB 2

extern bool effects_too_far;    /* a queue of this move is longer than its bound */

/* One step of a host's core, and everything that it wants done. */
void host_step(struct model *m, size_t host, enum step_kind kind, uint64_t arg);
/* Everybody who can hear it is told of the group, or of the membership, if it has changed. */
void group_change(struct model *m);
void view_change(struct model *m);
/* The helpers of a host end with its term. */
void helpers_stop(struct host_here *host, struct model *m);
/* What is left of a guest to be seen. */
unsigned int guest_seen(const struct guest_here *here);
/* The last n messages of a host, or of all others, were not taken and never will be. */
void inbox_lose(struct host_here *host, bool (*lost)(uint32_t number, size_t arg), size_t arg, size_t n);
bool message_is_from(uint32_t number, size_t from);
bool message_is_not_from(uint32_t number, size_t from);

#endif
