/* Faults, as a plan says them, applied to the world as it is then; and their ends. */
#include <stdio.h>
#include <string.h>

#include "tests/simulator/history.h"
#include "tests/simulator/inner.h"

void end_add(struct ends *ends, const struct world *w, enum fault_kind kind, size_t host, uint64_t in_ms)
{
	if (ends->n == FAULTS_MAX)
		return;
	ends->ends[ends->n++] = (struct end){ .at_ms = w->now_ms + in_ms, .kind = kind, .host = host };
}

static bool guest_is_local(const struct plan *plan, size_t guest)
{
	return (plan->seed * 31 + guest * 17) % 100 < plan->local_percent;
}

static void storage_set(struct world *w, const struct plan *plan, size_t host, bool lost)
{
	for (size_t g = 1; g <= w->n_guests; g++)
		world_verdict(w, host, g, lost ? VERDICT_UNKNOWN :
			      guest_is_local(plan, g) ? VERDICT_LOCAL : VERDICT_SHARED);
}

void storage_restore(struct world *w, const struct plan *plan)
{
	for (size_t h = 1; h <= w->n_hosts; h++)
		storage_set(w, plan, h, false);
}

static void end_apply(struct world *w, const struct plan *plan, const struct end *end)
{
	struct world_host *host = &w->hosts[end->host - 1];

	switch ((int)end->kind) {
	case FAULT_PAUSE:
		world_resume(w, end->host, end->at_ms & 1);
		break;
	case FAULT_FREEZE:
		world_freeze(w, end->host, false);
		break;
	case FAULT_COROSYNC:
		world_corosync(w, end->host, true);
		break;
	case FAULT_FLAP:
		world_side(w, end->host, host->side ? 0 : 9);
		break;
	case FAULT_REBOOT:
		world_power_on(w, end->host);
		break;
	case FAULT_STORAGE:
		storage_set(w, plan, end->host, false);
		break;
	case FAULT_LIBVIRT:
		world_libvirt_hang(w, end->host, false);
		break;
	case FAULT_STARTS_FAIL:
		host->starts_fail = false;
		break;
	case FAULT_HOOK:
		host->gate_missing = false;
		world_host_tell(w, end->host);
		break;
	default:
		break;
	}
}

/* Time passes, and what was to end in it ends. */
void run_with_ends(struct world *w, const struct plan *plan, struct ends *ends, uint64_t for_ms)
{
	uint64_t until_ms = w->now_ms + for_ms;

	while (!w->failed) {
		size_t first = ends->n;
		struct end end;

		for (size_t i = 0; i < ends->n; i++)
			if (ends->ends[i].at_ms <= until_ms &&
			    (first == ends->n || ends->ends[i].at_ms < ends->ends[first].at_ms))
				first = i;
		if (first == ends->n)
			break;
		end = ends->ends[first];
		ends->ends[first] = ends->ends[--ends->n];
		if (end.at_ms > w->now_ms)
			world_run(w, end.at_ms - w->now_ms);
		if (!w->failed)
			end_apply(w, plan, &end);
	}
	if (!w->failed && until_ms > w->now_ms)
		world_run(w, until_ms - w->now_ms);
}

/* --- people --- */

static size_t asked_host(struct world *w, uint32_t wanted)
{
	for (size_t i = 0; i < w->n_hosts; i++) {
		size_t h = (wanted + i) % w->n_hosts;

		if (w->hosts[h].power && w->hosts[h].daemon && !w->hosts[h].frozen && !w->hosts[h].paused)
			return h + 1;
	}
	return 0;
}

static void ask(struct world *w, uint32_t at, enum request_verb verb, const char *host, const char *instance, bool on)
{
	struct core_request req = { .id = w->next_event, .verb = verb, .on = on, .who = "root" };
	size_t asked = asked_host(w, at);

	if (!asked)
		return;
	req.origin = w->hosts[asked - 1].nodeid;
	snprintf(req.host, sizeof(req.host), "%s", host);
	snprintf(req.instance, sizeof(req.instance), "%s", instance);
	if (verb == REQUEST_CONFIRM_FENCED)
		snprintf(req.reason, sizeof(req.reason), "I have seen it off");
	say(w, "-- %s is asked: %s %s%s%s", w->hosts[asked - 1].name, request_verb_name(verb), host, instance,
	    on ? " on" : "");
	world_request(w, asked, &req);
}

