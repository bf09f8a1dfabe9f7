/*
 * corosync's quorum service (quorum_overview(3), model v1): which nodes are in the membership, and
 * whether this partition is quorate. A host is lost when it leaves this list, whatever the group of
 * hamonds (cpg.h) says. Reconnects by itself; corosync may be absent at start. One thread: the
 * loop's.
 */
#ifndef HAMON_CLUSTER_QUORUM_H
#define HAMON_CLUSTER_QUORUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <qb/qbloop.h>

#include "hamon/cluster/ring.h"

#define QUORUM_NODES_MAX 128

/* One membership with its verdict. Node lists are sorted by node id and borrowed for the call. */
struct quorum_view {
	bool quorate;
	struct cluster_ring ring; /* the list and the verdict belong to this same ring */
	const uint32_t *nodes;	  /* this node included */
	size_t n_nodes;
	/*
	 * Nodes that left since the view before this one, those that are back already included (a
	 * host that restarted faster than the verdict came is in nodes and in left).
	 */
	const uint32_t *left;
	size_t n_left;
};

struct quorum_callbacks {
	/* At once after connecting, and at each change. */
	void (*on_quorum)(void *user, const struct quorum_view *view);
	/* corosync is lost: nothing is known, this host counts as not quorate until the next
	 * on_quorum. */
	void (*on_down)(void *user);
	/* One sentence for the log. */
	void (*on_note)(void *user, const char *text);
};

struct quorum;

/* The callbacks are copied, the loop is borrowed. 0 or -ENOMEM; an absent corosync is no error. */
int quorum_start(qb_loop_t *loop, const struct quorum_callbacks *callbacks, void *user,
		 struct quorum **ret_quorum);

/* Not from inside a callback; calls nothing back. NULL is fine. */
void quorum_stop(struct quorum *quorum);

#endif
