/*
 * Nova's work for one target goes one by one, so of many servers most wait, and each look at one costs nova-api more than it tells. What happens
 * next happens on this very host: libvirt's file of the server's QEMU says that its turn has come. It only says when to look, and
 * decides nothing.
 */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "evacuate/nova/wait.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"

#define FIRST_MS 250
#define MAX_MS 1500
#define QUEUED_MIN_MS 2000
#define QUEUED_MAX_MS 4000
#define BEGUN_MS 500
#define REST 24
#define QUEUED_REST 48
#define REST_MAX_MS 4000
#define SLICE_MS 50

void nova_wait_begin(struct nova_wait *wait, const char *op, const char *libvirt_run, const char *name)
{
	wait->op = op;
	snprintf(wait->pid_path, sizeof(wait->pid_path), "%s/%s.pid", libvirt_run, name);
	wait->begun = !access(wait->pid_path, F_OK);
	wait->delay_ms = FIRST_MS;
}

static bool has_begun(struct nova_wait *wait)
{
	if (wait->begun || access(wait->pid_path, F_OK))
		return false;
	wait->begun = true;
	report_progress(wait->op, "begun", wait->pid_path);
	return true;
}

/* Looks take little of the time, the least while there is nothing to be seen: an API that is slow has enough to do. */
static uint64_t pause_ms(uint64_t delay_ms, uint64_t look_ms, bool waits)
{
	uint64_t rest_ms = look_ms * (waits ? QUEUED_REST : REST);

	if (rest_ms > REST_MAX_MS)
		rest_ms = REST_MAX_MS;
	return delay_ms > rest_ms ? delay_ms : rest_ms;
}

bool nova_wait(struct nova_wait *wait, bool queued, uint64_t look_ms, uint64_t deadline_ms)
{
	bool waits = queued && !wait->begun;
	uint64_t max_ms = waits ? QUEUED_MAX_MS : MAX_MS, now_ms = clock_boot_ms(), until_ms;

	if (now_ms + 2 * FIRST_MS >= deadline_ms)
		return false;
	if (wait->delay_ms > max_ms)
		wait->delay_ms = max_ms;
	if (waits && wait->delay_ms < QUEUED_MIN_MS)
		wait->delay_ms = QUEUED_MIN_MS;
	until_ms = now_ms + pause_ms(wait->delay_ms, look_ms, waits);
	if (until_ms + FIRST_MS > deadline_ms)
		until_ms = deadline_ms - FIRST_MS;
	wait->delay_ms = wait->delay_ms * 3 / 2;
	while ((now_ms = clock_boot_ms()) < until_ms) {
		if (has_begun(wait)) {
			wait->delay_ms = BEGUN_MS;
			until_ms = now_ms + pause_ms(BEGUN_MS, look_ms, false);
		}
		poll(NULL, 0, SLICE_MS);
	}
	return true;
}
