/*
 * Child processes of hamond, run from its loop. Everything that can block (fence agents, libvirt,
 * storage, the store's disk) lives in such a helper; nothing here ever waits for one.
 *
 * A helper is started by posix_spawn in a process group of its own, with all signals at their
 * defaults and none blocked, a clean environment, no inherited descriptors but its three pipes, and
 * the folder / as its own. It speaks JSON, one object a line, on stdin and stdout; stderr is free
 * text for the log. What it leaves running in its group when it ends is killed with it. A
 * grandchild that makes a group of its own escapes: a helper that does that must see to its
 * children itself (PR_SET_PDEATHSIG).
 *
 * All functions are called from, and all callbacks come from, the one thread that runs the loop. A
 * callback may call any function here, for its own helper too, but not helper_pool_free.
 */
#ifndef HAMON_HELPER_H
#define HAMON_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <json-c/json_object.h>
#include <qb/qbloop.h>

/* Bytes of a line on stdout; a longer one is dropped and counted. */
#define HELPER_LINE_MAX (1024 * 1024)
/* Bytes waiting for a helper's stdin. */
#define HELPER_INPUT_MAX (16 * 1024 * 1024)
/* Bytes of a line on stderr; a longer one is delivered in pieces. */
#define HELPER_STDERR_LINE_MAX 1024
/* Lines of stderr that are delivered, a second and helper; the others are counted. */
#define HELPER_STDERR_PER_S 50
/* A killed helper that has not gone after that is reported as stuck. */
#define HELPER_REAP_MS 1000
/* Helpers of a pool at a time, stuck ones included. */
#define HELPER_MAX 128

struct helper;
struct helper_pool;

enum helper_end {
	/* By itself: exit_status is its exit code. */
	HELPER_EXITED,
	/* By a signal that did not come from here: exit_status is the signal. */
	HELPER_SIGNALED,
	/* Killed at its deadline: exit_status is SIGKILL, or 0 when it had already exited. */
	HELPER_DEADLINE,
	/* By helper_kill: exit_status as for HELPER_DEADLINE. */
	HELPER_KILLED,
};

/* What to run, and whom to tell. Everything is copied; any callback may be NULL. */
struct helper_spec {
	const char *path;	 /* absolute */
	const char *const *argv; /* NULL-terminated, with argv[0] */
	/* NULL-terminated "KEY=VALUE" list on top of PATH and LANG=C, or NULL. */
	const char *const *env;
	/* Text for stdin (a newline is added when it has none at its end), or NULL for none. */
	const char *input;
	/* Long-lived: stdin stays open for helper_send; otherwise it ends after input. */
	bool keep_stdin;
	/* From now to the SIGKILL of the whole group; 0 = none. */
	uint64_t deadline_ms;
	/* A bit mask of the caller's, for helper_pool_kill_all and helper_pool_running. */
	unsigned int tag;

	/* One object from stdout; borrowed, take a reference to keep it. Not after helper_kill. */
	void (*on_line)(void *user, struct helper *helper, struct json_object *obj);

	/*
	 * One line of stderr, or a note of this module's own about broken output ("dropped a line
	 * that ..."), without its newline; control characters are replaced by '?'.
	 */
	void (*on_stderr)(void *user, struct helper *helper, const char *line);

	/*
	 * The end, exactly once for each helper that was started, never from inside helper_start or
	 * helper_kill, after the last on_line. The helper is gone when this returns. A helper in
	 * uninterruptible sleep does not die: HELPER_REAP_MS after its kill this is called all the
	 * same, and helper_pool_stuck counts it until the kernel lets it go.
	 */
	void (*on_exit)(void *user, struct helper *helper, int exit_status, enum helper_end end);
	void *user;
};

/* The loop is borrowed and must outlive the pool. Ignores SIGPIPE in this process. 0 or -ENOMEM. */
int helper_pool_new(qb_loop_t *loop, struct helper_pool **ret_pool);

/* Kills every helper's group, calls no callback, waits for nothing. NULL is fine. */
void helper_pool_free(struct helper_pool *pool);

/*
 * Starts a helper; about 0.3 ms whatever the size of this process. The returned pointer is owned by
 * the pool and valid until on_exit returns. NULL with errno: EINVAL (path not absolute, no argv),
 * E2BIG (input longer than HELPER_INPUT_MAX), EAGAIN (HELPER_MAX are running), ENOENT, EACCES or
 * ENOEXEC (the program), ENOMEM, EMFILE...
 */
struct helper *helper_start(struct helper_pool *pool, const struct helper_spec *spec);

/* Kinds of spares of a pool. */
#define HELPER_SPARES_MAX 4
/* A spare that was taken is replaced so long after the last use, one spare at a time. */
#define HELPER_SPARE_REFILL_MS 500
/* One that died by itself may do so again. */
#define HELPER_SPARE_AGAIN_MS 10000

/*
 * Keeps n processes of a program started in advance, waiting for their input: the next helper_start
 * with the same path, argv and no env takes one of them and costs a write instead of a start, which
 * for a program with many libraries is tens of milliseconds. Only for programs that do nothing
 * before their input has come. Spares have no deadline and no tag, and are not counted as running;
 * a dead one is replaced. Repeating it for the same program changes n (0 = no more of them).
 * 0, -EINVAL (path, argv), -ENOSPC (HELPER_SPARES_MAX programs), -ENOMEM.
 */
int helper_pool_spares(struct helper_pool *pool, const char *path, const char *const *argv,
		       unsigned int n);

/*
 * Queues one line (the newline is added) for a long-lived helper; never blocks. 0; -EAGAIN when the
 * queue is full (HELPER_INPUT_MAX), nothing of the line is queued then; -EPIPE when stdin is closed
 * or was never kept open; -EINVAL when the line has a newline inside.
 */
int helper_send(struct helper *helper, const char *line);

/* The same with an object, written as one line. */
int helper_send_json(struct helper *helper, struct json_object *obj);

/* Bytes that the helper has not taken yet: grows when a helper hangs. */
size_t helper_unsent_bytes(const struct helper *helper);

/* Ends a long-lived helper's stdin after what is queued: a polite request to end. */
void helper_close_stdin(struct helper *helper);

/* SIGKILLs the whole group now and waits for nothing; on_exit follows from the loop. Harmless when
 * repeated. */
void helper_kill(struct helper *helper);

/* helper_kill for each helper whose tag has a bit in common with tags (0 = all). Returns how many
 * it killed. */
unsigned int helper_pool_kill_all(struct helper_pool *pool, unsigned int tags);

/* How many of those are alive or dying, on_exit not yet called. */
unsigned int helper_pool_running(const struct helper_pool *pool, unsigned int tags);

/* How many of those were killed, reported by on_exit and still have not gone. */
unsigned int helper_pool_stuck(const struct helper_pool *pool, unsigned int tags);

struct helper_stats {
	uint64_t started;
	uint64_t from_spare;	    /* of these */
	unsigned int spares;	    /* waiting now */
	uint64_t lines;
	uint64_t lines_dropped;	    /* too long, not JSON, or not an object */
	uint64_t stderr_suppressed; /* lines above HELPER_STDERR_PER_S */
	uint64_t deadlines;
};

void helper_pool_stats(const struct helper_pool *pool, struct helper_stats *ret_stats);

pid_t helper_pid(const struct helper *helper);
unsigned int helper_tag(const struct helper *helper);

#endif
