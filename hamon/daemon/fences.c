/* One level of a host's fence devices, run through hamon-fence; and each device's regular self-test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/faultpoint.h"
#include "hamon/daemon/trace.h"

#define GRACE_MS 5000 /* the helper keeps its own timeout; this much later it is killed */
#define STATUS_TIMEOUT_MS 20000
/* A host that has just lost its power is a member for a token longer, and reads off with good reason. */
#define DOUBT_MS 15000

struct fence_run {
	struct fence_run *next;
	struct daemon *d;
	uint64_t op;
	char host[CORE_NAME_SIZE];
	size_t waiting;
	bool failed;
	char devices[CORE_NAME_SIZE];
	char detail[CORE_TEXT_SIZE];
};

struct fence_try {
	struct fence_run *run; /* NULL once its term is over */
	struct daemon *d;
	const char *device;
	char host[CORE_NAME_SIZE]; /* of a self-test */
	bool answered;
};

#define TRIES_MAX 64
static struct fence_try *tries[TRIES_MAX];

/* The k-th configured level, from 1; levels may have gaps. */
static const struct config_level *level_find(struct daemon *d, const char *name, uint32_t level)
{
	const struct config_host *host = config_host_find(d->config, name);

	for (size_t i = 0; host && i < CONFIG_LEVELS_MAX; i++)
		if (host->levels[i].count && !--level)
			return &host->levels[i];
	return NULL;
}

uint32_t fence_levels(struct daemon *d, const char *name)
{
	const struct config_host *host = config_host_find(d->config, name);
	uint32_t levels = 0;

	for (size_t i = 0; host && i < CONFIG_LEVELS_MAX; i++)
		levels += host->levels[i].count != 0;
	return levels;
}

static struct json_object *request_build(struct daemon *d, const struct config_level_device *place,
					 const char *host)
{
	struct config_option options[2 * CONFIG_OPTIONS_MAX];
	struct json_object *obj = json_object_new_object(), *list = json_object_new_object();
	size_t n = config_options_merge(place, options);

	for (size_t i = 0; i < n; i++)
		json_put_string(list, options[i].key, options[i].value);
	json_put_string(obj, "host", host);
	json_put_string(obj, "device", place->device->name);
	json_put_string(obj, "agent", place->device->agent);
	json_object_object_add(obj, "options", list);
	json_put_string(obj, "secrets_file", place->device->secrets_path);
	json_put_u64(obj, "timeout_ms", place->device->timeout_ms);
	json_put_u64(obj, "retries", place->device->retries);
	json_put_u64(obj, "status_timeout_ms", STATUS_TIMEOUT_MS);
	return obj;
}

static void run_free(struct fence_run *run)
{
	for (struct fence_run **at = &run->d->fences; *at; at = &(*at)->next)
		if (*at == run) {
			*at = run->next;
			break;
		}
	for (size_t i = 0; i < TRIES_MAX; i++)
		if (tries[i] && tries[i]->run == run)
			tries[i]->run = NULL;
	free(run);
}

static void run_answer(struct fence_run *run, const char *device, bool off, const char *detail)
{
	struct core_event event = { .type = EV_FENCE_RESULT };
	struct daemon *d = run->d;

	if (off && !run->failed) {
		size_t used = strlen(run->detail);

		snprintf(run->detail + used, sizeof(run->detail) - used, "%s%s", used ? "; " : "", detail);
		used = strlen(run->devices);
		snprintf(run->devices + used, sizeof(run->devices) - used, "%s%s", used ? "," : "", device);
	} else if (!off && !run->failed) {
		run->failed = true;
		snprintf(run->devices, sizeof(run->devices), "%s", device);
		snprintf(run->detail, sizeof(run->detail), "%s", detail);
	}
	if (--run->waiting)
		return;
	fault_point("fenced", run->host);
	event.fence.op = run->op;
	event.fence.off = !run->failed;
	memcpy(event.fence.device, run->devices, sizeof(event.fence.device));
	memcpy(event.fence.detail, run->detail, sizeof(event.fence.detail));
	run_free(run);
	daemon_defer(d, &event);
}

