/*
 * What the files of the control socket's server share: control.c (the service), control_fds.c (its descriptors), control_client.c
 * (who is connected, and what is sent to them), control_request.c (what they ask). There is one service in a process: libqb's poll
 * handlers carry no pointer of ours.
 */
#ifndef HAMON_CONTROL_INTERNAL_H
#define HAMON_CONTROL_INTERNAL_H

#include <stdint.h>
#include <qb/qbipcs.h>

#include "hamon/common/ctl.h"
#include "hamon/control.h"

#define GREETING_MAX 16			/* connections that have not said hello yet */
#define FDS_MAX (1 + GREETING_MAX + CONTROL_CLIENTS_MAX)

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

extern struct control *the_control;

/* Handlers for libqb's loop: every descriptor of the service passes through them. */
int32_t control_fd_add(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data, qb_ipcs_dispatch_fn_t fn);
int32_t control_fd_mod(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data, qb_ipcs_dispatch_fn_t fn);
int32_t control_fd_del(int32_t fd);
/* When libqb has ended the service: closes what it would close at the next event, through descriptors that are gone by then. */
void control_fds_end(struct control *control);

/* Handlers for libqb's connections. Those that were refused are closed and destroyed as well. */
int32_t client_accept(qb_ipcs_connection_t *connection, uid_t uid, gid_t gid);
int32_t client_closed(qb_ipcs_connection_t *connection);
void client_destroyed(qb_ipcs_connection_t *connection);
int32_t client_message(qb_ipcs_connection_t *connection, void *data, size_t size);

/* Ends the connection at libqb's next wake-up. */
void client_drop(struct client *client);
void client_rest_free(struct client *client);
/* Sends the next piece of the reply that the client fetches. It must have one (rest). */
void client_continue(struct client *client);
void client_error(struct client *client, int32_t id, const char *code, const char *message, const char *hint);
/* Sends a whole reply, or its first piece: the client asks for each further one. */
void client_reply(struct client *client, int32_t id, const char *text, size_t len);

/* The reply that says no; the caller's. hint may be NULL. */
struct json_object *control_error_object(const char *code, const char *message, const char *hint);

#endif
