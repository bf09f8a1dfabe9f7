/* hamon-fence as hamond runs it, against a fake agent: requests, results, nothing left behind. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
#include "tests/unit/fence_fake.h"
#include "tests/unit/test.h"

#define TEXT_SIZE 65536

static char program[4096];
static char out[TEXT_SIZE], err[TEXT_SIZE]; /* what the last run wrote */
static int exit_code;
static struct json_object *result;

/* --- running it --- */

static pid_t program_start(const char *verb, const char *request, int *ret_out, int *ret_err)
{
	int in[2], outs[2], errs[2];
	pid_t pid;

	CHECK(!pipe2(in, O_CLOEXEC) && !pipe2(outs, O_CLOEXEC) && !pipe2(errs, O_CLOEXEC));
	CHECK(write(in[1], request, strlen(request)) == (ssize_t)strlen(request));
	close(in[1]);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		setpgid(0, 0);
		/* hamond starts it with all signals at their defaults; who runs this test in the background ignores one. */
		signal(SIGINT, SIG_DFL);
		dup2(in[0], 0);
		dup2(outs[1], 1);
		dup2(errs[1], 2);
		execl(program, program, verb, NULL);
		_exit(127);
	}
	setpgid(pid, pid);
	close(in[0]);
	close(outs[1]);
	close(errs[1]);
	*ret_out = outs[0];
	*ret_err = errs[0];
	return pid;
}

static bool text_read(int fd, char *text)
{
	size_t len = strlen(text);
	ssize_t n = read(fd, text + len, TEXT_SIZE - 1 - len);

	CHECK(n >= 0 && len + (size_t)n < TEXT_SIZE - 1);
	text[len + (size_t)n] = '\0';
	return n > 0;
}

static void texts_read(int out_fd, int err_fd)
{
	struct pollfd fds[2] = { { .fd = out_fd, .events = POLLIN },
				 { .fd = err_fd, .events = POLLIN } };

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		CHECK(poll(fds, 2, 60000) > 0);
		if (fds[0].revents && !text_read(out_fd, out))
			fds[0].fd = -1;
		if (fds[1].revents && !text_read(err_fd, err))
			fds[1].fd = -1;
	}
}

static void result_parse(void)
{
	char *line = out, *next;
	struct json_object *obj;

	json_object_put(result);
	result = NULL;
	for (; *line; line = next) {
		next = strchr(line, '\n');
		CHECK(next++);
		CHECK_INT(json_parse(line, (size_t)(next - line), &obj), 0);
		if (!strcmp(json_string_or(obj, "type", ""), "result")) {
			CHECK(!result && !*next); /* exactly one, and last */
			result = obj;
		} else {
			CHECK_STR(json_string_or(obj, "type", ""), "progress");
			CHECK_STR(json_string_or(obj, "op", ""), "op-1");
			json_object_put(obj);
		}
	}
}

static void run(const char *verb, const char *request)
{
	int out_fd, err_fd, status;
	pid_t pid;

	out[0] = err[0] = '\0';
	pid = program_start(verb, request, &out_fd, &err_fd);
	texts_read(out_fd, err_fd);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	exit_code = WEXITSTATUS(status);
	close(out_fd);
	close(err_fd);
	result_parse();
}

static const char *request_make(const char *behave, const char *more)
{
	static char text[4096];

	snprintf(text, sizeof(text),
		 "{\"op\":\"op-1\",\"host\":\"h1\",\"device\":\"d1\",\"agent\":\"%s\",\"options\":"
		 "{\"behave\":\"%s\"}%s%s}",
		 fake_agent, behave, *more ? "," : "", more);
	return text;
}

static void fence(const char *verb, const char *behave, const char *more)
{
	run(verb, request_make(behave, more));
	CHECK(result);
	CHECK_INT(exit_code, 0);
	CHECK_STR(json_string_or(result, "op", ""), "op-1");
	CHECK_STR(json_string_or(result, "host", ""), "h1");
	CHECK_STR(json_string_or(result, "device", ""), "d1");
	CHECK_STR(json_string_or(result, "agent", ""), "fence_fake");
}

static bool ok(void)
{
	bool value = json_bool_or(result, "ok", false);

	CHECK(value == !json_string_or(result, "error_class", NULL));
	CHECK(value == !json_string_or(result, "error", NULL));
	return value;
}

