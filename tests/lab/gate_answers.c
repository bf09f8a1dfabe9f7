/*
 * gate_answers SERVICE MODE: stands where hamond does, for tests of the start gate alone: a real control socket whose
 * "gate" is answered with allow, refuse, error (it is not ready) or silence. Prints each request as a line.
 */
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>
#include <qb/qbloop.h>

#include "hamon/common/json.h"
#include "hamon/control.h"

static void on_request(void *user, struct control_request *req, struct json_object *obj,
		       const struct control_peer *peer)
{
	const char *mode = user;
	struct json_object *reply = json_object_new_object();

	json_write_line(1, obj);
	if (!strcmp(mode, "allow") || !strcmp(mode, "refuse")) {
		json_put_bool(reply, "allow", !strcmp(mode, "allow"));
		json_put_string(reply, "reason", "it is owned by h2");
		control_reply(req, reply);
		return;
	}
	json_object_put(reply);
	if (!strcmp(mode, "error"))
		control_reply_error(req, "not-synced", "hamond has no snapshot yet", NULL);
	/* else silence: the request stays open */
}

int main(int argc, char **argv)
{
	qb_loop_t *loop = qb_loop_create();
	struct control *control;

	if (argc != 3 || control_start(loop, argv[1], NULL, on_request, argv[2], NULL, &control))
		return 1;
	puts("{\"ready\":true}");
	fflush(stdout);
	qb_loop_run(loop);
	return 0;
}
