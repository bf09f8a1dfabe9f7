/* What each host can prove of the disks of each guest, told again and again. */
#include <string.h>

#include "tests/simulator/inner.h"

void verdicts_tell(struct world *w, struct world_host *host)
{
	static struct verdict_report reports[WORLD_GUESTS_MAX];
	struct core_event event = { .type = EV_VERDICTS };

	for (size_t g = 0; g < w->n_guests; g++) {
		struct guest_here *here = &host->guests[g];
		bool good = here->verdict == VERDICT_SHARED || here->verdict == VERDICT_VOLUME;

		snprintf(reports[g].uuid, sizeof(reports[g].uuid), "00000000-0000-4000-8000-%012zu", g + 1);
		reports[g].verdict = here->verdict;
		if (good)
			here->told_bad_ms = 0;
		else if (!here->told_bad_ms)
			here->told_bad_ms = w->now_ms;
	}
	event.verdicts.n = w->n_guests;
	event.verdicts.verdicts = reports;
	host_step(w, host, &event);
	/* Its watch finds out by itself how libvirtd is. */
	if (host->told_hung != host->libvirt_hung || host->told_missing != host->gate_missing) {
		host_report(w, host, true);
		event_add(w, HAPPEN_WATCH_FULL, host_index(w, host), 10);
		return;
	}
	event_add(w, HAPPEN_VERDICTS, host_index(w, host), 3000);
}

void world_verdict(struct world *w, size_t number, size_t guest, enum verdict verdict)
{
	w->hosts[number - 1].guests[guest - 1].verdict = verdict;
}
