/* The group module against a corosync that misbehaves on request (fake_cpg.c). */
#include <errno.h>
#include <stdint.h>
#include <corosync/cpg.h>
#include <qb/qbdefs.h>
#include <qb/qbutil.h>

#include "hamon/cluster/cpg.h"
#include "hamon/cluster/frame.h"
#include "tests/unit/fake_cpg.h"
#include "tests/unit/test.h"

static qb_loop_t *loop;
static struct group *group;
static unsigned int ups, downs, views, messages;
static unsigned int want_ups, want_messages; /* the loop stops when they are reached */
static size_t bytes, last_len;
static struct group_member last_left;
static int send_in_callback; /* bytes to send from on_up and on_down */
static int send_rc;

static void stop_if_done(void)
{
	if (ups >= want_ups && messages >= want_messages)
		qb_loop_stop(loop);
}

static void on_up(void *user, uint32_t nodeid)
{
	CHECK_INT(nodeid, 5);
	CHECK(group_is_up(group, NULL));
	ups++;
	if (send_in_callback)
		CHECK_INT(group_send(group, "hello", 5), 0);
	stop_if_done();
}

static void on_down(void *user)
{
	downs++;
	send_rc = group_send(group, "hello", 5);
}

static void on_members(void *user, const struct group_view *view)
{
	CHECK_INT(view->n_members, 2);
	views++;
	if (view->n_left)
		last_left = view->left[0];
}

static void on_message(void *user, uint32_t nodeid, uint32_t pid, const void *data, size_t len)
{
	messages++;
	bytes += len;
	last_len = len;
	stop_if_done();
}

static void start(void)
{
	static const struct group_callbacks callbacks = {
	    .on_up = on_up,
	    .on_down = on_down,
	    .on_members = on_members,
	    .on_message = on_message,
	};

	ups = downs = views = messages = 0;
	want_ups = 1;
	want_messages = 0;
	bytes = 0;
	send_in_callback = 0;
	fake_reset();
	CHECK_INT(group_start(loop, "test", &callbacks, NULL, &group), 0);
}

static void run_until(unsigned int n_ups, unsigned int n_messages)
{
	want_ups = n_ups;
	want_messages = n_messages;
	qb_loop_run(loop);
}

static void stop(void)
{
	group_stop(group);
	CHECK_INT(fake.fd, -1);
	CHECK_INT(fake.opened, fake.finalized);
}

static void bad_names(void)
{
	char name[129];

	memset(name, 'x', 128);
	name[128] = '\0';
	CHECK_INT(group_start(loop, "", NULL, NULL, &group), -EINVAL);
	CHECK_INT(group_start(loop, name, NULL, NULL, &group), -EINVAL);
}

static void plain(void)
{
	static uint8_t data[100000];

	start();
	CHECK_INT(group_send(group, "x", 1), -ENOTCONN);
	run_until(1, 0);
	CHECK_INT(group_send(group, data, sizeof(data)), 0);
	CHECK_INT(group_send(group, data, 0), -EINVAL);
	run_until(1, 1);
	CHECK_INT(last_len, sizeof(data));
	CHECK_INT(views, 1);
	CHECK_INT(group_unsent(group), 0);
	stop();
	CHECK_INT(fake.left, 1);
	CHECK_INT(downs, 0);
}

static void come_up(void *data)
{
	fake.open_error = 0;
}

static void absent_at_start(void)
{
	CHECK_INT(group_send(NULL, "early", 5), -ENOTCONN);
	start();
	fake.open_error = CS_ERR_LIBRARY;
	qb_loop_timer_add(loop, QB_LOOP_MED, 600 * QB_TIME_NS_IN_MSEC, NULL, come_up, NULL);
	run_until(1, 0);
	CHECK_INT(downs, 0);
	stop();
}

static void join_refused_for_a_while(void)
{
	start();
	fake.join_error = CS_ERR_TRY_AGAIN;
	fake.join_errors = 3;
	run_until(1, 0);
	CHECK_INT(fake.opened, 1);
	stop();
}

static void join_refused(void)
{
	start();
	fake.join_error = CS_ERR_ACCESS;
	fake.join_errors = 1;
	run_until(1, 0);
	CHECK_INT(fake.opened, 2);
	CHECK_INT(downs, 0);
	stop();
}

