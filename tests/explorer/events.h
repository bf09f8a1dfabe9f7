/* The inside of a step: shared by step.c and events.c. */
#ifndef HAMON_TESTS_EXPLORER_EVENTS_H
#define HAMON_TESTS_EXPLORER_EVENTS_H

#include "hamon/core/state.h"
#include "tests/explorer/step.h"

extern struct core *scratch;    /* the core whose turn it is */
extern size_t step_guests;

/* Gives the core one event, and keeps what it wants done. */
void event_run(const struct core_event *event);
/* Gives it all the events that the kind stands for. */
void events_run(enum step_kind kind, uint64_t arg);

#endif
