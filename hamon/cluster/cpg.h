/*
 * hamon's group of processes: corosync's closed process group service (cpg_overview(3)), the
 * messages that hamonds multicast to each other, in one agreed order for all members of a
 * partition, and who is in the group.
 *
 * Delivery is agreed, not safe: a sender may see its own message alone before a partition. The
 * group works without quorum too. Connects, and reconnects when corosync restarts, by itself;
 * corosync may be absent at start. All functions are called from, and all callbacks come from, the
 * thread that runs the loop.
 */
#ifndef HAMON_CLUSTER_CPG_H
#define HAMON_CLUSTER_CPG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <qb/qbloop.h>

#include "hamon/cluster/ring.h"

#define GROUP_MEMBERS_MAX 128 /* processes; corosync's own limit, CPG_MEMBERS_MAX */
#define GROUP_QUEUE_MAX 4096  /* fragments (of at most 32 KiB) that wait to be sent */
#define GROUP_QUEUE_BYTES_MAX (32 * 1024 * 1024) /* bytes that wait to be sent */

enum group_reason {
	GROUP_REASON_NONE,
	GROUP_REASON_JOIN,     /* a process joined */
	GROUP_REASON_LEAVE,    /* a process left in good order */
	GROUP_REASON_NODEDOWN, /* its node left the membership */
	GROUP_REASON_NODEUP,   /* its node came into the membership with the process already in the
				  group */
	GROUP_REASON_PROCDOWN, /* the process ended without leaving */
};

/* One process in the group; two of the same node are two members. */
struct group_member {
	uint32_t nodeid;
	uint32_t pid;		  /* as its own pid namespace counts */
	enum group_reason reason; /* only in lists of who left or joined */
};

struct group_view {
	const struct group_member *members, *left, *joined;
	size_t n_members, n_left, n_joined;
};

/* Any of these may be NULL. Arguments are borrowed for the call. */
struct group_callbacks {
	/*
	 * This process is a member now; sending works. Before the first on_members and on_message.
	 */
	void (*on_up)(void *user, uint32_t local_nodeid);
	/* corosync is lost: nothing is known about the group, all that was unsent or half received
	 * is dropped. */
	void (*on_down)(void *user);
	/* The group changed; also the first view after on_up. */
	void (*on_members)(void *user, const struct group_view *view);
	/* One whole message, a member's own included, in the agreed order. */
	void (*on_message)(void *user, uint32_t nodeid, uint32_t pid, const void *data, size_t len);
	/*
	 * totem's membership changed: the ring of the messages that follow. It comes after the
	 * on_members of the same change, and also when no member came or went. quorum.h tells the
	 * same ring on its own, before or after.
	 */
	void (*on_ring)(void *user, struct cluster_ring ring, const uint32_t *nodeids, size_t n);
	/* One sentence for the log: connected, lost, a malformed message of whom. */
	void (*on_note)(void *user, const char *text);
};

struct group_stats {
	uint64_t sent, received; /* whole messages */
	uint64_t malformed;	 /* messages or fragments refused: wrong header, order, size */
	uint64_t retries;	 /* sends that corosync refused for a while */
	uint64_t reconnects;
};

struct group;

/*
 * Starts connecting; name has 1 to 127 bytes. The callbacks are copied, the loop is borrowed. 0,
 * -EINVAL or -ENOMEM; an absent corosync is no error.
 */
int group_start(qb_loop_t *loop, const char *name, const struct group_callbacks *callbacks,
		void *user, struct group **ret_group);

/*
 * Leaves in good order (others see GROUP_REASON_LEAVE) and frees; calls nothing back. Not from
 * inside a callback. Waits for corosync's answer: only when hamond ends. NULL is fine.
 */
void group_stop(struct group *group);

/*
 * Multicasts one message to all members, this process included; copied, never blocks, in order. 0;
 * -ENOTCONN before on_up and after on_down, or when the connection was just found to be lost, and for no group at all (NULL:
 * corosync has not said yet who this node is);
 * -EAGAIN when the queue is full (nothing of the message is sent); -E2BIG above FRAME_MESSAGE_MAX
 * (frame.h, 8 MiB); -EINVAL when it is empty; -ENOMEM. 0 is no proof of delivery: that is the
 * message's own on_message.
 */
int group_send(struct group *group, const void *data, size_t len);

/* Fragments that wait, or are handed to corosync and not yet delivered back to this process. */
size_t group_unsent(const struct group *group);

/* Whether this process is a member now; *ret_nodeid (may be NULL) is untouched when not. */
bool group_is_up(const struct group *group, uint32_t *ret_nodeid);

void group_get_stats(const struct group *group, struct group_stats *ret_stats);

#endif
