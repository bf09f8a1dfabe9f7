/*
 * Who is connected to the control socket, and what is sent to them.
 *
 * - libqb takes the longest message from the client's hello: a client that asks for more is refused.
 * - A connection must not be disconnected while one of its callbacks runs. Clients are dropped by shutdown() of their
 *   socket, and libqb does the rest at the next wake-up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/control_internal.h"

#define HELD_MAX_BYTES (16u * 1024 * 1024) /* rests of replies, of all clients together */
#define PIECE_MAX (CTL_MESSAGE_MAX_BYTES - sizeof(struct qb_ipc_response_header) - 1)

void client_drop(struct client *client)
{
	for (size_t i = 0; i < FDS_MAX; i++) {
		struct fd_slot *slot = &the_control->fds[i];

		if (slot->kind == FD_CLIENT && slot->data == client->connection) {
			shutdown(slot->fd, SHUT_RDWR);
			the_control->stats.dropped_clients++;
		}
	}
}

void client_rest_free(struct client *client)
{
	the_control->held_bytes -= client->rest_len;
	free(client->rest);
	client->rest = NULL;
	client->rest_len = client->rest_sent = 0;
}

/* Who may come in. control_fd_add() has asked the kernel who it is; uid is what libqb was told a little later. */
int32_t client_accept(qb_ipcs_connection_t *connection, uid_t uid, gid_t gid)
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

int32_t client_closed(qb_ipcs_connection_t *connection)
{
	struct client *client = qb_ipcs_context_get(connection);

	if (client->request)
		client->request->client = NULL;
	client->request = NULL;
	return 0;
}

/* Called for connections that were refused, too: they have no client. */
void client_destroyed(qb_ipcs_connection_t *connection)
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

void client_continue(struct client *client)
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

struct json_object *control_error_object(const char *code, const char *message, const char *hint)
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

void client_error(struct client *client, int32_t id, const char *code, const char *message, const char *hint)
{
	struct json_object *reply = control_error_object(code, message, hint);
	size_t len;
	const char *text = json_object_to_json_string_length(reply, JSON_C_TO_STRING_PLAIN, &len);

	client_send(client, id, text, len < PIECE_MAX ? len : PIECE_MAX, false);
	json_object_put(reply);
}

void client_reply(struct client *client, int32_t id, const char *text, size_t len)
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
