/*
 * The agents and how far each has got, and what is running of them. A lane is one agent with one recipient; its index
 * is its bit in the queue's masks.
 */
#ifndef HAMON_ALERT_LANES_H
#define HAMON_ALERT_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "hamon/alert/agents.h"
#include "hamon/alert/queue.h"
#include "hamon/alert/run.h"

struct alert_lane {
	bool used;
	struct alert_agent agent;
	struct alert_item *item; /* that is being delivered, or NULL */
	struct alert_run run;    /* of that item; also without one, when the lane was given up under it */
	bool running;
	uint64_t retry_ms;       /* not before */
	uint64_t attempted;      /* number of the record whose attempts are counted */
	unsigned int attempts;
	unsigned int failures;   /* records in a row that it never took */
};

struct alert_lanes {
	struct alert_lane lanes[ALERT_LANES_MAX];
	bool changed; /* what lanes.json says is old */
};

/* Mask of the lanes in use. */
uint32_t alert_lanes_mask(const struct alert_lanes *lanes);

/*
 * Makes the lanes those of found, whose agents it takes over. A lane that is gone is told by gone(user, index) while it
 * is still there.
 */
void alert_lanes_set(struct alert_lanes *lanes, struct alert_agents *found,
		     void (*gone)(void *user, unsigned int lane), void *user);

/* What is kept over a restart, as JSON text; the caller's to free, NULL when out of memory. */
char *alert_lanes_text(const struct alert_lanes *lanes, const struct alert_queue *queue);

/*
 * Reads that text: for each lane how far it had got, UINT64_MAX for one that was not known then. A text that is
 * missing or damaged leaves all at 0: rather twice than never. Pure.
 */
void alert_lanes_parse(struct alert_lanes *lanes, const char *text, uint64_t ret_done[ALERT_LANES_MAX]);

#endif
