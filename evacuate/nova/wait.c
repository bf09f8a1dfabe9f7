/*
 * Nova's work for one target goes one by one, so of many servers most wait, and each look at one costs nova-api more than it tells. What happens
 * next happens on this very host: libvirt's file of the server's QEMU says that its turn has come, and how long the servers before it
 * took from there, when it may have arrived. They only say when to look, and decide nothing.
 */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include <json-c/json.h>

#include "evacuate/nova/kept.h"
#include "evacuate/nova/wait.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define FIRST_MS 250
#define MAX_MS 1500
#define QUEUED_MIN_MS 2000
#define QUEUED_MAX_MS 4000
#define BEGUN_MS 500
#define REST 24
#define QUEUED_REST 48
#define REST_MAX_MS 4000
#define SLICE_MS 50
#define FILE_NAME "nova-arrival"
#define ARRIVAL_MAX_MS 10000
#define ARRIVAL_MAX_AGE_MS 600000

/* 0: none has arrived here of late. */
static uint64_t arrival_read(const struct nova_wait *wait)
{
	struct json_object *obj = wait->run_dir ? kept_read(wait->run_dir, FILE_NAME) : NULL;
	uint64_t now_ms = clock_boot_ms(), since_ms, took_ms;

	if (!obj)
		return 0;
	if (json_get_u64(obj, "since_ms", now_ms, &since_ms) || now_ms - since_ms > ARRIVAL_MAX_AGE_MS ||
	    json_get_u64(obj, "took_ms", ARRIVAL_MAX_MS, &took_ms))
		took_ms = 0;
	json_object_put(obj);
	return took_ms;
}

/* One that had arrived at the first look may have been there for long; one that is seen later was on its way then. */
static uint64_t arrival_next_ms(uint64_t before_ms, uint64_t took_ms, bool missed)
{
	if (!before_ms)
		return took_ms;
	if (!missed)
		return before_ms * 7 / 8;
	return took_ms < 2 * before_ms ? took_ms : 2 * before_ms; /* one that is slow by itself does not hold up the next ones */
}

void nova_wait_arrived(const struct nova_wait *wait)
{
	uint64_t now_ms = clock_boot_ms(), took_ms;
	struct json_object *obj;

	if (!wait->run_dir || !wait->begun_ms)
		return;
	took_ms = arrival_next_ms(arrival_read(wait), now_ms - wait->begun_ms, wait->looks > 1);
	obj = json_object_new_object();
	json_put_u64(obj, "since_ms", now_ms);
	json_put_u64(obj, "took_ms", took_ms < ARRIVAL_MAX_MS ? took_ms : ARRIVAL_MAX_MS);
	kept_write(wait->run_dir, FILE_NAME, obj);
	json_object_put(obj);
}

void nova_wait_begin(struct nova_wait *wait, const char *op, const char *libvirt_run, const char *run_dir, const char *name)
{
	wait->op = op;
	wait->run_dir = run_dir;
	snprintf(wait->pid_path, sizeof(wait->pid_path), "%s/%s.pid", libvirt_run, name);
	wait->begun = !access(wait->pid_path, F_OK);
	wait->delay_ms = FIRST_MS;
}

static bool has_begun(struct nova_wait *wait)
{
	if (wait->begun || access(wait->pid_path, F_OK))
		return false;
	wait->begun = true;
	wait->begun_ms = clock_boot_ms();
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

static uint64_t first_look_ms(const struct nova_wait *wait, uint64_t look_ms)
{
	uint64_t arrival_ms = arrival_read(wait);

	return arrival_ms > BEGUN_MS ? arrival_ms : pause_ms(BEGUN_MS, look_ms, false);
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
			until_ms = now_ms + first_look_ms(wait, look_ms);
			if (until_ms + FIRST_MS > deadline_ms)
				until_ms = deadline_ms - FIRST_MS;
		}
		poll(NULL, 0, SLICE_MS);
	}
	wait->looks += wait->begun_ms != 0;
	return true;
}
