/*
 * One run of a fence agent: options on stdin, output kept within bounds, a deadline that kills all
 * of it.
 */
#ifndef HAMON_FENCING_AGENT_H
#define HAMON_FENCING_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fencing/failure.h"
#include "fencing/options.h"
#include "fencing/output.h"

#define AGENT_OUTPUT_MAX (256u << 10)

enum agent_end {
	AGENT_IDLE,       /* nothing runs, nothing ran */
	AGENT_RUNNING,
	AGENT_EXITED,     /* code is its exit code */
	AGENT_SIGNALED,   /* code is the signal */
	AGENT_DEADLINE,   /* killed at its deadline, or by agent_kill() */
	AGENT_NO_EXEC,    /* code is the errno of its execution */
};

struct agent_capture {
	int fd;
	char *data;
	size_t len, size;
	bool cut; /* there was more than AGENT_OUTPUT_MAX; it was read and thrown away */
};

struct agent_run {
	enum agent_end end;
	int code;
	pid_t keeper;
	int keeper_fd, report_fd;
	struct agent_capture out, err;
	uint64_t started_ms;  /* boot clock */
	uint64_t deadline_ms; /* may be changed while it runs */
};

/*
 * Checks that path may be run with credentials: a regular, executable file that belongs to root or
 * to the running user, and that nobody else may write to. 0 or -errno with failure filled in.
 */
int agent_check(const char *path, struct failure *failure);

/*
 * Starts path with "action=ACTION" and the options on its stdin. run is all zero or cleared.
 * Returns 0, or -errno and run unchanged. A path that cannot be executed is no error here, but ends
 * as AGENT_NO_EXEC.
 */
int agent_start(struct agent_run *run, const char *path, const char *action,
		const struct options *options, uint64_t deadline_ms);

/*
 * Handles what the runs write and how they end, until one of those that were running has ended or
 * the boot clock has reached until_ms. Idle and ended runs are skipped. watch_fd (-1 for none) is a
 * pipe that somebody reads: when there is no reader left it returns -EPIPE. Otherwise 0 or -errno.
 */
int agents_wait(struct agent_run **runs, size_t count, uint64_t until_ms, int watch_fd);

/* Kills the whole group of a running agent; it ends as AGENT_DEADLINE. Never waits long. */
void agent_kill(struct agent_run *run);

/* What an agent with end AGENT_EXITED has left, borrowed from run. */
struct agent_output agent_output(const struct agent_run *run);

/* Overwrites the secrets among options in the captured output. */
void agent_scrub(struct agent_run *run, const struct options *options);

/* Kills it if it runs, wipes and frees what it holds, and makes it idle. */
void agent_clear(struct agent_run *run);

#endif
