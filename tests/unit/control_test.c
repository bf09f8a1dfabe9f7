/*
 * The control socket, its server in a process of its own: honest, hostile, slow, dead and stopped clients. Who may be one is in
 * control_users_test.c.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/control.h"
#include "tests/unit/control_server.h"
#include "tests/unit/test.h"

static struct json_object *long_request(size_t bytes)
{
	struct json_object *req = ctl_request("explain");

	json_put_u64(req, "bytes", bytes);
	return req;
}

static void a_call_is_answered(void)
{
	pid_t pid = server_start(NULL);
	struct json_object *reply = call_ok(ctl_request("status"));

	CHECK_INT(json_u64_or(reply, "v", 0), CTL_VERSION);
	CHECK_INT(json_u64_or(reply, "uid", 99), geteuid());
	CHECK(json_bool_or(reply, "is_root", false));
	json_object_put(reply);
	for (int i = 0; i < 200; i++) /* more than there are places: none stays taken */
		json_object_put(call_ok(ctl_request("status")));
	CHECK_INT(status_number("clients"), 1);
	CHECK_INT(status_number("requests"), 1);
	server_kill(pid);
}

static void long_replies_come_in_pieces(void)
{
	static const size_t sizes[] = { 0, 1, CTL_MESSAGE_MAX_BYTES - 100, CTL_MESSAGE_MAX_BYTES,
					3 * CTL_MESSAGE_MAX_BYTES, CTL_REPLY_MAX_BYTES - 100 };
	pid_t pid = server_start(NULL);
	struct json_object *req, *reply = NULL;
	struct ctl_error error;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		reply = call_ok(long_request(sizes[i]));
		CHECK_INT(strlen(json_string_or(reply, "text", NULL)), sizes[i]);
		json_object_put(reply);
	}
	/* Around the longest piece each size is right, too. */
	for (size_t n = CTL_MESSAGE_MAX_BYTES - 80; n < CTL_MESSAGE_MAX_BYTES; n++) {
		reply = call_ok(long_request(n));
		CHECK_INT(strlen(json_string_or(reply, "text", NULL)), n);
		json_object_put(reply);
	}
	req = long_request(CTL_REPLY_MAX_BYTES + 1);
	CHECK_INT(ctl_call(req, 60000, &reply), 0);
	CHECK(ctl_reply_error(reply, &error));
	CHECK_STR(error.code, "reply-too-long");
	json_object_put(req);
	json_object_put(reply);
	CHECK_INT(status_number("dropped"), 0);
	server_kill(pid);
}

static void a_long_request_is_not_sent(void)
{
	pid_t pid = server_start(NULL);
	struct json_object *req = ctl_request("status"), *reply = NULL;
	char *text = malloc(CTL_MESSAGE_MAX_BYTES + 1);

	memset(text, 'y', CTL_MESSAGE_MAX_BYTES);
	text[CTL_MESSAGE_MAX_BYTES] = '\0';
	json_put_string(req, "text", text);
	CHECK_INT(ctl_call(req, 60000, &reply), -E2BIG);
	json_object_put(req);
	text[CTL_MESSAGE_MAX_BYTES - 100] = '\0';
	req = ctl_request("status");
	json_put_string(req, "text", text);
	json_object_put(call_ok(req));
	free(text);
	server_kill(pid);
}

