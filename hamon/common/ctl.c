/*
 * The client's side of the control socket. Follows libqb 2.0's qbipcc.h, and its sources where that is silent.
 *
 * Every wait here is a poll() on the connection's socket until a deadline of the boot clock. libqb's own waits are
 * not used: qb_ipcc_connect() waits for ever, and qb_ipcc_recv() waits on a semaphore by the wall clock. That is why
 * the server answers with events, for each of which libqb sends a byte through that socket.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <qb/qbipcc.h>

#include "hamon/common/clock.h"
#include "hamon/common/ctl.h"
#include "hamon/common/json.h"

struct call {
	qb_ipcc_connection_t *connection;
	int fd;			/* readable: a piece of the reply is there, or the server has gone */
	uint64_t deadline_ms;	/* boot clock */
	int32_t id;		/* of this request and of all pieces of its reply */
	char *message;		/* CTL_MESSAGE_MAX_BYTES, for both ways */
	char *text;		/* the reply so far */
	size_t text_len;
};

struct json_object *ctl_request(const char *verb)
{
	struct json_object *req = json_object_new_object();

	json_put_u64(req, "v", CTL_VERSION);
	json_put_string(req, "verb", verb);
	return req;
}

static const char *service_name(void)
{
	const char *name = secure_getenv("HAMON_SERVICE");

	return name && *name ? name : CTL_SERVICE;
}

