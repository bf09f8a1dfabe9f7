/*
 * hamon-fence: runs a standard fence agent for hamond and reports the power that it reads back.
 * hamond bounds it by time and kills it at its deadline; it may be killed at any point, and takes
 * its agents with it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fencing/power.h"
#include "fencing/report.h"
#include "fencing/selftest.h"

#define EXIT_USAGE 2

static const struct command {
	const char *name;
	void (*run)(struct fence_request *request);
	const char *help;
} commands[] = {
	{ "off", power_off, "switch the host off and read it back" },
	{ "status", power_status, "read the host's power" },
	{ "monitor", selftest_monitor, "test the device without switching anything" },
	{ "metadata", selftest_metadata, "show what the agent can do, and check the options" },
};

static int usage_print(FILE *to, int code)
{
	fprintf(to, "usage: hamon-fence COMMAND < REQUEST\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\nREQUEST is one JSON object on stdin; see hamon-fence(8). "
		    "hamond is its caller.\n");
	return code;
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

/* No core dump of this process or of an agent may show a credential to anybody. */
static void secrets_keep_in(void)
{
	const struct rlimit none = { 0, 0 };

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}

/* Reads all of stdin, up to one byte more than a request may have. */
static int request_read(char **ret_text, size_t *ret_len)
{
	char *text = malloc(REQUEST_BYTES_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	while (n && len < REQUEST_BYTES_MAX + 1) {
		n = read(STDIN_FILENO, text + len, REQUEST_BYTES_MAX + 1 - len);
		if (n < 0 && errno != EINTR) {
			int rc = -errno;

			free(text);
			return rc;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int request_handle(const struct command *command, struct fence_request *request)
{
	struct failure failure = { 0 };
	char *text = NULL;
	size_t len = 0;
	int rc;

	rc = request_read(&text, &len);
	if (rc) {
		fprintf(stderr, "hamon-fence: stdin: %s\n", strerror(-rc));
		return EXIT_USAGE;
	}
	rc = request_parse(request, text, len, &failure);
	options_input_free(text, len);
	if (rc) {
		report_result(report_new(request, &failure));
		return rc == -EBADMSG ? EXIT_USAGE : EXIT_SUCCESS;
	}
	command->run(request);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct fence_request request;
	const struct command *command;
	int code;

	if (argc == 2 && !strcmp(argv[1], "--help"))
		return usage_print(stdout, EXIT_SUCCESS);
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("hamon-fence %s\n", HAMON_VERSION);
		return EXIT_SUCCESS;
	}
	command = argc == 2 ? command_find(argv[1]) : NULL;
	if (!command)
		return usage_print(stderr, EXIT_USAGE);
	secrets_keep_in();
	code = request_handle(command, &request);
	request_clear(&request);
	return code;
}
