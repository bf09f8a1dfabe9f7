/* Locks of servers. */
#include <stdio.h>
#include <string.h>

#include "evacuate/nova/lock.h"
#include "evacuate/nova/nova.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define LOCK_MINOR 73     /* the first microversion with reasons */
#define UNLOCK_MS 3000    /* the end of a start waits for it */
#define LOCKS_MAX 20      /* in one look; the next one takes the rest */

static bool can_lock(const struct compute *compute)
{
	uint32_t minor;

	return !nova_microversion_parse(compute->microversion, &minor) && minor >= LOCK_MINOR;
}

bool nova_lock_is_ours(const struct nova_server *server)
{
	return server->locked && !strncmp(server->lock_reason, NOVA_MARK_PREFIX, strlen(NOVA_MARK_PREFIX));
}

void nova_lock(struct compute *compute, const struct request *req, const struct nova_server *server)
{
	char reason[NOVA_TEXT_SIZE];

	if (!req->nova.lock || server->locked || !can_lock(compute))
		return;
	/* 255 characters are what Nova takes; a host's name in it may be as long. */
	snprintf(reason, sizeof(reason), NOVA_MARK_PREFIX " evacuating to %.200s", req->nova.self);
	if (compute_server_lock(compute, req->uuid, reason))
		report_progress(req->op, "locked", reason);
	else
		report_progress(req->op, "not-locked", compute->failure.text);
}

static bool unlock(struct compute *compute, const struct request *req, const char *uuid)
{
	if (!compute_server_unlock(compute, uuid))
		return false;
	report_progress(req->op, "unlocked", uuid);
	return true;
}

void nova_unlock(struct compute *compute, const struct request *req, const struct nova_server *known)
{
	struct nova_failure failure = compute->failure;
	struct nova_server server;

	/* Whatever has used up the time of the start. */
	compute->deadline_ms = clock_boot_ms() + UNLOCK_MS;
	if (!known && compute_server_get(compute, req->uuid, &server))
		known = &server;
	if (known && nova_lock_is_ours(known) && !unlock(compute, req, req->uuid))
		report_progress(req->op, "not-unlocked", compute->failure.text);
	compute->failure = failure;
}

/* One that still moves away from here has its lock for a reason. */
static bool lock_end(struct compute *compute, const struct request *req, const struct nova_server *server,
		     uint64_t *ended)
{
	struct nova_migrations migrations;
	const struct nova_migration *newest;
	bool moves;

	if (!nova_lock_is_ours(server) || strcmp(server->host, req->nova.self) || *server->task)
		return true;
	if (!compute_evacuations_get(compute, server->id, NULL, &migrations))
		return false;
	newest = nova_migrations_newest(&migrations, server->id);
	moves = newest && nova_migration_is_unfinished(newest) && strcmp(newest->dest, req->nova.self);
	nova_migrations_free(&migrations);
	if (moves)
		return true;
	*ended += 1;
	return unlock(compute, req, server->id);
}

bool nova_locks_end(struct compute *compute, const struct request *req, struct json_object *result)
{
	static struct nova_server servers[LOCKS_MAX];
	uint64_t ended = 0;
	size_t n = 0;
	bool ok = !can_lock(compute) ||
		compute_servers_get(compute, req->nova.self, "locked", "True", servers, LOCKS_MAX, &n);

	for (size_t i = 0; ok && i < n; i++)
		ok = lock_end(compute, req, &servers[i], &ended);
	json_put_u64(result, "unlocked", ended);
	return ok;
}
