/* A process that serves the control socket with canned answers. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/control.h"
#include "tests/unit/control_server.h"
#include "tests/unit/test.h"

static struct {
	qb_loop_t *loop;
	struct control *control;
	struct control_request *kept[CONTROL_REQUESTS_MAX];
	unsigned int kept_count;
} server;

static struct json_object *status_object(const struct control_peer *peer)
{
	struct json_object *reply = json_object_new_object();
	struct control_stats stats;

	control_stats_get(server.control, &stats);
	json_put_u64(reply, "uid", peer->uid);
	json_put_bool(reply, "is_root", peer->is_root);
	json_put_bool(reply, "is_admin", peer->is_admin);
	json_put_u64(reply, "clients", stats.clients);
	json_put_u64(reply, "requests", stats.requests);
	json_put_u64(reply, "refused_peers", stats.refused_peers);
	json_put_u64(reply, "refused_requests", stats.refused_requests);
	json_put_u64(reply, "dropped", stats.dropped_clients);
	return reply;
}

static struct json_object *long_object(struct json_object *obj)
{
	struct json_object *reply = json_object_new_object();
	size_t n = json_u64_or(obj, "bytes", 0);
	char *text = malloc(n + 1);

	memset(text, 'x', n);
	text[n] = '\0';
	json_put_string(reply, "text", text);
	free(text);
	return reply;
}

static void kept_answer(unsigned int *ret_alive, unsigned int *ret_dead)
{
	for (unsigned int i = 0; i < server.kept_count; i++) {
		struct json_object *reply = json_object_new_object();

		++*(control_request_alive(server.kept[i]) ? ret_alive : ret_dead);
		json_put_bool(reply, "late", true);
		control_reply(server.kept[i], reply);
	}
	server.kept_count = 0;
}

static void on_request(void *user, struct control_request *req, struct json_object *obj,
		       const struct control_peer *peer)
{
	const char *verb = control_request_verb(req);
	struct json_object *reply;
	unsigned int alive = 0, dead = 0;

	if (!strcmp(verb, "status")) {
		control_reply(req, status_object(peer));
	} else if (!strcmp(verb, "explain")) {
		control_reply(req, long_object(obj));
	} else if (!strcmp(verb, "events")) {
		server.kept[server.kept_count++] = req;
	} else if (!strcmp(verb, "release")) {
		kept_answer(&alive, &dead);
		reply = json_object_new_object();
		json_put_u64(reply, "alive", alive);
		json_put_u64(reply, "dead", dead);
		control_reply(req, reply);
	} else if (!strcmp(verb, "forget")) {
		raise(SIGSTOP);
		control_reply(req, NULL);
	} else if (!strcmp(verb, "maintenance")) {
		server.kept[server.kept_count++] = req;
		qb_loop_stop(server.loop);
	} else {
		control_reply(req, NULL);
	}
}

static unsigned int fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void server_run(const char *group, int ready_fd)
{
	unsigned int alive = 0, dead = 0, fds;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	server.loop = qb_loop_create();
	fds = fds_open();
	CHECK_INT(control_start(server.loop, getenv("HAMON_SERVICE"), group, on_request, NULL, NULL, &server.control),
		  0);
	CHECK_INT(write(ready_fd, "r", 1), 1);
	close(ready_fd);
	qb_loop_run(server.loop);
	control_stop(server.control);
	kept_answer(&alive, &dead);
	CHECK_INT(alive, 0);
	CHECK_INT(fds_open(), fds - 1); /* ready_fd */
	qb_loop_destroy(server.loop);
	exit(0);
}

pid_t server_start(const char *group)
{
	static unsigned int count;
	char name[64], byte;
	int ready[2];
	pid_t pid;

	snprintf(name, sizeof(name), "hamon-test-%d-%u", getpid(), count++);
	setenv("HAMON_SERVICE", name, 1);
	CHECK(!pipe(ready));
	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		server_run(group, ready[1]);
	close(ready[1]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

int server_wait(pid_t pid)
{
	int status;

	CHECK_INT(waitpid(pid, &status, 0), pid);
	return status;
}

void server_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	server_wait(pid);
}

struct json_object *call_ok(struct json_object *req)
{
	struct json_object *reply = NULL;

	CHECK_INT(ctl_call(req, 60000, &reply), 0);
	CHECK(!ctl_reply_error(reply, NULL));
	json_object_put(req);
	return reply;
}

uint64_t status_number(const char *field)
{
	struct json_object *reply = call_ok(ctl_request("status"));
	uint64_t number;

	CHECK_INT(json_get_u64(reply, field, UINT64_MAX, &number), 0);
	json_object_put(reply);
	return number;
}

qb_ipcc_connection_t *raw_connect(void)
{
	return qb_ipcc_connect(getenv("HAMON_SERVICE"), CTL_MESSAGE_MAX_BYTES);
}

void raw_send(qb_ipcc_connection_t *connection, const char *text, int size, int nul)
{
	struct qb_ipc_request_header header = { .id = 7 };
	size_t len = strlen(text) + (nul ? 1 : 0);
	struct iovec iov[] = { { &header, sizeof(header) }, { (char *)text, len } };

	header.size = size ? size : (int)(sizeof(header) + len);
	CHECK_INT(qb_ipcc_sendv(connection, iov, 2), (int)(sizeof(header) + len));
}

const char *raw_error(qb_ipcc_connection_t *connection)
{
	static struct json_object *reply;
	static char message[CTL_MESSAGE_MAX_BYTES];
	const char *text = message + sizeof(struct qb_ipc_response_header);
	struct pollfd pfd = { .events = POLLIN };
	struct ctl_error error;

	qb_ipcc_fd_get(connection, &pfd.fd);
	CHECK_INT(poll(&pfd, 1, -1), 1);
	CHECK(qb_ipcc_event_recv(connection, message, sizeof(message), 0) > 0);
	json_object_put(reply);
	CHECK_INT(json_parse(text, strlen(text), &reply), 0);
	return ctl_reply_error(reply, &error) ? error.code : "";
}

pid_t child_fork(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

int silent_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path + 1, getenv("HAMON_SERVICE"));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}
