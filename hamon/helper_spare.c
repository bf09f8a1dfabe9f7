/*
 * Helpers that are started before they are needed, see helper_pool_spares. They are made from the
 * loop, one at a time and only when nothing was taken for a moment: in the middle of a recovery the
 * processors belong to the guests that start.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <qb/qbutil.h>

#include "hamon/helper_private.h"

static bool argv_equal(char **a, const char *const *b)
{
	while (*a && *b && !strcmp(*a, *b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

static struct spare_kind *kind_find(struct helper_pool *pool, const char *path,
				    const char *const *argv)
{
	for (size_t i = 0; i < HELPER_SPARES_MAX; i++) {
		struct spare_kind *kind = &pool->spares[i];

		if (kind->path && !strcmp(kind->path, path) && argv_equal(kind->argv, argv))
			return kind;
	}
	return NULL;
}

static bool is_waiting(const struct helper *helper, const struct spare_kind *kind)
{
	return helper->spare == kind && !helper->is_killed && !helper->is_reported;
}

static unsigned int waiting_count(const struct helper_pool *pool, const struct spare_kind *kind)
{
	unsigned int n = 0;

	for (const struct helper *helper = pool->living; helper; helper = helper->next)
		n += is_waiting(helper, kind);
	return n;
}

static void spares_fill(void *data);

static void fill_later(struct helper_pool *pool, uint64_t in_ms)
{
	if (pool->spare_timer)
		qb_loop_timer_del(pool->loop, pool->spare_timer);
	pool->spare_timer = 0;
	/* Without a timer there are no spares: helpers are started when they are needed. */
	if (qb_loop_timer_add(pool->loop, QB_LOOP_LOW, in_ms * QB_TIME_NS_IN_MSEC, pool,
			      spares_fill, &pool->spare_timer))
		pool->spare_timer = 0;
}

static void spares_fill(void *data)
{
	struct helper_pool *pool = data;

	pool->spare_timer = 0;
	for (size_t i = 0; i < HELPER_SPARES_MAX; i++) {
		struct spare_kind *kind = &pool->spares[i];
		struct helper_spec spec = {
			.path = kind->path,
			.argv = (const char *const *)kind->argv,
			.keep_stdin = true,
		};
		struct helper *helper;

		if (!kind->path || pool->n >= HELPER_MAX / 2 || waiting_count(pool, kind) >= kind->wanted)
			continue;
		/* Nothing depends on it: when it cannot be started now, the next use tries again. */
		if (helper_launch(pool, &spec, &helper))
			continue;
		helper->spare = kind;
		fill_later(pool, HELPER_SPARE_REFILL_MS);
		return;
	}
}

struct helper *spare_take(struct helper_pool *pool, const struct helper_spec *spec)
{
	struct spare_kind *kind = spec->env ? NULL : kind_find(pool, spec->path, spec->argv);

	if (!kind)
		return NULL;
	fill_later(pool, HELPER_SPARE_REFILL_MS);
	for (struct helper *helper = pool->living; helper; helper = helper->next) {
		struct pollfd gone = { .fd = helper->pidfd, .events = POLLIN };

		/* One that died may not have been seen by the loop yet. */
		if (!is_waiting(helper, kind) || helper->pidfd < 0 || poll(&gone, 1, 0))
			continue;
		helper->spare = NULL;
		return helper;
	}
	return NULL;
}

unsigned int spares_count(const struct helper_pool *pool)
{
	unsigned int n = 0;

	for (size_t i = 0; i < HELPER_SPARES_MAX; i++)
		n += waiting_count(pool, &pool->spares[i]);
	return n;
}

void spare_gone(struct helper_pool *pool)
{
	fill_later(pool, HELPER_SPARE_AGAIN_MS);
}

static void kind_free(struct spare_kind *kind)
{
	for (char **arg = kind->argv; arg && *arg; arg++)
		free(*arg);
	free(kind->argv);
	free(kind->path);
	memset(kind, 0, sizeof(*kind));
}

void spares_free(struct helper_pool *pool)
{
	if (pool->spare_timer)
		qb_loop_timer_del(pool->loop, pool->spare_timer);
	pool->spare_timer = 0;
	for (size_t i = 0; i < HELPER_SPARES_MAX; i++)
		kind_free(&pool->spares[i]);
}

static int kind_make(struct spare_kind *kind, const char *path, const char *const *argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	kind->path = strdup(path);
	kind->argv = calloc(n + 1, sizeof(*kind->argv));
	for (size_t i = 0; kind->path && kind->argv && i < n; i++) {
		kind->argv[i] = strdup(argv[i]);
		if (!kind->argv[i]) {
			kind_free(kind);
			return -ENOMEM;
		}
	}
	if (kind->path && kind->argv)
		return 0;
	kind_free(kind);
	return -ENOMEM;
}

int helper_pool_spares(struct helper_pool *pool, const char *path, const char *const *argv,
		       unsigned int n)
{
	struct spare_kind *kind;
	size_t i = 0;
	int rc;

	if (!path || path[0] != '/' || !argv || !argv[0])
		return -EINVAL;
	kind = kind_find(pool, path, argv);
	if (!kind) {
		while (i < HELPER_SPARES_MAX && pool->spares[i].path)
			i++;
		if (i == HELPER_SPARES_MAX)
			return -ENOSPC;
		kind = &pool->spares[i];
		rc = kind_make(kind, path, argv);
		if (rc)
			return rc;
	}
	kind->wanted = n;
	for (struct helper *helper = pool->living; helper; helper = helper->next)
		if (is_waiting(helper, kind) && waiting_count(pool, kind) > n)
			helper_kill(helper);
	fill_later(pool, HELPER_SPARE_REFILL_MS);
	return 0;
}
