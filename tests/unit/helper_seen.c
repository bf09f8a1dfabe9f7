/* See helper_seen.h. */
#include <signal.h>
#include <time.h>
#include <sys/types.h>

#include "hamon/common/json.h"
#include "tests/unit/helper_seen.h"
#include "tests/unit/test.h"

qb_loop_t *loop;
struct helper_pool *pool;
unsigned int running;

static void text_add(char *log, const char *text, const char *end)
{
	size_t used = strlen(log);

	snprintf(log + used, LOG_MAX - used, "%s%s", text, end);
}

static void line_seen(void *user, struct helper *helper, struct json_object *obj)
{
	struct seen *seen = user;

	seen->lines++;
	text_add(seen->log, json_string_or(obj, "t", ""), " ");
	if (seen->kill_at_line)
		helper_kill(helper);
	if (seen->lines == seen->expect)
		qb_loop_stop(loop);
}

static void err_seen(void *user, struct helper *helper, const char *line)
{
	struct seen *seen = user;

	seen->errs++;
	text_add(seen->err, line, "|");
}

static void exit_seen(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct seen *seen = user;

	seen->exits++;
	seen->status = status;
	seen->end = end;
	if (!--running)
		qb_loop_stop(loop);
}

struct helper *script_start(struct seen *seen, const char *script, struct helper_spec spec)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	struct helper *helper;

	memset(seen, 0, sizeof(*seen));
	spec.path = argv[0];
	spec.argv = argv;
	spec.on_line = line_seen;
	spec.on_stderr = err_seen;
	spec.on_exit = exit_seen;
	spec.user = seen;
	helper = helper_start(pool, &spec);
	CHECK(helper);
	running++;
	return helper;
}

void script_run(struct seen *seen, const char *script, struct helper_spec spec)
{
	script_start(seen, script, spec);
	qb_loop_run(loop);
	CHECK_INT(seen->exits, 1);
	CHECK_INT(helper_pool_running(pool, 0), 0);
}

/* A process is gone when it is a zombie, too: the machine's init reaps it when it likes. */
static bool process_is_gone(pid_t pid)
{
	char path[64], state;
	FILE *stat;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "r");
	if (!stat)
		return true;
	n = fscanf(stat, "%*d (%*[^)]) %c", &state);
	fclose(stat);
	return n != 1 || state == 'Z' || state == 'X';
}

void process_wait_gone(pid_t pid)
{
	struct timespec pause = {.tv_nsec = 10000000};

	/* SIGKILL is on its way; a test that fails here hangs and is ended from outside. */
	while (!process_is_gone(pid))
		nanosleep(&pause, NULL);
}

void helpers_begin(void)
{
	signal(SIGCHLD, SIG_IGN); /* as a careless parent would leave it */
	loop = qb_loop_create();
	CHECK(loop && !helper_pool_new(loop, &pool));
}

void helpers_end(void)
{
	helper_pool_free(pool);
	qb_loop_destroy(loop);
}
