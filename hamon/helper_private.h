/* What the files of the helper module share: helper.c (life and death), helper_io.c (the pipes),
 * helper_spawn.c. */
#ifndef HAMON_HELPER_PRIVATE_H
#define HAMON_HELPER_PRIVATE_H

#include "hamon/helper.h"
#include "hamon/lines.h"

enum { HELPER_IN, HELPER_OUT, HELPER_ERR };

struct helper {
	struct helper *next, **link; /* in the pool's list of living or of stuck ones */
	struct helper_pool *pool;
	pid_t pid;
	int pidfd, fds[3]; /* -1 = closed and out of the loop; pidfd: -1 = out of the loop */
	bool is_writing;   /* stdin waits in the loop for room */
	bool keep_stdin;
	unsigned int tag;
	const struct spare_kind *spare; /* it waits for its input as one of these, or NULL */
	bool is_killed; /* by the deadline or by helper_kill */
	bool is_silent; /* helper_kill: no more on_line */
	bool is_reported;
	enum helper_end end;
	uint64_t gone_ms;	    /* when the pidfd said so, 0 = not yet */
	qb_loop_timer_handle timer; /* the deadline; after the kill, the wait for the end */
	char *input;
	size_t input_start, input_end, input_size;
	struct lines out, err;
	uint64_t out_dropped_told;
	uint64_t err_second;
	unsigned int err_count, err_suppressed;
	void (*on_line)(void *user, struct helper *helper, struct json_object *obj);
	void (*on_stderr)(void *user, struct helper *helper, const char *line);
	void (*on_exit)(void *user, struct helper *helper, int exit_status, enum helper_end end);
	void *user;
};

/* Processes of one program that wait for their input. */
struct spare_kind {
	char *path; /* NULL = unused */
	char **argv;
	unsigned int wanted;
};

struct helper_pool {
	qb_loop_t *loop;
	struct spare_kind spares[HELPER_SPARES_MAX];
	qb_loop_timer_handle spare_timer;
	struct helper *living, *stuck;
	unsigned int n;
	struct helper_stats stats;
};

/* Starts a process of the spec. 0 and *ret_helper, or -errno. */
int helper_launch(struct helper_pool *pool, const struct helper_spec *spec,
		  struct helper **ret_helper);

/* What is the caller's of a helper: callbacks, tag, whether stdin stays open. */
void helper_spec_take(struct helper *helper, const struct helper_spec *spec);

/* From now to the SIGKILL of the group; 0 = none. 0 or -errno. */
int helper_deadline_set(struct helper *helper, uint64_t deadline_ms);

/* A living spare for this spec, from now on a helper like any other but for its input; or NULL. */
struct helper *spare_take(struct helper_pool *pool, const struct helper_spec *spec);

/* A spare has gone: replaces it soon. */
void spare_gone(struct helper_pool *pool);

unsigned int spares_count(const struct helper_pool *pool);
void spares_free(struct helper_pool *pool);

/* Closes one of the pipes and takes it out of the loop. Nothing when it is closed. */
void helper_close(struct helper *helper, int which);

/* Watches stdout and stderr. 0 or -errno. */
int helper_io_start(struct helper *helper);

/* Queues text for stdin, a newline added when it has none at its end. 0, -EAGAIN, -ENOMEM. */
int helper_queue(struct helper *helper, const char *text, size_t len);

/* Writes what fits of the queue; afterwards stdin waits in the loop, rests, or is closed. */
void helper_write(struct helper *helper);

/* Delivers what a dead helper has left in its pipes, and closes them. */
void helper_io_finish(struct helper *helper);

/* Frees what the pipes hold. */
void helper_io_free(struct helper *helper);

/*
 * Starts a program with its stdin, stdout and stderr on three pipes, as helper.h says. Returns 0,
 * *ret_pid, a pidfd and this side's ends of the pipes, all close-on-exec, the pipes non-blocking;
 * or -errno and nothing.
 */
int helper_spawn(const char *path, const char *const *argv, const char *const *env, pid_t *ret_pid,
		 int *ret_pidfd, int ret_fds[3]);

#endif
