/*
 * What the clients of the control socket ask: which requests are handed over, which refused, and the answers. The length that libqb
 * hands over is what the client wrote, and the text stays writable for the client: the length is bounded, the text copied, and only
 * then looked at.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/control_internal.h"
#include "hamon/control_message.h"

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

int32_t client_message(qb_ipcs_connection_t *connection, void *data, size_t size)
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
	control_reply(req, control_error_object(code, message, hint));
}

bool control_request_alive(const struct control_request *req)
{
	return req->client;
}

const char *control_request_verb(const struct control_request *req)
{
	return req->verb;
}