static void fence_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	struct fence_try *try = user;
	char detail[CORE_TEXT_SIZE];

	trace_add("fence", "%s %s", try->device, json_string_or(obj, "phase", json_string_or(obj, "type", "")));
	if (strcmp(json_string_or(obj, "type", ""), "result") || try->answered || !try->run)
		return;
	try->answered = true;
	if (json_bool_or(obj, "ok", false) && !strcmp(json_string_or(obj, "readback", ""), "off")) {
		uint64_t began = json_u64_or(obj, "started_ms", 0), done = json_u64_or(obj, "confirmed_ms", 0);

		snprintf(detail, sizeof(detail), "%s reads off%s, %llu ms after the first call", try->device,
			 json_bool_or(obj, "already_off", false) ? " (it was off already)" : "",
			 (unsigned long long)(done > began ? done - began : 0));
		run_answer(try->run, try->device, true, detail);
		return;
	}
	snprintf(detail, sizeof(detail), "%.60s: %.240s", json_string_or(obj, "error_class", "failed"),
		 json_string_or(obj, "error", "no reason given"));
	run_answer(try->run, try->device, false, detail);
}

static void fence_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct fence_try *try = user;

	if (try->run && !try->answered)
		run_answer(try->run, try->device, false, end == HELPER_DEADLINE ?
			   "timeout: the fence agent did not end in time" : "the fence helper died");
	for (size_t i = 0; i < TRIES_MAX; i++)
		if (tries[i] == try)
			tries[i] = NULL;
	free(try);
}

static void device_run(struct fence_run *run, const struct config_level_device *place)
{
	const struct device_state *state = &run->d->devices[place->device - run->d->config->devices];
	struct fence_try *try;
	struct json_object *input;
	size_t slot = 0;
	char op[24];

	if (state->disabled) {
		run_answer(run, place->device->name, false, state->error);
		return;
	}
	try = calloc(1, sizeof(*try));
	while (slot < TRIES_MAX && tries[slot])
		slot++;
	if (!try || slot == TRIES_MAX) {
		free(try);
		run_answer(run, place->device->name, false, "too many fence helpers at once");
		return;
	}
	try->run = run;
	try->d = run->d;
	try->device = place->device->name;
	input = request_build(run->d, place, run->host);
	snprintf(op, sizeof(op), "%llu", (unsigned long long)run->op);
	json_put_string(input, "op", op);
	tries[slot] = try;
	trace_add("fence", "%s spawn", try->device);
	if (daemon_helper(run->d, "hamon-fence", "off", input,
			  place->device->timeout_ms * (place->device->retries + 1) + GRACE_MS, TAG_EFFECT,
			  fence_on_line, fence_on_exit, try))
		return;
	tries[slot] = NULL;
	free(try);
	run_answer(run, place->device->name, false, "hamon-fence cannot be started");
}

void fence_begin(struct daemon *d, const struct core_action *act)
{
	const struct config_level *level = level_find(d, act->fence.host->name, act->fence.level);
	struct fence_run *run = calloc(1, sizeof(*run));
	struct core_event event = { .type = EV_FENCE_RESULT };

	fault_point("fence", act->fence.host->name);
	if (!run || !level) {
		free(run);
		event.fence.op = act->fence.op;
		snprintf(event.fence.detail, sizeof(event.fence.detail), "level %u is not configured",
			 act->fence.level);
		daemon_defer(d, &event);
		return;
	}
	run->d = d;
	run->op = act->fence.op;
	snprintf(run->host, sizeof(run->host), "%s", act->fence.host->name);
	run->waiting = level->count;
	run->next = d->fences;
	d->fences = run;
	/* The level's device list outlives this loop; the run may not: its last answer frees it. */
	for (size_t i = 0, n = level->count; i < n; i++)
		device_run(run, &level->devices[i]);
}

/* The term is over: their helpers are being killed, nobody waits for their answers. */
void fences_drop(struct daemon *d)
{
	while (d->fences)
		run_free(d->fences);
}

/* --- self-tests --- */

static bool host_is_alive(struct daemon *d, const char *name)
{
	struct core_host_view view;

	for (size_t i = 0; i < core_host_count(d->core); i++)
		if (core_host(d->core, i, &view) && !strcmp(view.name, name))
			return view.present && view.daemon && view.fact->state == HOST_ADMITTED;
	return false;
}

/*
 * A device that reads off while its host is alive is another machine's, and its readback would prove nothing. It is not used
 * until it has read on while that host is alive; its reading once that host is gone says nothing either way.
 */
