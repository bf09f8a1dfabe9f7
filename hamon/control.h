/*
 * The control socket of hamond: a libqb IPC service in hamond's qb_loop. It checks who connects and what is
 * sent, and hands over well-formed requests; what they mean is the caller's. See hamon/common/ctl.h for the
 * wire and the client. In libhamon_control.a (needs libqb and json-c).
 *
 * Who may connect: root (or the user that runs the server), and members of one group, by the credentials
 * that the kernel noted when the peer called connect() (SO_PEERCRED, SO_PEERGROUPS): no look at /proc, so
 * no race with a pid that was used again. Each verb is checked against control_access() as well.
 *
 * Transport: shared memory (QB_IPC_SHM), for these reasons. QB_IPC_SOCKET uses abstract datagram sockets, which
 * any local user can write to until the first reply, limits a message by net.core.wmem_max, and sleeps up to a
 * second in the server for a client that does not listen. The price: libqb trusts what a connected client writes
 * into the rings (indexes, and the paths to unlink), so whoever is let in can crash the server and more. Members
 * of the group are therefore as trusted as root; nobody else ever gets a ring.
 * A client costs three rings of CTL_MESSAGE_MAX_BYTES in /dev/shm while connected, and no anonymous memory. (A
 * process that locks its memory must use MCL_ONFAULT: libqb allocates as much as a hello asks for before it asks
 * whether to accept.)
 *
 * Nothing here blocks the loop: replies that a client does not fetch end that client; connections that say
 * nothing are closed; all numbers are bounded.
 */
#ifndef HAMON_CONTROL_H
#define HAMON_CONTROL_H

#include <stdbool.h>
#include <sys/types.h>
#include <json-c/json_object.h>
#include <qb/qbloop.h>

/* Connected clients; the last CONTROL_ROOT_CLIENTS places are root's alone (libvirt's hook runs as root). */
#define CONTROL_CLIENTS_MAX 32
#define CONTROL_ROOT_CLIENTS 8
/* Requests handed over and not yet answered, those of dead clients included. A client has at most one. */
#define CONTROL_REQUESTS_MAX 64

struct control;
struct control_request;

struct control_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;		/* 0 when the peer is in a pid namespace that is not ours or below */
	bool is_root;		/* uid 0, or the server's own uid */
	bool is_admin;		/* is_root, or in the group, supplementary groups included */
};

/*
 * Called from the loop for every request that is well-formed and whose verb this peer may use. obj is an
 * object with "v":1 and a string "verb" that control_access() knows; all other fields are unchecked. obj and
 * peer belong to req and live until it is answered.
 *
 * Each request must be answered exactly once, at once or at any time later, by control_reply() or
 * control_reply_error(); req is gone then. It stays valid until then, also when its client has died
 * (control_request_alive() tells) or control_stop() was called.
 */
typedef void (*control_request_fn)(void *user, struct control_request *req, struct json_object *obj,
				   const struct control_peer *peer);

/*
 * Starts the service. One per process. service: CTL_SERVICE, or another name in tests. group: whose members
 * are let in besides root; NULL or an unknown group: root alone (*ret_group_found tells, may be NULL). The
 * group is looked up here and never again: name services may block.
 * Returns 0 and *ret (end it with control_stop), or -EADDRINUSE (another hamond runs), -EALREADY, -ENOMEM,
 * -EINVAL or what libqb says.
 */
int control_start(qb_loop_t *loop, const char *service, const char *group, control_request_fn on_request,
		  void *user, bool *ret_group_found, struct control **ret);

/*
 * Disconnects all clients and ends the service. Requests that are not yet answered stay valid and must still
 * be answered (to nobody). control_stop(NULL) does nothing. Not from inside a control_request_fn.
 */
void control_stop(struct control *control);

/*
 * Answers req. Takes over the caller's reference to reply, an object (NULL: an empty one); adds "v" and, where
 * it is missing, "ok":true. A reply longer than CTL_REPLY_MAX_BYTES becomes the error "reply-too-long".
 */
void control_reply(struct control_request *req, struct json_object *reply);

/* Answers req with ok:false. code is kebab-case, hint may be NULL; see struct ctl_error. */
void control_reply_error(struct control_request *req, const char *code, const char *message, const char *hint);

/* False once the client has gone: the answer would reach nobody. */
bool control_request_alive(const struct control_request *req);

/* The verb, borrowed from the request. */
const char *control_request_verb(const struct control_request *req);

struct control_stats {
	unsigned int clients;		/* connected now */
	unsigned int requests;		/* handed over and not answered now */
	unsigned long refused_peers;	/* since the start: not root and not in the group, or too many */
	unsigned long refused_requests;	/* since the start: malformed, unknown or not allowed */
	unsigned long dropped_clients;	/* since the start: idle or not reading */
};

void control_stats_get(const struct control *control, struct control_stats *ret);

#endif
