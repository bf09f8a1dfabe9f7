/*
 * Starts a server here through Nova. Every turn reads the truth first (its evacuations, and the server) and takes at most
 * one step that follows from it, so a repeated start goes on where a killed one stopped; a turn that finds the evacuation going on reads no
 * more, and takes no step. Nova refuses no second evacuation of a
 * server that already moves, and the second would break the first: what must never happen here is a POST beside an unfinished one.
 *
 * Nova itself cannot start the server anywhere else: libvirt's hook on each host asks hamon's committed facts, which say that
 * this host owns it.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "evacuate/libvirt/verify.h"
#include "evacuate/nova/lock.h"
#include "evacuate/nova/start.h"
#include "evacuate/nova/volumes.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define ATTACHED_MS 5000   /* Cinder shows an attachment at most this long after Nova has made it */
#define VOLUMES_AGAIN_MS 250
#define WATCH_SLACK_MS 5000
#define TELL_MS 5000
#define FRESH_MS 1000      /* a server read so short ago is not read once more for its lock */
#define IDLE_MS 10000
/* So old is what is known of the server itself, at most, while its evacuation goes on: so many looks, or this part of its time. */
#define READ_LOOKS 100
#define READ_PART 8
#define READ_MIN_MS 6000

enum turn start_fail(struct start *start)
{
	nova_result_fail(&start->compute, start->result);
	return TURN_FAILED;
}

void start_wait_tell(void *user, const char *why)
{
	struct start *start = user;
	uint64_t now_ms = clock_boot_ms();

	if (start->told_ms && now_ms - start->told_ms < TELL_MS)
		return;
	start->told_ms = now_ms;
	report_progress(start->req->op, "api-wait", why);
}

/* --- reading --- */

bool start_is_dead(const struct start *start, const char *host)
{
	for (size_t i = 0; i < start->req->nova.n_dead; i++)
		if (!strcmp(start->req->nova.dead[i], host))
			return true;
	return false;
}

bool start_is_self(const struct start *start, const char *host)
{
	return !strcmp(start->req->nova.self, host);
}

uint64_t start_quiet_ms(const struct start *start)
{
	return clock_boot_ms() - start->changed_ms;
}

/*
 * So long a server without a task may be on its way all the same. That it has arrived is told in two steps, which are close together; before
 * that there is another such moment, which a busy Nova makes long. An evacuation of ours has not failed then, and another's
 * must not be joined by a second.
 */
static uint64_t idle_max_ms(const struct start *start)
{
	if (start_is_self(start, start->server.host))
		return SETTLE_MS;
	return start->posted && start->newest.id > start->newest_before ? STUCK_MS : IDLE_MS;
}

/*
 * An evacuation that may still start the server somewhere. Nova's records are not always ended: when one was left by a host that died, the
 * conductor writes the end of the next one into it, and the next one stays "accepted" for ever. A server without a task is not
 * on its way, but for a moment between two states.
 */
bool start_moves(struct start *start)
{
	if (start->has_newest && !*start->server.task && strcmp(start->server.status, "REBUILD") &&
	    start_quiet_ms(start) >= idle_max_ms(start))
		start->abandoned = start->newest.id;
	return start->has_newest && start->newest.id != start->abandoned &&
		nova_migration_is_unfinished(&start->newest);
}

/* False when Nova does not tell it. */
static bool evacuation_read(struct start *start)
{
	struct nova_migrations migrations;
	const struct nova_migration *newest;
	uint64_t began_ms = clock_boot_ms();

	if (!compute_evacuations_get(&start->compute, start->req->uuid, NULL, &migrations))
		return false;
	start->look_ms = clock_boot_ms() - began_ms;
	newest = nova_migrations_newest(&migrations, start->req->uuid);
	start->has_newest = newest;
	if (newest)
		start->newest = *newest;
	nova_migrations_free(&migrations);
	return true;
}

static uint64_t read_max_ms(const struct start *start)
{
	uint64_t looks_ms = READ_LOOKS * start->look_ms, part_ms = start->req->start_timeout_ms / READ_PART;
	uint64_t max_ms = looks_ms < part_ms ? looks_ms : part_ms;

	return max_ms < READ_MIN_MS ? READ_MIN_MS : max_ms;
}

/*
 * While its evacuation to this host goes on, the server is not worth a look: that costs nova-api by far the most, and many helpers look
 * at the same time. But one that has been seen without a task since it was asked for may have arrived, with its record left open.
 */
static bool is_on_its_way(const struct start *start)
{
	bool busy = *start->server.task || (start->posted && start->read_ms < start->posted_ms);

	return busy && start->has_newest && start->newest.id != start->abandoned &&
		(!start->posted || start->newest.id > start->newest_before) &&
		nova_migration_is_unfinished(&start->newest) && start_is_self(start, start->newest.dest) &&
		clock_boot_ms() - start->read_ms < read_max_ms(start);
}

static bool server_read(struct start *start)
{
	char now[sizeof(start->seen)];

	if (!compute_server_get(&start->compute, start->req->uuid, &start->server))
		return false;
	start->read_ms = clock_boot_ms();
	start->lock_unread = false;
	snprintf(now, sizeof(now), "%.60s, task %.60s, evacuation %.60s", start->server.status,
		 *start->server.task ? start->server.task : "none", start->has_newest ? start->newest.status : "none");
	if (strcmp(now, start->seen)) {
		memcpy(start->seen, now, sizeof(now));
		start->changed_ms = clock_boot_ms();
		report_progress(start->req->op, "server", now);
	}
	return true;
}

