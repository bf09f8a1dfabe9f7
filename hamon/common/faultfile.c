/* Fault points: a file that names one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hamon/common/faultfile.h"

#define LINE_SIZE 256
#define ACTION_SIZE 16

static const char *armed_path;

void fault_arm(const char *path)
{
	armed_path = path;
}

const char *fault_armed(void)
{
	return armed_path;
}

/* The line of the file that names this point, and all the others in *ret_rest, to be freed. -1 for none. */
static int line_find(const char *where, const char *what, char *action, size_t size, char **ret_rest)
{
	char line[LINE_SIZE], wanted[LINE_SIZE], *rest = NULL;
	size_t rest_size = 0;
	FILE *file, *out;
	int found = -1;

	file = fopen(armed_path, "re");
	if (!file)
		return -1;
	out = open_memstream(&rest, &rest_size);
	snprintf(wanted, sizeof(wanted), "%s %s", where, what);
	for (int i = 0; out && fgets(line, sizeof(line), file); i++) {
		size_t word = strcspn(line, " \n");

		line[strcspn(line, "\n")] = '\0';
		if (found < 0 && line[word] == ' ' && !strcmp(line + word + 1, wanted)) {
			found = i;
			snprintf(action, size, "%.*s", (int)word, line);
			continue;
		}
		fprintf(out, "%s\n", line);
	}
	fclose(file);
	if (out)
		fclose(out);
	*ret_rest = rest;
	return found;
}

bool fault_matches(const char *where, const char *what)
{
	char action[ACTION_SIZE], *rest = NULL;
	bool found = armed_path && line_find(where, what, action, sizeof(action), &rest) >= 0;

	free(rest);
	return found;
}

/* Whoever comes by next, the same program after its restart too, lives on. */
static bool line_remove(const char *rest)
{
	char path[LINE_SIZE];
	FILE *file;
	bool ok;

	if (!*rest)
		return !unlink(armed_path);
	snprintf(path, sizeof(path), "%s.new", armed_path);
	file = fopen(path, "we");
	if (!file)
		return false;
	ok = fputs(rest, file) >= 0;
	ok &= !fclose(file);
	return ok && !rename(path, armed_path);
}

void fault_point(const char *where, const char *what)
{
	char action[ACTION_SIZE], *rest = NULL;

	if (armed_path && line_find(where, what, action, sizeof(action), &rest) >= 0 && line_remove(rest)) {
		fprintf(stderr, "%s: fault point: %s %s %s\n", program_invocation_short_name, action, where, what);
		kill(getpid(), strcmp(action, "stop") ? SIGKILL : SIGSTOP);
	}
	free(rest);
}
