/* Records that wait for their delivery. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "hamon/alert/queue.h"

void alert_queue_init(struct alert_queue *queue, size_t max_records, size_t max_bytes)
{
	*queue = (struct alert_queue){ .max_records = max_records, .max_bytes = max_bytes };
	TAILQ_INIT(&queue->all);
	for (int i = 0; i < ALERT_SEVERITIES; i++)
		TAILQ_INIT(&queue->severities[i]);
}

static size_t item_bytes(const struct alert_item *item)
{
	return sizeof(*item) + sizeof(*item->record) + 2 * item->record->json_len; /* the line and its fields */
}

void alert_item_free(struct alert_item *item)
{
	if (!item)
		return;
	alert_record_unref(item->record);
	free(item);
}

static struct alert_item *lane_after(struct alert_item *item, unsigned int lane)
{
	do {
		item = TAILQ_NEXT(item, by_number);
	} while (item && !(item->lanes & 1u << lane));
	return item;
}

static void item_remove(struct alert_queue *queue, struct alert_item *item)
{
	for (unsigned int lane = 0; lane < ALERT_LANES_MAX; lane++)
		if (queue->next[lane] == item)
			queue->next[lane] = lane_after(item, lane);
	TAILQ_REMOVE(&queue->all, item, by_number);
	TAILQ_REMOVE(&queue->severities[item->record->severity], item, by_severity);
	queue->n--;
	queue->bytes -= item_bytes(item);
}

static bool queue_is_full(const struct alert_queue *queue, size_t bytes)
{
	return queue->n >= queue->max_records || queue->bytes + bytes > queue->max_bytes;
}

/* The newest item of the lowest severity below the given one that nobody is at. */
static struct alert_item *item_evict(struct alert_queue *queue, enum alert_severity severity)
{
	for (int i = 0; i < (int)severity; i++) {
		struct alert_item *item = TAILQ_LAST(&queue->severities[i], alert_items);

		while (item && item->running)
			item = TAILQ_PREV(item, alert_items, by_severity);
		if (!item)
			continue;
		item_remove(queue, item);
		return item;
	}
	return NULL;
}

/* Almost always at the end: only what a late spool brings has older numbers. */
static void item_insert(struct alert_queue *queue, struct alert_item *item)
{
	struct alert_items *severity = &queue->severities[item->record->severity];
	struct alert_item *before = TAILQ_LAST(&queue->all, alert_items);

	while (before && before->number > item->number)
		before = TAILQ_PREV(before, alert_items, by_number);
	if (before)
		TAILQ_INSERT_AFTER(&queue->all, before, item, by_number);
	else
		TAILQ_INSERT_HEAD(&queue->all, item, by_number);
	TAILQ_INSERT_TAIL(severity, item, by_severity);
	queue->n++;
	queue->bytes += item_bytes(item);
	for (unsigned int lane = 0; lane < ALERT_LANES_MAX; lane++)
		if ((item->lanes & 1u << lane) &&
		    (!queue->next[lane] || queue->next[lane]->number > item->number))
			queue->next[lane] = item;
}

struct alert_item *alert_queue_add(struct alert_queue *queue, struct alert_record *record, uint32_t lanes,
				   uint64_t number, uint64_t now_us, uint64_t now_ms,
				   struct alert_item **ret_evicted)
{
	struct alert_item *item = calloc(1, sizeof(*item));

	*ret_evicted = NULL;
	if (!item) {
		errno = ENOMEM;
		return NULL;
	}
	item->record = record;
	if (queue_is_full(queue, item_bytes(item)))
		*ret_evicted = item_evict(queue, record->severity);
	if (queue_is_full(queue, item_bytes(item))) {
		free(item);
		errno = ENOSPC;
		return NULL;
	}
	if (!number)
		number = now_us > queue->last_number ? now_us : queue->last_number + 1;
	if (number > queue->last_number)
		queue->last_number = number;
	item->record = alert_record_ref(record);
	item->number = number;
	item->arrived_ms = now_ms;
	item->lanes = lanes;
	item_insert(queue, item);
	return item;
}

bool alert_queue_done(struct alert_queue *queue, struct alert_item *item, unsigned int lane)
{
	assert(item->lanes & 1u << lane);
	if (queue->next[lane] == item)
		queue->next[lane] = lane_after(item, lane);
	item->lanes &= ~(1u << lane);
	if (item->lanes)
		return false;
	item_remove(queue, item);
	return true;
}

struct alert_item *alert_queue_leave(struct alert_queue *queue, unsigned int lane)
{
	while (queue->next[lane]) {
		struct alert_item *item = queue->next[lane];

		if (alert_queue_done(queue, item, lane))
			return item;
	}
	return NULL;
}

uint64_t alert_queue_lane_done(const struct alert_queue *queue, unsigned int lane)
{
	return queue->next[lane] ? queue->next[lane]->number - 1 : queue->last_number;
}

void alert_queue_clear(struct alert_queue *queue)
{
	struct alert_item *item;

	while ((item = TAILQ_FIRST(&queue->all))) {
		item_remove(queue, item);
		alert_item_free(item);
	}
}
