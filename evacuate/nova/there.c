/* A server on a dead host: what is seen to before Nova is asked to evacuate it, and what becomes of that. */
#include <stdio.h>
#include <string.h>

#include "evacuate/nova/lock.h"
#include "evacuate/nova/prepared.h"
#include "evacuate/nova/select.h"
#include "evacuate/nova/start.h"
#include "evacuate/nova/volumes.h"
#include "hamon/common/clock.h"

#define LOST_MS 10000      /* a request whose answer was lost shows its effect within this, or has none */
#define FAULT_MS 3000      /* an evacuation that failed is told before the server's fault is */
#define VOLUMES_MS 30000   /* a volume service that is down, or a volume that is busy, may come round within this */

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
		start_wait_tell(start, start->compute.failure.text);
		return TURN_AGAIN;
	case VOLUMES_FAIL:
		break;
	}
	return start_fail(start);
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
	start->lock_unread = true;
	report_progress(start->req->op, "evacuate", start->server.host);
	if (!compute_evacuate(&start->compute, start->req->uuid, start->req->nova.self)) {
		if (!start->compute.failure.lost && prepared)
			return doubt(start);
		if (!start->compute.failure.lost)
			return start_fail(start);
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
		return start_fail(start);
	return TURN_AGAIN;
}

static enum turn follow(struct start *start)
{
	const struct nova_migration *migration = &start->newest;

	if (start_is_self(start, migration->dest))
		return TURN_AGAIN;
	if (start_is_dead(start, migration->dest))
		return rescue(start, "its evacuation was bound for a host that is dead");
	/* That host may not start it, for hamon has given it to this one: if it still can, it fails, and ends the evacuation. */
	return start_quiet_ms(start) >= STUCK_MS ? rescue(start, "its evacuation to another host does not go on") : TURN_AGAIN;
}

/* The evacuation that we asked for has ended, and the server is not here. */
static enum turn failed(struct start *start)
{
	const char *fault = start->server.fault;

	if (strcmp(start->server.status, "ERROR") && start_quiet_ms(start) < FAULT_MS)
		return TURN_AGAIN;
	return START_FAIL(start, strstr(fault, "No valid host") ? "no-valid-host" : "api",
		    "Nova's evacuation of %s ended as %s, the server is %s: %s", start->server.name, start->newest.status,
		    start->server.status, *fault ? fault : "Nova gives no reason");
}

/* Of a server that is not selected nothing is touched, its dead host's service included. */
static enum turn choose(struct start *start)
{
	char why[NOVA_SELECT_WHY_SIZE];

	if (!nova_select(&start->compute, start->req, &start->server, &start->selected, why))
		return start_fail(start);
	if (!start->selected)
		return START_FAIL(start, "not-selected", "%s", why);
	return TURN_AGAIN;
}

enum turn start_there(struct start *start)
{
	bool ours;

	if (start_moves(start))
		return follow(start);
	if (!start->selected && choose(start) == TURN_FAILED)
		return TURN_FAILED;
	ours = start->posted && start->has_newest && start->newest.id > start->newest_before;
	if (ours)
		return failed(start);
	if (start->posted && clock_boot_ms() - start->posted_ms < LOST_MS)
		return TURN_AGAIN;
	if (start->posted && !start->lost)
		return START_FAIL(start, "api", "Nova accepted the evacuation of %s, and shows none", start->server.name);
	if (!*start->server.task)
		return evacuate(start);
	/* What its dead host was asked to do ends no more; but an evacuation that has just been accepted shows its task first. */
	return start_quiet_ms(start) >= SETTLE_MS ? rescue(start, "its task was its dead host's") : TURN_AGAIN;
}
