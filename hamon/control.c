/*
 * The server's side of the control socket. Follows libqb 2.0's qbipcs.h, and its sources (lib/ipc_setup.c,
 * ipcs.c, ipc_shm.c) where that is silent. What those do, and what is done about it here:
 *
 * - libqb waits without limit for the rest of a connecting client's hello, and for as many connections as come.
 *   All descriptors of the service pass through fd_add(), so the waiting ones are counted, and closed when late.
 * - It takes the longest message from the client's hello: a client that asks for more is refused.
 * - It handles several requests of a client at a wake-up, and then waits without limit for one byte for each. At
 *   the rate "slow" it handles one, whose byte is what woke it.
 * - The length that it hands over is what the client wrote, and the text stays writable for the client: the length
 *   is bounded, the text copied, and only then looked at.
 * - A connection must not be disconnected while one of its callbacks runs. Clients are dropped by shutdown() of their
 *   socket, and libqb does the rest at the next wake-up.
 */
#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <qb/qbipcs.h>

#include "hamon/common/clock.h"
#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/control.h"
#include "hamon/control_message.h"
#include "hamon/control_peer.h"

#define GREETING_MAX 16			/* connections that have not said hello yet */
#define GREETING_STRANGERS_MAX 4	/* of them, those that will be refused: they get to hear why */
#define GREETING_MS 2000
#define FDS_MAX (1 + GREETING_MAX + CONTROL_CLIENTS_MAX)
#ifndef CONTROL_IDLE_MS			/* its unit test has less time */
#define CONTROL_IDLE_MS 60000		/* a client without a request */
#define CONTROL_FETCH_MS 10000		/* a client that does not fetch the rest of its reply */
#endif
#define HELD_MAX_BYTES (16u * 1024 * 1024) /* rests of replies, of all clients together */
#define TICK_NS 1000000000ULL
#define PIECE_MAX (CTL_MESSAGE_MAX_BYTES - sizeof(struct qb_ipc_response_header) - 1)

enum fd_kind { FD_NONE, FD_LISTENING, FD_GREETING, FD_CLIENT };

struct fd_slot {
	enum fd_kind kind;	/* FD_NONE: the slot is free */
	int fd;
	uint64_t since_ms;
	struct control_peer peer;
	void *data;		/* libqb's: for FD_CLIENT its connection */
	qb_ipcs_dispatch_fn_t fn;
};

struct client {
	qb_ipcs_connection_t *connection;
	struct control_peer peer;
	struct control_request *request; /* not answered yet, or NULL */
	uint64_t last_ms;	/* its last message or answer */
	int32_t id;		/* of the request that rest answers */
	char *rest;		/* a reply that needs several pieces, or NULL */
	size_t rest_len, rest_sent;
};

struct control_request {
	struct control *control; /* NULL after control_stop */
	struct client *client;	/* NULL when it has gone */
	struct control_request *next, **prev;
	struct control_peer peer;
	int32_t id;
	struct json_object *obj;
	const char *verb;
};

struct control {
	qb_loop_t *loop;
	qb_ipcs_service_t *service;
	control_request_fn on_request;
	void *user;
	bool have_group;
	gid_t group;
	bool ticking;
	qb_loop_timer_handle tick;
	struct fd_slot fds[FDS_MAX];
	enum fd_kind dispatching; /* the kind of descriptor whose callback runs, and who is behind it */
	struct control_peer dispatching_peer;
	struct control_request *requests;
	size_t held_bytes;
	struct control_stats stats;
};

/* libqb's poll handlers carry no pointer of ours. */
static struct control *the_control;

/* --- descriptors --- */

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

static void client_drop(struct client *client)
{
	for (size_t i = 0; i < FDS_MAX; i++) {
		struct fd_slot *slot = &the_control->fds[i];

		if (slot->kind == FD_CLIENT && slot->data == client->connection) {
			shutdown(slot->fd, SHUT_RDWR);
			the_control->stats.dropped_clients++;
		}
	}
}