static void stop_before_up(void)
{
	start();
	group_stop(group);
	CHECK_INT(fake.opened, 0);
	start();
	fake.join_error = CS_ERR_TRY_AGAIN;
	fake.join_errors = 1000;
	qb_loop_timer_add(loop, QB_LOOP_MED, 20 * QB_TIME_NS_IN_MSEC, loop,
			  (qb_loop_timer_dispatch_fn)qb_loop_stop, NULL);
	qb_loop_run(loop);
	stop();
	CHECK_INT(fake.left, 0);
	group_stop(NULL);
}

/* Refused for a while in the middle of a message: nothing is lost, doubled or reordered. */
static void send_refused_for_a_while(void)
{
	static uint8_t data[200000];
	struct group_stats stats;

	start();
	run_until(1, 0);
	fake.mcast_error = CS_ERR_TRY_AGAIN;
	fake.mcast_errors = 2;
	CHECK_INT(group_send(group, data, 10), 0);
	CHECK_INT(group_send(group, data, sizeof(data)), 0);
	CHECK_INT(fake.sent, 0);
	run_until(1, 2);
	CHECK_INT(last_len, sizeof(data));
	CHECK_INT(fake.sent, 1 + 7);
	group_get_stats(group, &stats);
	CHECK_INT(stats.retries, 2);
	CHECK_INT(stats.sent, 2);
	CHECK_INT(fake.opened, 1);
	stop();
}

/* However much there is to say, corosync never has more than 16 fragments that it has not given
 * back. */
static void window(void)
{
	static uint8_t data[1000000];

	start();
	run_until(1, 0);
	fake.hold = true;
	for (int i = 0; i < 100; i++)
		CHECK_INT(group_send(group, data, 100), 0);
	CHECK_INT(fake.sent, 16);
	CHECK_INT(group_unsent(group), 100);
	/* And the rest waits in a bounded queue: 4096 fragments, 32 MiB. */
	for (int i = 0; i < 33; i++)
		CHECK_INT(group_send(group, data, sizeof(data)), 0);
	CHECK_INT(group_send(group, data, sizeof(data)), -EAGAIN);
	CHECK_INT(group_send(group, data, 1000), 0);
	for (int i = 84 + 33 * 31 + 1; i < GROUP_QUEUE_MAX; i++)
		CHECK_INT(group_send(group, data, 1), 0);
	CHECK_INT(group_send(group, data, 1), -EAGAIN);
	CHECK_INT(fake.sent, 16);
	stop();
}

/* What has been sent no longer counts. */
static void queue_drains(void)
{
	static uint8_t data[1000000];

	start();
	run_until(1, 0);
	for (unsigned int i = 1; i <= 40; i++) {
		CHECK_INT(group_send(group, data, sizeof(data)), 0);
		run_until(1, i);
	}
	CHECK_INT(bytes, 40 * sizeof(data));
	stop();
}

/* Accepted, and lost inside corosync: this process leaves and comes anew, and starts with nothing
 * unsent. */
static void lost_inside(void)
{
	static uint8_t data[100000];

	start();
	run_until(1, 0);
	fake.drop = 3;
	CHECK_INT(group_send(group, data, 10), 0);
	CHECK_INT(group_send(group, data, sizeof(data)), 0); /* its second fragment */
	CHECK_INT(group_send(group, data, 20), 0);
	run_until(2, 1);
	CHECK_INT(messages, 1); /* the last one is dropped too: it was sent after the hole */
	CHECK_INT(downs, 1);
	CHECK_INT(send_rc, -ENOTCONN);
	CHECK_INT(fake.opened, 2);
	CHECK_INT(group_unsent(group), 0);
	CHECK_INT(group_send(group, data, sizeof(data)), 0);
	run_until(2, 2);
	CHECK_INT(last_len, sizeof(data));
	stop();
}

/* A fragment of the same message comes instead; a whole message comes instead. */
static void lost_inside_at_once(void)
{
	static uint8_t data[100000];

	start();
	run_until(1, 0);
	fake.drop = 2;
	CHECK_INT(group_send(group, data, sizeof(data)), 0);
	run_until(2, 0);
	CHECK_INT(downs, 1);
	stop();
	start();
	run_until(1, 0);
	fake.drop = 1;
	CHECK_INT(group_send(group, data, 10), 0);
	CHECK_INT(group_send(group, data, 10), 0);
	run_until(2, 0);
	CHECK_INT(downs, 1);
	CHECK_INT(messages, 0);
	stop();
}

