/*
 * storage-check: where the disks of an instance lie, and which hosts reach them. For people and
 * scripts.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "hamon/common/ctl.h"
#include "hamon/common/domxml.h"
#include "hamon/common/json.h"
#include "storage-check/command.h"

static const char help[] =
    "usage: storage-check [--json] DOMAIN | PATH | --xml FILE\n"
    "Tells for each disk of a domain, for a path (with a slash in it), or for the domain XML in "
    "FILE (\"-\":\n"
    "standard input) which hosts of the cluster reach it, and why hamon thinks so. Without hamond "
    "it shows\n"
    "what this host alone can see.\n"
    "\n"
    "  --json      the same as JSON\n"
    "  --xml FILE  a domain XML\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "exit status: 0 another host is proven to reach all of it, 1 it is local, 2 it is unknown; 64 "
    "usage,\n"
    "65 bad XML, 66 no such domain, path or file, 69 libvirt is not there.\n";

static int fail(int status, const char *text)
{
	fprintf(stderr, "storage-check: %s\n", text);
	return status;
}

static void usage_print(FILE *f)
{
	fputs(help, f);
}

/* A whole file, at most what a domain XML may have. */
static int file_read(const char *path, char **ret_text, char error[COMMAND_ERROR_SIZE])
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *text = malloc(DOMXML_BYTES_MAX + 2);
	size_t len;

	if (!f || !text) {
		snprintf(error, COMMAND_ERROR_SIZE, "%s: %s", path, strerror(errno));
		free(text);
		return EX_NOINPUT;
	}
	len = fread(text, 1, DOMXML_BYTES_MAX + 1, f);
	text[len] = '\0';
	if (ferror(f) || len > DOMXML_BYTES_MAX || strlen(text) != len) {
		snprintf(error, COMMAND_ERROR_SIZE, "%s: %s", path,
			 ferror(f) ? strerror(errno) : "this is no domain XML of at most 1 MiB");
		free(text);
		return ferror(f) ? EX_IOERR : EX_DATAERR;
	}
	if (f != stdin)
		fclose(f);
	*ret_text = text;
	return 0;
}

static int path_absolute(const char *path, char absolute[PATH_MAX])
{
	char cwd[PATH_MAX];
	int len;

	if (path[0] == '/')
		len = snprintf(absolute, PATH_MAX, "%s", path);
	else
		len = getcwd(cwd, sizeof(cwd)) ? snprintf(absolute, PATH_MAX, "%s/%s", cwd, path)
					       : -1;
	while (len > 1 && len < PATH_MAX && absolute[len - 1] == '/')
		absolute[--len] = '\0';
	return len > 0 && len < PATH_MAX ? 0 : EX_USAGE;
}

/* What the cluster says; NULL when it cannot be asked or does not know: note then says why. */
static struct json_object *cluster_ask(const char *key, const char *value,
				       char note[COMMAND_ERROR_SIZE])
{
	struct json_object *request = ctl_request("storage"), *reply = NULL;
	struct ctl_error error;
	int rc;

	json_put_string(request, key, value);
	rc = ctl_call(request, CTL_TIMEOUT_MS, &reply);
	json_object_put(request);
	if (rc) {
		snprintf(note, COMMAND_ERROR_SIZE, "%s; this is what this host alone can see",
			 ctl_strerror(rc));
		return NULL;
	}
	if (!ctl_reply_error(reply, &error))
		return reply;
	snprintf(note, COMMAND_ERROR_SIZE, "hamond: %s; this is what this host alone can see",
		 error.message);
	json_object_put(reply);
	return NULL;
}

static int view_show(struct json_object *view, bool json)
{
	int status = command_status(view);

	command_print(view, json);
	json_object_put(view);
	return fflush(stdout) ? EX_IOERR : status;
}

static int alone_show(const char *xml, const char *path, char kind, const char *note, bool json)
{
	char error[COMMAND_ERROR_SIZE];
	struct json_object *view = NULL;
	int status = command_view_alone(xml, path, kind, &view, error);

	if (status)
		return fail(status, error);
	json_put_string(view, "note", note);
	return view_show(view, json);
}

static int domain_show(const char *name, bool json)
{
	char note[COMMAND_ERROR_SIZE] = "", error[COMMAND_ERROR_SIZE];
	struct json_object *view = cluster_ask("instance", name, note);
	char *xml = NULL;
	int status;

	if (view)
		return view_show(view, json);
	status = command_domain_xml(name, &xml, error);
	if (status) {
		fail(status, note);
		return fail(status, error);
	}
	status = alone_show(xml, NULL, 0, note, json);
	free(xml);
	return status;
}

static int path_show(const char *arg, bool json)
{
	char note[COMMAND_ERROR_SIZE] = "", error[COMMAND_ERROR_SIZE], path[PATH_MAX], kind;
	struct json_object *view;

	if (path_absolute(arg, path))
		return fail(EX_USAGE, "the path is too long");
	kind = command_path_kind(path, error);
	if (!kind)
		return fail(EX_NOINPUT, error);
	view = cluster_ask("path", path, note);
	return view ? view_show(view, json) : alone_show(NULL, path, kind, note, json);
}

static int xml_show(const char *file, bool json)
{
	char note[COMMAND_ERROR_SIZE] = "", error[COMMAND_ERROR_SIZE];
	struct json_object *view;
	struct domxml *dom;
	char *xml = NULL;
	int status = file_read(file, &xml, error);

	if (status)
		return fail(status, error);
	/* Before hamond is asked: what is wrong with the file is the person's to know. */
	if (domxml_parse(xml, strlen(xml), &dom, error, sizeof(error))) {
		free(xml);
		return fail(EX_DATAERR, error);
	}
	domxml_free(dom);
	view = cluster_ask("xml", xml, note);
	status = view ? view_show(view, json) : alone_show(xml, NULL, 0, note, json);
	free(xml);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"xml", required_argument, NULL, 'x'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	const char *xml = NULL;
	bool json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'x':
			xml = optarg;
			break;
		case 'h':
			usage_print(stdout);
			return 0;
		case 'V':
			puts("storage-check " HAMON_VERSION);
			return 0;
		default:
			usage_print(stderr);
			return EX_USAGE;
		}
	}
	if (argc - optind != (xml ? 0 : 1) || (!xml && !argv[optind][0])) {
		usage_print(stderr);
		return EX_USAGE;
	}
	if (xml)
		return xml_show(xml, json);
	return strchr(argv[optind], '/') ? path_show(argv[optind], json)
					 : domain_show(argv[optind], json);
}
