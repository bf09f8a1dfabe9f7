/*
 * Starts a server here through Nova. Every turn reads the truth first (the server, and its evacuations) and takes at most
 * one step that follows from it, so a repeated start goes on where a killed one stopped. Nova refuses no second evacuation of a
 * server that already moves, and the second would break the first: what must never happen here is a POST beside an unfinished one.
 *
 * Nova itself cannot start the server anywhere else: libvirt's hook on each host asks hamon's committed facts, which say that
 * this host owns it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "evacuate/libvirt/verify.h"
#include "evacuate/nova/lock.h"
#include "evacuate/nova/nova.h"
#include "evacuate/nova/prepared.h"
#include "evacuate/nova/select.h"
#include "evacuate/nova/volumes.h"
#include "evacuate/nova/wait.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define LOST_MS 10000      /* a request whose answer was lost shows its effect within this, or has none */
#define STUCK_MS 45000     /* nothing has changed for so long: whoever should carry it out does not */
#define SETTLE_MS 4000     /* between two states of one evacuation Nova shows no task for less than this */
#define FAULT_MS 3000      /* an evacuation that failed is told before the server's fault is */
#define VOLUMES_MS 30000   /* a volume service that is down, or a volume that is busy, may come round within this */
#define ATTACHED_MS 5000   /* Cinder shows an attachment at most this long after Nova has made it */
#define VOLUMES_AGAIN_MS 250
#define WATCH_SLACK_MS 5000
#define TELL_MS 5000

struct start {
	const struct request *req;
	struct json_object *result;
	struct compute compute;
	struct nova_server server;
	bool has_newest;
	struct nova_migration newest;    /* evacuation of the server */
	bool posted;                     /* our request was accepted, or its answer was lost */
	bool lost;
	uint64_t posted_ms;
	uint64_t newest_before;          /* the newest evacuation before ours, 0 for none */
	uint64_t volumes_ms;             /* since when its volumes keep us waiting, 0: they do not */
	uint64_t abandoned;              /* an evacuation that nobody carries out any more */
	bool selected;                   /* as hamon.conf says; not asked before it is on a dead host */
	bool may_be_locked;              /* by this start, or by one that was killed */
	bool doubted;                    /* what other helpers have seen is not relied on */
	bool was_off;                    /* when we asked: Nova starts it on its new host, and stops it again */
	bool started, stopped, rebooted, reset; /* remedies, each taken once */
	char seen[4 * NOVA_WORD_SIZE];   /* what the last turn read; */
	uint64_t changed_ms;             /* and since when */
	uint64_t told_ms;
	struct nova_wait wait;
};

enum turn {
	TURN_AGAIN,
	TURN_HERE,   /* it is here as it is to be, says Nova */
	TURN_FAILED, /* the result says why */
};

static enum turn fail(struct start *start)
{
	nova_result_fail(&start->compute, start->result);
	return TURN_FAILED;
}

#define FAIL(start, ...) (report_failure((start)->result, __VA_ARGS__), TURN_FAILED)

static void wait_tell(void *user, const char *why)
{
	struct start *start = user;
	uint64_t now_ms = clock_boot_ms();

	if (start->told_ms && now_ms - start->told_ms < TELL_MS)
		return;
	start->told_ms = now_ms;
	report_progress(start->req->op, "api-wait", why);
}

/* --- reading --- */

static bool is_dead(const struct start *start, const char *host)
{
	for (size_t i = 0; i < start->req->nova.n_dead; i++)
		if (!strcmp(start->req->nova.dead[i], host))
			return true;
	return false;
}

static bool is_self(const struct start *start, const char *host)
{
	return !strcmp(start->req->nova.self, host);
}

/* How long everything that was read has been the same. */
static uint64_t quiet_ms(const struct start *start)
{
	return clock_boot_ms() - start->changed_ms;
}

/*
 * An evacuation that may still start the server somewhere. Nova's records are not always ended: when one was left by a host that died, the
 * conductor writes the end of the next one into it, and the next one stays "accepted" for ever. A server without a task is not
 * on its way, but for a moment between two states.
 */
static bool moves(struct start *start)
{
	if (start->has_newest && !*start->server.task && strcmp(start->server.status, "REBUILD") &&
	    quiet_ms(start) >= SETTLE_MS)
		start->abandoned = start->newest.id;
	return start->has_newest && start->newest.id != start->abandoned &&
		nova_migration_is_unfinished(&start->newest);
}

