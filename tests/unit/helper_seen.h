/* What the unit tests of helpers share: shell scripts as helpers, and what came of each. The loop runs until all of them have ended. */
#ifndef HAMON_TESTS_UNIT_HELPER_SEEN_H
#define HAMON_TESTS_UNIT_HELPER_SEEN_H

#include <sys/types.h>

#include "hamon/helper.h"

#define LOG_MAX 65536

/* What one helper did. */
struct seen {
	unsigned int lines, errs, exits;
	int status;
	enum helper_end end;
	char log[LOG_MAX];   /* "text" of each line's "t", each followed by ' ' */
	char err[LOG_MAX];   /* stderr, each line followed by '|' */
	bool kill_at_line;   /* helper_kill from on_line */
	unsigned int expect; /* stop the loop at so many lines, 0 = never */
};

extern qb_loop_t *loop;
extern struct helper_pool *pool;
extern unsigned int running; /* those whose end is not seen yet; the last one stops the loop */

void helpers_begin(void);
/* pool may be NULL by then. */
void helpers_end(void);

/* path, argv and callbacks of spec are set here. */
struct helper *script_start(struct seen *seen, const char *script, struct helper_spec spec);
/* The same, and waits for its end: no other may run. */
void script_run(struct seen *seen, const char *script, struct helper_spec spec);

/* A process is gone when it is a zombie, too: the machine's init reaps it when it likes. */
void process_wait_gone(pid_t pid);

#endif