/* When all is over a person looks at the status and ends what people alone can end. */
void operator_tidy(struct world *w)
{
	struct core *core = world_coordinator(w);
	struct core_host_view view;
	uint32_t at = 0;

	/* A watchdog may have bitten since. */
	for (size_t h = 1; h <= w->n_hosts; h++)
		if (!w->hosts[h - 1].stays_off)
			world_power_on(w, h);
	while (at < w->n_hosts && w->hosts[at].core != core)
		at++;
	if (!core || at == w->n_hosts)
		return;
	for (size_t i = 0; core_host(core, i, &view); i++)
		if (view.fact->maintenance)
			ask(w, at, REQUEST_MAINTENANCE, view.name, "", false);
	/* What no device can prove, and what left in order, a person confirms; all else is found out without one. */
	for (size_t i = 0; core_host(core, i, &view); i++) {
		const struct world_host *host = &w->hosts[host_of_node(w, view.nodeid)];
		bool provable = host->fence_levels && !host->device_with_host;

		if (host->stays_off && !view.present &&
		    (view.fact->state == HOST_LEFT || (view.fact->state == HOST_LOST && !provable)))
			ask(w, at, REQUEST_CONFIRM_FENCED, view.name, "", false);
	}
	if (core_cluster(core)->frozen)
		ask(w, at, REQUEST_MAINTENANCE_ALL, "", "", false);
	if (core_cluster(core)->brake)
		ask(w, at, REQUEST_RELEASE, "", "", true);
}

static void evacuate(struct world *w, const struct fault *fault, size_t host, size_t guest)
{
	char name[32];

	snprintf(name, sizeof(name), "vm%zu", guest);
	for (size_t g = 0; g < w->n_guests; g++)
		if (fault->kind == FAULT_EVACUATE_HOST || g + 1 == guest)
			ledger_loose(w, g);
	if (fault->kind == FAULT_EVACUATE_HOST)
		ask(w, fault->other, REQUEST_EVACUATE, w->hosts[host - 1].name, "", true);
	else
		ask(w, fault->other, REQUEST_EVACUATE, "", name, true);
}

/* --- networks and power --- */

static void split(struct world *w, const struct fault *fault, uint32_t sides)
{
	uint64_t bits = fault->value;

	for (size_t h = 1; h <= w->n_hosts; h++) {
		world_side(w, h, (uint32_t)(bits % sides));
		bits = bits / sides ^ (uint64_t)h * 0x9e3779b9u;
	}
}

/* A death, and a split while it is being dealt with: what only one side has heard must not count. */
static void death_and_split(struct world *w, const struct plan *plan, const struct fault *fault, size_t host,
			    struct ends *ends)
{
	world_power_off(w, host);
	run_with_ends(w, plan, ends, 900 + fault->lasts_ms % 2500);
	split(w, fault, 2);
	run_with_ends(w, plan, ends, fault->value % 10000);
}

static void store_lose(struct world *w, size_t host)
{
	if ((w->stores_lost + 1) * 2 >= w->n_hosts || w->hosts[host - 1].paused)
		return;
	w->stores_lost++;
	world_daemon_kill(w, host);
	world_store_lose(w, host);
}

static void flap(struct world *w, const struct fault *fault, size_t host, struct ends *ends)
{
	uint64_t at_ms = 0;

	world_side(w, host, 9);
	for (size_t i = 0; i < 5; i++) {
		at_ms += 1000 + (fault->value >> (8 * i)) % 9000;
		end_add(ends, w, FAULT_FLAP, host, at_ms);
	}
}

