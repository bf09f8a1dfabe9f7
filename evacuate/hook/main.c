/*
 * hamon-qemu-hook: the start gate, run by libvirtd as DIR/hooks/qemu.d/50-hamon NAME OPERATION STAGE EXTRA with the
 * domain's XML on stdin (https://libvirt.org/hooks.html). It refuses only starts: `prepare begin` and `migrate begin`.
 * Everything else exits with 0 at once and unread; above all `reconnect`, where a refusal would kill a guest that
 * runs. It runs under the domain's job, so it never calls libvirt, and it always ends within two seconds.
 *
 * What libvirtd passes stands in the last four arguments, whatever they look like; options can only stand before them,
 * and libvirtd itself gives none.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <json-c/json.h>

#include "config.h"
#include "evacuate/bounded.h"
#include "evacuate/disks.h"
#include "evacuate/hook/gatelist.h"
#include "hamon/common/clock.h"
#include "hamon/common/ctl.h"
#include "hamon/common/domxml.h"
#include "hamon/common/json.h"

/*
 * libvirt holds the domain's job as long as this runs. Each step ends at its own point of the two seconds, so what
 * one leaves over is the next one's: hamond, which answers after 1.5 s at the latest (the first start of an unknown
 * instance is a claim that a majority has to write down), gets nearly all.
 */
#define READ_END_MS 200
#define DISKS_END_MS 400
#define GATE_END_MS 1850
#define LIST_END_MS 1950
#define TOTAL_MS 2000

#define ARGS 4
#define GATE_REPLY_MAX 65536
#define EXIT_ALLOW 0
#define EXIT_REFUSE 1
#define EXIT_USAGE 64

struct hook {
	const char *list_path;
	const char *service; /* of hamond's control socket, NULL = the usual one */
	const char *name, *operation, *stage;
	char *xml;
	size_t xml_len;
	struct domxml *dom;
	struct disks disks;
	char *lines; /* of the resolver */
	uint64_t begun_ms;
};

static uint64_t left_ms(const struct hook *hook, uint64_t end_ms)
{
	uint64_t now_ms = clock_boot_ms();

	return now_ms < hook->begun_ms + end_ms ? hook->begun_ms + end_ms - now_ms : 1;
}

/* Nothing here may take longer, come what may: then it is not known whether the start is safe. */
static void on_deadline(int signo)
{
	static const char text[] = "hamon: not started: the start gate could not decide in time (this "
				   "host is overloaded, or its storage does not answer); try again\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)ignored;
	_exit(EXIT_REFUSE);
}

