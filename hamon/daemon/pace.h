/*
 * How many servers this host asks Nova for at a time. The first one of an incident goes alone, a canary: when Nova cannot bring up that one, it
 * is not asked for a hundred. Once its QEMU is there (or it has had its time) the rest follow, one more at a time with each that starts, half
 * as many as soon as Nova answers late, asks to wait, or fails. Pure: the time is an argument, in ms of the boot clock.
 *
 * Nova's own work for one target goes one by one, so a great width gains nothing (measured: 20 at a time are no faster than
 * 4), while it fills the queues that everybody else's requests wait in.
 */
#ifndef HAMON_DAEMON_PACE_H
#define HAMON_DAEMON_PACE_H

#include <stdint.h>

#define PACE_CANARY_MS 5000   /* so long the first one alone is waited for */
#define PACE_REST_MS 30000    /* what was known of Nova so long ago is known no more: the next one is a canary again */
#define PACE_HALVED_MS 5000   /* trouble within so long of the last halving is the same trouble */

struct pace {
	uint32_t width;       /* 0: the next start is a canary */
	uint32_t running;     /* asked of Nova, and neither up nor failed */
	uint64_t canary_ms;   /* when the canary began; 0: there is none */
	uint64_t halved_ms;
	uint64_t last_ms;     /* when one of them began or ended last */
};

enum pace_end {
	PACE_STARTED,  /* it is up */
	PACE_FAILED,   /* Nova could not */
	PACE_ITS_OWN,  /* nothing that says anything of Nova: it is gone, it belongs elsewhere, its disks are not proven */
};

/* How many more may begin now; max is at least 1. */
uint32_t pace_room(struct pace *pace, uint32_t max, uint64_t now_ms);
void pace_begin(struct pace *pace, uint64_t now_ms);
void pace_end(struct pace *pace, enum pace_end end, uint32_t max, uint64_t now_ms);

/* The QEMU of one of them is there: all that lies between Nova's API and this host has worked. */
void pace_works(struct pace *pace);

/* Nova does not answer, answers late, or asks to wait (429, 503). */
void pace_slow(struct pace *pace, uint64_t now_ms);

#endif