static int32_t fd_del(int32_t fd)
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
		fd_del(fd);
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
static int32_t fd_add(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data,
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

static int32_t fd_mod(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data,
		      qb_ipcs_dispatch_fn_t fn)
{
	struct fd_slot *slot = fd_find(fd);

	if (!slot)
		return -ENOENT;
	slot->data = data;
	slot->fn = fn;
	return qb_loop_poll_mod(the_control->loop, QB_LOOP_MED, fd, events, slot, fd_dispatch);
}

static int32_t job_add(enum qb_loop_priority priority, void *data, qb_loop_job_dispatch_fn fn)
{
	return qb_loop_job_add(the_control->loop, priority, data, fn);
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

/* --- clients --- */

static void client_rest_free(struct client *client)
{
	the_control->held_bytes -= client->rest_len;
	free(client->rest);
	client->rest = NULL;
	client->rest_len = client->rest_sent = 0;
}

/* Who may come in. fd_add() has asked the kernel who it is; uid is what libqb was told a little later. */
static int32_t client_accept(qb_ipcs_connection_t *connection, uid_t uid, gid_t gid)
{
	const struct control_peer *peer = &the_control->dispatching_peer;
	unsigned int places = CONTROL_CLIENTS_MAX - (peer->is_root ? 0 : CONTROL_ROOT_CLIENTS);
	struct client *client;

	if (!peer->is_admin || uid != peer->uid) {
		the_control->stats.refused_peers++;
		return -EACCES;
	}
	if (qb_ipcs_connection_get_buffer_size(connection) != CTL_MESSAGE_MAX_BYTES)
		return -EMSGSIZE;
	if (the_control->stats.clients >= places) {
		the_control->stats.refused_peers++;
		return -EAGAIN;
	}
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->connection = connection;
	client->peer = *peer;
	client->last_ms = clock_boot_ms();
	/* By default the folder of the rings would be writable for the client's whole primary group. */
	qb_ipcs_connection_auth_set(connection, uid, 0, 0600);
	qb_ipcs_context_set(connection, client);
	the_control->stats.clients++;
	return 0;
}

static int32_t client_closed(qb_ipcs_connection_t *connection)
{
	struct client *client = qb_ipcs_context_get(connection);

	if (client->request)
		client->request->client = NULL;
	client->request = NULL;
	return 0;
}

/* Called for connections that were refused, too: they have no client. */
static void client_destroyed(qb_ipcs_connection_t *connection)
{
	struct client *client = qb_ipcs_context_get(connection);

	if (!client)
		return;
	client_rest_free(client);
	free(client);
	the_control->stats.clients--;
}

/* Sends len bytes of a reply. A client whose ring is full does not read: it is dropped. */
static bool client_send(struct client *client, int32_t id, const char *text, size_t len, bool more)
{
	struct qb_ipc_response_header header = { .id = id, .error = more };
	struct iovec iov[] = { { &header, sizeof(header) }, { (char *)text, len }, { "", 1 } };

	header.size = (int32_t)(sizeof(header) + len + 1);
	if (qb_ipcs_event_sendv(client->connection, iov, 3) >= 0)
		return true;
	client_drop(client);
	return false;
}

static void client_continue(struct client *client)
{
	size_t len = client->rest_len - client->rest_sent;

	if (len > PIECE_MAX)
		len = PIECE_MAX;
	if (!client_send(client, client->id, client->rest + client->rest_sent, len,
			 client->rest_sent + len < client->rest_len))
		return;
	client->rest_sent += len;
	if (client->rest_sent == client->rest_len)
		client_rest_free(client);
}

static struct json_object *error_object(const char *code, const char *message, const char *hint)
{
	struct json_object *reply = json_object_new_object(), *error = json_object_new_object();

	json_put_u64(reply, "v", CTL_VERSION);
	json_put_bool(reply, "ok", false);
	json_put_string(error, "code", code);
	json_put_string(error, "message", message);
	json_put_string(error, "hint", hint);
	json_object_object_add(reply, "error", error);
	return reply;
}

static void client_error(struct client *client, int32_t id, const char *code, const char *message, const char *hint)
{
	struct json_object *reply = error_object(code, message, hint);
	size_t len;
	const char *text = json_object_to_json_string_length(reply, JSON_C_TO_STRING_PLAIN, &len);

	client_send(client, id, text, len < PIECE_MAX ? len : PIECE_MAX, false);
	json_object_put(reply);
}

/* Sends a whole reply, or its first piece: the client asks for each further one. */
static void client_reply(struct client *client, int32_t id, const char *text, size_t len)
{
	client->last_ms = clock_boot_ms();
	if (len <= PIECE_MAX) {
		client_send(client, id, text, len, false);
		return;
	}
	if (len > CTL_REPLY_MAX_BYTES) {
		client_error(client, id, "reply-too-long", "the answer is longer than a reply may be",
			     "ask for less: name one instance, host or incident");
		return;
	}
	if (the_control->held_bytes + len <= HELD_MAX_BYTES)
		client->rest = malloc(len);
	if (!client->rest) {
		client_error(client, id, "busy", "too many long answers are being fetched at the moment",
			     "try again");
		return;
	}
	memcpy(client->rest, text, len);
	client->rest_len = len;
	client->id = id;
	the_control->held_bytes += len;
	client_continue(client);
}

/* --- requests --- */

static void refused(struct client *client, int32_t id, const char *code, const char *message, const char *hint)
{
	the_control->stats.refused_requests++;
	client_error(client, id, code, message, hint);
}

static bool verb_check(struct client *client, const struct control_message *message)
{
	const char *near;
	char text[192], hint[96];

	switch (control_access(message->verb)) {
	case CONTROL_ACCESS_ADMIN:
		return true;
	case CONTROL_ACCESS_ROOT:
		if (client->peer.is_root)
			return true;
		snprintf(text, sizeof(text), "\"%s\" is for root alone", message->verb);
		refused(client, message->id, "not-allowed", text, NULL);
		return false;
	case CONTROL_ACCESS_NONE:
		break;
	}
	near = control_verb_suggest(message->verb);
	snprintf(text, sizeof(text), "hamond does not know the verb \"%s\"", message->verb);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	refused(client, message->id, "unknown-verb", text, near ? hint : NULL);
	return false;
}

static void request_start(struct client *client, struct control_message *message)
{
	struct control_request *req = calloc(1, sizeof(*req));

	if (!req) {
		json_object_put(message->obj);
		refused(client, message->id, "no-memory", "hamond has no memory for this request", NULL);
		return;
	}
	req->control = the_control;
	req->client = client;
	req->peer = client->peer;
	req->id = message->id;
	req->obj = message->obj;
	req->verb = message->verb;
	req->next = the_control->requests;
	if (req->next)
		req->next->prev = &req->next;
	req->prev = &the_control->requests;
	the_control->requests = req;
	client->request = req;
	the_control->stats.requests++;
	the_control->on_request(the_control->user, req, req->obj, &req->peer);
}

static void message_handle(struct client *client, const void *data, size_t size)
{
	struct control_message message = { 0 };
	struct control_message_error error;

	if (control_message_parse(data, size, &message, &error)) {
		refused(client, message.id, error.code, error.message, NULL);
		return;
	}
	if (client->request) {
		refused(client, message.id, "busy", "this connection has a request that is not answered yet",
			"wait for its answer, or use a connection of its own");
	} else if (!strcmp(message.verb, "continue")) {
		if (client->rest && client->id == message.id)
			client_continue(client);
		else
			refused(client, message.id, "nothing-to-continue",
				"there is no unfinished answer with this number", NULL);
	} else if (verb_check(client, &message)) {
		client_rest_free(client);
		if (the_control->stats.requests < CONTROL_REQUESTS_MAX) {
			request_start(client, &message);
			return; /* it owns the object now */
		}
		refused(client, message.id, "busy", "hamond has too many requests that are not answered yet",
			"try again");
	}
	json_object_put(message.obj);
}

static int32_t client_message(qb_ipcs_connection_t *connection, void *data, size_t size)
{
	struct client *client = qb_ipcs_context_get(connection);
	struct qb_ipc_request_header header;
	void *copy;

	client->last_ms = clock_boot_ms();
	memcpy(&header, data, sizeof(header));
	if (size > CTL_MESSAGE_MAX_BYTES) {
		refused(client, header.id, "bad-length", "the header says more bytes than a request may have", NULL);
		return 0;
	}
	copy = malloc(size ? size : 1);
	if (!copy) {
		refused(client, header.id, "no-memory", "hamond has no memory for this request", NULL);
		return 0;
	}
	memcpy(copy, data, size);
	message_handle(client, copy, size);
	free(copy);
	return 0;
}

static void request_free(struct control_request *req)
{
	if (req->control) {
		*req->prev = req->next;
		if (req->next)
			req->next->prev = req->prev;
		req->control->stats.requests--;
	}
	if (req->client)
		req->client->request = NULL;
	json_object_put(req->obj);
	free(req);
}

void control_reply(struct control_request *req, struct json_object *reply)
{
	struct client *client = req->client;
	const char *text;
	size_t len;

	if (client) {
		if (!reply)
			reply = json_object_new_object();
		assert(json_object_is_type(reply, json_type_object));
		json_put_u64(reply, "v", CTL_VERSION);
		if (!json_object_object_get_ex(reply, "ok", NULL))
			json_put_bool(reply, "ok", true);
		text = json_object_to_json_string_length(reply,
				JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
		client_reply(client, req->id, text, len);
	}
	json_object_put(reply);
	request_free(req);
}

void control_reply_error(struct control_request *req, const char *code, const char *message, const char *hint)
{
	control_reply(req, error_object(code, message, hint));
}

bool control_request_alive(const struct control_request *req)
{
	return req->client;
}

const char *control_request_verb(const struct control_request *req)
{
	return req->verb;
}

/* --- the service --- */

static bool group_find(const char *name, gid_t *ret)
{
	struct group *entry = name ? getgrnam(name) : NULL;

	if (entry)
		*ret = entry->gr_gid;
	return entry;
}

static int service_run(struct control *control, const char *service)
{
	static struct qb_ipcs_service_handlers handlers = {
		.connection_accept = client_accept,
		.connection_closed = client_closed,
		.connection_destroyed = client_destroyed,
		.msg_process = client_message,
	};
	static struct qb_ipcs_poll_handlers poll_handlers = {
		.job_add = job_add,
		.dispatch_add = fd_add,
		.dispatch_mod = fd_mod,
		.dispatch_del = fd_del,
	};

	control->service = qb_ipcs_create(service, 0, QB_IPC_SHM, &handlers);
	if (!control->service)
		return -ENOMEM;
	qb_ipcs_poll_handlers_set(control->service, &poll_handlers);
	qb_ipcs_enforce_buffer_size(control->service, CTL_MESSAGE_MAX_BYTES);
	qb_ipcs_request_rate_limit(control->service, QB_IPCS_RATE_SLOW);
	return qb_ipcs_run(control->service); /* after a failure the service is gone */
}

int control_start(qb_loop_t *loop, const char *service, const char *group, control_request_fn on_request,
		  void *user, bool *ret_group_found, struct control **ret)
{
	struct control *control;
	int rc;

	if (the_control)
		return -EALREADY;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->loop = loop;
	control->on_request = on_request;
	control->user = user;
	control->have_group = group_find(group, &control->group);
	the_control = control;
	rc = service_run(control, service);
	if (rc) {
		the_control = NULL;
		free(control);
		return rc;
	}
	if (ret_group_found)
		*ret_group_found = control->have_group;
	*ret = control;
	return 0;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	assert(control == the_control && control->dispatching == FD_NONE);
	qb_ipcs_destroy(control->service);
	/* libqb would close these at their next event, through descriptors that are gone by then. */
	for (size_t i = 0; i < FDS_MAX; i++)
		if (control->fds[i].kind == FD_GREETING)
			control->fds[i].fn(control->fds[i].fd, POLLHUP, control->fds[i].data);
	if (control->ticking)
		qb_loop_timer_del(control->loop, control->tick);
	for (struct control_request *req = control->requests; req; req = req->next)
		req->control = NULL;
	the_control = NULL;
	free(control);
}

void control_stats_get(const struct control *control, struct control_stats *ret)
{
	*ret = control->stats;
}
