/*
 * Memberships and messages. Who reaches whom is a matter of sides; corosync finds out a token later. With swarm.rings messages
 * belong to the membership that they were sent in: while a new one is formed none is delivered, and of what was on its
 * way when the old one broke, hosts that part may have got different ends.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/inner.h"

static bool host_is_on(const struct world_host *host)
{
	return host->power && host->corosync && !host->paused;
}

bool reaches(struct world *w, size_t a, size_t b)
{
	return host_is_on(&w->hosts[a]) && host_is_on(&w->hosts[b]) && w->hosts[a].side == w->hosts[b].side;
}

size_t reached_from(struct world *w, size_t host)
{
	size_t n = 0;

	for (size_t h = 0; h < w->n_hosts; h++)
		n += reaches(w, host, h);
	return n;
}

static void rings_change(struct world *w)
{
	uint64_t in_ms[WORLD_HOSTS_MAX] = { 0 };

	for (size_t h = 0; h < w->n_hosts; h++) {
		struct world_event *ev;
		size_t first = 0;

		if (!host_is_on(&w->hosts[h]))
			continue;
		while (!reaches(w, h, first))
			first++;
		if (first == h)
			in_ms[h] = between(w, DETECT_MS, DETECT_MS * 2);
		ev = event_add(w, HAPPEN_RING, h, in_ms[first]);
		ev->view = w->view;
		ev->run = 0;
		ev->ring = (uint32_t)(w->view << 5 | first);
	}
}

/* Each reachable set of hosts sees its new membership a token later; quorum and group are told in either order. */
void view_change(struct world *w)
{
	w->view++;
	w->view_changed_ms = w->now_ms;
	if (w->swarm.rings) {
		rings_change(w);
		return;
	}
	for (size_t h = 0; h < w->n_hosts; h++) {
		uint64_t in_ms = between(w, DETECT_MS, DETECT_MS * 2);
		struct world_event *quorum, *members;

		if (!host_is_on(&w->hosts[h]))
			continue;
		quorum = event_add(w, HAPPEN_VIEW_QUORUM, h, in_ms + world_random(w, 5));
		members = event_add(w, HAPPEN_VIEW_MEMBERS, h, in_ms + world_random(w, 5));
		quorum->view = members->view = w->view;
		quorum->run = members->run = 0;
	}
}

static void message_send_to_ring(struct world *w, struct parcel *parcel)
{
	const struct world_host *host = &w->hosts[parcel->sender];
	uint64_t in_ms = between(w, 1, 3);

	/* One agreed order: nothing overtakes. */
	if (w->now_ms + in_ms < w->last_message_ms)
		in_ms = w->last_message_ms - w->now_ms;
	w->last_message_ms = w->now_ms + in_ms;
	for (size_t h = 0; h < w->n_hosts; h++) {
		struct world_event *ev;

		if (!reaches(w, parcel->sender, h) || !w->hosts[h].daemon ||
		    w->hosts[h].other_version != host->other_version)
			continue;
		ev = event_add(w, HAPPEN_MESSAGE, h, in_ms);
		ev->view = w->view;
		ev->ring = host->ring;
		ev->target = parcel->sender;
		ev->parcel = parcel;
		parcel->refs++;
	}
}

void outbox_clear(struct world_host *host)
{
	while (host->outbox) {
		struct parcel *next = host->outbox->next;

		parcel_release(host->outbox);
		host->outbox = next;
	}
}

/* Its corosync has a new membership: hamond is told of it, and what waited goes out in it. */
void ring_install(struct world *w, struct world_host *host, struct world_event *ev)
{
	uint64_t apart_ms = world_random(w, 2) ? 0 : world_random(w, w->swarm.order_ms + 1);
	struct world_event *quorum, *members;
	struct parcel *out = host->outbox;

	host->ring = ev->ring;
	host->outbox = NULL;
	for (struct parcel *next; out; out = next) {
		next = out->next;
		message_send_to_ring(w, out);
		parcel_release(out);
	}
	if (!host->daemon)
		return;
	/* The group is told before any message of the new membership; quorum is another service, earlier or later. */
	quorum = world_random(w, 2) || apart_ms ? NULL : event_add(w, HAPPEN_VIEW_QUORUM, ev->host, 0);
	members = event_add(w, HAPPEN_VIEW_MEMBERS, ev->host, 0);
	if (!quorum)
		quorum = event_add(w, HAPPEN_VIEW_QUORUM, ev->host, apart_ms);
	quorum->view = members->view = w->view;
}