static bool truth_read(struct start *start)
{
	struct nova_migrations migrations;
	const struct nova_migration *newest;
	char now[sizeof(start->seen)];

	/* In this order: an evacuation that has ended has moved the server already. */
	if (!compute_evacuations_get(&start->compute, start->req->uuid, NULL, &migrations))
		return false;
	newest = nova_migrations_newest(&migrations, start->req->uuid);
	start->has_newest = newest;
	if (newest)
		start->newest = *newest;
	nova_migrations_free(&migrations);
	if (!compute_server_get(&start->compute, start->req->uuid, &start->server))
		return false;
	snprintf(now, sizeof(now), "%.60s, task %.60s, evacuation %.60s", start->server.status,
		 *start->server.task ? start->server.task : "none", start->has_newest ? start->newest.status : "none");
	if (strcmp(now, start->seen)) {
		memcpy(start->seen, now, sizeof(now));
		start->changed_ms = clock_boot_ms();
		report_progress(start->req->op, "server", now);
	}
	return true;
}

/* --- before the request --- */

/* How the service of a dead host is marked as forced down by hamon; a person's reason is kept in it. False when there is no room for that. */
static bool mark_make(const struct nova_service *service, char mark[NOVA_TEXT_SIZE])
{
	if (service->enabled) {
		snprintf(mark, NOVA_TEXT_SIZE, NOVA_MARK);
		return true;
	}
	if (nova_mark_is_ours(service->reason)) {
		snprintf(mark, NOVA_TEXT_SIZE, "%s", service->reason);
		return true;
	}
	return snprintf(mark, NOVA_TEXT_SIZE, NOVA_MARK_KEEPING "%s", service->reason) <= NOVA_REASON_MAX;
}

/*
 * Nova evacuates only from a host that it holds for down. One that somebody else has forced down is not marked as ours, and stays so after
 * its return.
 */
static bool source_prepare(struct start *start)
{
	struct compute *compute = &start->compute;
	const char *host = start->server.host;
	struct nova_service service;
	char mark[NOVA_TEXT_SIZE];

	if (!compute_service_get(compute, host, &service))
		return nova_result_fail(compute, start->result);
	if (service.forced_down)
		return true;
	if (!compute_service_take_down(compute, &service, mark_make(&service, mark) ? mark : NULL))
		return nova_result_fail(compute, start->result);
	report_progress(start->req->op, "forced-down", host);
	return true;
}

/* TURN_HERE when nothing of its volumes is in the way. */
static enum turn volumes_check(struct start *start)
{
	switch (volumes_before(&start->compute, &start->server)) {
	case VOLUMES_READY:
		start->volumes_ms = 0;
		return TURN_HERE;
	case VOLUMES_WAIT:
		if (!start->volumes_ms)
			start->volumes_ms = clock_boot_ms();
		if (clock_boot_ms() - start->volumes_ms >= VOLUMES_MS)
			break;
		wait_tell(start, start->compute.failure.text);
		return TURN_AGAIN;
	case VOLUMES_FAIL:
		break;
	}
	return fail(start);
}

/* Nova refuses, and what another helper had seen of the two services may be why: all of it again, by this one itself. */
static enum turn doubt(struct start *start)
{
	report_progress(start->req->op, "refused", start->compute.failure.text);
	prepared_forget(start->compute.run_dir);
	start->doubted = true;
	return TURN_AGAIN;
}

static enum turn evacuate(struct start *start)
{
	bool prepared = !start->doubted &&
		prepared_is_kept(start->compute.run_dir, start->server.host, start->req->nova.self);
	enum turn volumes;

	if (!prepared && !nova_target_ready(&start->compute, start->req, start->result))
		return TURN_FAILED;
	volumes = volumes_check(start);
	if (volumes != TURN_HERE)
		return volumes;
	if (!prepared && !source_prepare(start))
		return TURN_FAILED;
	if (!prepared)
		prepared_keep(start->compute.run_dir, start->server.host, start->req->nova.self);
	start->newest_before = start->has_newest ? start->newest.id : 0;
	start->lost = false;
	start->was_off = !strcmp(start->server.status, "SHUTOFF");
	start->may_be_locked = true;
	nova_lock(&start->compute, start->req, &start->server);
	report_progress(start->req->op, "evacuate", start->server.host);
	if (!compute_evacuate(&start->compute, start->req->uuid, start->req->nova.self)) {
		if (!start->compute.failure.lost && prepared)
			return doubt(start);
		if (!start->compute.failure.lost)
			return fail(start);
		start->lost = true;
		report_progress(start->req->op, "answer-lost", start->compute.failure.text);
	}
	report_progress(start->req->op, "posted", start->server.host);
	start->posted = true;
	start->posted_ms = start->changed_ms = clock_boot_ms();
	return TURN_AGAIN;
}

