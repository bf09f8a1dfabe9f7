/*
 * Records that wait for their delivery. Each agent has a lane: it gets the records in their order, one at a time, and an
 * agent that hangs keeps nobody waiting but itself. Bounded: when it is full, a record of a lower severity makes room
 * for one of a higher; else the newcomer is dropped, as the beginning of an incident says more than its thousandth
 * line. Pure.
 */
#ifndef HAMON_ALERT_QUEUE_H
#define HAMON_ALERT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "hamon/alert/record.h"

#define ALERT_LANES_MAX 32

struct alert_item {
	TAILQ_ENTRY(alert_item) by_number, by_severity;
	struct alert_record *record;
	uint64_t number;     /* grows with each record, over restarts too */
	uint64_t arrived_ms;
	uint32_t lanes;      /* mask of those that have not had it */
	unsigned int running; /* lanes that are at it */
};

TAILQ_HEAD(alert_items, alert_item);

struct alert_queue {
	struct alert_items all, severities[ALERT_SEVERITIES];
	struct alert_item *next[ALERT_LANES_MAX]; /* each lane's first that it has not had */
	size_t n, bytes;
	size_t max_records, max_bytes;
	uint64_t last_number;
};

void alert_queue_init(struct alert_queue *queue, size_t max_records, size_t max_bytes);

/*
 * Takes a record (a reference of its own) for the lanes of the mask. number 0: the next one, which follows now_us, the wall
 * clock, so that it grows over restarts. *ret_evicted is an item that had to make room, the caller's to free, or
 * NULL. The item, or NULL when the record is dropped (errno ENOSPC) or memory is out (ENOMEM).
 */
struct alert_item *alert_queue_add(struct alert_queue *queue, struct alert_record *record, uint32_t lanes,
				   uint64_t number, uint64_t now_us, uint64_t now_ms,
				   struct alert_item **ret_evicted);

/* Counts out a lane's turn; true when that was the last: the item is then out of the queue and the caller's to free. */
bool alert_queue_done(struct alert_queue *queue, struct alert_item *item, unsigned int lane);

/* The lane exists no more. Items that nobody else waits for come out one by one: NULL when there is none left. */
struct alert_item *alert_queue_leave(struct alert_queue *queue, unsigned int lane);

/* Up to which number (including) the lane has had everything. */
uint64_t alert_queue_lane_done(const struct alert_queue *queue, unsigned int lane);

void alert_item_free(struct alert_item *item);
void alert_queue_clear(struct alert_queue *queue);

#endif
