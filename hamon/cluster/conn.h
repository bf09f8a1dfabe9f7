/*
 * What the connections to corosync's services have in common: connecting from a timer until
 * corosync is there, one event for each wake of the loop, and starting over when it is lost. Used
 * by cpg.c, quorum.c and cmap.c alone.
 */
#ifndef HAMON_CLUSTER_CONN_H
#define HAMON_CLUSTER_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <corosync/corotypes.h>
#include <qb/qbloop.h>

#define CONN_FDS_MAX 2
#define CONN_RETRY_MIN_MS 250
#define CONN_RETRY_MAX_MS 1000

struct conn_ops {
	/*
	 * Connects, synchronously. Returns how many descriptors it put into fds, or -errno after
	 * having cleaned up, whatever the reason: it is tried again. May call conn_lost.
	 */
	int (*open)(void *user, int fds[CONN_FDS_MAX]);
	/* Handles at most one event of fds[which]. Anything but what corosync_is_benign allows: it
	 * is lost. */
	cs_error_t (*dispatch)(void *user, unsigned int which);
	/* Finalizes the handles; the descriptors are out of the loop. Never called from inside a
	 * dispatch. */
	void (*close)(void *user);
	/* After close, when the connection was lost and not stopped. */
	void (*down)(void *user);
};

/* Embedded in its user, who may read is_open. */
struct conn {
	qb_loop_t *loop;
	const struct conn_ops *ops;
	void *user;
	int fds[CONN_FDS_MAX];
	unsigned int n_fds;
	qb_loop_timer_handle timer;
	uint64_t retry_ms;
	bool is_open;
	bool is_busy; /* inside one of ops: nothing may be finalized now */
	bool is_lost;
};

/* The first attempt comes from the loop, at once. 0 or -errno. */
int conn_start(struct conn *conn, qb_loop_t *loop, const struct conn_ops *ops, void *user);

/* Closes; not from inside a callback. */
void conn_stop(struct conn *conn);

/* The service failed outside of dispatch: everything is closed and opened again, from the loop. */
void conn_lost(struct conn *conn);

/* Timers of the loop are one-shot; *timer is zero when none runs. */
int conn_timer_set(qb_loop_t *loop, qb_loop_timer_handle *timer, uint64_t ms, void *user,
		   qb_loop_timer_dispatch_fn fn);
void conn_timer_clear(qb_loop_t *loop, qb_loop_timer_handle *timer);

/* corosync's positive codes: CS_OK is 1. */
int corosync_errno(cs_error_t error);

/* Whether a dispatch with that outcome says nothing against the connection. */
bool corosync_is_benign(cs_error_t error);

#endif