void quorum_tell(struct world *w, struct world_host *host)
{
	uint32_t nodes[WORLD_HOSTS_MAX];
	struct core_event event = { .type = EV_QUORUM };
	size_t self = host_index(w, host);

	if (!host->corosync)
		return;
	for (size_t h = 0; h < w->n_hosts; h++)
		if (reaches(w, self, h))
			nodes[event.quorum.n++] = w->hosts[h].nodeid;
	event.quorum.nodeids = nodes;
	event.quorum.quorate = event.quorum.n * 2 > w->n_hosts || (w->two_node && event.quorum.n == 1 &&
			host->quorate_told);
	host->quorate_told |= event.quorum.quorate;
	host_step(w, host, &event);
}

void members_tell(struct world *w, struct world_host *host)
{
	struct core_member members[WORLD_HOSTS_MAX];
	struct core_event event = { .type = EV_MEMBERS };
	size_t self = host_index(w, host);

	if (!host->corosync)
		return;
	for (size_t h = 0; h < w->n_hosts; h++) {
		if (!reaches(w, self, h) || !w->hosts[h].daemon)
			continue;
		members[event.members.n].nodeid = w->hosts[h].nodeid;
		members[event.members.n++].pid = w->hosts[h].runs;
	}
	event.members.members = members;
	host_step(w, host, &event);
}

/* The group changes at once when a daemon comes or goes; quorum does not. */
void group_change(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++) {
		struct world_event *ev;

		if (!w->hosts[h].power || !w->hosts[h].daemon)
			continue;
		ev = event_add(w, HAPPEN_VIEW_MEMBERS, h, 2);
		ev->view = w->view;
	}
}

static bool ring_is_forming(const struct world *w, const struct world_host *host)
{
	return w->swarm.rings && host->ring >> 5 != (w->view & 0x7ffffff);
}

void multicast(struct world *w, struct world_host *host, const struct core_message *msg)
{
	struct parcel *parcel;

	if (!host->corosync)
		return;
	parcel = parcel_make(w, host_index(w, host), msg);
	if (w->ledger && msg->type == MSG_RECORD)
		ledger_sent(w, parcel);
	if (ring_is_forming(w, host)) {
		parcel->next = NULL;
		if (host->outbox)
			host->outbox_last->next = parcel;
		else
			host->outbox = parcel;
		host->outbox_last = parcel;
		return;
	}
	message_send_to_ring(w, parcel);
	parcel_release(parcel);
}

/* A message crosses no change of sides: of those who part from its sender, each side got it, or did not. */
bool message_is_deliverable(struct world *w, struct world_event *ev)
{
	const struct world_host *host = &w->hosts[ev->host];

	if (!host->corosync)
		return false;
	if (w->swarm.rings && ev->ring) {
		if (host->ring > ev->ring)
			return false;
		if (ev->view != w->view && !reaches(w, ev->target, ev->host))
			return (ev->parcel->number ^ host->side) & 1;
		return true;
	}
	return ev->view == w->view || ev->target == ev->host || reaches(w, ev->target, ev->host);
}

void message_take(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_MESSAGE, .message = ev->parcel->msg };

	/* Sent in a membership that this host installs an instant later. */
	if (w->swarm.rings && ev->ring && host->ring != ev->ring) {
		struct world_event *later = event_add(w, HAPPEN_MESSAGE, ev->host, 1);

		later->view = ev->view;
		later->ring = ev->ring;
		later->target = ev->target;
		later->run = ev->run;
		later->parcel = ev->parcel;
		ev->parcel->refs++;
		return;
	}
	host_step(w, host, &event);
}
