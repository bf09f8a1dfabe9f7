/* Points at which a test may end or stop hamond. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hamon/daemon/faultpoint.h"

static const char *armed_path;
/* What the store was last asked for that the test waits for. */
static uint64_t awaited_id;
static char awaited_kind[CORE_NAME_SIZE];

void fault_arm(const char *path)
{
	armed_path = path;
}

/* Is this the point that the file names? Then also which action. */
static bool point_matches(const char *where, const char *what, char *action, size_t size)
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

	if (!point_matches(where, what, action, sizeof(action)))
		return;
	/* Whoever comes by next, this daemon after its restart too, lives on. */
	if (unlink(armed_path))
		return;
	fprintf(stderr, "hamond: fault point: %s %s %s\n", action, where, what);
	kill(getpid(), strcmp(action, "stop") ? SIGKILL : SIGSTOP);
}

void fault_notes(const char *where, size_t n, const struct note *notes)
{
	for (size_t i = 0; armed_path && i < n; i++)
		fault_point(where, notes[i].kind);
}

void fault_persist(const struct core_action *act)
{
	char action[16];

	if (!armed_path)
		return;
	fault_notes("write", act->persist.n_notes, act->persist.notes);
	for (size_t i = 0; i < act->persist.n_notes; i++)
		if (point_matches("written", act->persist.notes[i].kind, action, sizeof(action))) {
			awaited_id = act->persist.id;
			snprintf(awaited_kind, sizeof(awaited_kind), "%s", act->persist.notes[i].kind);
		}
}

void fault_persisted(uint64_t id)
{
	if (awaited_id && id >= awaited_id)
		fault_point("written", awaited_kind);
}