/* A failure in the middle of a callback: nothing is finalized before the library has returned. */
static void send_fails_in_callback(void)
{
	start();
	fake.mcast_error = CS_ERR_LIBRARY;
	fake.mcast_errors = 1;
	send_in_callback = 1;
	run_until(2, 1);
	CHECK_INT(downs, 1);
	CHECK_INT(fake.opened, 2);
	stop();
}

static void send_fails_outside(void)
{
	start();
	run_until(1, 0);
	fake.mcast_error = CS_ERR_BAD_HANDLE;
	fake.mcast_errors = 1;
	CHECK_INT(group_send(group, "x", 1), 0);
	CHECK_INT(group_send(group, "x", 1), -ENOTCONN);
	CHECK_INT(downs, 0); /* from the loop, not from under the caller */
	run_until(2, 0);
	CHECK_INT(downs, 1);
	CHECK_INT(messages, 0);
	stop();
}

static void recover(void *data)
{
	fake.dispatch_error = 0;
}

static void dispatch_fails(void)
{
	start();
	run_until(1, 0);
	/* Benign ones do nothing. */
	for (size_t i = 0; i < 3; i++) {
		fake.dispatch_error =
		    (cs_error_t[]){CS_ERR_TRY_AGAIN, CS_ERR_TIMEOUT, CS_ERR_QUEUE_FULL}[i];
		qb_loop_timer_add(loop, QB_LOOP_HIGH, 20 * QB_TIME_NS_IN_MSEC, NULL, recover, NULL);
		CHECK_INT(group_send(group, "x", 1), 0);
		run_until(1, (unsigned int)i + 1);
		CHECK_INT(downs, 0);
	}
	fake.dispatch_error = CS_ERR_LIBRARY;
	CHECK_INT(group_send(group, "x", 1), 0);
	qb_loop_timer_add(loop, QB_LOOP_HIGH, 20 * QB_TIME_NS_IN_MSEC, NULL, recover, NULL);
	run_until(2, 0);
	CHECK_INT(downs, 1);
	stop();
}

/* Put out of the group by corosync itself. */
static void expelled(void)
{
	start();
	run_until(1, 0);
	fake_event_add((struct fake_event){.kind = FAKE_VIEW}, NULL, 0);
	run_until(2, 0);
	CHECK_INT(downs, 1);
	CHECK_INT(fake.opened, 2);
	stop();
}

static void fragment_event(uint32_t nodeid, uint16_t number, uint16_t frags, size_t payload)
{
	static uint8_t data[FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX];
	struct frame_header header = {.msg_id = 9, .frag = number, .frags = frags};

	frame_pack(data, &header);
	fake_event_add((struct fake_event){.kind = FAKE_MESSAGE, .nodeid = nodeid, .pid = 100}, data,
		  FRAME_HEADER_SIZE + payload);
}

/* Half a message of a host that dies is gone with it, even if it comes back under the same numbers.
 */
static void sender_dies_in_the_middle(void)
{
	struct group_stats stats;

	start();
	run_until(1, 0);
	fragment_event(1, 0, 2, FRAME_PAYLOAD_MAX);
	fake_event_add((struct fake_event){.kind = FAKE_VIEW, .with_us = true, .nodeid = 1, .pid = 100}, NULL, 0);
	fragment_event(1, 1, 2, 10);
	fragment_event(2, 0, 1, 10);
	run_until(1, 1);
	CHECK_INT(last_len, 10);
	CHECK(last_left.nodeid == 1 && last_left.pid == 100 &&
	      last_left.reason == GROUP_REASON_NODEDOWN);
	group_get_stats(group, &stats);
	CHECK_INT(stats.malformed, 0);
	stop();
}

int main(void)
{
	loop = qb_loop_create();
	RUN(bad_names);
	RUN(plain);
	RUN(absent_at_start);
	RUN(join_refused_for_a_while);
	RUN(join_refused);
	RUN(stop_before_up);
	RUN(send_refused_for_a_while);
	RUN(window);
	RUN(queue_drains);
	RUN(lost_inside);
	RUN(lost_inside_at_once);
	RUN(send_fails_in_callback);
	RUN(send_fails_outside);
	RUN(dispatch_fails);
	RUN(expelled);
	RUN(sender_dies_in_the_middle);
	qb_loop_destroy(loop);
	return 0;
}
