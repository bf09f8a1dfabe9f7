/*
 * Helper processes, see helper.h.
 *
 * A helper's end has two halves: helper_report, which tells it, and helper_reap, which frees it.
 * They come together when its pidfd says that the process is gone. A killed process that stays
 * (uninterruptible sleep, a debugger that holds it) is reported after HELPER_REAP_MS and reaped
 * whenever the kernel lets it go. The group is killed before the leader is reaped: until then the
 * kernel cannot give the group's number to another one.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <qb/qbdefs.h>
#include <qb/qbutil.h>

#include "hamon/common/clock.h"
#include "hamon/helper_private.h"

#define HELPER_REAP_AGAIN_MS 100

static void helper_list_add(struct helper **list, struct helper *helper)
{
	helper->next = *list;
	helper->link = list;
	if (helper->next)
		helper->next->link = &helper->next;
	*list = helper;
}

static void helper_list_remove(struct helper *helper)
{
	*helper->link = helper->next;
	if (helper->next)
		helper->next->link = helper->link;
}

static void helper_timer_clear(struct helper *helper)
{
	if (helper->timer)
		qb_loop_timer_del(helper->pool->loop, helper->timer);
	helper->timer = 0;
}

static int helper_timer_set(struct helper *helper, uint64_t ms, qb_loop_timer_dispatch_fn fn)
{
	helper_timer_clear(helper);
	return qb_loop_timer_add(helper->pool->loop, QB_LOOP_MED, ms * QB_TIME_NS_IN_MSEC, helper,
				 fn, &helper->timer);
}

/* The end */

static void helper_free(struct helper *helper)
{
	helper_timer_clear(helper);
	helper_io_free(helper);
	if (helper->pidfd >= 0) {
		qb_loop_poll_del(helper->pool->loop, helper->pidfd);
		close(helper->pidfd);
	}
	helper_list_remove(helper);
	helper->pool->n--;
	free(helper);
}

static void helper_report(struct helper *helper, int exit_status)
{
	helper->is_reported = true;
	helper_io_finish(helper);
	helper_io_free(helper);
	if (helper->spare)
		spare_gone(helper->pool);
	if (helper->on_exit)
		helper->on_exit(helper->user, helper, exit_status, helper->end);
}

/* Tells of a process that should be gone and is not, and remembers it. */
static void helper_set_aside(struct helper *helper)
{
	if (helper->is_reported)
		return;
	if (!helper->is_killed)
		helper->end = HELPER_SIGNALED;
	helper_list_remove(helper);
	helper_list_add(&helper->pool->stuck, helper);
	helper_report(helper, SIGKILL);
}

static void helper_reap(void *data)
{
	struct helper *helper = data;
	int status = 0, exit_status;
	pid_t pid;

	helper->timer = 0;
	kill(-helper->pid, SIGKILL);
	pid = waitpid(helper->pid, &status, WNOHANG);
	if (!pid) {
		/* Gone, but a debugger has not let go of it. */
		if (clock_boot_ms() - helper->gone_ms >= HELPER_REAP_MS)
			helper_set_aside(helper);
		helper_timer_set(helper, HELPER_REAP_AGAIN_MS, helper_reap);
		return;
	}
	/* Reaped by somebody else: its status is lost, and must not pass for a success. */
	if (pid < 0)
		status = SIGKILL;
	exit_status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	if (!helper->is_killed)
		helper->end = WIFSIGNALED(status) ? HELPER_SIGNALED : HELPER_EXITED;
	if (!helper->is_reported)
		helper_report(helper, exit_status);
	helper_free(helper);
}

static int32_t helper_gone(int32_t fd, int32_t revents, void *data)
{
	struct helper *helper = data;

	qb_loop_poll_del(helper->pool->loop, fd);
	close(fd);
	helper->pidfd = -1;
	helper->gone_ms = clock_boot_ms();
	helper_timer_clear(helper);
	helper_reap(helper);
	return 0;
}

static void helper_overdue(void *data)
{
	struct helper *helper = data;

	helper->timer = 0;
	helper_set_aside(helper);
}

static void helper_end_now(struct helper *helper, enum helper_end end)
{
	/* Once reported it may be reaped, and its number somebody else's. */
	if (helper->is_killed || helper->is_reported)
		return;
	helper->is_killed = true;
	helper->end = end;
	kill(-helper->pid, SIGKILL);
	if (helper->pidfd >= 0)
		helper_timer_set(helper, HELPER_REAP_MS, helper_overdue);
}

void helper_kill(struct helper *helper)
{
	helper->is_silent = true;
	helper_end_now(helper, HELPER_KILLED);
}

static void helper_deadline(void *data)
{
	struct helper *helper = data;
	struct pollfd poll_fd = {.fd = helper->pidfd, .events = POLLIN};

	helper->timer = 0;
	/* It may have ended in time while this process was late: its end is in the loop already. */
	if (poll(&poll_fd, 1, 0) == 1)
		return;
	helper->pool->stats.deadlines++;
	helper_end_now(helper, HELPER_DEADLINE);
}

/* The start */

int helper_deadline_set(struct helper *helper, uint64_t deadline_ms)
{
	return deadline_ms ? helper_timer_set(helper, deadline_ms, helper_deadline) : 0;
}

/* Everything that can still fail once the process runs. */
static int helper_watch(struct helper *helper, uint64_t deadline_ms)
{
	int rc = qb_loop_poll_add(helper->pool->loop, QB_LOOP_MED, helper->pidfd, POLLIN, helper,
				  helper_gone);

	if (!rc)
		rc = helper_io_start(helper);
	return rc ? rc : helper_deadline_set(helper, deadline_ms);
}