/* Nova answers 404: that is the end of the server only when Nova itself has it among the deleted ones. */
static enum turn missing(struct start *start)
{
	struct nova_failure not_found = start->compute.failure;
	bool deleted = false;

	if (compute_server_is_deleted(&start->compute, start->req->uuid, &deleted) && deleted)
		return START_FAIL(start, "deleted", "Nova has deleted it: %s", start->req->uuid);
	start->compute.failure = not_found;
	return start_fail(start);
}

static enum turn turn(struct start *start)
{
	const struct nova_server *server = &start->server;
	bool read;

	/* In this order: an evacuation that has ended has moved the server already. */
	read = evacuation_read(start);
	if (read && is_on_its_way(start))
		return TURN_AGAIN;
	if (!read || !server_read(start))
		return start->compute.failure.status == 404 ? missing(start) : start_fail(start);
	if (!server->host_shown)
		return START_FAIL(start, "auth", "Nova does not show these credentials the hosts of servers: they need the role admin");
	if (!strcmp(server->status, "DELETED") || !strcmp(server->status, "SOFT_DELETED") ||
	    !strcmp(server->task, "deleting") || !strcmp(server->task, "soft-deleting"))
		return START_FAIL(start, "gone", "%s is being deleted in Nova (%s)", server->name, start->seen);
	/* On another host it would be the lock of whoever works there. */
	start->may_be_locked |= nova_lock_is_ours(server) && (start_is_self(start, server->host) || start_is_dead(start, server->host));
	if (start_is_self(start, server->host))
		return start_here(start);
	if (start_is_dead(start, server->host))
		return start_there(start);
	return START_FAIL(start, "elsewhere", "Nova has %s on %s, which is not proven dead: nothing was done", server->name,
		    *server->host ? server->host : "no host");
}

/* Asked for, and still where it was. */
static bool is_queued(const struct start *start)
{
	return start->posted && !start_is_self(start, start->server.host);
}

static bool evacuated(struct start *start)
{
	enum turn next;

	while ((next = turn(start)) == TURN_AGAIN) {
		if (nova_wait(&start->wait, is_queued(start), start->look_ms, start->compute.deadline_ms))
			continue;
		report_failure(start->result, "timeout", "Nova did not bring %s up here within %llu ms: %s",
			       start->server.name, (unsigned long long)start->req->start_timeout_ms, start->seen);
		return false;
	}
	if (next == TURN_HERE)
		nova_wait_arrived(&start->wait);
	return next == TURN_HERE;
}

/* It runs, whatever Cinder says now: what is wrong is told, and stays a person's. */
static void volumes_tell(struct start *start)
{
	uint64_t began_ms = clock_boot_ms();
	enum volumes verdict;

	if (!start->server.n_volumes)
		return;
	start->compute.deadline_ms = began_ms + 2 * ATTACHED_MS;
	while ((verdict = volumes_after(&start->compute, &start->server, start->req->nova.self)) == VOLUMES_WAIT &&
	       clock_boot_ms() - began_ms < ATTACHED_MS)
		poll(NULL, 0, VOLUMES_AGAIN_MS);
	json_put_u64(start->result, "volumes", start->server.n_volumes);
	if (verdict != VOLUMES_READY)
		json_put_string(start->result, "volumes_problem", start->compute.failure.text);
}

static void unlock(struct start *start)
{
	bool fresh = !start->lock_unread && start->read_ms && clock_boot_ms() - start->read_ms < FRESH_MS;

	if (start->may_be_locked)
		nova_unlock(&start->compute, start->req, fresh ? &start->server : NULL);
	start->may_be_locked = false;
}

void nova_start(const struct request *req, const struct plane_paths *paths, struct json_object *result)
{
	struct start start = { .req = req, .result = result };

	start.compute.on_wait = start_wait_tell;
	start.compute.user = &start;
	start.compute.run_dir = paths->run_dir;
	nova_wait_begin(&start.wait, req->op, paths->libvirt_run, paths->run_dir, req->name);
	start.changed_ms = clock_boot_ms();
	report_limit(req->op, req->start_timeout_ms + WATCH_SLACK_MS, "the evacuation by Nova");
	if (!nova_open(&start.compute, req, req->start_timeout_ms)) {
		nova_result_fail(&start.compute, result);
		goto out;
	}
	json_put_string(result, "microversion", start.compute.microversion);
	report_progress(req->op, "token", start.compute.keystone.cloud.origin);
	if (!evacuated(&start))
		goto out;
	if (req->stopped) {
		json_put_bool(result, "ok", true);
		json_put_string(result, "state", "shutoff");
		volumes_tell(&start);
		goto out;
	}
	report_progress(req->op, "started", req->name);
	/* It is where it belongs; what is left is to see that it stays. */
	unlock(&start);
	if (libvirt_verify_here(req, false, result) == LIBVIRT_ABSENT)
		report_failure(result, "exited", "%s ended right after its start, says libvirt; Nova says %s", req->name,
			       start.seen);
	else if (json_bool_or(result, "ok", false))
		volumes_tell(&start);
out:
	unlock(&start);
	compute_close(&start.compute);
}
