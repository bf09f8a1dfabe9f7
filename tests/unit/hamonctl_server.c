/*
 * A control socket with canned replies, for the tests of hamonctl and evacuate: hamonctl_server SERVICE FILE.
 * FILE is a JSON object: for each verb an array of replies, given one after the other; the last one stays. The
 * reply "stop" stops this process (SIGSTOP) and does not answer. Prints "ready", then each request as a line.
 */
#include <signal.h>
#include <unistd.h>
#include <sys/prctl.h>

#include "hamon/common/json.h"
#include "hamon/control.h"
#include "tests/unit/test.h"

static struct json_object *replies;

static struct json_object *reply_next(const char *verb)
{
	struct json_object *list = NULL, *reply;

	if (json_get_array(replies, verb, &list) || !json_object_array_length(list))
		return NULL;
	reply = json_object_get(json_object_array_get_idx(list, 0));
	if (json_object_array_length(list) > 1)
		json_object_array_del_idx(list, 0, 1);
	return reply;
}

static void on_request(void *user, struct control_request *req, struct json_object *obj,
		       const struct control_peer *peer)
{
	struct json_object *canned = reply_next(control_request_verb(req)), *reply = NULL;

	CHECK_INT(json_write_line(1, obj), 0);
	if (!canned) {
		control_reply_error(req, "no-reply", "the test has no reply to this", NULL);
		return;
	}
	if (json_object_is_type(canned, json_type_string)) {
		raise(SIGSTOP);
		control_reply_error(req, "stopped", "the test stopped", NULL);
	} else {
		CHECK_INT(json_object_deep_copy(canned, &reply, NULL), 0);
		control_reply(req, reply);
	}
	json_object_put(canned);
}

static char *file_read(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	CHECK(f && getdelim(&text, &size, '\0', f) > 0);
	fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	struct control *control;
	qb_loop_t *loop = qb_loop_create();
	char *text;

	CHECK_INT(argc, 3);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	text = file_read(argv[2]);
	CHECK_INT(json_parse(text, strlen(text), &replies), 0);
	free(text);
	CHECK_INT(control_start(loop, argv[1], NULL, on_request, NULL, NULL, &control), 0);
	CHECK_INT(write(1, "ready\n", 6), 6);
	qb_loop_run(loop);
	return 0;
}