static void hostile_requests_are_refused(void)
{
	static const struct {
		const char *text;
		int size, nul;
		const char *code;
	} cases[] = {
		{ "{\"v\":1,\"verb\":\"status\"}", 0, 0, "bad-text" },
		{ "{\"v\":1,\"verb\":\"status\"}", 5, 1, "bad-length" },
		{ "{\"v\":1,\"verb\":\"status\"}", -5, 1, "bad-length" },
		{ "{\"v\":1,\"verb\":\"status\"}", INT32_MAX, 1, "bad-length" },
		{ "{\"v\":1,\"verb\":\"status\"}", 16, 1, "bad-text" },
		{ "{\"v\":1,\"verb\":\"status\"}", 20, 1, "bad-text" },
		{ "{\"v\":1,\"verb\":\"status\"}", 4096, 1, "bad-text" },
		{ "{\"v\":1,\"verb\":\"status\"}", CTL_MESSAGE_MAX_BYTES, 1, "bad-text" },
		{ "", 0, 1, "bad-json" },
		{ "", 0, 0, "bad-text" },
		{ "{\"v\":1,\"verb\":\"status\"} {}", 0, 1, "bad-json" },
		{ "{\"v\":1,\"verb\":\"sta\xff\xfetus\"}", 0, 1, "bad-json" },
		{ "\x01\x02\x7f garbage", 0, 1, "bad-json" },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, 1, "bad-json" },
		{ "[1]", 0, 1, "bad-request" },
		{ "\"status\"", 0, 1, "bad-request" },
		{ "null", 0, 1, "bad-json" },
		{ "{\"verb\":\"status\"}", 0, 1, "bad-version" },
		{ "{\"v\":2,\"verb\":\"status\"}", 0, 1, "bad-version" },
		{ "{\"v\":-1,\"verb\":\"status\"}", 0, 1, "bad-version" },
		{ "{\"v\":\"1\",\"verb\":\"status\"}", 0, 1, "bad-version" },
		{ "{\"v\":1}", 0, 1, "bad-verb" },
		{ "{\"v\":1,\"verb\":\"\"}", 0, 1, "bad-verb" },
		{ "{\"v\":1,\"verb\":7}", 0, 1, "bad-verb" },
		{ "{\"v\":1,\"verb\":\"sta\\u0000tus\"}", 0, 1, "bad-verb" },
		{ "{\"v\":1,\"verb\":\"reboot\"}", 0, 1, "unknown-verb" },
		{ "{\"v\":1,\"verb\":\"continue\"}", 0, 1, "nothing-to-continue" },
	};
	pid_t pid = server_start(NULL);
	qb_ipcc_connection_t *connection = raw_connect();

	CHECK(connection);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		raw_send(connection, cases[i].text, cases[i].size, cases[i].nul);
		CHECK_STR(raw_error(connection), cases[i].code);
	}
	CHECK_INT(status_number("refused_requests"), sizeof(cases) / sizeof(cases[0]));
	raw_send(connection, "{\"v\":1,\"verb\":\"status\"}", 0, 1);
	CHECK_STR(raw_error(connection), "");
	CHECK_INT(status_number("clients"), 2);
	qb_ipcc_disconnect(connection);
	server_kill(pid);
}

static void a_near_miss_is_suggested(void)
{
	pid_t pid = server_start(NULL);
	struct json_object *req = ctl_request("statsu"), *reply = NULL;
	struct ctl_error error;

	CHECK_INT(ctl_call(req, 60000, &reply), 0);
	CHECK(ctl_reply_error(reply, &error));
	CHECK_STR(error.message, "hamond does not know the verb \"statsu\"");
	CHECK_STR(error.hint, "did you mean \"status\"?");
	json_object_put(req);
	json_object_put(reply);
	server_kill(pid);
}

static void several_requests_at_once_are_one_at_a_time(void)
{
	pid_t pid = server_start(NULL);
	qb_ipcc_connection_t *connection = raw_connect();

	for (int i = 0; i < 20; i++)
		raw_send(connection, "{\"v\":1,\"verb\":\"status\"}", 0, 1);
	for (int i = 0; i < 20; i++)
		CHECK_STR(raw_error(connection), "");
	raw_send(connection, "{\"v\":1,\"verb\":\"events\"}", 0, 1);
	raw_send(connection, "{\"v\":1,\"verb\":\"status\"}", 0, 1);
	CHECK_STR(raw_error(connection), "busy");
	json_object_put(call_ok(ctl_request("release")));
	CHECK_STR(raw_error(connection), "");
	qb_ipcc_disconnect(connection);
	server_kill(pid);
}

static void who_does_not_read_is_dropped(void)
{
	pid_t pid = server_start(NULL);
	qb_ipcc_connection_t *connection = raw_connect();
	struct pollfd pfd = { .events = 0 };

	for (int i = 0; i < 4; i++)
		raw_send(connection, "{\"v\":1,\"verb\":\"explain\",\"bytes\":100000}", 0, 1);
	CHECK_INT(qb_ipcc_fd_get(connection, &pfd.fd), 0);
	CHECK_INT(poll(&pfd, 1, -1), 1);
	CHECK(pfd.revents & POLLHUP);
	while (status_number("clients") > 1)
		;
	CHECK(status_number("dropped") >= 1);
	qb_ipcc_disconnect(connection);
	server_kill(pid);
}

