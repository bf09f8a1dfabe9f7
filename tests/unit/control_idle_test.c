/* The control socket's limits on idle clients, with the server built for short ones. */
#include <poll.h>
#include <unistd.h>

#include "hamon/common/ctl.h"
#include "tests/unit/control_server.h"
#include "tests/unit/test.h"

/* Returns once the server has ended this connection. */
static void end_wait(qb_ipcc_connection_t *connection)
{
	struct pollfd pfd = { .events = 0 };

	CHECK_INT(qb_ipcc_fd_get(connection, &pfd.fd), 0);
	CHECK_INT(poll(&pfd, 1, -1), 1);
	CHECK(pfd.revents & POLLHUP);
	qb_ipcc_disconnect(connection);
}

static void idle_clients_are_dropped(void)
{
	pid_t pid = server_start(NULL);

	end_wait(raw_connect());
	CHECK_INT(status_number("dropped"), 1);
	server_kill(pid);
}

static void unfetched_replies_are_dropped(void)
{
	pid_t pid = server_start(NULL);
	qb_ipcc_connection_t *connection = raw_connect();

	raw_send(connection, "{\"v\":1,\"verb\":\"explain\",\"bytes\":7000000}", 0, 1);
	end_wait(connection);
	CHECK_INT(status_number("dropped"), 1);
	server_kill(pid);
}

/* Whoever waits for an answer is not idle, however long it takes: the other client comes and goes meanwhile. */
static void waiting_clients_stay(void)
{
	pid_t pid = server_start(NULL);
	qb_ipcc_connection_t *waiting = raw_connect();

	raw_send(waiting, "{\"v\":1,\"verb\":\"events\"}", 0, 1);
	end_wait(raw_connect());
	end_wait(raw_connect());
	CHECK_INT(status_number("dropped"), 2);
	json_object_put(call_ok(ctl_request("release")));
	CHECK_STR(raw_error(waiting), "");
	qb_ipcc_disconnect(waiting);
	server_kill(pid);
}

int main(void)
{
	alarm(120);
	RUN(idle_clients_are_dropped);
	RUN(unfetched_replies_are_dropped);
	RUN(waiting_clients_stay);
	return 0;
}
