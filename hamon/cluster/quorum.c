/*
 * corosync's quorum service, see quorum.h.
 *
 * corosync tells a change in two notifications, the verdict and the node list, in no promised
 * order. They make one view when both carry the same ring; until then the last view stands.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <corosync/quorum.h>

#include "hamon/cluster/conn.h"
#include "hamon/cluster/quorum.h"

struct quorum {
	struct quorum_callbacks callbacks;
	void *user;
	struct conn conn;
	quorum_handle_t handle;
	bool has_verdict, has_nodes, is_told;
	bool quorate;
	struct cluster_ring verdict_ring, nodes_ring;
	uint32_t nodes[QUORUM_NODES_MAX], left[QUORUM_NODES_MAX];
	size_t n_nodes, n_left;
	struct quorum_view told; /* without its lists */
};

static void quorum_note(struct quorum *quorum, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void quorum_note(struct quorum *quorum, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!quorum->callbacks.on_note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	quorum->callbacks.on_note(quorum->user, text);
}

static int nodeid_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Adds what is new to a sorted list, which stays sorted. */
static void nodeids_merge(uint32_t *list, size_t *n, const uint32_t *more, size_t n_more)
{
	for (size_t i = 0; i < n_more; i++) {
		if (bsearch(&more[i], list, *n, sizeof(*list), nodeid_compare) ||
		    *n == QUORUM_NODES_MAX)
			continue;
		list[(*n)++] = more[i];
		qsort(list, *n, sizeof(*list), nodeid_compare);
	}
}

/* A qdevice's vote comes or goes, or a whole new ring: both make a new view; a repetition does not.
 */
static bool quorum_is_news(const struct quorum *quorum)
{
	return !quorum->is_told || quorum->told.quorate != quorum->quorate ||
	       !cluster_ring_equal(quorum->told.ring, quorum->nodes_ring);
}

static void quorum_tell(struct quorum *quorum)
{
	struct quorum_view view;

	if (!quorum->has_verdict || !quorum->has_nodes || !quorum->n_nodes ||
	    !cluster_ring_equal(quorum->verdict_ring, quorum->nodes_ring) ||
	    !quorum_is_news(quorum))
		return;
	view.quorate = quorum->quorate;
	view.ring = quorum->nodes_ring;
	view.nodes = quorum->nodes;
	view.n_nodes = quorum->n_nodes;
	view.left = quorum->left;
	view.n_left = quorum->n_left;
	quorum->told = view;
	quorum->is_told = true;
	if (quorum->callbacks.on_quorum)
		quorum->callbacks.on_quorum(quorum->user, &view);
	quorum->n_left = 0;
}

static struct quorum *quorum_of(quorum_handle_t handle)
{
	const void *context = NULL;

	return quorum_context_get(handle, &context) == CS_OK ? (struct quorum *)context : NULL;
}

static void verdict_notify(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring,
			   uint32_t n, const uint32_t *nodes)
{
	struct quorum *quorum = quorum_of(handle);

	if (!quorum)
		return;
	quorum->has_verdict = true;
	quorum->quorate = quorate != 0;
	quorum->verdict_ring.nodeid = ring.nodeid;
	quorum->verdict_ring.seq = ring.seq;
	quorum_tell(quorum);
}

static void nodes_notify(quorum_handle_t handle, struct quorum_ring_id ring, uint32_t n,
			 const uint32_t *nodes, uint32_t n_joined, const uint32_t *joined,
			 uint32_t n_left, const uint32_t *left)
{
	struct quorum *quorum = quorum_of(handle);

	if (!quorum)
		return;
	quorum->has_nodes = true;
	quorum->nodes_ring.nodeid = ring.nodeid;
	quorum->nodes_ring.seq = ring.seq;
	quorum->n_nodes = 0;
	nodeids_merge(quorum->nodes, &quorum->n_nodes, nodes, n);
	nodeids_merge(quorum->left, &quorum->n_left, left, n_left);
	quorum_tell(quorum);
}

/* The connection */

static int quorum_open(void *user, int fds[CONN_FDS_MAX])
{
	quorum_model_v1_data_t model = {
	    .model = QUORUM_MODEL_V1,
	    .quorum_notify_fn = verdict_notify,
	    .nodelist_notify_fn = nodes_notify,
	};
	struct quorum *quorum = user;
	cs_error_t error;
	uint32_t type;

	quorum->has_verdict = quorum->has_nodes = quorum->is_told = false;
	quorum->n_nodes = quorum->n_left = 0;
	error = quorum_model_initialize(&quorum->handle, QUORUM_MODEL_V1,
					(quorum_model_data_t *)&model, &type, quorum);
	if (error != CS_OK)
		return corosync_errno(error);
	error = quorum_fd_get(quorum->handle, &fds[0]);
	if (error == CS_OK)
		error = quorum_trackstart(quorum->handle, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
	if (error != CS_OK) {
		quorum_finalize(quorum->handle);
		return corosync_errno(error);
	}
	if (type != QUORUM_SET)
		quorum_note(
		    quorum,
		    "corosync runs without a quorum provider: it calls every partition quorate");
	return 1;
}

static cs_error_t quorum_dispatch_one(void *user, unsigned int which)
{
	struct quorum *quorum = user;

	return quorum_dispatch(quorum->handle, CS_DISPATCH_ONE_NONBLOCKING);
}

static void quorum_close(void *user)
{
	struct quorum *quorum = user;

	quorum_finalize(quorum->handle);
}

static void quorum_down(void *user)
{
	struct quorum *quorum = user;
	bool was_told = quorum->is_told;

	quorum->is_told = false;
	if (!was_told)
		return;
	quorum_note(quorum, "lost corosync's quorum service");
	if (quorum->callbacks.on_down)
		quorum->callbacks.on_down(quorum->user);
}

static const struct conn_ops quorum_ops = {
    .open = quorum_open,
    .dispatch = quorum_dispatch_one,
    .close = quorum_close,
    .down = quorum_down,
};

int quorum_start(qb_loop_t *loop, const struct quorum_callbacks *callbacks, void *user,
		 struct quorum **ret_quorum)
{
	struct quorum *quorum = calloc(1, sizeof(*quorum));
	int rc;

	if (!quorum)
		return -ENOMEM;
	quorum->callbacks = *callbacks;
	quorum->user = user;
	rc = conn_start(&quorum->conn, loop, &quorum_ops, quorum);
	if (rc) {
		free(quorum);
		return rc;
	}
	*ret_quorum = quorum;
	return 0;
}

void quorum_stop(struct quorum *quorum)
{
	if (!quorum)
		return;
	conn_stop(&quorum->conn);
	free(quorum);
}