/* It is back just when its fencing is under way; its device may be another one than people think. */
static void blip(struct world *w, const struct plan *plan, const struct fault *fault, size_t host, struct ends *ends)
{
	uint64_t fences = w->fences;

	w->hosts[host - 1].device = fault->value & 1 ? DEVICE_EMPTY : DEVICE_SLOW;
	world_side(w, host, 9);
	for (int i = 0; i < 120 && w->fences == fences && !w->failed; i++)
		run_with_ends(w, plan, ends, 50);
	world_side(w, host, 0);
	/* Who is alive all the same is given the time to say so: a lie that nothing contradicts is believed. */
	if (w->hosts[host - 1].device == DEVICE_EMPTY) {
		w->hosts[host - 1].device_may_lie = true;
		world_run(w, 8000);
		w->hosts[host - 1].device_may_lie = false;
		world_run(w, 14000);
	}
	w->hosts[host - 1].device = DEVICE_GOOD;
}

static void device_set(struct world *w, const struct fault *fault, size_t host)
{
	struct world_host *device_of = &w->hosts[host - 1];

	device_of->device = (enum device)(fault->value % DEVICE_EMPTY);
	say(w, "-- the fence device of %s is of kind %d now", device_of->name, device_of->device);
}

/* --- guests --- */

/* The control plane stops it here, copies what it has to, and starts it there. */
static void migrate_cold(struct world *w, const struct plan *plan, const struct fault *fault, size_t from, size_t host,
			 size_t guest, struct ends *ends)
{
	say(w, "-- vm%zu is to go from %s to %s, stopped", guest, w->hosts[from - 1].name, w->hosts[host - 1].name);
	world_guest_stop(w, from, guest, STOP_BY_API);
	run_with_ends(w, plan, ends, fault->value % 4000);
	world_guest_start(w, host, guest);
	if (fault->kind == FAULT_MIGRATE)
		return;
	run_with_ends(w, plan, ends, fault->lasts_ms % 1000);
	world_power_off(w, fault->value >> 20 & 1 ? from : host);
}

static void migrate(struct world *w, const struct plan *plan, const struct fault *fault, size_t host, size_t guest,
		    struct ends *ends)
{
	size_t from = world_runs_on(w, guest - 1), takes_ms = 200 + fault->value % 8000;

	if (!from || from == host || guest_is_local(plan, guest) || w->hosts[from - 1].paused)
		return;
	if (w->swarm.hand_over && fault->value >> 21 & 1) {
		migrate_cold(w, plan, fault, from, host, guest, ends);
		return;
	}
	say(w, "-- vm%zu is to go from %s to %s", guest, w->hosts[from - 1].name, w->hosts[host - 1].name);
	world_guest_migrate(w, from, host, guest, takes_ms);
	if (fault->kind == FAULT_MIGRATE)
		return;
	/* One of the two dies around its end. */
	run_with_ends(w, plan, ends, takes_ms + fault->lasts_ms % 3000);
	world_power_off(w, fault->value >> 20 & 1 ? from : host);
}

static void guest_fault(struct world *w, const struct plan *plan, const struct fault *fault, size_t host, size_t guest,
			struct ends *ends)
{
	size_t runs = world_runs_on(w, guest - 1);

	switch ((int)fault->kind) {
	case FAULT_GUEST_START:
		/* Where it is defined, most likely. */
		for (size_t h = 1; h <= w->n_hosts; h++)
			if (w->hosts[h - 1].guests[guest - 1].defined)
				world_guest_start(w, h, guest);
		break;
	case FAULT_GUEST_ELSEWHERE:
		world_guest_start(w, host, guest);
		break;
	case FAULT_GUEST_CRASH:
	case FAULT_GUEST_STOP:
	case FAULT_GUEST_DESTROY:
		if (runs)
			world_guest_stop(w, runs, guest, fault->kind == FAULT_GUEST_CRASH ? STOP_CRASH :
					 fault->kind == FAULT_GUEST_STOP ? STOP_BY_GUEST : STOP_BY_API);
		break;
	case FAULT_GUEST_UNDEFINE:
		if (runs)
			world_guest_stop(w, runs, guest, STOP_BY_API);
		run_with_ends(w, plan, ends, fault->lasts_ms % 3000);
		for (size_t h = 1; runs && h <= w->n_hosts; h++)
			world_guest_undefine(w, h, guest);
		break;
	case FAULT_MIGRATE:
	case FAULT_MIGRATE_AND_DEATH:
		migrate(w, plan, fault, host, guest, ends);
		break;
	case FAULT_CLONE:
		world_clone_start(w, host, guest);
		break;
	default:
		break;
	}
}