static int spec_check(const struct helper_pool *pool, const struct helper_spec *spec)
{
	if (!spec->path || spec->path[0] != '/' || !spec->argv || !spec->argv[0])
		return -EINVAL;
	if (spec->input && strlen(spec->input) >= HELPER_INPUT_MAX)
		return -E2BIG;
	if (pool->n >= HELPER_MAX)
		return -EAGAIN;
	return 0;
}

void helper_spec_take(struct helper *helper, const struct helper_spec *spec)
{
	helper->keep_stdin = spec->keep_stdin;
	helper->tag = spec->tag;
	helper->on_line = spec->on_line;
	helper->on_stderr = spec->on_stderr;
	helper->on_exit = spec->on_exit;
	helper->user = spec->user;
}

static struct helper *helper_new(struct helper_pool *pool, const struct helper_spec *spec)
{
	struct helper *helper = calloc(1, sizeof(*helper));

	if (!helper)
		return NULL;
	helper->pool = pool;
	helper->pidfd = -1;
	for (int i = HELPER_IN; i <= HELPER_ERR; i++)
		helper->fds[i] = -1;
	helper_spec_take(helper, spec);
	helper->out.max = HELPER_LINE_MAX;
	helper->err.max = HELPER_STDERR_LINE_MAX;
	helper->err.split = true;
	helper_list_add(&pool->living, helper);
	pool->n++;
	return helper;
}

int helper_launch(struct helper_pool *pool, const struct helper_spec *spec,
		  struct helper **ret_helper)
{
	struct helper *helper = helper_new(pool, spec);
	int rc = 0;

	if (!helper)
		return -ENOMEM;
	if (spec->input)
		rc = helper_queue(helper, spec->input, strlen(spec->input));
	if (!rc)
		rc = helper_spawn(spec->path, spec->argv, spec->env, &helper->pid, &helper->pidfd,
				  helper->fds);
	if (!rc) {
		rc = helper_watch(helper, spec->deadline_ms);
		if (rc) {
			kill(-helper->pid, SIGKILL);
			waitpid(helper->pid, NULL, 0);
		}
	}
	if (rc) {
		helper_free(helper);
		return rc;
	}
	*ret_helper = helper;
	return 0;
}

/* 0, or -errno and the spare is on its way out. */
static int spare_use(struct helper *helper, const struct helper_spec *spec)
{
	int rc = helper_deadline_set(helper, spec->deadline_ms);

	if (!rc && spec->input)
		rc = helper_queue(helper, spec->input, strlen(spec->input));
	if (!rc) {
		helper_spec_take(helper, spec);
		return 0;
	}
	helper_kill(helper);
	return rc;
}

struct helper *helper_start(struct helper_pool *pool, const struct helper_spec *spec)
{
	struct helper *helper;
	int rc = spec_check(pool, spec);

	if (rc) {
		errno = -rc;
		return NULL;
	}
	helper = spare_take(pool, spec);
	if (helper && !spare_use(helper, spec)) {
		pool->stats.from_spare++;
	} else {
		rc = helper_launch(pool, spec, &helper);
		if (rc) {
			errno = -rc;
			return NULL;
		}
	}
	pool->stats.started++;
	helper_write(helper);
	return helper;
}

/* The pool */

int helper_pool_new(qb_loop_t *loop, struct helper_pool **ret_pool)
{
	struct helper_pool *pool = calloc(1, sizeof(*pool));
	struct sigaction action;

	if (!pool)
		return -ENOMEM;
	pool->loop = loop;
	/* A helper that dies while it is being written to is no reason to die with it. */
	signal(SIGPIPE, SIG_IGN);
	/* Whoever started this process may have left SIGCHLD ignored, and then nothing could be
	 * reaped. */
	if (!sigaction(SIGCHLD, NULL, &action) && action.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
	*ret_pool = pool;
	return 0;
}

static void helper_list_free(struct helper *list)
{
	while (list) {
		struct helper *next = list->next;

		kill(-list->pid, SIGKILL);
		waitpid(list->pid, NULL, WNOHANG);
		helper_free(list);
		list = next;
	}
}

void helper_pool_free(struct helper_pool *pool)
{
	if (!pool)
		return;
	spares_free(pool);
	helper_list_free(pool->living);
	helper_list_free(pool->stuck);
	free(pool);
}

static bool helper_has_tag(const struct helper *helper, unsigned int tags)
{
	return !tags || (helper->tag & tags);
}

unsigned int helper_pool_kill_all(struct helper_pool *pool, unsigned int tags)
{
	unsigned int killed = 0;

	for (struct helper *helper = pool->living; helper; helper = helper->next) {
		if (!helper_has_tag(helper, tags) || helper->is_reported || helper->spare)
			continue;
		helper_kill(helper);
		killed++;
	}
	return killed;
}

unsigned int helper_pool_running(const struct helper_pool *pool, unsigned int tags)
{
	unsigned int running = 0;

	for (const struct helper *helper = pool->living; helper; helper = helper->next)
		running += helper_has_tag(helper, tags) && !helper->is_reported && !helper->spare;
	return running;
}

unsigned int helper_pool_stuck(const struct helper_pool *pool, unsigned int tags)
{
	unsigned int stuck = 0;

	for (const struct helper *helper = pool->stuck; helper; helper = helper->next)
		stuck += helper_has_tag(helper, tags);
	return stuck;
}

void helper_pool_stats(const struct helper_pool *pool, struct helper_stats *ret_stats)
{
	*ret_stats = pool->stats;
	ret_stats->spares = spares_count(pool);
}

pid_t helper_pid(const struct helper *helper)
{
	return helper->pid;
}

unsigned int helper_tag(const struct helper *helper)
{
	return helper->tag;
}