static const char *field(const char *key)
{
	return json_string_or(result, key, "(none)");
}

static bool flag(const char *key)
{
	bool value = false;

	CHECK_INT(json_get_bool(result, key, &value), 0);
	return value;
}

static uint64_t number(const char *key)
{
	uint64_t value = 0;

	CHECK_INT(json_get_u64(result, key, UINT64_MAX, &value), 0);
	return value;
}

static bool is_failure(const char *class, const char *text)
{
	if (!ok() && !strcmp(field("error_class"), class) && strstr(field("error"), text))
		return true;
	fprintf(stderr, "%s", out);
	return false;
}

/* --- off --- */

static void off_works(void)
{
	fake_reset();
	fence("off", "plain", "");
	CHECK(ok());
	CHECK_STR(field("proof"), "readback");
	CHECK_STR(field("readback"), "off");
	CHECK_INT(number("attempts"), 1);
	CHECK(number("started_ms") <= number("off_sent_ms") &&
	      number("off_sent_ms") <= number("confirmed_ms"));
	CHECK_INT(fake_calls("off"), 1);
	CHECK(fake_calls("status") >= 1);
	CHECK(strstr(out, "\"phase\":\"off-sent\""));
}

static void already_off(void)
{
	fake_reset();
	fake_touch("off");
	fence("off", "already", "");
	CHECK(ok() && flag("already_off") && !flag("may_still_arrive"));
	CHECK(fake_calls("status") >= 1); /* its word alone would not do */
}

static void readback_does_not_wait_for_the_agent(void)
{
	/* This `off` never ends; only the reading beside it can have told. */
	fake_reset();
	fence("off", "hang-after", "");
	CHECK(ok());
	CHECK_INT(fake_calls("off"), 1);
	fake_wait_gone("off.pid");
	fake_wait_gone("off.hang");
}

static void says_off_but_is_on(void)
{
	fake_reset();
	fence("off", "liar", "\"timeout_ms\":3000,\"retries\":0");
	CHECK(is_failure("still-on", "the power of h1 still reads on"));
	CHECK_STR(field("readback"), "on");
	CHECK_STR(field("proof"), "(none)");
	CHECK_STR(field("confirmed_ms"), "(none)");
	CHECK(flag("may_still_arrive"));
	CHECK_INT(fake_calls("off"), 1);
}

static void reads_on_for_a_while(void)
{
	fake_reset();
	fence("off", "late", "\"retries\":0");
	CHECK(ok());
	CHECK_INT(fake_calls("off"), 1);
	CHECK_INT(fake_calls("status"), 4);
	CHECK(!flag("already_off") && !flag("may_still_arrive"));
	CHECK(strstr(out, "\"phase\":\"readback\",\"detail\":\"on\""));
}

static void agent_hangs(void)
{
	fake_reset();
	fence("off", "hang", "\"timeout_ms\":800,\"retries\":0");
	CHECK(is_failure("timeout", "fence_fake off did not end within"));
	CHECK_STR(field("readback"), "unknown");
	CHECK(flag("may_still_arrive"));
	fake_wait_gone("off.hang");
	fake_wait_gone("status.hang");
}

static void off_fails_once(void)
{
	fake_reset();
	fence("off", "fail-once", "");
	CHECK(ok());
	CHECK_INT(number("attempts"), 2);
	CHECK(strstr(err, "fence_fake off: ERROR: Connection lost"));
}

static void nothing_can_be_read_back(void)
{
	fake_reset();
	fence("off", "deaf", "\"timeout_ms\":3000,\"retries\":0");
	CHECK(is_failure("unreachable", "off was accepted, but cannot be read back: fence_fake "
			 "status ended with 1: Connection timed out"));
	CHECK_STR(field("readback"), "unknown");
}

static void a_shells_exit_code_is_no_proof(void)
{
	fake_reset();
	fence("off", "shell", "\"timeout_ms\":3000,\"retries\":0");
	CHECK(is_failure("agent-failed", "fence_fake status ended with 2"));
}

static void agent_crashes(void)
{
	fake_reset();
	fence("off", "crash", "\"retries\":0");
	CHECK(is_failure("agent-failed", "signal 11"));
}