static void device_doubt(struct daemon *d, struct device_state *state, const char *host, const char *power)
{
	bool alive = host_is_alive(d, host);

	state->off = !strcmp(power, "off");
	if (alive && !strcmp(power, "on")) {
		state->doubted_ms = 0;
		state->disabled = false;
	} else if (alive && !strcmp(power, "off")) {
		if (!state->doubted_ms)
			state->doubted_ms = clock_boot_ms();
		else if (clock_boot_ms() >= state->doubted_ms + DOUBT_MS)
			state->disabled = true;
	} else if (!state->disabled) {
		state->doubted_ms = 0;
	}
}

static void check_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	struct daemon *d = ((struct fence_try *)user)->d;
	const char *device = ((struct fence_try *)user)->device;
	struct device_state *state = NULL;
	bool ok, was_ok;

	for (size_t i = 0; i < d->config->devices_count; i++)
		if (d->devices[i].name && !strcmp(d->devices[i].name, device))
			state = &d->devices[i];
	if (!state || strcmp(json_string_or(obj, "type", ""), "result"))
		return;
	device_doubt(d, state, ((struct fence_try *)user)->host, json_string_or(obj, "power", ""));
	ok = json_bool_or(obj, "ok", false) && !state->disabled;
	was_ok = !state->known || state->ok;
	state->known = true;
	state->ok = ok;
	state->checked_ms = clock_boot_ms();
	snprintf(state->error, sizeof(state->error), "%s", ok ? "" : json_string_or(obj, "error", "failed"));
	if (state->disabled)
		snprintf(state->error, sizeof(state->error),
			 "not used: it reads off while %s is alive, so it is not its device",
			 ((struct fence_try *)user)->host);
	((struct fence_try *)user)->answered = true;
	if (was_ok && !ok)
		daemon_note(d, "fence-device-failed", NOTE_ALERT, "The self-test of fence device %s failed: %s",
			    device, state->error);
	else if (!was_ok && ok)
		daemon_note(d, "fence-device-ok", NOTE_NOTICE, "Fence device %s works again", device);
}

static void check_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct fence_try *try = user;
	struct daemon *d = try->d;

	for (size_t i = 0; i < d->config->devices_count; i++) {
		struct device_state *state = &d->devices[i];

		if (!state->name || strcmp(state->name, try->device))
			continue;
		state->running = false;
		if (!try->answered) {
			state->known = true;
			state->ok = false;
			state->checked_ms = clock_boot_ms();
			snprintf(state->error, sizeof(state->error), "the self-test %s",
				 end == HELPER_DEADLINE ? "did not end in time" : "died");
		}
	}
	free((char *)try->device);
	free(try);
}

static void device_check(struct daemon *d, const struct config_level_device *place, const char *host,
			 struct device_state *state)
{
	struct fence_try *try = calloc(1, sizeof(*try));
	struct json_object *input;

	if (!try)
		return;
	try->d = d;
	try->device = strdup(place->device->name);
	snprintf(try->host, sizeof(try->host), "%s", host);
	input = request_build(d, place, host);
	json_put_string(input, "op", "monitor");
	state->running = true;
	state->checked_ms = clock_boot_ms();
	if (try->device && daemon_helper(d, "hamon-fence", "monitor", input, STATUS_TIMEOUT_MS + GRACE_MS,
					 TAG_PROBE, check_on_line, check_on_exit, try))
		return;
	state->running = false;
	free((char *)try->device);
	free(try);
}

/* One self-test at a time; each device once in an interval. */
void fences_tick(struct daemon *d)
{
	uint64_t now_ms = clock_boot_ms();

	if (d->fences)
		return; /* a real fencing has the devices */
	for (size_t i = 0; i < d->config->devices_count; i++) {
		if (d->devices[i].running)
			return;
		d->devices[i].name = d->config->devices[i].name;
	}
	for (size_t h = 0; h < d->config->hosts_count; h++)
		for (size_t l = 0; l < CONFIG_LEVELS_MAX; l++) {
			const struct config_level *level = &d->config->hosts[h].levels[l];

			for (size_t k = 0; k < level->count; k++) {
				struct device_state *state =
					&d->devices[level->devices[k].device - d->config->devices];

				uint64_t interval_ms = d->config->fencing.check_interval_ms;

				if (state->off && host_is_alive(d, d->config->hosts[h].name) && interval_ms > DOUBT_MS)
					interval_ms = DOUBT_MS;
				if (state->checked_ms && now_ms < state->checked_ms + interval_ms)
					continue;
				device_check(d, &level->devices[k], d->config->hosts[h].name, state);
				return;
			}
		}
}