static void deadline_set(void)
{
	struct itimerval timer = { .it_value = { .tv_sec = TOTAL_MS / 1000,
						 .tv_usec = TOTAL_MS % 1000 * 1000 } };

	signal(SIGALRM, on_deadline);
	signal(SIGPIPE, SIG_IGN);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int refuse(const struct hook *hook, const char *reason, const char *hint)
{
	fprintf(stderr, "hamon: instance %s (%s) not started on this host: %s. %s\n",
		hook->dom ? hook->dom->name : hook->name,
		hook->dom && hook->dom->uuid[0] ? hook->dom->uuid : "UUID not known", reason, hint);
	return EXIT_REFUSE;
}

/* All of stdin. -E2BIG, -ETIMEDOUT, or another -errno. */
static int xml_read(struct hook *hook)
{
	hook->xml = malloc(DOMXML_BYTES_MAX + 1);
	if (!hook->xml)
		return -ENOMEM;
	for (;;) {
		struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
		ssize_t n;

		if (poll(&fd, 1, (int)left_ms(hook, READ_END_MS)) == 0)
			return -ETIMEDOUT;
		n = read(STDIN_FILENO, hook->xml + hook->xml_len,
			 DOMXML_BYTES_MAX + 1 - hook->xml_len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		hook->xml_len += (size_t)n;
		if (hook->xml_len > DOMXML_BYTES_MAX)
			return -E2BIG;
	}
}

static int disks_work(void *arg, int fd)
{
	const struct hook *hook = arg;

	return disks_resolve(hook->dom, fd);
}

static void disks_find(struct hook *hook)
{
	size_t len = 0;

	if (disks_need_files(hook->dom))
		(void)bounded_run(disks_work, hook, left_ms(hook, DISKS_END_MS), GATELIST_BYTES_MAX,
				  &hook->lines, &len);
	disks_build(hook->dom, hook->lines ? hook->lines : "", len, &hook->disks);
}

static struct json_object *gate_request(const struct hook *hook)
{
	struct json_object *req = ctl_request("gate");

	json_put_string(req, "uuid", hook->dom->uuid);
	json_put_string(req, "name", hook->dom->name);
	json_put_string(req, "op", !strcmp(hook->operation, "migrate") ? "migrate-in" : "start");
	json_object_object_add(req, "disks", json_object_get(hook->disks.list));
	json_put_bool(req, "disks_unknown", hook->disks.timed_out);
	if (hook->dom->meta.protect < 0)
		json_put_string(req, "protected", NULL);
	else
		json_put_bool(req, "protected", hook->dom->meta.protect);
	json_put_string(req, "metadata_error", hook->dom->meta.error);
	return req;
}

/* In a child: a call that should be bounded is made so. */
static int gate_work(void *arg, int fd)
{
	const struct hook *hook = arg;
	struct json_object *reply;
	int rc;

	if (hook->service)
		setenv("HAMON_SERVICE", hook->service, 1);
	rc = ctl_call(gate_request(hook), (int)left_ms(hook, GATE_END_MS), &reply);
	return rc ? rc : json_write_line(fd, reply);
}

/* hamond's answer: 0 with an exit code in *ret, -errno when there is none. */
static int gate_ask(const struct hook *hook, int *ret)
{
	struct json_object *reply = NULL;
	char *text = NULL;
	bool allow;
	size_t len;
	int rc;

	rc = bounded_run(gate_work, (void *)hook, left_ms(hook, GATE_END_MS), GATE_REPLY_MAX, &text,
			 &len);
	if (!rc)
		rc = json_parse(text, len, &reply);
	free(text);
	/* An answer without a decision (it is not ready yet, or it does not know the verb) is none. */
	if (!rc && (!json_bool_or(reply, "ok", false) || json_get_bool(reply, "allow", &allow)))
		rc = -EPROTO;
	if (!rc && allow)
		*ret = EXIT_ALLOW;
	else if (!rc)
		*ret = refuse(hook, json_string_or(reply, "reason", "hamond refused it"),
			      "Ask hamon why: hamonctl explain INSTANCE");
	json_object_put(reply);
	return rc;
}

static int list_work(void *arg, int fd)
{
	const struct hook *hook = arg;
	int list_fd = open(hook->list_path, O_RDONLY | O_CLOEXEC);
	char buf[65536];
	ssize_t n, done;

	if (list_fd < 0)
		return -errno;
	while ((n = read(list_fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n; at += done) {
			done = write(fd, buf + at, (size_t)(n - at));
			if (done < 0)
				return -errno;
		}
	}
	return n < 0 ? -errno : 0;
}

/* Without hamond: by the last list that it wrote. */
static int list_decide(const struct hook *hook)
{
	enum gatelist_state state = GATELIST_BROKEN;
	char reason[GATELIST_REASON_SIZE];
	struct gatelist list = { 0 };
	char *text = NULL;
	bool allowed;
	size_t len;
	int rc;

	rc = bounded_run(list_work, (void *)hook, left_ms(hook, LIST_END_MS), GATELIST_BYTES_MAX,
			 &text, &len);
	if (rc == -ENOENT)
		state = GATELIST_MISSING;
	else if (!rc && !gatelist_parse(text, len, &list))
		state = GATELIST_KNOWN;
	free(text);
	allowed = gatelist_allows(state, &list, hook->dom, hook->disks.list, hook->disks.timed_out,
				  reason);
	gatelist_free(&list);
	if (allowed)
		return EXIT_ALLOW;
	return refuse(hook, reason,
		      "Start hamond (systemctl start hamond) and see hamonctl status. To run it without "
		      "hamon's protection, mark it protected='no' in its metadata");
}

static int start_decide(struct hook *hook)
{
	char error[DOMXML_ERROR_SIZE];
	int rc, exit_code;

	rc = xml_read(hook);
	if (rc) {
		char reason[128];

		snprintf(reason, sizeof(reason), "its definition could not be read from libvirtd: %s",
			 strerror(-rc));
		return refuse(hook, reason, "Try again");
	}
	rc = domxml_parse(hook->xml, hook->xml_len, &hook->dom, error, sizeof(error));
	if (rc)
		return refuse(hook, error, "Check its definition with virsh dumpxml");
	if (hook->dom->meta.probe) {
		/* hamon's own test that libvirtd has loaded this hook: it looks for these words. */
		fprintf(stderr, "hamon-probe-refused %s\n", hook->dom->meta.probe);
		return EXIT_REFUSE;
	}
	disks_find(hook);
	return gate_ask(hook, &exit_code) ? list_decide(hook) : exit_code;
}

static void hook_free(struct hook *hook)
{
	disks_free(&hook->disks);
	domxml_free(hook->dom);
	free(hook->lines);
	free(hook->xml);
}

static bool is_start(const struct hook *hook)
{
	return !strcmp(hook->stage, "begin") &&
	       (!strcmp(hook->operation, "prepare") || !strcmp(hook->operation, "migrate"));
}

/* Options of tests and of wrappers: "--list PATH", "--service NAME", before libvirt's own four arguments. */
static int options_parse(struct hook *hook, int n, char **args)
{
	for (int i = 0; i + 1 < n; i += 2) {
		if (!strcmp(args[i], "--list"))
			hook->list_path = args[i + 1];
		else if (!strcmp(args[i], "--service"))
			hook->service = args[i + 1];
		else
			return -EINVAL;
	}
	return n % 2 ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	struct hook hook = { .list_path = LOCALSTATEDIR "/lib/hamon/gate.list" };
	int exit_code;

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("hamon-qemu-hook %s\n", HAMON_VERSION);
		return 0;
	}
	if (argc < 1 + ARGS) {
		fprintf(stderr, "usage: hamon-qemu-hook [--list PATH] [--service NAME] DOMAIN OPERATION STAGE EXTRA < DOMAIN-XML\n"
				"libvirtd runs it for each start of a domain; see "
				"hamon-qemu-hook(8).\n");
		return EXIT_USAGE;
	}
	hook.name = argv[argc - ARGS];
	hook.operation = argv[argc - ARGS + 1];
	hook.stage = argv[argc - ARGS + 2];
	if (!is_start(&hook))
		return EXIT_ALLOW;
	hook.begun_ms = clock_boot_ms();
	deadline_set();
	if (options_parse(&hook, argc - 1 - ARGS, argv + 1)) {
		fprintf(stderr, "hamon: the start gate is installed with wrong options\n");
		return EXIT_USAGE;
	}
	exit_code = start_decide(&hook);
	hook_free(&hook);
	return exit_code;
}
