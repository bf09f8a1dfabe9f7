/*
 * Connections to corosync's services, see conn.h.
 *
 * corosync can go at any moment, and the library's handle may not be finalized from its own
 * callbacks: so ops only raise is_lost, and the way down goes over conn_tear, from the loop. A
 * descriptor is taken out of the loop before the library closes it: libqb finds its entries by
 * number, and the next connection may get the same one.
 */
#include <errno.h>
#include <poll.h>
#include <corosync/corotypes.h>
#include <qb/qbdefs.h>
#include <qb/qbutil.h>

#include "hamon/cluster/conn.h"

static void conn_try(void *data);

int conn_timer_set(qb_loop_t *loop, qb_loop_timer_handle *timer, uint64_t ms, void *user,
		   qb_loop_timer_dispatch_fn fn)
{
	conn_timer_clear(loop, timer);
	return qb_loop_timer_add(loop, QB_LOOP_HIGH, ms * QB_TIME_NS_IN_MSEC, user, fn, timer);
}

void conn_timer_clear(qb_loop_t *loop, qb_loop_timer_handle *timer)
{
	if (*timer)
		qb_loop_timer_del(loop, *timer);
	*timer = 0;
}

static void conn_close(struct conn *conn)
{
	for (unsigned int i = 0; i < conn->n_fds; i++)
		qb_loop_poll_del(conn->loop, conn->fds[i]);
	conn->n_fds = 0;
	conn->is_open = false;
	conn->is_busy = true;
	conn->ops->close(conn->user);
	conn->is_busy = false;
}

static void conn_retry(struct conn *conn, uint64_t ms)
{
	conn_timer_set(conn->loop, &conn->timer, ms, conn, conn_try);
}

/* Ends a lost connection and starts the wait for the next one. Not from inside ops. */
static void conn_tear(struct conn *conn)
{
	conn_close(conn);
	conn->is_lost = false;
	conn->retry_ms = CONN_RETRY_MIN_MS;
	conn_retry(conn, conn->retry_ms);
	if (conn->ops->down)
		conn->ops->down(conn->user);
}

static int conn_event(struct conn *conn, int fd, int revents)
{
	unsigned int which = 0;
	cs_error_t error;

	while (which < conn->n_fds && conn->fds[which] != fd)
		which++;
	if (which == conn->n_fds)
		return 0;
	if (revents & (POLLHUP | POLLERR | POLLNVAL)) {
		/* What may still lie in the shared ring describes a cluster that this host has just
		 * left. */
		conn_tear(conn);
		return 0;
	}
	conn->is_busy = true;
	error = conn->ops->dispatch(conn->user, which);
	conn->is_busy = false;
	if (conn->is_lost || !corosync_is_benign(error))
		conn_tear(conn);
	return 0;
}

/* Returns 0 always: -1 would leave a dead entry in libqb's loop that costs a sleep at every wake.
 */
static int32_t conn_poll(int32_t fd, int32_t revents, void *data)
{
	return conn_event(data, fd, revents);
}

static void conn_try(void *data)
{
	struct conn *conn = data;
	int n;

	conn->timer = 0;
	if (conn->is_open) {
		if (conn->is_lost)
			conn_tear(conn);
		return;
	}
	conn->is_lost = false;
	conn->is_busy = true;
	n = conn->ops->open(conn->user, conn->fds);
	conn->is_busy = false;
	if (n < 0) {
		conn_retry(conn, conn->retry_ms);
		if (conn->retry_ms < CONN_RETRY_MAX_MS)
			conn->retry_ms *= 2;
		return;
	}
	conn->is_open = true;
	for (int i = 0; i < n; i++) {
		if (qb_loop_poll_add(conn->loop, QB_LOOP_HIGH, conn->fds[i], POLLIN, conn,
				     conn_poll)) {
			conn->is_lost = true;
			break;
		}
		conn->n_fds++;
	}
	if (conn->is_lost)
		conn_tear(conn);
	else
		conn->retry_ms = CONN_RETRY_MIN_MS;
}

int conn_start(struct conn *conn, qb_loop_t *loop, const struct conn_ops *ops, void *user)
{
	conn->loop = loop;
	conn->ops = ops;
	conn->user = user;
	conn->retry_ms = CONN_RETRY_MIN_MS;
	return conn_timer_set(loop, &conn->timer, 0, conn, conn_try);
}

void conn_stop(struct conn *conn)
{
	conn_timer_clear(conn->loop, &conn->timer);
	if (conn->is_open)
		conn_close(conn);
}

void conn_lost(struct conn *conn)
{
	conn->is_lost = true;
	if (!conn->is_busy && conn->is_open)
		conn_retry(conn, 0);
}

bool corosync_is_benign(cs_error_t error)
{
	return error == CS_OK || error == CS_ERR_TRY_AGAIN || error == CS_ERR_TIMEOUT ||
	       error == CS_ERR_QUEUE_FULL;
}

int corosync_errno(cs_error_t error)
{
	/* Only the codes that a caller tells apart; the rest is a lost or unusable service. */
	if (error == CS_OK)
		return 0;
	if (error == CS_ERR_TRY_AGAIN || error == CS_ERR_BUSY || error == CS_ERR_QUEUE_FULL ||
	    error == CS_ERR_TIMEOUT)
		return -EAGAIN;
	if (error == CS_ERR_NO_MEMORY)
		return -ENOMEM;
	if (error == CS_ERR_ACCESS || error == CS_ERR_SECURITY)
		return -EACCES;
	if (error == CS_ERR_NOT_EXIST || error == CS_ERR_NAME_NOT_FOUND)
		return -ENOENT;
	if (error == CS_ERR_INVALID_PARAM || error == CS_ERR_BAD_FLAGS)
		return -EINVAL;
	if (error == CS_ERR_TOO_BIG || error == CS_ERR_NAME_TOO_LONG)
		return -E2BIG;
	if (error == CS_ERR_EXIST)
		return -EEXIST;
	return -ENOTCONN;
}