/* --- on the way --- */

/* Nova holds a server for ever in the task of a host that died with the request in its queue. ERROR is what an evacuation starts from. */
static enum turn rescue(struct start *start, const char *why)
{
	report_progress(start->req->op, "reset", why);
	start->abandoned = start->newest.id;
	if (!compute_server_reset(&start->compute, start->req->uuid, "error"))
		return fail(start);
	return TURN_AGAIN;
}

static enum turn follow(struct start *start)
{
	const struct nova_migration *migration = &start->newest;

	if (is_self(start, migration->dest))
		return TURN_AGAIN;
	if (is_dead(start, migration->dest))
		return rescue(start, "its evacuation was bound for a host that is dead");
	/* That host may not start it, for hamon has given it to this one: if it still can, it fails, and ends the evacuation. */
	return quiet_ms(start) >= STUCK_MS ? rescue(start, "its evacuation to another host does not go on") : TURN_AGAIN;
}

/* The evacuation that we asked for has ended, and the server is not here. */
static enum turn failed(struct start *start)
{
	const char *fault = start->server.fault;

	if (strcmp(start->server.status, "ERROR") && quiet_ms(start) < FAULT_MS)
		return TURN_AGAIN;
	return FAIL(start, strstr(fault, "No valid host") ? "no-valid-host" : "api",
		    "Nova's evacuation of %s ended as %s, the server is %s: %s", start->server.name, start->newest.status,
		    start->server.status, *fault ? fault : "Nova gives no reason");
}

/* Of a server that is not selected nothing is touched, its dead host's service included. */
static enum turn choose(struct start *start)
{
	char why[NOVA_SELECT_WHY_SIZE];

	if (!nova_select(&start->compute, start->req, &start->server, &start->selected, why))
		return fail(start);
	if (!start->selected)
		return FAIL(start, "not-selected", "%s", why);
	return TURN_AGAIN;
}

/* On a dead host. */
static enum turn there(struct start *start)
{
	bool ours;

	if (moves(start))
		return follow(start);
	if (!start->selected && choose(start) == TURN_FAILED)
		return TURN_FAILED;
	ours = start->posted && start->has_newest && start->newest.id > start->newest_before;
	if (ours)
		return failed(start);
	if (start->posted && clock_boot_ms() - start->posted_ms < LOST_MS)
		return TURN_AGAIN;
	if (start->posted && !start->lost)
		return FAIL(start, "api", "Nova accepted the evacuation of %s, and shows none", start->server.name);
	if (!*start->server.task)
		return evacuate(start);
	/* What its dead host was asked to do ends no more; but an evacuation that has just been accepted shows its task first. */
	return quiet_ms(start) >= SETTLE_MS ? rescue(start, "its task was its dead host's") : TURN_AGAIN;
}

/* --- here --- */

static enum turn reboot(struct start *start, const char *why)
{
	if (start->rebooted)
		return TURN_AGAIN;
	start->rebooted = true;
	start->changed_ms = clock_boot_ms();
	report_progress(start->req->op, "reboot", why);
	return compute_server_reboot_hard(&start->compute, start->req->uuid) ? TURN_AGAIN : fail(start);
}

/* It is to be off: what still runs is on its way there, or was in ERROR, which Nova's evacuation turns into ACTIVE. */
static enum turn stop(struct start *start)
{
	if (start->stopped || quiet_ms(start) < SETTLE_MS)
		return TURN_AGAIN;
	start->stopped = true;
	start->changed_ms = clock_boot_ms();
	report_progress(start->req->op, "stop", start->server.status);
	return compute_server_stop(&start->compute, start->req->uuid) ? TURN_AGAIN : fail(start);
}

static enum turn off(struct start *start)
{
	switch (libvirt_verify_here(start->req, true, start->result)) {
	case LIBVIRT_ACTIVE:
		return TURN_AGAIN;
	case LIBVIRT_ABSENT:
		return TURN_HERE;
	case LIBVIRT_UNKNOWN:
		break;
	}
	return TURN_FAILED;
}

/* ACTIVE is what Nova's database says; whether there is a QEMU is libvirt's word. */
static enum turn active(struct start *start)
{
	if (start->was_off && quiet_ms(start) < SETTLE_MS)
		return TURN_AGAIN;
	switch (libvirt_verify_here(start->req, true, start->result)) {
	case LIBVIRT_ACTIVE:
		return TURN_HERE;
	case LIBVIRT_ABSENT:
		return reboot(start, "Nova says ACTIVE, and it does not run here");
	case LIBVIRT_UNKNOWN:
		break;
	}
	return TURN_FAILED;
}

