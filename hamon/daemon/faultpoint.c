/* Points at which a test may end or stop hamond. */
#include <stdio.h>
#include <string.h>

#include "hamon/daemon/faultpoint.h"

/* What the store was last asked for that the test waits for. */
static uint64_t awaited_id;
static char awaited_kind[CORE_NAME_SIZE];

void fault_notes(const char *where, size_t n, const struct note *notes)
{
	for (size_t i = 0; fault_armed() && i < n; i++)
		fault_point(where, notes[i].kind);
}

void fault_persist(const struct core_action *act)
{
	if (!fault_armed())
		return;
	fault_notes("write", act->persist.n_notes, act->persist.notes);
	for (size_t i = 0; i < act->persist.n_notes; i++)
		if (fault_matches("written", act->persist.notes[i].kind)) {
			awaited_id = act->persist.id;
			snprintf(awaited_kind, sizeof(awaited_kind), "%s", act->persist.notes[i].kind);
		}
}

void fault_persisted(uint64_t id)
{
	if (awaited_id && id >= awaited_id)
		fault_point("written", awaited_kind);
}