static void rests_of_replies_are_bounded(void)
{
	pid_t pid = server_start(NULL);
	qb_ipcc_connection_t *connection[4];

	for (int i = 0; i < 4; i++) {
		connection[i] = raw_connect();
		raw_send(connection[i], "{\"v\":1,\"verb\":\"explain\",\"bytes\":7000000}", 0, 1);
		if (i > 1) /* of the first two a piece is there, which is not JSON yet */
			CHECK_STR(raw_error(connection[i]), "busy");
		else
			while (status_number("clients") < (uint64_t)i + 2)
				;
	}
	for (int i = 0; i < 4; i++)
		qb_ipcc_disconnect(connection[i]);
	while (status_number("clients") > 1)
		;
	json_object_put(call_ok(long_request(7000000)));
	server_kill(pid);
}

static void a_late_answer_arrives(void)
{
	pid_t pid = server_start(NULL), client;
	struct json_object *reply;

	client = child_fork();
	if (!client) {
		reply = call_ok(ctl_request("events"));
		_exit(!json_bool_or(reply, "late", false));
	}
	while (status_number("requests") < 2)
		;
	reply = call_ok(ctl_request("release"));
	CHECK_INT(json_u64_or(reply, "alive", 0), 1);
	json_object_put(reply);
	CHECK_INT(server_wait(client), 0);
	server_kill(pid);
}

static void a_client_that_died_is_not_answered(void)
{
	pid_t pid = server_start(NULL), client;
	struct json_object *reply = NULL;

	client = child_fork();
	if (!client) {
		struct json_object *req = ctl_request("events");

		_exit(ctl_call(req, 600000, &reply) ? 1 : 0);
	}
	while (status_number("requests") < 2)
		;
	server_kill(client);
	while (status_number("clients") > 1)
		;
	CHECK_INT(status_number("requests"), 2); /* it is still the caller's to answer */
	reply = call_ok(ctl_request("release"));
	CHECK_INT(json_u64_or(reply, "alive", 9), 0);
	CHECK_INT(json_u64_or(reply, "dead", 9), 1);
	json_object_put(reply);
	CHECK_INT(status_number("requests"), 1);
	server_kill(pid);
}

static void requests_outlive_the_service(void)
{
	pid_t pid = server_start(NULL);
	qb_ipcc_connection_t *connection = raw_connect();
	struct json_object *reply = NULL;
	struct json_object *req = ctl_request("maintenance");
	int silent = silent_connect();

	CHECK(silent >= 0);
	raw_send(connection, "{\"v\":1,\"verb\":\"events\"}", 0, 1);
	while (status_number("requests") < 2)
		;
	CHECK_INT(ctl_call(req, 60000, &reply), -ENOTCONN);
	json_object_put(req);
	CHECK_INT(server_wait(pid), 0);
	qb_ipcc_disconnect(connection);
	close(silent);
}

static void too_many_clients_are_refused(void)
{
	qb_ipcc_connection_t *connection[CONTROL_CLIENTS_MAX];
	pid_t pid = server_start(NULL);
	struct json_object *req = ctl_request("status"), *reply = NULL;

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		CHECK((connection[i] = raw_connect()));
	CHECK_INT(ctl_call(req, 60000, &reply), -EAGAIN);
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		qb_ipcc_disconnect(connection[i]);
	while (ctl_call(req, 60000, &reply) == -EAGAIN)
		;
	CHECK_INT(json_u64_or(reply, "refused_peers", 0) >= 1, 1);
	json_object_put(reply);
	json_object_put(req);
	server_kill(pid);
}

