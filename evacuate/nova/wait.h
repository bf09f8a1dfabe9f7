/* When to look again at a server that Nova is bringing here. */
#ifndef HAMON_EVACUATE_NOVA_WAIT_H
#define HAMON_EVACUATE_NOVA_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct nova_wait {
	char pid_path[512]; /* libvirt's file of its QEMU */
	bool begun;         /* that has been there */
	uint64_t begun_ms;  /* when it was seen to come; 0: it did not come while this one waited */
	unsigned int looks; /* since then */
	const char *run_dir;
	const char *op;     /* whom to tell when it comes: a progress line "begun" */
	uint64_t delay_ms;
};

/*
 * libvirt_run is libvirt's folder of running domains, name the domain's; in run_dir is kept for other helpers how long it took; NULL
 * for nowhere.
 */
void nova_wait_begin(struct nova_wait *wait, const char *op, const char *libvirt_run, const char *run_dir, const char *name);

/* Nova has brought it here. */
void nova_wait_arrived(const struct nova_wait *wait);

/*
 * Sleeps until the next look is due: ever longer, longest while the server is queued (asked for, and its target not at it), and
 * when those before it had arrived after libvirt had begun with them here, or shortly after that; and later the longer a look took (look_ms). False, at once, when there is no time
 * for another look before deadline_ms.
 */
bool nova_wait(struct nova_wait *wait, bool queued, uint64_t look_ms, uint64_t deadline_ms);

#endif
