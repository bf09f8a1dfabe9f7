/*
 * The client's side of hamond's control socket: one call sends one JSON request and waits, for a bounded
 * time, for its JSON reply. In libhamon_ctl.a (needs libqb and json-c).
 *
 *	struct json_object *req = ctl_request("explain"), *reply;
 *	json_put_string(req, "what", "vm1");
 *	rc = ctl_call(req, CTL_TIMEOUT_MS, &reply);	(-errno: hamond could not be asked, see ctl_strerror)
 *	if (!rc && ctl_reply_error(reply, &error))	(hamond answered, and refused)
 *
 * On the wire: libqb IPC over shared memory, service "hamon". A request is struct qb_ipc_request_header and
 * a JSON text with its NUL; a reply arrives as one or more events, each a struct qb_ipc_response_header and
 * a piece of the JSON text with a NUL. `error` is 1 in every piece but the last, which has 0; the client
 * asks for the next piece with the verb "continue". So a reply of 8 MiB passes through a ring of 256 KiB.
 * See hamon/control.h for the server.
 */
#ifndef HAMON_COMMON_CTL_H
#define HAMON_COMMON_CTL_H

#include <stdbool.h>
#include <json-c/json_object.h>

#define CTL_SERVICE "hamon"
#define CTL_VERSION 1
/* One message on the wire with its header and NUL: the longest request, and the longest piece of a reply. */
#define CTL_MESSAGE_MAX_BYTES (256 * 1024)
/* A whole reply. */
#define CTL_REPLY_MAX_BYTES (8 * 1024 * 1024)
/* For a person at a terminal; hamond answers from memory. */
#define CTL_TIMEOUT_MS 5000

/* A new request {"v":1,"verb":verb}; the caller owns it (json_object_put). Never NULL. */
struct json_object *ctl_request(const char *verb);

/*
 * Sends req (borrowed) to the hamond of this host and waits for the reply; connecting, sending and receiving
 * together end within timeout_ms of the boot clock, even when hamond is stopped or hangs. timeout_ms <= 0
 * means CTL_TIMEOUT_MS.
 *
 * Returns 0 and a new reference in *ret_reply: a JSON object with "v" and the boolean "ok", and where ok is
 * false an "error". Or, with *ret_reply untouched:
 *	-ECONNREFUSED	nobody listens: hamond is not running
 *	-EACCES		this user is neither root nor in the group hamon
 *	-ETIMEDOUT	hamond did not answer in time
 *	-ENOTCONN	hamond went away in the middle
 *	-EAGAIN		hamond has too many clients
 *	-EPERM		who listens is neither root nor this user: not hamond
 *	-E2BIG		the request is longer than CTL_MESSAGE_MAX_BYTES
 *	-EPROTO		the answer is not of the form above
 *	-errno		of libqb and the system else (-ENOSPC: /dev/shm is full)
 *
 * The service is CTL_SERVICE, or $HAMON_SERVICE (tests; ignored by set-user-id programs). It blocks: not for
 * use inside hamond.
 */
int ctl_call(struct json_object *req, int timeout_ms, struct json_object **ret_reply);

struct ctl_error {
	const char *code;	/* kebab-case, for programs; never NULL */
	const char *message;	/* names the thing and what was expected; never NULL */
	const char *hint;	/* what to do; NULL when there is none */
};

/* True when reply says ok:false; then fills *ret (may be NULL), borrowed from reply. */
bool ctl_reply_error(struct json_object *reply, struct ctl_error *ret);

/* One sentence for a person about a failed ctl_call (rc < 0): what is wrong and what to do. Static. */
const char *ctl_strerror(int rc);

#endif
