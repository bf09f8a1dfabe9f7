/*
 * hamon-evacuate: the part of hamon that talks to a host's control plane. hamond starts it for each operation, and
 * once to watch. One JSON request on stdin, JSON lines on stdout. See doc/hamon-evacuate.8.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <json-c/json.h>

#include "config.h"
#include "evacuate/plane.h"
#include "evacuate/procscan.h"
#include "evacuate/report.h"
#include "evacuate/request.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define EXIT_UNREADABLE 2
#define EXIT_USAGE 64
#define OP_SIZE 128
#define QEMUS_TIMEOUT_MS 5000

static const char usage[] =
	"usage: hamon-evacuate [OPTION...] watch|start|inspect|stop|tidy|qemus|enable|servers < REQUEST\n"
	"One JSON request on standard input, JSON lines on standard output.\n"
	"  --state-dir DIR    where hamon keeps copies (" LOCALSTATEDIR "/lib/hamon)\n"
	"  --libvirt-lib DIR  libvirt's state of the QEMU driver (/var/lib/libvirt/qemu)\n"
	"  --libvirt-run DIR  libvirt's files of running domains (/run/libvirt/qemu)\n"
	"  --libvirt-etc DIR  libvirt's configuration (/etc/libvirt)\n"
	"  --run-dir DIR      where helpers keep Nova's token for each other (" RUNSTATEDIR "/hamon)\n"
	"  --version, --help\n";

static const struct option options[] = {
	{ "state-dir", required_argument, NULL, 's' },
	{ "libvirt-lib", required_argument, NULL, 'l' },
	{ "libvirt-run", required_argument, NULL, 'r' },
	{ "libvirt-etc", required_argument, NULL, 'e' },
	{ "run-dir", required_argument, NULL, 'R' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/*
 * The request: all of stdin, or for watch, whose stdin stays open, its first line. -EIO, -E2BIG, or 0 and a string to
 * free.
 */
static int request_read(bool first_line, char **ret_text, size_t *ret_len)
{
	char *text = malloc(REQUEST_BYTES_MAX + 1);
	size_t len = 0;
	ssize_t n;
	int rc = 0;

	if (!text)
		return -ENOMEM;
	for (;;) {
		/* Byte by byte for a line: what follows it belongs to the watch. */
		n = read(STDIN_FILENO, text + len, first_line ? 1 : REQUEST_BYTES_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -EIO;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (first_line && text[len - 1] == '\n')
			break;
		if (len > REQUEST_BYTES_MAX) {
			rc = -E2BIG;
			break;
		}
	}
	if (rc) {
		free(text);
		return rc;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static struct json_object *result_new(const char *op)
{
	struct json_object *result = json_object_new_object();

	json_put_string(result, "type", "result");
	json_put_string(result, "op", op);
	return result;
}

/* The last line: disarms the watch first, so that there is never a second result. */
static void result_tell(struct json_object *result)
{
	report_watch(0, NULL);
	report_line(result);
	json_object_put(result);
}

static void qemus_run(const struct request *req, struct json_object *result)
{
	struct json_object *expired = result_new(req->op), *array;
	struct qemu_process *list;
	size_t n;
	int rc;

	report_failure(expired, "timeout", "reading /proc did not end within %d ms",
		       QEMUS_TIMEOUT_MS);
	report_watch(QEMUS_TIMEOUT_MS, expired);
	json_object_put(expired);
	rc = procscan_list("/proc", NULL, &list, &n);
	if (rc) {
		report_failure(result, "proc", "cannot read /proc: %s", strerror(-rc));
		return;
	}
	array = json_object_new_array();
	for (size_t i = 0; i < n; i++) {
		struct json_object *qemu = json_object_new_object();

		json_put_string(qemu, "uuid", list[i].uuid);
		json_put_string(qemu, "name", list[i].name);
		json_put_u64(qemu, "pid", (uint64_t)list[i].pid);
		json_object_array_add(array, qemu);
	}
	free(list);
	json_put_bool(result, "ok", true);
	json_object_object_add(result, "qemus", array);
}

static int request_run(const struct request *req, const struct plane_paths *paths)
{
	const struct control_plane *plane = req->has_nova ? &nova_plane : &libvirt_plane;
	struct json_object *result;

	if (req->verb == REQUEST_WATCH)
		return plane->watch(req, paths);
	result = result_new(req->op);
	switch (req->verb) {
	case REQUEST_START:
		plane->start(req, paths, result);
		break;
	case REQUEST_INSPECT:
		plane->inspect(req, paths, result);
		break;
	case REQUEST_STOP:
		plane->stop(req, paths, result);
		break;
	case REQUEST_TIDY:
		plane->tidy(req, paths, result);
		break;
	case REQUEST_QEMUS:
		qemus_run(req, result);
		break;
	case REQUEST_ENABLE:
		plane->enable(req, paths, result);
		break;
	case REQUEST_SERVERS:
		plane->servers(req, paths, result);
		break;
	case REQUEST_WATCH:
		break;
	}
	result_tell(result);
	return 0;
}

static int options_parse(int argc, char **argv, struct plane_paths *paths, enum request_verb *verb)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			paths->state_dir = optarg;
			break;
		case 'l':
			paths->libvirt_lib = optarg;
			break;
		case 'r':
			paths->libvirt_run = optarg;
			break;
		case 'e':
			paths->libvirt_etc = optarg;
			break;
		case 'R':
			paths->run_dir = optarg;
			break;
		case 'V':
			printf("hamon-evacuate %s\n", HAMON_VERSION);
			exit(0);
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			return -EINVAL;
		}
	}
	if (optind + 1 != argc)
		return -EINVAL;
	return request_verb_parse(argv[optind], verb);
}

int main(int argc, char **argv)
{
	struct plane_paths paths = {
		.state_dir = LOCALSTATEDIR "/lib/hamon",
		.libvirt_lib = "/var/lib/libvirt/qemu",
		.libvirt_run = "/run/libvirt/qemu",
		.libvirt_etc = "/etc/libvirt",
		.run_dir = RUNSTATEDIR "/hamon",
	};
	char error[REQUEST_ERROR_SIZE], op[OP_SIZE] = "";
	struct json_object *result;
	enum request_verb verb;
	struct request req;
	pid_t parent = getppid();
	size_t len;
	char *text;
	int rc;

	if (options_parse(argc, argv, &paths, &verb)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	/* Nobody would read the result of an operation whose hamond has died; the next one looks anew. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	rc = request_read(verb == REQUEST_WATCH, &text, &len);
	if (rc) {
		fprintf(stderr, "hamon-evacuate: cannot read the request: %s\n", strerror(-rc));
		return EXIT_UNREADABLE;
	}
	rc = request_parse(verb, text, len, &req, error, sizeof(error), op, sizeof(op));
	free(text);
	if (rc) {
		result = result_new(op);
		report_failure(result, "bad-request", "%s", error);
		result_tell(result);
		return 0;
	}
	if (req.has_nova && *req.nova.fault_points)
		report_faults(req.nova.fault_points, *req.name ? req.name : req.nova.self);
	rc = request_run(&req, &paths);
	request_free(&req);
	return rc;
}
