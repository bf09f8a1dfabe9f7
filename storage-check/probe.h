/*
 * Work that may block in the kernel for good: each job runs in a child of its own, with a deadline.
 * A child that cannot be killed (D state on a dead mount) is left behind and never waited for. It
 * keeps the lock of its job's key, so that the next job of that key, in this or any later process,
 * does not add another one.
 */
#ifndef HAMON_STORAGE_PROBE_H
#define HAMON_STORAGE_PROBE_H

#include <stddef.h>
#include <stdint.h>

#define PROBE_OUTPUT_MAX (4u << 20)

enum probe_end {
	PROBE_PENDING,
	PROBE_DONE,    /* the child ended by itself */
	PROBE_TIMEOUT, /* killed at its deadline; output holds what it had written */
	PROBE_BUSY,    /* an earlier job of the same key still hangs */
	PROBE_FAILED,  /* no child, or it crashed or wrote too much */
	PROBE_SKIPPED  /* the whole run was out of time */
};

struct probe {
	const char *key; /* borrowed: "check:/srv/a" */
	/*
	 * Runs in the child: writes its answer to out. Whatever it changes is lost with the child.
	 */
	void (*run)(void *arg, int out);
	void *arg;
	uint64_t timeout_ms; /* of this job when it is more than that of all */
	enum probe_end end;
	char *output; /* NUL terminated, owned; NULL when there was none */
	size_t output_len;
};

struct probe_limits {
	const char *
	    lock_dir; /* a folder for the locks on a file system that cannot hang, or NULL: no locks */
	unsigned int parallel;
	uint64_t timeout_ms; /* of one job, from its start */
	uint64_t until_ms;   /* CLOCK_BOOTTIME: no job starts after it, and none goes on */
};

/* Runs all jobs; each has its end set afterwards. Free the outputs with probe_clear. */
void probe_run(struct probe *jobs, size_t n_jobs, const struct probe_limits *limits);
void probe_clear(struct probe *job);

/*
 * One sentence for an operator about a job that did not end by itself: "no answer from WHAT within
 * 3000 ms".
 */
void probe_describe(enum probe_end end, const char *what, uint64_t timeout_ms, char *buf,
		    size_t size);

#endif
