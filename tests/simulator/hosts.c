/* Hosts: power, clocks, the daemon on each, and what the daemon is told of its host. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/inner.h"

uint64_t host_clock(const struct world *w, const struct world_host *host)
{
	return w->now_ms + host->clock_ms +
		(uint64_t)((int64_t)(w->now_ms - host->booted_ms) * host->drift / 1000);
}

/* --- what a core is told of its host --- */

static void report_fill(struct world *w, struct world_host *host, size_t g, struct instance_report *report)
{
	const struct guest_here *here = &host->guests[g];

	memset(report, 0, sizeof(*report));
	guest_spec(w, g, &report->spec);
	report->state = here->qemu ? here->running ? INSTANCE_RUNNING : INSTANCE_PAUSED :
		here->incoming ? INSTANCE_INCOMING : INSTANCE_ABSENT;
	report->stop_reason = here->qemu ? STOP_NONE : here->stop_reason;
	report->defined = !w->swarm.definitions || here->defined || here->qemu || here->incoming;
	report->undefined = here->undefined;
	report->host_shutting_down = host->shutting_down;
}

uint64_t host_free_mib(struct world *w, const struct world_host *host)
{
	uint64_t used = 0;

	if (!w->swarm.memory)
		return host->free_mib;
	for (size_t g = 0; g < w->n_guests; g++)
		if (host->guests[g].qemu || host->guests[g].incoming)
			used += w->spec_changed[g] ? w->spec_over[g].memory_mib : 64;
	return used < host->free_mib ? host->free_mib - used : 0;
}

void host_report(struct world *w, struct world_host *host, bool reported)
{
	struct host_report report = { .gate_loaded = !host->gate_missing, .libvirt_ok = !host->libvirt_hung,
		.reported = reported, .shutting_down = host->shutting_down, .free_mib = host_free_mib(w, host) };
	struct core_event event = { .type = EV_HOST_REPORT, .host_report = &report };

	host->told_hung = host->libvirt_hung;
	host->told_missing = host->gate_missing;
	snprintf(report.boot_id, sizeof(report.boot_id), "%s-boot%u", host->name, host->boots);
	snprintf(report.nonce, sizeof(report.nonce), "nonce%u", host->runs);
	host_step(w, host, &event);
}

void watch_full(struct world *w, struct world_host *host)
{
	static struct instance_report reports[WORLD_GUESTS_MAX];
	struct core_event event = { .type = EV_REPORTS };
	size_t n = 0;

	if (host->libvirt_hung) {
		event_add(w, HAPPEN_WATCH_FULL, host_index(w, host), 3000);
		return;
	}
	/* A definition exists where the guest runs or last ran. */
	for (size_t g = 0; g < w->n_guests; g++) {
		const struct guest_here *here = &host->guests[g];

		if (here->qemu || here->incoming || (w->swarm.definitions ? here->defined : here->stop_reason != STOP_NONE))
			report_fill(w, host, g, &reports[n++]);
	}
	event.reports.full = true;
	event.reports.n = n;
	event.reports.reports = reports;
	host_step(w, host, &event);
	host_report(w, host, true);
	event_add(w, HAPPEN_VERDICTS, host_index(w, host), 50);
}

void watch_one(struct world *w, struct world_host *host, size_t g)
{
	struct instance_report report;
	struct core_event event = { .type = EV_REPORTS };

	if (host->libvirt_hung) {
		event_add(w, HAPPEN_WATCH_ONE, host_index(w, host), 3000)->guest = g;
		return;
	}
	report_fill(w, host, g, &report);
	report.fresh_event = true;
	/* libvirt tells of the end, and then of the definition; the second says nothing of the first. */
	if (report.undefined && report.stop_reason == STOP_MIGRATED) {
		report.undefined = false;
		event.reports.n = 1;
		event.reports.reports = &report;
		host_step(w, host, &event);
		report.undefined = true;
		report.stop_reason = STOP_NONE;
	}
	host->guests[g].undefined = false;
	event.reports.n = 1;
	event.reports.reports = &report;
	host_step(w, host, &event);
	if (w->swarm.memory)
		host_report(w, host, true);
}

