/* Who may use the control socket: root, members of one group, nobody else; and whom its client believes. Needs root. */
#include <errno.h>
#include <grp.h>
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

#define NOBODY 65534
#define GROUP "daemon" /* a group that every system has, and no test user is in */
#define GROUP_GID 1

/* Becomes somebody; that forgets what child_fork() asked for. */
static void user_become(uid_t uid, gid_t gid, size_t groups_count, const gid_t *groups)
{
	CHECK(!setgroups(groups_count, groups) && !setgid(gid) && !setuid(uid));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Runs fn in a child with these credentials; fn's checks end the child with 1. */
static void as_user(uid_t uid, gid_t gid, size_t groups_count, const gid_t *groups, void (*fn)(void))
{
	int status;
	pid_t pid = child_fork();

	if (!pid) {
		user_become(uid, gid, groups_count, groups);
		fn();
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

static void stranger_is_refused(void)
{
	struct json_object *req = ctl_request("status"), *reply = NULL;

	CHECK_INT(ctl_call(req, 60000, &reply), -EACCES);
	CHECK(!reply);
}

static void stranger_floods(void)
{
	for (int i = 0; i < 100; i++)
		silent_connect();
	pause();
}

static void member_is_let_in(void)
{
	struct json_object *reply = call_ok(ctl_request("status")), *req = ctl_request("gate");
	struct ctl_error error;

	CHECK_INT(json_u64_or(reply, "uid", 0), NOBODY);
	CHECK(json_bool_or(reply, "is_admin", false));
	CHECK(!json_bool_or(reply, "is_root", true));
	CHECK_INT(ctl_call(req, 60000, &reply), 0);
	CHECK(ctl_reply_error(reply, &error));
	CHECK_STR(error.code, "not-allowed");
}

static void members_leave_places_for_root(void)
{
	for (int i = 0; i < CONTROL_CLIENTS_MAX - CONTROL_ROOT_CLIENTS; i++)
		CHECK(raw_connect());
	CHECK(!raw_connect());
	CHECK_INT(errno, EAGAIN);
}

static void users_are_told_apart(void)
{
	static const gid_t groups[] = { 100, GROUP_GID, 200 };
	gid_t many[200];
	pid_t pid = server_start(GROUP);

	for (size_t i = 0; i < 200; i++)
		many[i] = i < 199 ? (gid_t)(1000 + i) : GROUP_GID;
	as_user(NOBODY, NOBODY, 0, NULL, stranger_is_refused);
	as_user(NOBODY, NOBODY, 1, groups, stranger_is_refused);
	CHECK_INT(status_number("refused_peers"), 2);
	as_user(NOBODY, NOBODY, 3, groups, member_is_let_in);
	as_user(NOBODY, NOBODY, 200, many, member_is_let_in);
	as_user(NOBODY, GROUP_GID, 0, NULL, member_is_let_in);
	as_user(NOBODY, GROUP_GID, 0, NULL, members_leave_places_for_root);
	json_object_put(call_ok(ctl_request("gate")));
	server_kill(pid);
	pid = server_start(NULL); /* without a group there is root alone */
	as_user(NOBODY, GROUP_GID, 0, NULL, stranger_is_refused);
	server_kill(pid);
}

static void a_flood_of_strangers_changes_nothing(void)
{
	pid_t pid = server_start(GROUP), flood;

	flood = child_fork();
	if (!flood) {
		user_become(NOBODY, NOBODY, 0, NULL);
		stranger_floods();
	}
	while (status_number("refused_peers") < 90)
		;
	server_kill(flood);
	json_object_put(call_ok(ctl_request("status")));
	server_kill(pid);
}

static void impostor_listens(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path + 1, getenv("HAMON_SERVICE"));
	CHECK(!bind(fd, (struct sockaddr *)&address, sizeof(address)) && !listen(fd, 5));
	raise(SIGSTOP);
	pause();
}

static void an_impostor_is_not_believed(void)
{
	char service[64];
	struct json_object *req = ctl_request("status"), *reply = NULL;
	pid_t pid;
	int status;

	/* Abstract names are the machine's: another build may be testing, or have died while it did. */
	snprintf(service, sizeof(service), "hamon-test-impostor-%d", (int)getpid());
	setenv("HAMON_SERVICE", service, 1);
	pid = child_fork();
	if (!pid) {
		user_become(NOBODY, NOBODY, 0, NULL);
		impostor_listens();
	}
	CHECK_INT(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_INT(ctl_call(req, 60000, &reply), -EPERM);
	json_object_put(req);
	server_kill(pid);
}

int main(void)
{
	if (geteuid()) {
		printf("skipped: only root can become other users\n");
		return 77;
	}
	alarm(300); /* a call that hangs ends the test, as a failure */
	RUN(users_are_told_apart);
	RUN(a_flood_of_strangers_changes_nothing);
	RUN(an_impostor_is_not_believed);
	return 0;
}
