/* hamon/alert/queue.c: order, lanes, and who makes room for whom. */
#include <errno.h>

#include "hamon/alert/environment.h"
#include "hamon/alert/queue.h"
#include "hamon/common/json.h"
#include "tests/unit/test.h"

static struct alert_record *record(const char *severity, uint64_t seq)
{
	struct json_object *obj = json_object_new_object();
	struct alert_record *made;
	char error[128];

	json_put_string(obj, "kind", "test");
	json_put_string(obj, "severity", severity);
	json_put_u64(obj, "seq", seq);
	CHECK_INT(alert_record_take(obj, 5, &made, error, sizeof(error)), 0);
	json_object_put(obj);
	return made;
}

/* Adds a record for the lanes; what it evicts is told by its seq, 0 for none. */
static struct alert_item *add(struct alert_queue *queue, const char *severity, uint64_t seq, uint32_t lanes,
			      uint64_t number, uint64_t *ret_evicted)
{
	struct alert_record *made = record(severity, seq);
	struct alert_item *evicted, *item = alert_queue_add(queue, made, lanes, number, 100, 1, &evicted);

	if (ret_evicted)
		*ret_evicted = evicted ? evicted->record->seq : 0;
	alert_item_free(evicted);
	alert_record_unref(made);
	return item;
}

static uint64_t next(const struct alert_queue *queue, unsigned int lane)
{
	return queue->next[lane] ? queue->next[lane]->record->seq : 0;
}

static void done(struct alert_queue *queue, unsigned int lane)
{
	struct alert_item *item = queue->next[lane];

	CHECK(item);
	if (alert_queue_done(queue, item, lane))
		alert_item_free(item);
}

static void each_lane_gets_all_in_order(void)
{
	struct alert_queue queue;

	alert_queue_init(&queue, 100, 1 << 20);
	for (uint64_t seq = 1; seq <= 3; seq++)
		CHECK(add(&queue, "info", seq, seq == 2 ? 1 : 3, 0, NULL));
	CHECK_INT(next(&queue, 0), 1);
	CHECK_INT(next(&queue, 1), 1);
	done(&queue, 0);
	done(&queue, 0);
	CHECK_INT(next(&queue, 0), 3);
	CHECK_INT(queue.n, 2); /* the second was for lane 0 only */
	done(&queue, 1);
	CHECK_INT(next(&queue, 1), 3);
	CHECK_INT(queue.n, 1);
	CHECK_INT(alert_queue_lane_done(&queue, 1), queue.last_number - 1);
	done(&queue, 1);
	done(&queue, 0);
	CHECK_INT(queue.n, 0);
	CHECK_INT(queue.bytes, 0);
	CHECK_INT(alert_queue_lane_done(&queue, 1), queue.last_number);
}

static void numbers_grow(void)
{
	struct alert_queue queue;

	alert_queue_init(&queue, 100, 1 << 20);
	CHECK_INT(add(&queue, "info", 1, 1, 0, NULL)->number, 100);
	CHECK_INT(add(&queue, "info", 2, 1, 0, NULL)->number, 101);
	CHECK_INT(add(&queue, "info", 3, 1, 500, NULL)->number, 500);
	CHECK_INT(add(&queue, "info", 4, 1, 0, NULL)->number, 501);
	/* One that the spool brings late. */
	add(&queue, "info", 5, 1, 50, NULL);
	CHECK_INT(next(&queue, 0), 5);
	done(&queue, 0);
	CHECK_INT(next(&queue, 0), 1);
	alert_queue_clear(&queue);
	CHECK_INT(queue.n, 0);
}

static void the_lowest_makes_room(void)
{
	struct alert_queue queue;
	uint64_t evicted;

	alert_queue_init(&queue, 4, 1 << 20);
	add(&queue, "notice", 1, 1, 0, NULL);
	add(&queue, "info", 2, 1, 0, NULL);
	add(&queue, "info", 3, 1, 0, NULL);
	add(&queue, "alert", 4, 1, 0, NULL);
	CHECK(!add(&queue, "info", 5, 1, 0, &evicted));
	CHECK_INT(errno, ENOSPC);
	CHECK_INT(evicted, 0);
	CHECK(add(&queue, "warning", 6, 1, 0, &evicted));
	CHECK_INT(evicted, 3);
	queue.next[0]->running = 1; /* number 1 is being delivered, and stays */
	CHECK(add(&queue, "alert", 7, 1, 0, &evicted));
	CHECK_INT(evicted, 2);
	CHECK(add(&queue, "alert", 8, 1, 0, &evicted));
	CHECK_INT(evicted, 6);
	CHECK(!add(&queue, "alert", 9, 1, 0, &evicted));
	CHECK_INT(evicted, 0);
	CHECK_INT(next(&queue, 0), 1);
	done(&queue, 0);
	CHECK_INT(next(&queue, 0), 4);
	done(&queue, 0);
	CHECK_INT(next(&queue, 0), 7);
	alert_queue_clear(&queue);
}

static void bytes_are_bounded(void)
{
	struct alert_queue queue;
	size_t n = 0;

	alert_queue_init(&queue, 1000000, 100000);
	while (add(&queue, "info", n + 1, 1, 0, NULL))
		n++;
	CHECK(n > 50 && n < 1000);
	CHECK(queue.bytes <= 100000);
	alert_queue_clear(&queue);
	CHECK_INT(queue.bytes, 0);
}

static void a_lane_that_leaves_takes_its_part(void)
{
	struct alert_queue queue;
	struct alert_item *item;
	uint64_t left = 0;

	alert_queue_init(&queue, 100, 1 << 20);
	add(&queue, "info", 1, 1, 0, NULL);
	add(&queue, "info", 2, 3, 0, NULL);
	add(&queue, "info", 3, 1, 0, NULL);
	while ((item = alert_queue_leave(&queue, 0))) {
		left += item->record->seq;
		alert_item_free(item);
	}
	CHECK_INT(left, 4);
	CHECK_INT(next(&queue, 0), 0);
	CHECK_INT(next(&queue, 1), 2);
	alert_queue_clear(&queue);
}

static void expect_time(const char *format, const char *expected)
{
	char text[64];

	alert_time_format(format, 1767261600123456, text, sizeof(text)); /* 2026-01-01T10:00:00.123456Z */
	CHECK_STR(text, expected);
}

static void times_are_formatted(void)
{
	expect_time("%H:%M:%S.%06N", "10:00:00.123456");
	expect_time("%Y-%m-%d,%H:%M:%S.%01N", "2026-01-01,10:00:00.1");
	expect_time("%s %3N%N", "1767261600 123123456000");
	expect_time("100%%N", "100%N");
	expect_time("", "");
	expect_time("x%", "x%");
	expect_time("%99999999N %A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A", "");
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	RUN(each_lane_gets_all_in_order);
	RUN(numbers_grow);
	RUN(the_lowest_makes_room);
	RUN(bytes_are_bounded);
	RUN(a_lane_that_leaves_takes_its_part);
	RUN(times_are_formatted);
	return 0;
}
