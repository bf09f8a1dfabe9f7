/*
 * hamon-storage: everything of the storage check that can block, in a process that hamond kills at
 * its deadline. One request on stdin, lines of JSON on stdout, the last one a result.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "storage-check/helper.h"

#define REQUEST_BYTES_MAX (8u << 20)
#define EXIT_USAGE 64
#define EXIT_UNPARSABLE 2
#define LOCK_DIR RUNSTATEDIR "/hamon/storage"

static const struct {
	const char *name;
	enum request_kind kind;
} operations[] = {
    {"beacon", REQUEST_BEACON},
    {"check", REQUEST_CHECK},
    {"identify", REQUEST_IDENTIFY},
};

static int usage(FILE *f, int status)
{
	fputs("usage: hamon-storage [--lock-dir DIR] beacon|check|identify <REQUEST.json\n"
	      "hamond's helper for storage; people use storage-check.\n",
	      f);
	return status;
}

/* All of stdin, NUL terminated; NULL when it is too much or memory is out. */
static char *stdin_read(size_t *ret_len)
{
	size_t len = 0, room = 65536;
	char *text = malloc(room + 1), *grown;
	ssize_t n;

	while (text && (n = read(0, text + len, room - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		len += (size_t)n;
		if (len < room)
			continue;
		grown = room < 2 * REQUEST_BYTES_MAX ? realloc(text, room * 2 + 1) : NULL;
		if (!grown) {
			free(text);
			return NULL;
		}
		text = grown;
		room *= 2;
	}
	if (text)
		text[len] = '\0';
	*ret_len = len;
	return text;
}

/*
 * A folder of our own; without one (not root) the probes run unlocked, and a hung one may get
 * company.
 */
static const char *lock_dir_make(const char *path)
{
	char parent[PATH_MAX];
	struct stat st;

	snprintf(parent, sizeof(parent), "%s", path);
	for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(parent, 0755);
		*slash = '/';
	}
	mkdir(path, 0700);
	if (!lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	    !(st.st_mode & 022))
		return path;
	fprintf(stderr, "%s is no folder of this user alone: probes run without locks\n", path);
	return NULL;
}

static int operation_run(enum request_kind kind, const struct request *request,
			 const char *lock_dir, struct json_object *result)
{
	switch (kind) {
	case REQUEST_BEACON:
		return beacon_run(request, lock_dir);
	case REQUEST_CHECK:
		return check_run(request, lock_dir);
	case REQUEST_IDENTIFY:
		return identify_run(request, lock_dir, result);
	}
	return -EINVAL;
}

static void result_fail(struct json_object *result, const char *class, const char *error)
{
	json_put_bool(result, "ok", false);
	json_put_string(result, "error_class", class);
	json_put_string(result, "error", error);
}

static int request_serve(enum request_kind kind, const char *lock_dir)
{
	uint64_t started_ms = clock_boot_ms();
	struct json_object *result = json_object_new_object();
	struct request request = {0};
	size_t len = 0;
	char *text = stdin_read(&len);
	int rc = request_parse(kind, text ? text : "", len, &request), status = 0;

	json_put_string(result, "type", "result");
	json_put_string(result, "op", request.op);
	json_put_bool(result, "ok", true);
	if (rc) {
		result_fail(result, "bad-request", request.error);
		status = rc == -EBADMSG ? EXIT_UNPARSABLE : 0;
	} else {
		rc = operation_run(kind, &request, lock_dir, result);
		if (rc)
			result_fail(result, "failed", strerror(-rc));
	}
	json_put_u64(result, "took_ms", clock_boot_ms() - started_ms);
	if (json_write_line(1, result))
		status = 1;
	json_object_put(result);
	request_clear(&request);
	free(text);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"lock-dir", required_argument, NULL, 'l'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	const char *lock_dir = LOCK_DIR;
	int opt;

	while ((opt = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		if (opt == 'l')
			lock_dir = optarg;
		else if (opt == 'h')
			return usage(stdout, 0);
		else if (opt == 'V')
			return puts("hamon-storage " HAMON_VERSION) < 0;
		else
			return usage(stderr, EXIT_USAGE);
	}
	umask(022);
	for (size_t i = 0; optind == argc - 1 && i < sizeof(operations) / sizeof(operations[0]);
	     i++)
		if (!strcmp(argv[optind], operations[i].name))
			return request_serve(operations[i].kind, lock_dir_make(lock_dir));
	return usage(stderr, EXIT_USAGE);
}