static enum turn start_up(struct start *start)
{
	if (start->started)
		return TURN_AGAIN;
	start->started = true;
	start->changed_ms = clock_boot_ms();
	report_progress(start->req->op, "start", start->server.status);
	return compute_server_start(&start->compute, start->req->uuid) ? TURN_AGAIN : fail(start);
}

static enum turn mend(struct start *start)
{
	if (start->reset)
		return FAIL(start, "api", "%s is in ERROR here: %s", start->server.name,
			    *start->server.fault ? start->server.fault : "Nova gives no reason");
	start->reset = true;
	start->abandoned = start->has_newest ? start->newest.id : 0;
	report_progress(start->req->op, "reset", start->seen);
	if (!compute_server_reset(&start->compute, start->req->uuid, "active"))
		return fail(start);
	/* What it is then, the next turn reads: Nova's ERROR says little of the QEMU here. */
	return TURN_AGAIN;
}

/* On this host: an evacuation of an earlier start, one of ours, or it has always been here. */
static enum turn here(struct start *start)
{
	const char *status = start->server.status;

	/* An evacuation away from here, or a task of before, that goes no further: this host is the one that may run it. */
	if (quiet_ms(start) >= STUCK_MS && !start->reset)
		return mend(start);
	if (quiet_ms(start) >= STUCK_MS)
		return FAIL(start, "conflict", "%s does not become %s on this host: %s", start->server.name,
			    start->req->stopped ? "SHUTOFF" : "ACTIVE", start->seen);
	/* A task, or an evacuation that is not done yet: ACTIVE beside it is a transient. */
	if (moves(start) || *start->server.task)
		return TURN_AGAIN;
	if (!strcmp(status, "ACTIVE"))
		return start->req->stopped ? stop(start) : active(start);
	if (!strcmp(status, "SHUTOFF"))
		return start->req->stopped ? off(start) : start_up(start);
	if (!strcmp(status, "ERROR"))
		return mend(start);
	return TURN_AGAIN;
}

/* Nova answers 404: that is the end of the server only when Nova itself has it among the deleted ones. */
static enum turn missing(struct start *start)
{
	struct nova_failure not_found = start->compute.failure;
	bool deleted = false;

	if (compute_server_is_deleted(&start->compute, start->req->uuid, &deleted) && deleted)
		return FAIL(start, "deleted", "Nova has deleted it: %s", start->req->uuid);
	start->compute.failure = not_found;
	return fail(start);
}

static enum turn turn(struct start *start)
{
	const struct nova_server *server = &start->server;

	if (!truth_read(start))
		return start->compute.failure.status == 404 ? missing(start) : fail(start);
	if (!server->host_shown)
		return FAIL(start, "auth", "Nova does not show these credentials the hosts of servers: they need the role admin");
	if (!strcmp(server->status, "DELETED") || !strcmp(server->status, "SOFT_DELETED") ||
	    !strcmp(server->task, "deleting") || !strcmp(server->task, "soft-deleting"))
		return FAIL(start, "gone", "%s is being deleted in Nova (%s)", server->name, start->seen);
	/* On another host it would be the lock of whoever works there. */
	start->may_be_locked |= nova_lock_is_ours(server) && (is_self(start, server->host) || is_dead(start, server->host));
	if (is_self(start, server->host))
		return here(start);
	if (is_dead(start, server->host))
		return there(start);
	return FAIL(start, "elsewhere", "Nova has %s on %s, which is not proven dead: nothing was done", server->name,
		    *server->host ? server->host : "no host");
}

/* Asked for, and still where it was. */
static bool is_queued(const struct start *start)
{
	return start->posted && !is_self(start, start->server.host);
}

static bool evacuated(struct start *start)
{
	enum turn next;

	while ((next = turn(start)) == TURN_AGAIN) {
		if (nova_wait(&start->wait, is_queued(start), start->compute.deadline_ms))
			continue;
		report_failure(start->result, "timeout", "Nova did not bring %s up here within %llu ms: %s",
			       start->server.name, (unsigned long long)start->req->start_timeout_ms, start->seen);
		return false;
	}
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
	if (start->may_be_locked)
		nova_unlock(&start->compute, start->req);
	start->may_be_locked = false;
}

void nova_start(const struct request *req, const struct plane_paths *paths, struct json_object *result)
{
	struct start start = { .req = req, .result = result };

	start.compute.on_wait = wait_tell;
	start.compute.user = &start;
	start.compute.run_dir = paths->run_dir;
	nova_wait_begin(&start.wait, req->op, paths->libvirt_run, req->name);
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