static void agent_floods(void)
{
	fake_reset();
	fence("off", "endless", "\"timeout_ms\":3000,\"status_timeout_ms\":400,\"retries\":0");
	CHECK(is_failure("timeout", "fence_fake status did not end within"));
	CHECK(strlen(out) + strlen(err) < 16384);
}

/* --- what comes before an agent --- */

static void agent_missing(void)
{
	run("off", "{\"op\":\"op-1\",\"agent\":\"fence_no_such_agent\"}");
	CHECK_INT(exit_code, 0);
	CHECK(is_failure("agent-missing",
			 "/usr/sbin/fence_no_such_agent: No such file or directory"));
	CHECK(!flag("may_still_arrive"));
	CHECK_INT(number("attempts"), 0);
}

static void secrets_file(const char *text, mode_t mode)
{
	FILE *f = fopen(fake_path("secrets"), "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f) && !chmod(fake_path("secrets"), mode));
}

static const char *with_secrets(const char *more)
{
	static char text[256];

	snprintf(text, sizeof(text), "\"secrets_file\":\"%s\"%s", fake_path("secrets"), more);
	return text;
}

static void secrets_others_could_read(void)
{
	fake_reset();
	secrets_file("passwd=s3cret\n", 0644);
	fence("off", "plain", with_secrets(""));
	CHECK(is_failure("secrets", "mode is 0644, expected 0600"));
	CHECK_STR(fake_text("calls"), "");
	CHECK(!flag("may_still_arrive"));
}

static void secrets_stay_secret(void)
{
	static const char *const verbs[] = { "off", "status", "monitor", "metadata" };

	secrets_file("passwd=s3cret-word\n", 0600);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		fake_reset();
		fence(verbs[i], "tell", with_secrets(",\"retries\":0,\"timeout_ms\":3000"));
		CHECK(!strstr(out, "s3cret") && !strstr(err, "s3cret"));
		CHECK(!strstr(fake_text("cmdline"), "s3cret") &&
		      !strstr(fake_text("environ"), "s3cret"));
		CHECK(i == 3 || is_failure("unreachable", "login with *********** refused"));
		CHECK(i == 3 || strstr(err, ": ERROR: login with *********** refused"));
	}
}

static void bad_requests(void)
{
	run("off", "{\"op\":\"op-1\",\"agent\":\"a\",\"retries\":\"many\"}");
	CHECK_INT(exit_code, 0);
	CHECK(is_failure("bad-request", "retries: expected a number"));
	run("off", "not json");
	CHECK_INT(exit_code, 2);
	CHECK(is_failure("bad-request", "expected one JSON object on stdin"));
	run("on-fire", "{}");
	CHECK_INT(exit_code, 2);
	CHECK(strstr(err, "usage: hamon-fence"));
	CHECK(!result);
}

/* --- status, monitor, metadata --- */

static void status(void)
{
	fake_reset();
	fence("status", "plain", "");
	CHECK(ok());
	CHECK_STR(field("power"), "on");
	fake_touch("off");
	fence("status", "plain", "");
	CHECK(ok());
	CHECK_STR(field("power"), "off");
	CHECK_INT(fake_calls("off"), 0);
	fake_reset();
	fence("status", "deaf", "\"retries\":2");
	CHECK(is_failure("unreachable", "fence_fake status ended with 1: Connection timed out"));
	CHECK_STR(field("power"), "unknown");
	CHECK_INT(fake_calls("status"), 3);
}

static void monitor(void)
{
	fake_reset();
	fence("monitor", "plain", "");
	CHECK(ok());
	CHECK_STR(field("power"), "on");
	CHECK_INT(fake_calls("monitor"), 1);
	CHECK_INT(fake_calls("status"), 1);
	CHECK_INT(fake_calls("off"), 0);
	fence("monitor", "deaf", "\"retries\":0");
	CHECK(is_failure("unreachable", "fence_fake monitor ended with 1"));
	fence("monitor", "hang-status", "\"retries\":5,\"status_timeout_ms\":600");
	CHECK(is_failure("timeout", "fence_fake status did not end within"));
}

static void monitor_checks_the_options(void)
{
	fake_reset();
	run("monitor", "{}");
	CHECK(is_failure("bad-request", "agent: expected"));
	fence("monitor", "plain\",\"pasword\":\"x", "");
	CHECK(is_failure("bad-request",
			 "fence_fake: unknown option pasword (did you mean password?)"));
	CHECK_INT(fake_calls("monitor"), 0);
	fence("monitor", "plain\",\"passwd\":\"x", "");
	CHECK(ok());
	CHECK(strstr(out, "option passwd is deprecated: use password"));
}

