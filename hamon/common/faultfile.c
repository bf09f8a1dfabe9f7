/* Fault points: a file that names one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hamon/common/faultfile.h"

static const char *armed_path;

void fault_arm(const char *path)
{
	armed_path = path;
}

const char *fault_armed(void)
{
	return armed_path;
}

bool fault_matches(const char *where, const char *what, char *action, size_t size)
{
	char line[256] = "", wanted[256];
	FILE *file;
	bool named;

	if (!armed_path)
		return false;
	file = fopen(armed_path, "re");
	if (!file)
		return false;
	named = fgets(line, sizeof(line), file) != NULL;
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	if (!named || !strchr(line, ' '))
		return false;
	snprintf(wanted, sizeof(wanted), "%s %s", where, what);
	snprintf(action, size, "%.*s", (int)strcspn(line, " "), line);
	return !strcmp(strchr(line, ' ') + 1, wanted);
}

void fault_point(const char *where, const char *what)
{
	char action[16];

	if (!fault_matches(where, what, action, sizeof(action)))
		return;
	/* Whoever comes by next, the same program after its restart too, lives on. */
	if (unlink(armed_path))
		return;
	fprintf(stderr, "%s: fault point: %s %s %s\n", program_invocation_short_name, action, where, what);
	kill(getpid(), strcmp(action, "stop") ? SIGKILL : SIGSTOP);
}
