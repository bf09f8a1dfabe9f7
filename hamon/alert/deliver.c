/* The agents' part of the dispatching thread: who runs, who is late, who gets the record once more. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "hamon/alert/dispatch_internal.h"
#include "hamon/alert/environment.h"
#include "hamon/alert/stats.h"
#include "hamon/alert/tell.h"
#include "hamon/common/clock.h"

#define LOOK_EVERY_MS 1000
#define SPOOL_PATIENCE_MS 2000 /* then an alert goes out without having been written down: the disk may be the news */
#define BACKOFF_FACTOR 5
#define FAILURES_MAX 3 /* records in a row; after that an agent gets each only once, until it takes one */

void dispatch_item_drop(struct dispatch *d, struct alert_item *item)
{
	if (atomic_load(&item->record->spooled) != SPOOL_NONE)
		spool_remove(item->number);
	alert_item_free(item);
}

/* Each thing is warned of once, and again when it was gone in between. */
static void agent_warn(void *user, const char *path, const char *sentence)
{
	struct dispatch *d = user;
	uint64_t hash = 0xcbf29ce484222325ull;

	for (const char *p = path; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3ull;
	for (const char *p = sentence; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3ull;
	if (d->n_warned_now < WARNED_MAX)
		d->warned_now[d->n_warned_now++] = hash;
	for (size_t i = 0; i < d->n_warned; i++)
		if (d->warned[i] == hash)
			return;
	tell_log("alert agent skipped: %s %s", path, sentence);
}

static void lane_gone(void *user, unsigned int i)
{
	struct dispatch *d = user;
	struct alert_lane *lane = &d->lanes.lanes[i];
	struct alert_item *item;

	if (lane->item)
		lane->item->running--;
	lane->item = NULL;
	if (lane->running)
		alert_run_kill(&lane->run);
	while ((item = alert_queue_leave(&d->queue, i)))
		dispatch_item_drop(d, item);
}

void dispatch_lanes_look(struct dispatch *d)
{
	uint64_t now_ms = clock_boot_ms();
	struct alert_agents found;

	if (d->looked_ms && now_ms < d->looked_ms + LOOK_EVERY_MS)
		return;
	d->looked_ms = now_ms;
	d->n_warned_now = 0;
	alert_agents_find(d->config, &found, agent_warn, d);
	memcpy(d->warned, d->warned_now, sizeof(d->warned));
	d->n_warned = d->n_warned_now;
	stats_set(COUNT_AGENTS, found.n);
	stats_set(COUNT_SKIPPED, found.skipped);
	alert_lanes_set(&d->lanes, &found, lane_gone, d);
}

/* The lane is through with its record, one way or the other. */
static void lane_next(struct dispatch *d, unsigned int i)
{
	struct alert_lane *lane = &d->lanes.lanes[i];
	struct alert_item *item = lane->item;

	lane->item = NULL;
	lane->attempts = 0;
	lane->retry_ms = 0;
	d->lanes.changed = true;
	if (alert_queue_done(&d->queue, item, i))
		dispatch_item_drop(d, item);
}

/* Tries again later, or gives the record up. */
static void lane_failed(struct dispatch *d, unsigned int i, const char *how)
{
	struct alert_lane *lane = &d->lanes.lanes[i];
	const struct alert_record *record = lane->item->record;
	uint64_t attempts = lane->failures >= FAILURES_MAX ? 1 : d->config->attempts;
	uint64_t delay_ms = d->config->retry_ms;

	stats_add(COUNT_FAILED, 1);
	lane->item->running--;
	if (lane->attempts >= attempts) {
		stats_add(COUNT_GIVEN_UP, 1);
		tell_log("alert agent %s did not take %s %s (%s) in %u attempts, it %s", lane->agent.path,
			 record->fields[FIELD_KIND], record->fields[FIELD_ID], record->fields[FIELD_TEXT],
			 lane->attempts, how);
		lane->failures++;
		lane_next(d, i);
		return;
	}
	for (unsigned int k = 1; k < lane->attempts; k++)
		delay_ms *= BACKOFF_FACTOR;
	lane->retry_ms = clock_boot_ms() + delay_ms;
	lane->item = NULL;
	tell_log("alert agent %s failed with %s %s, it %s; again in %llu ms", lane->agent.path,
		 record->fields[FIELD_KIND], record->fields[FIELD_ID], how, (unsigned long long)delay_ms);
}

static void how_ended(const struct alert_run *run, int status, char *how, size_t size)
{
	if (run->killed)
		snprintf(how, size, "took too long");
	else if (WIFSIGNALED(status))
		snprintf(how, size, "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(how, size, "exited with %d", WEXITSTATUS(status));
}

static void lane_ended(struct dispatch *d, unsigned int i, int status)
{
	struct alert_lane *lane = &d->lanes.lanes[i];
	char how[64];

	lane->running = false;
	if (lane->run.output_len)
		tell_log("alert agent %s: %s%s", lane->agent.path, lane->run.output,
			 lane->run.output_len > ALERT_OUTPUT_MAX ? " ..." : "");
	if (!lane->item)
		return; /* the lane was given up */
	how_ended(&lane->run, status, how, sizeof(how));
	if (lane->run.killed || status) {
		lane_failed(d, i, how);
		return;
	}
	stats_add(COUNT_DELIVERED, 1);
	lane->item->running--;
	lane->failures = 0;
	lane_next(d, i);
}

static bool lane_may_start(const struct dispatch *d, unsigned int i, uint64_t now_ms, uint64_t *wake_ms)
{
	const struct alert_lane *lane = &d->lanes.lanes[i];
	const struct alert_item *item = d->queue.next[i];
	uint64_t at_ms = lane->retry_ms;

	if (!lane->used || lane->running || !item)
		return false;
	if (atomic_load(&item->record->spooled) == SPOOL_WANTED && item->arrived_ms + SPOOL_PATIENCE_MS > at_ms)
		at_ms = item->arrived_ms + SPOOL_PATIENCE_MS;
	if (d->loading && d->loading_ms + SPOOL_PATIENCE_MS > at_ms)
		at_ms = d->loading_ms + SPOOL_PATIENCE_MS;
	if (at_ms > now_ms && at_ms < *wake_ms)
		*wake_ms = at_ms;
	return at_ms <= now_ms;
}

static void lane_start(struct dispatch *d, unsigned int i, uint64_t now_ms)
{
	struct alert_lane *lane = &d->lanes.lanes[i];
	struct alert_item *item = d->queue.next[i];
	struct alert_record *record = item->record;
	char **environment;
	int rc = -ENOMEM;

	if (lane->attempted != item->number)
		lane->attempts = 0;
	lane->attempted = item->number;
	lane->attempts++;
	lane->item = item;
	item->running++;
	d->lanes.changed = true;
	environment = alert_environment_make(record, d->config, &lane->agent, ++d->sequence);
	if (environment)
		rc = alert_run_start(&lane->run, lane->agent.path, environment, record->json, record->json_len,
				     now_ms + lane->agent.timeout_ms);
	alert_environment_free(environment);
	lane->running = !rc;
	if (rc)
		lane_failed(d, i, strerror(-rc));
}

/* Those that were killed and do not die hold no place: they would keep all others out. */
static unsigned int running_count(const struct dispatch *d)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++)
		n += d->lanes.lanes[i].running && !d->lanes.lanes[i].run.killed;
	return n;
}

static void lanes_start(struct dispatch *d)
{
	uint64_t now_ms = clock_boot_ms(), ignored = UINT64_MAX;
	unsigned int running = running_count(d);

	for (unsigned int k = 0; k < ALERT_LANES_MAX && running < d->config->parallel; k++) {
		unsigned int i = (d->turn + k) % ALERT_LANES_MAX;

		if (!lane_may_start(d, i, now_ms, &ignored))
			continue;
		lane_start(d, i, now_ms);
		running += d->lanes.lanes[i].running;
	}
	d->turn = (d->turn + 1) % ALERT_LANES_MAX; /* nobody is always the last */
}

static void lanes_look_after(struct dispatch *d)
{
	uint64_t now_ms = clock_boot_ms();
	int status;

	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++) {
		struct alert_lane *lane = &d->lanes.lanes[i];

		if (!lane->running)
			continue;
		alert_run_read(&lane->run);
		if (alert_run_ended(&lane->run, &status)) {
			lane_ended(d, i, status);
		} else if (!lane->run.killed && now_ms >= lane->run.deadline_ms) {
			alert_run_kill(&lane->run);
			stats_add(COUNT_TIMEOUTS, 1);
		}
	}
}

