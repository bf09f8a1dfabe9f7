/*
 * The group of hamonds over corosync's closed process groups, see cpg.h.
 *
 * Sending never waits. Messages are queued whole and handed to corosync a fragment at a time, at
 * most GROUP_WINDOW of them not yet delivered back to this process: without that bound a corosync
 * that hangs would make libqb spin on its full wake-up socket, inside cpg_mcast_joined, for good.
 * What corosync refuses (TRY_AGAIN, exactly during a membership change) is tried again from a
 * timer.
 *
 * corosync can also accept a fragment and drop it later without a word to its sender
 * (cs_ipcs_msg_process in its exec/ipc_glue.c, when totem's queue has no room left). So the
 * fragments that come back are compared with those that went out, and a missing one ends the
 * membership: this process leaves the group and joins it anew, and all that its users have to know
 * is what they know of any other loss.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/uio.h>
#include <corosync/cpg.h>

#include "hamon/cluster/conn.h"
#include "hamon/cluster/cpg.h"
#include "hamon/cluster/frame.h"

#define GROUP_WINDOW 16 /* fragments */
#define GROUP_RETRY_MS 10
#define GROUP_JOIN_RETRY_MS 50

/* A message in the queue; its payload follows. */
struct outgoing {
	struct outgoing *next;
	size_t len;
	uint32_t msg_id;
	uint16_t frag, frags; /* the next one to send, and all */
	uint8_t data[];
};

/* A fragment that corosync has and that has not come back yet. */
struct pending {
	uint32_t msg_id;
	uint16_t frag;
};

struct group {
	qb_loop_t *loop;
	struct group_callbacks callbacks;
	void *user;
	struct cpg_name name;
	struct conn conn;
	cpg_handle_t handle;
	qb_loop_timer_handle join_timer, send_timer;
	bool is_joined; /* cpg_join was accepted */
	bool is_up;	/* and this process was seen in the group */
	uint32_t nodeid, pid;
	struct outgoing *first, **last;
	size_t queued;			      /* fragments */
	struct pending pending[GROUP_WINDOW]; /* a ring, oldest first */
	size_t pending_first, in_flight;
	size_t queued_bytes; /* of whole messages, until their last fragment is sent */
	uint32_t msg_id;
	struct frame_assembler *assembler;
	struct group_stats stats;
};