static void requests_of_the_dead_are_bounded(void)
{
	pid_t pid = server_start(NULL);
	struct json_object *req = ctl_request("status"), *reply = NULL;
	struct ctl_error error;
	qb_ipcc_connection_t *connection;

	for (int i = 0; i < CONTROL_REQUESTS_MAX; i++) {
		connection = raw_connect();
		while (!connection && errno == EAGAIN)
			connection = raw_connect();
		CHECK(connection);
		raw_send(connection, "{\"v\":1,\"verb\":\"events\"}", 0, 1);
		if (i < CONTROL_REQUESTS_MAX - 1)
			while (status_number("requests") < (uint64_t)i + 2)
				;
		else
			do { /* until the server has read the last one */
				json_object_put(reply);
				CHECK_INT(ctl_call(req, 60000, &reply), 0);
			} while (!ctl_reply_error(reply, &error));
		qb_ipcc_disconnect(connection);
	}
	CHECK_STR(error.code, "busy");
	json_object_put(reply);
	json_object_put(req);
	server_kill(pid);
}

static void a_client_with_larger_messages_is_refused(void)
{
	pid_t pid = server_start(NULL);

	CHECK(!qb_ipcc_connect(getenv("HAMON_SERVICE"), 64 * 1024 * 1024));
	CHECK_INT(errno, EMSGSIZE);
	CHECK_INT(status_number("clients"), 1);
	server_kill(pid);
}

static void nobody_listens(void)
{
	struct json_object *req = ctl_request("status"), *reply = NULL;

	setenv("HAMON_SERVICE", "hamon-test-nobody-listens", 1);
	CHECK_INT(ctl_call(req, 60000, &reply), -ECONNREFUSED);
	CHECK(!reply);
	json_object_put(req);
}

static void a_stopped_server_bounds_the_call(void)
{
	pid_t pid = server_start(NULL);
	struct json_object *req = ctl_request("status"), *reply = NULL;
	int status;

	kill(pid, SIGSTOP); /* before the connection: its kernel still accepts it */
	CHECK_INT(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_INT(ctl_call(req, 200, &reply), -ETIMEDOUT);
	CHECK_INT(ctl_call(req, 200, &reply), -ETIMEDOUT);
	kill(pid, SIGCONT);
	json_object_put(call_ok(req));
	req = ctl_request("forget"); /* after the request: it was read */
	CHECK_INT(ctl_call(req, 200, &reply), -ETIMEDOUT);
	CHECK_INT(waitpid(pid, &status, WUNTRACED), pid);
	kill(pid, SIGCONT);
	json_object_put(call_ok(ctl_request("status")));
	CHECK(!reply);
	json_object_put(req);
	server_kill(pid);
}

static void a_dying_server_ends_the_call(void)
{
	pid_t pid = server_start(NULL);
	struct json_object *req = ctl_request("forget"), *reply = NULL;
	pid_t killer;
	int status;

	killer = child_fork();
	if (!killer) {
		char path[64], state = 0;

		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		while (state != 'T') { /* stopped: it has read the request */
			FILE *f = fopen(path, "r");

			CHECK(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
			fclose(f);
		}
		kill(pid, SIGKILL);
		_exit(0);
	}
	CHECK_INT(ctl_call(req, 600000, &reply), -ENOTCONN);
	CHECK_INT(waitpid(killer, &status, 0), killer);
	server_wait(pid);
	json_object_put(req);
}

static void silence_is_closed(void)
{
	pid_t pid = server_start(NULL);
	int fd = silent_connect();
	char byte;

	CHECK(fd >= 0);
	CHECK_INT(read(fd, &byte, 1), 0); /* the server's doing: blocks until then */
	close(fd);
	json_object_put(call_ok(ctl_request("status")));
	server_kill(pid);
}

int main(void)
{
	alarm(300); /* a call that hangs ends the test, as a failure */
	RUN(a_call_is_answered);
	RUN(long_replies_come_in_pieces);
	RUN(a_long_request_is_not_sent);
	RUN(hostile_requests_are_refused);
	RUN(a_near_miss_is_suggested);
	RUN(several_requests_at_once_are_one_at_a_time);
	RUN(who_does_not_read_is_dropped);
	RUN(rests_of_replies_are_bounded);
	RUN(a_late_answer_arrives);
	RUN(a_client_that_died_is_not_answered);
	RUN(requests_outlive_the_service);
	RUN(too_many_clients_are_refused);
	RUN(requests_of_the_dead_are_bounded);
	RUN(a_client_with_larger_messages_is_refused);
	RUN(nobody_listens);
	RUN(a_stopped_server_bounds_the_call);
	RUN(a_dying_server_ends_the_call);
	RUN(silence_is_closed);
	return 0;
}
