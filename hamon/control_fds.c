/*
 * The descriptors of the control socket's service, and what waits for too long. libqb waits without limit for the rest of a connecting
 * client's hello, and for as many connections as come: all descriptors pass through control_fd_add(), so the waiting ones are
 * counted, and closed when late.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "hamon/common/clock.h"
#include "hamon/control_internal.h"
#include "hamon/control_peer.h"

#define GREETING_STRANGERS_MAX 4	/* of those that greet, those that will be refused: they get to hear why */
#define GREETING_MS 2000
#ifndef CONTROL_IDLE_MS			/* its unit test has less time */
#define CONTROL_IDLE_MS 60000		/* a client without a request */
#define CONTROL_FETCH_MS 10000		/* a client that does not fetch the rest of its reply */
#endif
#define TICK_NS 1000000000ULL

static unsigned int fds_count(enum fd_kind kind, bool strangers_only)
{
	unsigned int n = 0;

	for (size_t i = 0; i < FDS_MAX; i++)
		n += the_control->fds[i].kind == kind && !(strangers_only && the_control->fds[i].peer.is_admin);
	return n;
}

static struct fd_slot *fd_find(int fd)
{
	for (size_t i = 0; i < FDS_MAX; i++)
		if (the_control->fds[i].kind != FD_NONE && the_control->fds[i].fd == fd)
			return &the_control->fds[i];
	return NULL;
}

int32_t control_fd_del(int32_t fd)
{
	struct fd_slot *slot = fd_find(fd);

	if (!slot)
		return -ENOENT;
	slot->kind = FD_NONE;
	return qb_loop_poll_del(the_control->loop, fd);
}

static int32_t fd_dispatch(int32_t fd, int32_t revents, void *data)
{
	struct fd_slot *slot = data, before = *slot;

	the_control->dispatching = before.kind;
	the_control->dispatching_peer = before.peer;
	if (before.fn(fd, revents, before.data) < 0 && slot->kind == before.kind && slot->data == before.data)
		control_fd_del(fd);
	the_control->dispatching = FD_NONE;
	return 0;
}

static void tick(void *data);

static void tick_start(void)
{
	if (!the_control->ticking)
		the_control->ticking = !qb_loop_timer_add(the_control->loop, QB_LOOP_LOW, TICK_NS, NULL, tick,
							  &the_control->tick);
}

/* What a callback of a descriptor of one kind adds is of the next kind. */
int32_t control_fd_add(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data,
		      qb_ipcs_dispatch_fn_t fn)
{
	struct fd_slot slot = { .fd = fd, .data = data, .fn = fn, .since_ms = clock_boot_ms() }, *place = NULL;
	int rc;

	slot.kind = the_control->dispatching + 1;
	slot.peer = the_control->dispatching_peer;
	if (slot.kind == FD_GREETING) {
		rc = control_peer_read(fd, the_control->have_group, the_control->group, &slot.peer);
		if (rc)
			return rc;
		if (fds_count(FD_GREETING, false) >= GREETING_MAX ||
		    (!slot.peer.is_admin && fds_count(FD_GREETING, true) >= GREETING_STRANGERS_MAX)) {
			the_control->stats.refused_peers++;
			return -EAGAIN;
		}
	}
	for (size_t i = 0; i < FDS_MAX && !place; i++)
		if (the_control->fds[i].kind == FD_NONE)
			place = &the_control->fds[i];
	if (!place)
		return -EAGAIN;
	rc = qb_loop_poll_add(the_control->loop, QB_LOOP_MED, fd, events, place, fd_dispatch);
	if (rc)
		return rc;
	*place = slot;
	if (slot.kind != FD_LISTENING)
		tick_start();
	return 0;
}

int32_t control_fd_mod(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data,
		      qb_ipcs_dispatch_fn_t fn)
{
	struct fd_slot *slot = fd_find(fd);

	if (!slot)
		return -ENOENT;
	slot->data = data;
	slot->fn = fn;
	return qb_loop_poll_mod(the_control->loop, QB_LOOP_MED, fd, events, slot, fd_dispatch);
}

/* Ends what waits for too long. Runs only while somebody is connected. */
static void tick(void *data)
{
	uint64_t now_ms = clock_boot_ms();
	bool again = false;

	the_control->ticking = false;
	for (size_t i = 0; i < FDS_MAX; i++) {
		struct fd_slot *slot = &the_control->fds[i];
		struct client *client;

		if (slot->kind == FD_GREETING && now_ms - slot->since_ms > GREETING_MS)
			shutdown(slot->fd, SHUT_RDWR);
		if (slot->kind == FD_CLIENT) {
			client = qb_ipcs_context_get(slot->data);
			if (!client->request && now_ms - client->last_ms >
			    (client->rest ? CONTROL_FETCH_MS : CONTROL_IDLE_MS))
				client_drop(client);
		}
		again |= slot->kind == FD_GREETING || slot->kind == FD_CLIENT;
	}
	if (again)
		tick_start();
}

void control_fds_end(struct control *control)
{
	for (size_t i = 0; i < FDS_MAX; i++)
		if (control->fds[i].kind == FD_GREETING)
			control->fds[i].fn(control->fds[i].fd, POLLHUP, control->fds[i].data);
	if (control->ticking)
		qb_loop_timer_del(control->loop, control->tick);
}