static void group_note(struct group *group, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void group_note(struct group *group, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!group->callbacks.on_note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	group->callbacks.on_note(group->user, text);
}

/* Sending */

static void outgoing_drop_all(struct group *group)
{
	while (group->first) {
		struct outgoing *message = group->first;

		group->first = message->next;
		free(message);
	}
	group->last = &group->first;
	group->queued = 0;
	group->queued_bytes = 0;
	group->in_flight = 0;
}

static cs_error_t fragment_send(struct group *group, const struct outgoing *message)
{
	size_t offset = (size_t)message->frag * FRAME_PAYLOAD_MAX;
	struct frame_header header = {
	    .msg_id = message->msg_id,
	    .frag = message->frag,
	    .frags = message->frags,
	};
	uint8_t buf[FRAME_HEADER_SIZE];
	struct iovec iov[2] = {{.iov_base = buf, .iov_len = sizeof(buf)}};

	frame_pack(buf, &header);
	iov[1].iov_base = (void *)(message->data + offset);
	iov[1].iov_len = message->len - offset;
	if (iov[1].iov_len > FRAME_PAYLOAD_MAX)
		iov[1].iov_len = FRAME_PAYLOAD_MAX;
	return cpg_mcast_joined(group->handle, CPG_TYPE_AGREED, iov, 2);
}

static void pending_add(struct group *group, const struct outgoing *message)
{
	struct pending *pending =
	    &group->pending[(group->pending_first + group->in_flight++) % GROUP_WINDOW];

	pending->msg_id = message->msg_id;
	pending->frag = message->frag;
}

/* One of our own has come back: was it its turn? */
static bool pending_take(struct group *group, const void *data, size_t len)
{
	const struct pending *pending = &group->pending[group->pending_first];
	struct frame_header header;

	if (!group->in_flight || frame_unpack(data, len, &header) ||
	    header.msg_id != pending->msg_id || header.frag != pending->frag)
		return false;
	group->pending_first = (group->pending_first + 1) % GROUP_WINDOW;
	group->in_flight--;
	return true;
}

static void group_retry(void *data);

static void group_pump(struct group *group)
{
	while (group->is_up && !group->conn.is_lost && group->first &&
	       group->in_flight < GROUP_WINDOW) {
		struct outgoing *message = group->first;
		cs_error_t error = fragment_send(group, message);

		if (corosync_errno(error) == -EAGAIN) {
			group->stats.retries++;
			if (!group->send_timer)
				conn_timer_set(group->loop, &group->send_timer, GROUP_RETRY_MS,
					       group, group_retry);
			return;
		}
		if (error != CS_OK) {
			group_note(group, "sending to corosync's group failed, corosync error %d",
				   error);
			conn_lost(&group->conn);
			return;
		}
		pending_add(group, message);
		group->queued--;
		if (++message->frag < message->frags)
			continue;
		group->first = message->next;
		if (!group->first)
			group->last = &group->first;
		group->queued_bytes -= message->len;
		free(message);
		group->stats.sent++;
	}
}

static void group_retry(void *data)
{
	struct group *group = data;

	group->send_timer = 0;
	group_pump(group);
}

int group_send(struct group *group, const void *data, size_t len)
{
	unsigned int frags = frame_count(len);
	struct outgoing *message;

	if (!len)
		return -EINVAL;
	if (!frags)
		return -E2BIG;
	if (!group || !group->is_up || group->conn.is_lost)
		return -ENOTCONN;
	if (group->queued + frags > GROUP_QUEUE_MAX ||
	    group->queued_bytes + len > GROUP_QUEUE_BYTES_MAX)
		return -EAGAIN;
	message = malloc(sizeof(*message) + len);
	if (!message)
		return -ENOMEM;
	message->next = NULL;
	message->len = len;
	message->msg_id = group->msg_id++;
	message->frag = 0;
	message->frags = (uint16_t)frags;
	memcpy(message->data, data, len);
	*group->last = message;
	group->last = &message->next;
	group->queued += frags;
	group->queued_bytes += len;
	group_pump(group);
	return 0;
}

size_t group_unsent(const struct group *group)
{
	return group->queued + group->in_flight;
}

/* Receiving: corosync's callbacks */

static struct group *group_of(cpg_handle_t handle)
{
	void *context = NULL;

	return cpg_context_get(handle, &context) == CS_OK ? context : NULL;
}

static void group_deliver(cpg_handle_t handle, const struct cpg_name *name, uint32_t nodeid,
			  uint32_t pid, void *data, size_t len)
{
	struct group *group = group_of(handle);
	const void *message;
	size_t message_len;
	int rc;

	if (!group || !group->is_up || group->conn.is_lost)
		return;
	if (nodeid == group->nodeid && pid == group->pid && !pending_take(group, data, len)) {
		group_note(group, "corosync lost a message that it had accepted");
		conn_lost(&group->conn);
		return;
	}
	rc = frame_assembler_feed(group->assembler, nodeid, pid, data, len, &message, &message_len);
	if (rc == 1) {
		group->stats.received++;
		if (group->callbacks.on_message)
			group->callbacks.on_message(group->user, nodeid, pid, message, message_len);
	} else if (rc < 0) {
		/* At powers of two only: a broken peer must not flood the log. */
		group->stats.malformed++;
		if (!(group->stats.malformed & (group->stats.malformed - 1)))
			group_note(group, "dropped a message of node %u, process %u: %s (%llu so far)",
				   nodeid, pid, strerror(-rc),
				   (unsigned long long)group->stats.malformed);
	}
	group_pump(group);
}

static enum group_reason group_reason(uint32_t reason)
{
	switch ((cpg_reason_t)reason) {
	case CPG_REASON_JOIN:
		return GROUP_REASON_JOIN;
	case CPG_REASON_LEAVE:
		return GROUP_REASON_LEAVE;
	case CPG_REASON_NODEDOWN:
		return GROUP_REASON_NODEDOWN;
	case CPG_REASON_NODEUP:
		return GROUP_REASON_NODEUP;
	case CPG_REASON_PROCDOWN:
		return GROUP_REASON_PROCDOWN;
	case CPG_REASON_UNDEFINED:
		break;
	}
	return GROUP_REASON_NONE;
}

static size_t members_copy(struct group_member *to, const struct cpg_address *from, size_t n)
{
	if (n > GROUP_MEMBERS_MAX)
		n = GROUP_MEMBERS_MAX;
	for (size_t i = 0; i < n; i++) {
		to[i].nodeid = from[i].nodeid;
		to[i].pid = from[i].pid;
		to[i].reason = group_reason(from[i].reason);
	}
	return n;
}

static bool group_is_self(const struct group *group, const struct cpg_address *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].nodeid == group->nodeid && list[i].pid == group->pid)
			return true;
	return false;
}

static void group_confchg(cpg_handle_t handle, const struct cpg_name *name,
			  const struct cpg_address *members, size_t n_members,
			  const struct cpg_address *left, size_t n_left,
			  const struct cpg_address *joined, size_t n_joined)
{
	struct group_member members_buf[GROUP_MEMBERS_MAX], left_buf[GROUP_MEMBERS_MAX],
	    joined_buf[GROUP_MEMBERS_MAX];
	struct group *group = group_of(handle);
	struct group_view view;

	if (!group)
		return;
	if (!group_is_self(group, members, n_members)) {
		/* Views from before this process's own join mean nothing here; after it, it was put
		 * out. */
		if (group->is_up)
			conn_lost(&group->conn);
		return;
	}
	if (!group->is_up) {
		group->is_up = true;
		group_note(group, "joined the group %.*s as node %u", (int)group->name.length,
			   group->name.value, group->nodeid);
		if (group->callbacks.on_up)
			group->callbacks.on_up(group->user, group->nodeid);
	}
	for (size_t i = 0; i < n_left; i++)
		frame_assembler_forget(group->assembler, left[i].nodeid, left[i].pid);
	view.n_members = members_copy(members_buf, members, n_members);
	view.n_left = members_copy(left_buf, left, n_left);
	view.n_joined = members_copy(joined_buf, joined, n_joined);
	view.members = members_buf;
	view.left = left_buf;
	view.joined = joined_buf;
	if (group->callbacks.on_members)
		group->callbacks.on_members(group->user, &view);
	group_pump(group);
}