static void person_fault(struct world *w, const struct fault *fault, size_t host, size_t guest)
{
	const char *name = w->hosts[host - 1].name;

	switch ((int)fault->kind) {
	case FAULT_MAINTENANCE:
		ask(w, fault->other, REQUEST_MAINTENANCE, name, "", fault->value & 1);
		break;
	case FAULT_MAINTENANCE_ALL:
		ask(w, fault->other, REQUEST_MAINTENANCE_ALL, "", "", fault->value & 1);
		break;
	case FAULT_CONFIRM:
		/* Whoever confirms has looked: some host that is off. */
		for (size_t i = 0; i < w->n_hosts; i++) {
			size_t h = (host - 1 + i) % w->n_hosts;

			if (!w->hosts[h].power) {
				ask(w, fault->other, REQUEST_CONFIRM_FENCED, w->hosts[h].name, "", true);
				break;
			}
		}
		break;
	case FAULT_RELEASE:
		ask(w, fault->other, REQUEST_RELEASE, "", "", true);
		break;
	case FAULT_EVACUATE_HOST:
	case FAULT_EVACUATE_GUEST:
		evacuate(w, fault, host, guest);
		break;
	default:
		break;
	}
}

static void machine_fault(struct world *w, const struct plan *plan, const struct fault *fault, size_t host,
			  struct ends *ends)
{
	struct world_host *at = &w->hosts[host - 1];

	switch ((int)fault->kind) {
	case FAULT_DEVICE:
		device_set(w, fault, host);
		break;
	case FAULT_DEVICE_BROKEN:
		at->device_broken = fault->value & 1;
		say(w, "-- the fence device of %s is %s", at->name, at->device_broken ? "broken" : "good");
		break;
	case FAULT_STORAGE_ALL:
	case FAULT_STORAGE:
		for (size_t h = 1; h <= w->n_hosts; h++)
			if (h == host || fault->kind == FAULT_STORAGE_ALL) {
				say(w, "-- %s loses its storage for a while", w->hosts[h - 1].name);
				storage_set(w, plan, h, true);
				end_add(ends, w, FAULT_STORAGE, h, fault->lasts_ms);
			}
		break;
	case FAULT_LIBVIRT:
		world_libvirt_hang(w, host, true);
		end_add(ends, w, FAULT_LIBVIRT, host, fault->lasts_ms);
		break;
	case FAULT_STARTS_FAIL:
		at->starts_fail = true;
		end_add(ends, w, FAULT_STARTS_FAIL, host, fault->lasts_ms);
		break;
	case FAULT_HOOK:
		at->gate_missing = true;
		world_host_tell(w, host);
		end_add(ends, w, FAULT_HOOK, host, fault->lasts_ms);
		break;
	case FAULT_STORE_HANG:
		world_store_hang(w, host, fault->lasts_ms % 12000);
		break;
	case FAULT_STORE_FAIL:
		world_store_fail(w, host, 500 + fault->lasts_ms % 12000);
		break;
	case FAULT_STORE_LOSE:
		store_lose(w, host);
		break;
	default:
		break;
	}
}