void dispatch_lanes_run(struct dispatch *d)
{
	lanes_look_after(d);
	if (!d->config)
		return;
	if (d->queue.n)
		dispatch_lanes_look(d); /* an agent may have been repaired, or taken away */
	lanes_start(d);
}

uint64_t dispatch_lanes_wake(const struct dispatch *d)
{
	uint64_t now_ms = clock_boot_ms(), wake_ms = UINT64_MAX;
	bool room = d->config && running_count(d) < d->config->parallel;

	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++) {
		const struct alert_lane *lane = &d->lanes.lanes[i];

		if (lane->running && !lane->run.killed && lane->run.deadline_ms < wake_ms)
			wake_ms = lane->run.deadline_ms;
		if (lane_may_start(d, i, now_ms, &wake_ms) && room)
			return now_ms;
	}
	return wake_ms;
}

bool dispatch_lanes_idle(const struct dispatch *d)
{
	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++)
		if (d->lanes.lanes[i].running || d->queue.next[i])
			return false;
	return !d->loading;
}

void dispatch_lanes_kill(struct dispatch *d, uint64_t timeout_ms)
{
	uint64_t end_ms = clock_boot_ms() + timeout_ms;
	unsigned int left;
	int status;

	do {
		left = 0;
		for (unsigned int i = 0; i < ALERT_LANES_MAX; i++) {
			struct alert_lane *lane = &d->lanes.lanes[i];

			if (!lane->running)
				continue;
			if (!lane->run.killed)
				alert_run_kill(&lane->run);
			lane->running = !alert_run_ended(&lane->run, &status);
			left += lane->running;
		}
		if (left)
			poll(NULL, 0, 5);
	} while (left && clock_boot_ms() < end_ms);
}