static int fd_wait(int fd, uint64_t deadline_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t now_ms;
	int n;

	do {
		now_ms = clock_boot_ms();
		if (now_ms >= deadline_ms)
			return -ETIMEDOUT;
		n = poll(&pfd, 1, (int)(deadline_ms - now_ms));
	} while (n == 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

/*
 * Any local user can bind an abstract socket while hamond is down. Whoever called listen() must be root or this
 * user, else nothing that it says is read: libqb would open the files that it names.
 */
static int server_check(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	return cred.uid == 0 || cred.uid == geteuid() ? 0 : -EPERM;
}

static int server_connect(struct call *call)
{
	qb_ipcc_connection_t *connection;
	int fd = -1, rc;

	connection = qb_ipcc_connect_async(service_name(), CTL_MESSAGE_MAX_BYTES, &fd);
	if (!connection)
		return errno ? -errno : -ENOTCONN;
	rc = server_check(fd);
	if (!rc)
		rc = fd_wait(fd, call->deadline_ms);
	if (rc) {
		qb_ipcc_disconnect(connection); /* of a half-made connection it frees the memory alone */
		close(fd);
		return rc;
	}
	rc = qb_ipcc_connect_continue(connection);
	if (rc)
		return rc > 0 ? -EPROTO : rc; /* it has freed the connection */
	call->connection = connection;
	return qb_ipcc_fd_get(connection, &call->fd);
}

static int request_send(struct call *call, struct json_object *req)
{
	struct qb_ipc_request_header header = { .id = call->id };
	size_t len;
	const char *text = json_object_to_json_string_length(req,
			JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	ssize_t sent;

	if (!text)
		return -ENOMEM;
	if (len + 1 > CTL_MESSAGE_MAX_BYTES - sizeof(header))
		return -E2BIG;
	header.size = (int32_t)(sizeof(header) + len + 1);
	memcpy(call->message, &header, sizeof(header));
	memcpy(call->message + sizeof(header), text, len + 1);
	sent = qb_ipcc_send(call->connection, call->message, (size_t)header.size);
	return sent == header.size ? 0 : sent < 0 ? (int)sent : -EPROTO;
}

/* Appends one piece of the reply; 1 when there is more to come, 0 when it was the last. */
static int piece_append(struct call *call, size_t size)
{
	struct qb_ipc_response_header header;
	char *text;
	size_t len;

	if (size <= sizeof(header))
		return -EPROTO;
	memcpy(&header, call->message, sizeof(header));
	if (header.size < 0 || (size_t)header.size != size || call->message[size - 1] || header.id != call->id ||
	    header.error < 0 || header.error > 1)
		return -EPROTO;
	len = size - sizeof(header) - 1;
	if (call->text_len + len > CTL_REPLY_MAX_BYTES || (header.error && !len))
		return -EPROTO;
	text = realloc(call->text, call->text_len + len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text + call->text_len, call->message + sizeof(header), len);
	call->text = text;
	call->text_len += len;
	return header.error;
}

static int piece_receive(struct call *call)
{
	ssize_t size;
	int rc;

	do {
		rc = fd_wait(call->fd, call->deadline_ms);
		if (rc)
			return rc;
		size = qb_ipcc_event_recv(call->connection, call->message, CTL_MESSAGE_MAX_BYTES, 0);
	} while (size == -EAGAIN);
	if (size == -ETIMEDOUT) /* a byte without an event: not our server */
		return -EPROTO;
	return size < 0 ? (int)size : piece_append(call, (size_t)size);
}

static int reply_receive(struct call *call)
{
	struct json_object *more = ctl_request("continue");
	int rc;

	while ((rc = piece_receive(call)) > 0) {
		rc = request_send(call, more);
		if (rc)
			break;
	}
	json_object_put(more);
	return rc;
}

static int reply_parse(struct call *call, struct json_object **ret_reply)
{
	struct json_object *reply;
	bool ok;

	if (json_parse(call->text, call->text_len, &reply))
		return -EPROTO;
	if (json_get_bool(reply, "ok", &ok) || json_u64_or(reply, "v", 0) != CTL_VERSION) {
		json_object_put(reply);
		return -EPROTO;
	}
	*ret_reply = reply;
	return 0;
}

int ctl_call(struct json_object *req, int timeout_ms, struct json_object **ret_reply)
{
	static int32_t last_id;
	struct call call = { .fd = -1 };
	int rc = -ENOMEM;

	call.deadline_ms = clock_boot_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : CTL_TIMEOUT_MS);
	call.id = last_id = last_id < INT32_MAX ? last_id + 1 : 1;
	call.message = malloc(CTL_MESSAGE_MAX_BYTES);
	if (!call.message)
		goto out;
	rc = server_connect(&call);
	if (!rc)
		rc = request_send(&call, req);
	if (!rc)
		rc = reply_receive(&call);
	if (!rc)
		rc = reply_parse(&call, ret_reply);
out:
	if (call.connection)
		qb_ipcc_disconnect(call.connection);
	free(call.text);
	free(call.message);
	/* The peer's end of the socket closes in several ways; for the caller they are one. */
	return rc == -EPIPE || rc == -ECONNRESET || rc == -ESHUTDOWN ? -ENOTCONN : rc;
}

bool ctl_reply_error(struct json_object *reply, struct ctl_error *ret)
{
	struct json_object *error = NULL;

	if (json_bool_or(reply, "ok", false))
		return false;
	if (ret) {
		(void)json_get_object(reply, "error", &error);
		ret->code = json_string_or(error, "code", "unknown");
		ret->message = json_string_or(error, "message", "hamond refused without a reason");
		ret->hint = json_string_or(error, "hint", NULL);
	}
	return true;
}

const char *ctl_strerror(int rc)
{
	static char text[160];

	switch (-rc) {
	case ECONNREFUSED:
	case ENOENT:
		return "hamond is not running on this host; start it with: systemctl start hamond";
	case EACCES:
		return "this user may not talk to hamond; use root or a member of the group hamon";
	case ETIMEDOUT:
		return "hamond did not answer in time; look at: systemctl status hamond";
	case ENOTCONN:
		return "hamond went away before it answered; look at: systemctl status hamond";
	case EAGAIN:
		return "hamond has too many clients at the moment; try again";
	case EPERM:
		return "what listens on hamond's control socket runs as another user and is not hamond; find it with: "
		       "ss -xlp src @hamon";
	case E2BIG:
		return "the request is too long for hamond; ask for less at a time";
	case EPROTO:
		return "hamond's answer makes no sense; are hamond and this program of the same version?";
	case ENOSPC:
		return "there is no space left in /dev/shm, which hamond's control socket needs";
	default:
		snprintf(text, sizeof(text), "hamond cannot be asked: %s", strerror(-rc));
		return text;
	}
}