void fault_apply(struct world *w, const struct plan *plan, const struct fault *fault, struct ends *ends)
{
	size_t host = 1 + fault->host % w->n_hosts, guest = 1 + fault->guest % w->n_guests;

	switch ((int)fault->kind) {
	case FAULT_POWER_OFF:
		world_power_off(w, host);
		break;
	case FAULT_POWER_ON:
		for (size_t i = 0; i < w->n_hosts && w->hosts[host - 1].power; i++)
			host = host % w->n_hosts + 1;
		world_power_on(w, host);
		break;
	case FAULT_REBOOT:
		world_power_off(w, host);
		end_add(ends, w, FAULT_REBOOT, host, fault->lasts_ms % 20000);
		break;
	case FAULT_POWER_ALL:
		for (size_t h = 1; h <= w->n_hosts; h++)
			world_power_off(w, h);
		/* A part of them comes back first. */
		for (size_t h = 1; h <= w->n_hosts; h++)
			if (fault->value >> h & 1)
				end_add(ends, w, FAULT_REBOOT, h, 1000 + (fault->value >> (h % 16)) % 8000);
		break;
	case FAULT_DEATH_AND_SPLIT:
		death_and_split(w, plan, fault, host, ends);
		break;
	case FAULT_DAEMON_KILL:
		world_daemon_kill(w, host);
		break;
	case FAULT_DAEMON_START:
		for (size_t h = 1; h <= w->n_hosts; h++)
			world_daemon_start(w, h);
		break;
	case FAULT_DAEMON_LEAVE:
		world_daemon_leave(w, host);
		break;
	case FAULT_FREEZE:
		world_freeze(w, host, true);
		end_add(ends, w, FAULT_FREEZE, host, fault->lasts_ms);
		break;
	case FAULT_PAUSE:
		world_pause(w, host);
		end_add(ends, w, FAULT_PAUSE, host, fault->lasts_ms);
		break;
	case FAULT_COROSYNC:
		world_corosync(w, host, false);
		end_add(ends, w, FAULT_COROSYNC, host, fault->lasts_ms);
		break;
	case FAULT_ISOLATE:
		world_side(w, host, 5);
		break;
	case FAULT_SPLIT2:
		split(w, fault, 2);
		break;
	case FAULT_SPLIT3:
		split(w, fault, 3);
		break;
	case FAULT_FLAP:
		flap(w, fault, host, ends);
		break;
	case FAULT_BLIP:
		blip(w, plan, fault, host, ends);
		break;
	case FAULT_HEAL:
		for (size_t h = 1; h <= w->n_hosts; h++)
			world_side(w, h, 0);
		break;
	case FAULT_SHUTDOWN:
		world_shutdown(w, host);
		break;
	case FAULT_GUEST_START ... FAULT_CLONE:
		guest_fault(w, plan, fault, host, guest, ends);
		break;
	case FAULT_MAINTENANCE ... FAULT_EVACUATE_GUEST:
		person_fault(w, fault, host, guest);
		break;
	default:
		machine_fault(w, plan, fault, host, ends);
		break;
	}
}

/* All faults end: the hosts have power, reach each other, and whatever was broken is mended. */
void faults_end(struct world *w, const struct plan *plan, struct ends *ends)
{
	for (size_t h = 1; h <= w->n_hosts; h++) {
		world_resume(w, h, false);
		world_freeze(w, h, false);
		world_libvirt_hang(w, h, false);
	}
	for (size_t i = 0; i < ends->n; i++)
		if (ends->ends[i].kind != FAULT_FLAP)
			end_apply(w, plan, &ends->ends[i]);
	ends->n = 0;
	w->start_failures_percent = 0;
	w->swarm.lock_percent = w->swarm.helper_death_percent = 0;
	storage_restore(w, plan);
	world_heal(w);
	w->swarm.versions = false;
	/* A store that was lost has no vote: with the hosts that are off these are a minority. */
	for (size_t i = 0; i < plan->stay_off && (i + 1 + w->stores_lost) * 2 < w->n_hosts; i++) {
		size_t h = 1 + (plan->seed + i) % w->n_hosts;

		world_power_off(w, h);
		w->hosts[h - 1].stays_off = true;
	}
	for (size_t h = 1; h <= w->n_hosts; h++) {
		w->hosts[h - 1].device = DEVICE_GOOD;
		world_corosync(w, h, true);
		if (!w->hosts[h - 1].stays_off)
			world_power_on(w, h);
		if (w->hosts[h - 1].other_version)
			world_daemon_kill(w, h);
		world_daemon_start(w, h);
	}
}