/* --- stepping --- */

static void action_take(struct world *w, struct world_host *host, const struct core_action *act)
{
	size_t self = host_index(w, host), guest = 0;
	struct world_event *ev;

	if (act->type == ACT_START || act->type == ACT_INSPECT || act->type == ACT_STOP || act->type == ACT_TIDY)
		guest = guest_number(act->instance.spec->uuid);
	switch (act->type) {
	case ACT_SEND:
		multicast(w, host, act->send);
		break;
	case ACT_PERSIST:
		persist(w, host, act);
		break;
	case ACT_FENCE:
		fence_order(w, host, act);
		break;
	case ACT_START:
		oracle_start(w, host, act);
		host->guests[guest].only_moved = act->instance.place->wish == WISH_STOPPED;
		ev = event_add(w, HAPPEN_START_GATE, self, between(w, 20, 300));
		ev->op = act->instance.op;
		ev->guest = guest;
		ev->by_core = true;
		ev->run = 0; /* libvirtd goes on with a job whose caller was killed */
		break;
	case ACT_INSPECT:
		ev = event_add(w, HAPPEN_INSPECT, self, between(w, 5, 50));
		ev->op = act->instance.op;
		ev->guest = guest;
		break;
	case ACT_STOP:
		ev = event_add(w, HAPPEN_STOP, self, between(w, 5, 100));
		ev->op = act->instance.op;
		ev->guest = guest;
		break;
	case ACT_TIDY:
		say(w, "%s removes its stale definition of %s", host->name, act->instance.spec->name);
		host->guests[guest].stop_reason = STOP_NONE;
		host->guests[guest].defined = false;
		break;
	case ACT_END_HELPERS:
		host->helpers++;
		break;
	case ACT_GATE_REPLY:
		gate_answered(w, host, act);
		break;
	case ACT_REPLY:
		say(w, "%s answers: %s%s%s", host->name, act->reply.code, act->reply.code[0] ? ": " : "",
		    act->reply.text);
		break;
	case ACT_NOTE:
		say(w, "%s: %s: %s", host->name, act->note->kind, act->note->text);
		break;
	}
}

static void tick_arm(struct world *w, struct world_host *host)
{
	uint64_t clock_ms = host_clock(w, host), at_ms = core_deadline(host->core);
	uint64_t in_ms = at_ms > clock_ms ? at_ms - clock_ms : 0;

	if (host->drift)
		in_ms = in_ms * 1000 / (uint64_t)(1000 + host->drift) + 1;
	/* Mostly the deadline is what it was. */
	if (w->ledger && host->tick_at_ms == w->now_ms + in_ms)
		return;
	host->tick_at_ms = w->now_ms + in_ms;
	event_add(w, HAPPEN_TICK, host_index(w, host), in_ms)->id = ++host->tick_event;
}

void host_step(struct world *w, struct world_host *host, const struct core_event *event)
{
	const struct core_action *acts;
	size_t n;

	w->steps++;
	w->digest = (w->digest ^ w->now_ms ^ (uint64_t)event->type << 48 ^ (uint64_t)host->nodeid << 56) * 0x9e3779b97f4a7c15ull;
	if (w->coverage)
		coverage_step(w, host->core, event);
	n = core_step(host->core, host_clock(w, host), event, &acts);
	for (size_t i = 0; i < n; i++) {
		w->digest = ((w->digest ^ w->digest >> 29) + acts[i].type) * 0xbf58476d1ce4e5b9ull;
		action_take(w, host, &acts[i]);
	}
	tick_arm(w, host);
}

/* --- the daemon --- */

