/* One run of one agent: a process in a group of its own, with the record on its stdin and its output bounded. */
#ifndef HAMON_ALERT_RUN_H
#define HAMON_ALERT_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ALERT_OUTPUT_MAX 700 /* bytes that are kept for the log */

struct alert_run {
	pid_t pid;
	int pid_fd;    /* readable when it has ended */
	int output_fd; /* its stdout and stderr */
	uint64_t deadline_ms;
	bool killed;
	char output[ALERT_OUTPUT_MAX + 1];
	size_t output_len; /* more than is kept: it was cut */
};

/*
 * Starts it. input may be of any length: it is handed over as a file in memory, which no agent can stall. 0, or
 * -errno: nothing runs then.
 */
int alert_run_start(struct alert_run *run, const char *path, char *const *environment, const char *input,
		    size_t input_len, uint64_t deadline_ms);

/* Takes what it has printed; never waits. */
void alert_run_read(struct alert_run *run);

/* SIGKILLs the whole group; waits for nothing. */
void alert_run_kill(struct alert_run *run);

/* True when it has ended: *ret_status as of waitpid; the run is over then. Never waits. */
bool alert_run_ended(struct alert_run *run, int *ret_status);

/* Forgets a process that does not die. */
void alert_run_forget(struct alert_run *run);

#endif
