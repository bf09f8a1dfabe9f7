/* What dispatch.c and deliver.c share; nobody else includes it. */
#ifndef HAMON_ALERT_DISPATCH_INTERNAL_H
#define HAMON_ALERT_DISPATCH_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "hamon/alert/config.h"
#include "hamon/alert/lanes.h"
#include "hamon/alert/mailbox.h"
#include "hamon/alert/queue.h"
#include "hamon/alert/spool.h"

#define WARNED_MAX 64

struct dispatch {
	struct alert_config *config; /* NULL until the first one came */
	struct alert_queue queue;
	struct alert_lanes lanes;
	struct mailbox news;         /* from the spool */

	bool loading; /* the spool has not told everything yet */
	uint64_t loading_ms;
	uint64_t loaded_done[ALERT_LANES_MAX];
	uint64_t lanes_written_ms;

	uint64_t looked_ms; /* when agents were looked for */
	uint64_t warned[WARNED_MAX], warned_now[WARNED_MAX]; /* hashes of what was warned of */
	size_t n_warned, n_warned_now;

	unsigned int turn;  /* the lane that may start first */
	uint32_t sequence;  /* of alerts issued */
	uint64_t ending_ms; /* 0, or when to stop */
};

/* Looks for agents again, unless it was done a moment ago. */
void dispatch_lanes_look(struct dispatch *d);

/* Takes what has ended, kills what is late, starts what can be started. */
void dispatch_lanes_run(struct dispatch *d);

/* When dispatch_lanes_run has something to do by itself; UINT64_MAX: never. */
uint64_t dispatch_lanes_wake(const struct dispatch *d);

/* Nothing runs, and nothing waits. */
bool dispatch_lanes_idle(const struct dispatch *d);

void dispatch_lanes_kill(struct dispatch *d, uint64_t timeout_ms);

/* An item that is out of the queue: its file goes too. */
void dispatch_item_drop(struct dispatch *d, struct alert_item *item);

#endif