void world_daemon_start(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];
	struct core_host_config configs[WORLD_HOSTS_MAX];
	struct core_event event = { .type = EV_CONFIG };
	struct core_settings settings = {
		.self = host->nodeid, .start_grace_ms = 30000, .failure_window_ms = 300000,
		.max_failed_hosts = w->max_failed_hosts, .max_failed_share_percent = w->max_failed_share_percent,
		.beat_ms = 1000, .coordinator_timeout_ms = 4000, .tilt_ms = 3000,
		.parallel_starts = 4, .attempts = 3, .retry_delay_ms = 10000, .fence_backoff_ms = 5000,
		.fence_backoff_max_ms = 60000, .move_stopped = w->swarm.move_stopped,
		.hand_over = w->swarm.hand_over, .recovery_method = w->swarm.recovery_method, .late_effect_ms = 10000,
	};

	if (!host->power || host->daemon || host->paused)
		return;
	host->daemon = true;
	host->runs++;
	host->other_version = w->swarm.versions && (w->seed >> ((number + host->runs) % 16) & 1);
	host->tick_at_ms = 0;
	host->frozen = false;
	snprintf(settings.boot_id, sizeof(settings.boot_id), "%s-boot%u", host->name, host->boots);
	core_give(host->core);
	host->core = core_take(&settings);
	memset(configs, 0, sizeof(configs[0]) * w->n_hosts);
	for (size_t h = 0; h < w->n_hosts; h++) {
		configs[h].nodeid = w->hosts[h].nodeid;
		strcpy(configs[h].name, w->hosts[h].name);
		configs[h].votes = 1;
		configs[h].fence_levels = w->hosts[h].fence_levels;
		configs[h].reserved = (w->swarm.recovery_method != RECOVERY_AUTO && h + 1 == w->n_hosts) || h + 1 == w->reserved;
		configs[h].fence_delay_ms = w->two_node && h == 0 ? 3000 : w->fence_delay_ms;
	}
	event.config.n = w->n_hosts;
	event.config.hosts = configs;
	event.config.two_node = w->two_node;
	host_step(w, host, &event);
	host_report(w, host, false);
	event_add(w, HAPPEN_LOADED, number - 1, between(w, 5, 50));
	event_add(w, HAPPEN_VIEW_QUORUM, number - 1, between(w, 5, 50))->view = w->view;
	event_add(w, HAPPEN_WATCH_FULL, number - 1, between(w, 100, 600));
	group_change(w);
}

void world_daemon_kill(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || !host->daemon || host->paused)
		return;
	say(w, "-- the daemon of %s is killed", host->name);
	host->daemon = false;
	host->frozen = false;
	host->helpers++;
	outbox_clear(host);
	store_crash(w, host, DISK_KILLED);
	/* Who still waits for the gate's answer is refused by the hook; what was granted goes on. */
	for (size_t g = 0; g < w->n_guests; g++) {
		if (host->guests[g].gate_asked)
			host->guests[g].start_job = false;
		host->guests[g].gate_asked = false;
	}
	group_change(w);
}

void world_daemon_leave(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];
	struct core_event event = { .type = EV_LEAVE };

	if (!host->power || !host->daemon || host->paused)
		return;
	say(w, "-- the daemon of %s is stopped in order", host->name);
	host_step(w, host, &event);
	world_run(w, 50);
	world_daemon_kill(w, number);
}

static void held_release(struct world *w, struct world_host *host)
{
	while (host->held) {
		struct world_event *ev = host->held;

		host->held = ev->next;
		ev->at_ms = w->now_ms;
		event_insert(w, ev);
	}
}

void world_freeze(struct world *w, size_t number, bool frozen)
{
	struct world_host *host = &w->hosts[number - 1];

	if (host->power && host->daemon && host->frozen != frozen && !host->paused) {
		say(w, "-- the daemon of %s %s", host->name, frozen ? "is frozen" : "goes on");
		host->frozen = frozen;
	}
	if (!host->frozen && !host->paused)
		held_release(w, host);
}

/* --- the host --- */

void world_pause(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || host->paused)
		return;
	say(w, "-- all of %s stands still", host->name);
	host->paused = true;
	host->paused_ms = w->now_ms;
	view_change(w);
}

void world_resume(struct world *w, size_t number, bool clock_stood)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || !host->paused)
		return;
	say(w, "-- %s goes on as if nothing had happened", host->name);
	host->paused = false;
	if (clock_stood) /* no further than that it never goes back, with its drift */
		host->clock_ms -= (w->now_ms - host->paused_ms) * 98 / 100;
	if (!host->frozen)
		held_release(w, host);
	view_change(w);
}

