/*
 * storage-check with a hamond that answers: the program itself, and a control server with one
 * canned answer.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <qb/qbloop.h>

#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/control.h"
#include "tests/unit/test.h"

#define VIEW(verdict2, verdict3)                                                                   \
	"{\"instance\":\"web\\u001b[2J\",\"uuid\":\"u\",\"owner\":\"h1\",\"verdicts\":["           \
	"{\"host\":\"h1\",\"verdict\":\"shared\",\"reason\":\"its own\",\"disks\":[]},"            \
	"{\"host\":\"h2\",\"verdict\":\"" verdict2                                                 \
	"\",\"reason\":\"r2\",\"held\":\"based on\",\"disks\":[{\"target\":\"vda\","               \
	"\"source\":\"/srv/a/x.img\",\"verdict\":\"" verdict2 "\",\"reason\":\"r2\"}]},"           \
	"{\"host\":\"h3\",\"verdict\":\"" verdict3 "\",\"reason\":\"r3\",\"disks\":[]}]}"

static const char *answer;
static char output[65536];

static void on_request(void *user, struct control_request *req, struct json_object *obj,
		       const struct control_peer *peer)
{
	struct json_object *reply = NULL;

	(void)user;
	(void)peer;
	/* Only what was asked for is answered. */
	if (!strcmp(control_request_verb(req), "storage") &&
	    !strcmp(json_string_or(obj, "instance", ""), "web"))
		json_parse(answer, strlen(answer), &reply);
	if (reply)
		control_reply(req, reply);
	else
		control_reply_error(req, "no-such-instance", "hamon knows no such instance", NULL);
}

static pid_t server_start(const char *text)
{
	static unsigned int count;
	char name[64], byte;
	int ready[2];
	pid_t pid;

	snprintf(name, sizeof(name), "hamon-storage-test-%d-%u", getpid(), count++);
	setenv("HAMON_SERVICE", name, 1);
	answer = text;
	CHECK(!pipe(ready));
	fflush(NULL);
	pid = fork();
	if (!pid) {
		qb_loop_t *loop = qb_loop_create();
		struct control *control;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK_INT(control_start(loop, name, NULL, on_request, NULL, NULL, &control), 0);
		CHECK_INT(write(ready[1], "r", 1), 1);
		qb_loop_run(loop);
		_exit(0);
	}
	close(ready[1]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void server_end(pid_t pid)
{
	CHECK(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
}

/*
 * Runs storage-check with its arguments; its exit status, and what it said on stdout and stderr in
 * output.
 */
static int command(const char *args)
{
	char line[4096];
	size_t n;
	FILE *said;
	int status;

	snprintf(line, sizeof(line),
		 "LIBVIRT_DEFAULT_URI=test:///default '%s/storage-check/storage-check' %s 2>&1",
		 getenv("HAMON_BUILDDIR"), args);
	said = popen(line, "r");
	CHECK(said);
	n = fread(output, 1, sizeof(output) - 1, said);
	output[n] = '\0';
	status = pclose(said);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int status_of(const char *text)
{
	pid_t pid = server_start(text);
	int status = command("web");

	server_end(pid);
	return status;
}

static void the_best_of_the_other_hosts_is_the_status(void)
{
	CHECK_INT(status_of(VIEW("shared", "local")), 0);
	CHECK_INT(status_of(VIEW("local", "volume")), 0);
	CHECK_INT(status_of(VIEW("local", "unknown")), 2);
	CHECK_INT(status_of(VIEW("unknown", "local")), 2);
	CHECK_INT(status_of(VIEW("local", "local")), 1);
	CHECK_INT(status_of("{\"instance\":\"web\",\"owner\":\"h1\",\"verdicts\":[]}"), 2);
	CHECK_INT(status_of("{\"instance\":7,\"verdicts\":{\"a\":1}}"), 2);
}

static void people_and_programs_see_the_same(void)
{
	pid_t pid = server_start(VIEW("shared", "local"));
	struct json_object *view = NULL;

	CHECK_INT(command("web"), 0);
	CHECK(strstr(output, "owned by h1") && strstr(output, "/srv/a/x.img") &&
	      strstr(output, "based on"));
	CHECK(!strchr(output, '\033'));
	CHECK_INT(command("--json web"), 0);
	CHECK_INT(json_parse(output, strlen(output), &view), 0);
	CHECK_STR(json_string_or(view, "owner", ""), "h1");
	CHECK(!json_object_object_get_ex(view, "note", NULL));
	json_object_put(view);
	server_end(pid);
}

/* What hamond does not know is looked up on this host, and it is said why. */
static void what_hamond_does_not_know_is_said(void)
{
	pid_t pid = server_start(VIEW("shared", "local"));

	CHECK_INT(command("test"),
		  1); /* the domain of libvirt's test driver; its disk is not here */
	CHECK(strstr(output, "hamon knows no such instance") && strstr(output, "this host alone"));
	CHECK_INT(command("no-such-domain"), 66);
	CHECK(strstr(output, "no such domain"));
	server_end(pid);
}

int main(void)
{
	alarm(300);
	RUN(the_best_of_the_other_hosts_is_the_status);
	RUN(people_and_programs_see_the_same);
	RUN(what_hamond_does_not_know_is_said);
	return 0;
}
