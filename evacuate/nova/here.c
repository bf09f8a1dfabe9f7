/* A server on this host, by Nova's word: it is brought to what it is to be, running or stopped. */
#include <string.h>

#include "evacuate/libvirt/verify.h"
#include "evacuate/nova/start.h"
#include "hamon/common/clock.h"

static enum turn reboot(struct start *start, const char *why)
{
	if (start->rebooted)
		return TURN_AGAIN;
	start->rebooted = true;
	start->changed_ms = clock_boot_ms();
	report_progress(start->req->op, "reboot", why);
	return compute_server_reboot_hard(&start->compute, start->req->uuid) ? TURN_AGAIN : start_fail(start);
}

/* It is to be off: what still runs is on its way there, or was in ERROR, which Nova's evacuation turns into ACTIVE. */
static enum turn stop(struct start *start)
{
	if (start->stopped || start_quiet_ms(start) < SETTLE_MS)
		return TURN_AGAIN;
	start->stopped = true;
	start->changed_ms = clock_boot_ms();
	report_progress(start->req->op, "stop", start->server.status);
	return compute_server_stop(&start->compute, start->req->uuid) ? TURN_AGAIN : start_fail(start);
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
	if (start->was_off && start_quiet_ms(start) < SETTLE_MS)
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
	return compute_server_start(&start->compute, start->req->uuid) ? TURN_AGAIN : start_fail(start);
}

static enum turn mend(struct start *start)
{
	if (start->reset)
		return START_FAIL(start, "api", "%s is in ERROR here: %s", start->server.name,
			    *start->server.fault ? start->server.fault : "Nova gives no reason");
	start->reset = true;
	start->abandoned = start->has_newest ? start->newest.id : 0;
	report_progress(start->req->op, "reset", start->seen);
	if (!compute_server_reset(&start->compute, start->req->uuid, "active"))
		return start_fail(start);
	/* What it is then, the next turn reads: Nova's ERROR says little of the QEMU here. */
	return TURN_AGAIN;
}

/* On this host: an evacuation of an earlier start, one of ours, or it has always been here. */
enum turn start_here(struct start *start)
{
	const char *status = start->server.status;

	/* An evacuation away from here, or a task of before, that goes no further: this host is the one that may run it. */
	if (start_quiet_ms(start) >= STUCK_MS && !start->reset)
		return mend(start);
	if (start_quiet_ms(start) >= STUCK_MS)
		return START_FAIL(start, "conflict", "%s does not become %s on this host: %s", start->server.name,
			    start->req->stopped ? "SHUTOFF" : "ACTIVE", start->seen);
	/* A task, or an evacuation that is not done yet: ACTIVE beside it is a transient. */
	if (start_moves(start) || *start->server.task)
		return TURN_AGAIN;
	if (!strcmp(status, "ACTIVE"))
		return start->req->stopped ? stop(start) : active(start);
	if (!strcmp(status, "SHUTOFF"))
		return start->req->stopped ? off(start) : start_up(start);
	if (!strcmp(status, "ERROR"))
		return mend(start);
	return TURN_AGAIN;
}
