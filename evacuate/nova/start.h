/*
 * What the files of a start share; internal to start.c, there.c (the server is on a dead host) and here.c (it is on this one). Each turn
 * reads the truth, and takes at most one step.
 */
#ifndef HAMON_EVACUATE_NOVA_START_H
#define HAMON_EVACUATE_NOVA_START_H

#include <stdbool.h>
#include <stdint.h>

#include "evacuate/nova/nova.h"
#include "evacuate/nova/wait.h"
#include "evacuate/report.h"

#define STUCK_MS 45000     /* nothing has changed for so long: whoever should carry it out does not */
#define SETTLE_MS 4000     /* between two states of one evacuation Nova shows no task for less than this */

struct start {
	const struct request *req;
	struct json_object *result;
	struct compute compute;
	struct nova_server server;
	bool has_newest;
	struct nova_migration newest;    /* evacuation of the server */
	bool posted;                     /* our request was accepted, or its answer was lost */
	bool lost;
	uint64_t posted_ms;
	uint64_t newest_before;          /* the newest evacuation before ours, 0 for none */
	uint64_t volumes_ms;             /* since when its volumes keep us waiting, 0: they do not */
	uint64_t abandoned;              /* an evacuation that nobody carries out any more */
	bool selected;                   /* as hamon.conf says; not asked before it is on a dead host */
	bool lock_unread;                /* it was locked after the server was read */
	bool may_be_locked;              /* by this start, or by one that was killed */
	bool doubted;                    /* what other helpers have seen is not relied on */
	bool was_off;                    /* when we asked: Nova starts it on its new host, and stops it again */
	bool started, stopped, rebooted, reset; /* remedies, each taken once */
	char seen[4 * NOVA_WORD_SIZE];   /* what the last turn read; */
	uint64_t changed_ms;             /* and since when */
	uint64_t read_ms;                /* when the server itself was read */
	uint64_t look_ms;                /* how long Nova took to tell the server's evacuations */
	uint64_t told_ms;
	struct nova_wait wait;
};

enum turn {
	TURN_AGAIN,
	TURN_HERE,   /* it is here as it is to be, says Nova */
	TURN_FAILED, /* the result says why */
};

/* From compute.failure; always TURN_FAILED, as START_FAIL is. */
enum turn start_fail(struct start *start);

#define START_FAIL(start, ...) (report_failure((start)->result, __VA_ARGS__), TURN_FAILED)

bool start_is_dead(const struct start *start, const char *host);
bool start_is_self(const struct start *start, const char *host);

/* How long everything that was read has been the same. */
uint64_t start_quiet_ms(const struct start *start);

/* An evacuation may still start the server somewhere. */
bool start_moves(struct start *start);

/* Tells, not too often, what it waits for. */
void start_wait_tell(void *user, const char *why);

/* The turn of a server on a dead host, and on this one. */
enum turn start_there(struct start *start);
enum turn start_here(struct start *start);

#endif