static void metadata(void)
{
	struct json_object *list;

	fake_reset();
	fence("metadata", "plain", "");
	CHECK(ok());
	CHECK_STR(field("shortdesc"), "fake");
	CHECK_INT(json_get_array(result, "parameters", &list), 0);
	CHECK_INT(json_object_array_length(list), 4);
	CHECK_STR(json_string_or(json_object_array_get_idx(list, 1), "name", ""), "behave");
	CHECK(json_bool_or(json_object_array_get_idx(list, 1), "required", false));
	CHECK_INT(json_get_array(result, "actions", &list), 0);
	CHECK_INT(json_object_array_length(list), 5);
	fence("metadata", "plain\",\"behav\":\"x", "");
	CHECK(is_failure("bad-request", "unknown option behav (did you mean behave?)"));
}

/* --- its end --- */

static void any_signal_ends_the_agents_too(void)
{
	static const struct {
		int sign;
		bool group;
	} ends[] = { { SIGKILL, false }, { SIGKILL, true }, { SIGTERM, false }, { SIGINT, true } };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		int out_fd, err_fd, status_code;
		pid_t pid;

		fake_reset();
		pid = program_start("off", request_make("hang", ""), &out_fd, &err_fd);
		fake_wait_for("off.hang");
		fake_wait_for("status.hang");
		CHECK(!kill(ends[i].group ? -pid : pid, ends[i].sign));
		CHECK(waitpid(pid, &status_code, 0) == pid && WIFSIGNALED(status_code));
		fake_wait_gone("off.pid");
		fake_wait_gone("off.hang");
		fake_wait_gone("status.pid");
		fake_wait_gone("status.hang");
		/* Nothing holds its pipes open: hamond sees the end. */
		out[0] = err[0] = '\0';
		texts_read(out_fd, err_fd);
		close(out_fd);
		close(err_fd);
	}
}

static void ends_when_nobody_listens(void)
{
	int out_fd, err_fd, status_code;
	pid_t pid;

	fake_reset();
	pid = program_start("off", request_make("hang", ""), &out_fd, &err_fd);
	fake_wait_for("off.hang");
	close(out_fd);
	CHECK(waitpid(pid, &status_code, 0) == pid && WIFEXITED(status_code) &&
	      WEXITSTATUS(status_code) == 1);
	fake_wait_gone("off.hang");
	close(err_fd);
}

static void result_is_out_before_the_agent_has_ended(void)
{
	int out_fd, err_fd, status_code;
	pid_t pid;

	fake_reset();
	out[0] = '\0';
	pid = program_start("off", request_make("hang-after", ""), &out_fd, &err_fd);
	while (text_read(out_fd, out))
		;
	/* stdout is closed by now, and the agent still there. */
	CHECK(strstr(out, "\"type\":\"result\""));
	CHECK(fake_is_alive("off.hang"));
	CHECK(waitpid(pid, &status_code, 0) == pid && WIFEXITED(status_code) &&
	      !WEXITSTATUS(status_code));
	fake_wait_gone("off.hang");
	close(out_fd);
	close(err_fd);
}

int main(void)
{
	const char *builddir = getenv("HAMON_BUILDDIR");

	snprintf(program, sizeof(program), "%s/hamon-fence", builddir ? builddir : ".");
	fake_make();
	RUN(off_works);
	RUN(already_off);
	RUN(readback_does_not_wait_for_the_agent);
	RUN(says_off_but_is_on);
	RUN(reads_on_for_a_while);
	RUN(agent_hangs);
	RUN(off_fails_once);
	RUN(nothing_can_be_read_back);
	RUN(a_shells_exit_code_is_no_proof);
	RUN(agent_crashes);
	RUN(agent_floods);
	RUN(agent_missing);
	RUN(secrets_others_could_read);
	RUN(secrets_stay_secret);
	RUN(bad_requests);
	RUN(status);
	RUN(monitor);
	RUN(monitor_checks_the_options);
	RUN(metadata);
	RUN(any_signal_ends_the_agents_too);
	RUN(ends_when_nobody_listens);
	RUN(result_is_out_before_the_agent_has_ended);
	json_object_put(result);
	return 0;
}