void world_power_off(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power)
		return;
	say(w, "-- %s loses its power", host->name);
	if (host->daemon)
		store_crash(w, host, DISK_POWER);
	else if (w->disks)
		(void)w->disks->end(w, number - 1, NULL, 0, DISK_POWER);
	host->power = host->daemon = host->frozen = host->paused = false;
	host->quorate_told = false;
	outbox_clear(host);
	guests_vanish(w, host);
	view_change(w);
}

void world_power_on(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (host->power)
		return;
	host->power = host->corosync = true;
	host->boots++;
	host->shutting_down = false;
	host->libvirt_hung = false;
	host->clock_ms = world_random(w, 1000000000);
	host->booted_ms = w->now_ms;
	host->ring = 0;
	host->store.busy_until_ms = 0;
	host->off_until_ms = 0;
	say(w, "-- %s boots (boot %u)", host->name, host->boots);
	view_change(w);
	world_daemon_start(w, number);
	if (host->watchdog_ms) {
		host->pet_until_ms = 0;
		event_add(w, HAPPEN_WATCHDOG_PET, number - 1, 3000)->run = 0;
	}
	/* libvirt starts what is defined and marked so; the hook lets hamond decide. */
	for (size_t g = 0; w->swarm.definitions && g < w->n_guests; g++)
		if (host->guests[g].defined) {
			struct world_event *ev = event_add(w, HAPPEN_START_GATE, number - 1, between(w, 10, 4000));

			ev->guest = g;
			ev->run = 0;
			ev->ok = true; /* nobody asked for it */
		}
}

void world_corosync(struct world *w, size_t number, bool runs)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || host->paused || host->corosync == runs)
		return;
	say(w, "-- corosync of %s %s", host->name, runs ? "starts" : "ends");
	host->corosync = runs;
	if (!runs) {
		host->quorate_told = false;
		host->ring = 0;
		outbox_clear(host);
		event_add(w, HAPPEN_GROUP_DOWN, number - 1, between(w, 1, 50));
	}
	view_change(w);
}

void world_side(struct world *w, size_t number, uint32_t side)
{
	if (w->hosts[number - 1].side == side)
		return;
	say(w, "-- %s is on side %u of the network", w->hosts[number - 1].name, side);
	w->hosts[number - 1].side = side;
	view_change(w);
}

void world_heal(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++) {
		world_side(w, h + 1, 0);
		world_freeze(w, h + 1, false);
		w->hosts[h].device_broken = false;
	}
}

void world_shutdown(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || host->paused)
		return;
	say(w, "-- %s shuts down", host->name);
	host->shutting_down = true;
	if (host->daemon)
		host_report(w, host, true);
	for (size_t g = 1; g <= w->n_guests; g++)
		world_guest_stop(w, number, g, STOP_BY_API);
	world_run(w, 8000); /* other services take their time before hamond is stopped */
	world_daemon_leave(w, number);
	world_run(w, 500);
	world_power_off(w, number);
}

void world_libvirt_hang(struct world *w, size_t number, bool hung)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || host->paused || host->libvirt_hung == hung)
		return;
	say(w, "-- libvirtd of %s %s", host->name, hung ? "hangs" : "answers again");
	host->libvirt_hung = hung;
	world_host_tell(w, number);
	if (!hung)
		world_look(w, number);
}

void world_host_tell(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (host->power && host->daemon && !host->paused && !host->frozen)
		host_report(w, host, true);
}

void world_look(struct world *w, size_t number)
{
	struct world_host *host = &w->hosts[number - 1];

	if (host->power && host->daemon && !host->paused && !host->frozen)
		watch_full(w, host);
}

void world_request(struct world *w, size_t number, const struct core_request *request)
{
	struct core_event event = { .type = EV_REQUEST, .request = request };
	struct world_host *host = &w->hosts[number - 1];

	if (host->power && host->daemon && !host->paused && !host->frozen)
		host_step(w, host, &event);
}