static void group_totem(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t n,
			const uint32_t *nodeids)
{
	struct group *group = group_of(handle);
	struct cluster_ring to = {.nodeid = ring.nodeid, .seq = ring.seq};

	if (group && group->callbacks.on_ring)
		group->callbacks.on_ring(group->user, to, nodeids, n);
}

/* The connection */

static void group_join(void *data)
{
	struct group *group = data;
	cs_error_t error;

	group->join_timer = 0;
	error = cpg_join(group->handle, &group->name);
	if (error == CS_OK) {
		group->is_joined = true;
	} else if (corosync_errno(error) == -EAGAIN) {
		conn_timer_set(group->loop, &group->join_timer, GROUP_JOIN_RETRY_MS, group,
			       group_join);
	} else {
		group_note(group, "joining corosync's group failed, corosync error %d", error);
		conn_lost(&group->conn);
	}
}

static int group_open(void *user, int fds[CONN_FDS_MAX])
{
	struct group *group = user;
	cpg_model_v1_data_t model = {
	    .model = CPG_MODEL_V1,
	    .cpg_deliver_fn = group_deliver,
	    .cpg_confchg_fn = group_confchg,
	    .cpg_totem_confchg_fn = group_totem,
	    .flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
	};
	cs_error_t error;

	error =
	    cpg_model_initialize(&group->handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, group);
	if (error != CS_OK)
		return corosync_errno(error);
	error = cpg_local_get(group->handle, &group->nodeid);
	if (error == CS_OK)
		error = cpg_fd_get(group->handle, &fds[0]);
	if (error != CS_OK) {
		cpg_finalize(group->handle);
		return corosync_errno(error);
	}
	group->pid = (uint32_t)getpid();
	group_join(group);
	return 1;
}

static cs_error_t group_dispatch(void *user, unsigned int which)
{
	struct group *group = user;

	/* The plain CS_DISPATCH_ONE waits for an event without end when a wake was a false one. */
	return cpg_dispatch(group->handle, CS_DISPATCH_ONE_NONBLOCKING);
}

static void group_close(void *user)
{
	struct group *group = user;

	conn_timer_clear(group->loop, &group->join_timer);
	conn_timer_clear(group->loop, &group->send_timer);
	cpg_finalize(group->handle);
	outgoing_drop_all(group);
	frame_assembler_reset(group->assembler);
	group->is_joined = false;
}

static void group_down(void *user)
{
	struct group *group = user;
	bool was_up = group->is_up;

	group->is_up = false;
	group->stats.reconnects++;
	if (!was_up)
		return;
	group_note(group, "lost corosync's group");
	if (group->callbacks.on_down)
		group->callbacks.on_down(group->user);
}

static const struct conn_ops group_ops = {
    .open = group_open,
    .dispatch = group_dispatch,
    .close = group_close,
    .down = group_down,
};

int group_start(qb_loop_t *loop, const char *name, const struct group_callbacks *callbacks,
		void *user, struct group **ret_group)
{
	size_t len = strlen(name);
	struct group *group;
	int rc;

	if (!len || len >= CPG_MAX_NAME_LENGTH)
		return -EINVAL;
	group = calloc(1, sizeof(*group));
	if (!group)
		return -ENOMEM;
	group->loop = loop;
	group->callbacks = *callbacks;
	group->user = user;
	group->name.length = (uint32_t)len;
	memcpy(group->name.value, name, len);
	group->last = &group->first;
	group->assembler = frame_assembler_new();
	rc = group->assembler ? conn_start(&group->conn, loop, &group_ops, group) : -ENOMEM;
	if (rc) {
		frame_assembler_free(group->assembler);
		free(group);
		return rc;
	}
	*ret_group = group;
	return 0;
}

void group_stop(struct group *group)
{
	if (!group)
		return;
	/* Without it the others would see PROCDOWN, a daemon that died. */
	if (group->is_joined)
		cpg_leave(group->handle, &group->name);
	conn_stop(&group->conn);
	frame_assembler_free(group->assembler);
	free(group);
}

bool group_is_up(const struct group *group, uint32_t *ret_nodeid)
{
	if (group->is_up && ret_nodeid)
		*ret_nodeid = group->nodeid;
	return group->is_up;
}

void group_get_stats(const struct group *group, struct group_stats *ret_stats)
{
	*ret_stats = group->stats;
}
