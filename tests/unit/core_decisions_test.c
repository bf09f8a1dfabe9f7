/*
 * Decisions of the core that a transcript shows badly: the words of a placement, the watchdog as a proof, the counting of the brake,
 * and the gate. A cluster of cores runs in the simulated world until a coordinator decides; what is special is told to it
 * by the messages of its members.
 */
#include <stdbool.h>

#include "tests/simulator/world.h"
#include "tests/unit/test.h"

static struct world world;

static struct core *cluster_begin(size_t hosts, size_t guests)
{
	world_init(&world, 1, hosts, guests);
	world.grant_ms = 5;
	for (size_t h = 1; h <= hosts; h++)
		world_power_on(&world, h);
	world_run(&world, 8000);
	CHECK(world_coordinator(&world) == world.hosts[0].core);
	return world.hosts[0].core;
}

static void cluster_end(void)
{
	CHECK(!world.failed);
	world_free(&world);
}

static struct core_instance_view instance_of(size_t guest)
{
	struct core *core = world_coordinator(&world);
	struct core_instance_view view;
	char name[16];

	snprintf(name, sizeof(name), "vm%zu", guest);
	CHECK(core);
	for (size_t i = 0; i < core_instance_count(core); i++)
		if (core_instance(core, i, &view) && !strcmp(view.spec->name, name))
			return view;
	CHECK(!"a known instance");
	return view;
}

static struct core_host_view host_of(size_t host)
{
	struct core_host_view view;

	CHECK(world_coordinator(&world));
	CHECK(core_host(world_coordinator(&world), host - 1, &view));
	return view;
}

/* The guest's definition changes: its owner reports it anew. */
static void spec_change(size_t host, size_t guest, uint32_t memory_mib, const char *group, const char *allow, const char *deny)
{
	struct spec_fact *spec = &world.spec_over[guest - 1];

	world.spec_changed[guest - 1] = true;
	spec->memory_mib = memory_mib;
	snprintf(spec->group, sizeof(spec->group), "%s", group);
	snprintf(spec->allow, sizeof(spec->allow), "%s", allow);
	snprintf(spec->deny, sizeof(spec->deny), "%s", deny);
	world_look(&world, host);
	world_run(&world, 500);
}

static void guest_on(size_t host, size_t guest)
{
	world_guest_start(&world, host, guest);
	world_run(&world, 1500);
	CHECK_INT(world_runs_on(&world, guest - 1), host);
}

/* --- placement --- */

static void no_memory_is_said_with_numbers(void)
{
	cluster_begin(3, 1);
	guest_on(3, 1);
	spec_change(3, 1, 4096, "", "", "");
	world.hosts[0].free_mib = 1200;
	world.hosts[1].free_mib = 900;
	world_host_tell(&world, 1);
	world_host_tell(&world, 2);
	world_power_off(&world, 3);
	world_run(&world, 12000);
	CHECK_INT(instance_of(1).place->phase, PHASE_WAITING);
	CHECK_STR(instance_of(1).place->reason, "no host has 4096 MiB free: h1 1200, h2 900; not eligible: h3: dead");
	/* Exactly enough is enough. */
	world.hosts[1].free_mib = 4096;
	world_host_tell(&world, 2);
	world_run(&world, 5000);
	CHECK_INT(world_runs_on(&world, 0), 2);
	cluster_end();
}

static void memory_stays_reserved_until_it_is_counted(void)
{
	cluster_begin(3, 2);
	guest_on(3, 1);
	guest_on(3, 2);
	world.hosts[0].free_mib = 1;
	world.hosts[1].free_mib = 100; /* for one of the two */
	world_host_tell(&world, 1);
	world_host_tell(&world, 2);
	world_power_off(&world, 3);
	for (int i = 0; i < 1200 && !world_runs_on(&world, 0); i++)
		world_run(&world, 10);
	CHECK_INT(world_runs_on(&world, 0), 2);
	CHECK_INT(instance_of(1).place->phase, PHASE_ASSIGNED);
	/* Its host reports that it runs, and what it called free is older than that. */
	world_look(&world, 2);
	world_run(&world, 500);
	CHECK_INT(instance_of(2).place->phase, PHASE_WAITING);
	world.hosts[1].free_mib = 36;
	world_host_tell(&world, 2);
	world_run(&world, 12000);
	CHECK_INT(instance_of(1).place->phase, PHASE_SETTLED);
	CHECK_INT(instance_of(2).place->phase, PHASE_WAITING);
	cluster_end();
}

static void groups_do_not_share_a_host(void)
{
	cluster_begin(3, 3);
	guest_on(1, 1);
	guest_on(2, 2);
	guest_on(3, 3);
	for (size_t g = 1; g <= 3; g++)
		spec_change(g, g, 64, "db", "", "");
	world_power_off(&world, 3);
	world_run(&world, 12000);
	CHECK_INT(instance_of(3).place->phase, PHASE_WAITING);
	CHECK_STR(instance_of(3).place->reason,
		  "not eligible: h1: runs vm1 of the same group; h2: runs vm2 of the same group; h3: dead");
	/* Its mate stops: there is room for it. */
	world_guest_stop(&world, 2, 2, STOP_BY_GUEST);
	world_run(&world, 5000);
	CHECK_INT(world_runs_on(&world, 2), 2);
	cluster_end();
}

static void allow_and_deny_are_kept(void)
{
	cluster_begin(4, 1);
	guest_on(4, 1);
	spec_change(4, 1, 64, "", "h4 h1", "h2");
	world.hosts[0].free_mib = 1;
	world_host_tell(&world, 1);
	world_power_off(&world, 4);
	world_run(&world, 12000);
	CHECK_INT(instance_of(1).place->phase, PHASE_WAITING);
	CHECK_STR(instance_of(1).place->reason,
		  "no host has 64 MiB free: h1 1; not eligible: h2: not among its allowed hosts; h3: not among its allowed hosts; h4: dead");
	cluster_end();
	cluster_begin(3, 1);
	guest_on(3, 1);
	spec_change(3, 1, 64, "", "", "h11 xh2 h1");
	world.hosts[0].free_mib = 9999; /* it would be the better one */
	world_host_tell(&world, 1);
	world_power_off(&world, 3);
	world_run(&world, 12000);
	CHECK_INT(world_runs_on(&world, 0), 2);
	cluster_end();
}

static void unproven_disks_are_held(void)
{
	cluster_begin(3, 2);
	guest_on(3, 1);
	guest_on(3, 2);
	world_verdict(&world, 1, 1, VERDICT_LOCAL);
	world_verdict(&world, 2, 1, VERDICT_UNKNOWN);
	world_run(&world, 4000);
	world_power_off(&world, 3);
	world_run(&world, 12000);
	/* The other one makes the fencing worth it; this one stays, with what each host says. */
	CHECK(world_runs_on(&world, 1));
	CHECK_INT(instance_of(1).place->phase, PHASE_HELD);
	CHECK(strstr(instance_of(1).place->reason, "not proven shared: h1: local"));
	CHECK(strstr(instance_of(1).place->reason, "h2: unknown"));
	CHECK_INT(world_runs_on(&world, 0), 0);
	cluster_end();
}

/* h4 is the reserved host, h3 dies with its guests; where vm1 and vm2 went, in one number. */
static int reserved_world(enum recovery_method method, uint64_t free_h1_mib, uint64_t free_h4_mib)
{
	world_init(&world, 1, 4, 2);
	world.grant_ms = 5;
	world.swarm.recovery_method = method;
	world.swarm.memory = true;
	for (size_t h = 1; h <= 4; h++)
		world_power_on(&world, h);
	world_run(&world, 8000);
	guest_on(3, 1);
	guest_on(3, 2);
	world.hosts[0].free_mib = free_h1_mib;
	world.hosts[1].free_mib = 1;
	world.hosts[3].free_mib = free_h4_mib;
	for (size_t h = 1; h <= 4; h++)
		world_host_tell(&world, h);
	world_power_off(&world, 3);
	world_run(&world, 12000);
	return (int)(10 * world_runs_on(&world, 0) + world_runs_on(&world, 1));
}

static void reserved_hosts_are_used_as_the_method_says(void)
{
	CHECK_INT(reserved_world(RECOVERY_RH_PRIORITY, 9999, 4096), 44);
	cluster_end();
	/* There is room for one on the reserved host: the other goes where it would have gone without one. */
	CHECK_INT(reserved_world(RECOVERY_RH_PRIORITY, 9999, 100), 41);
	cluster_end();
	CHECK_INT(reserved_world(RECOVERY_AUTO_PRIORITY, 4096, 9999), 11);
	cluster_end();
	CHECK_INT(reserved_world(RECOVERY_AUTO_PRIORITY, 100, 9999), 14);
	cluster_end();
	CHECK_INT(reserved_world(RECOVERY_RESERVED_HOST, 9999, 100), 40);
	CHECK_INT(instance_of(2).place->phase, PHASE_WAITING);
	CHECK_STR(instance_of(2).place->reason,
		  "no host has 64 MiB free: h4 36; not eligible: h1: not a reserved host; h2: not a reserved host; h3: dead");
	cluster_end();
}

static void reserved_host_with_auto_takes_its_own_and_what_a_person_gives_it(void)
{
	struct core_request evacuate = { .id = 1, .origin = 1, .verb = REQUEST_EVACUATE, .on = true, .who = "root",
					 .instance = "vm1", .target = "h4" };

	/* The method of a running cluster changes with a reload; here it is as if it had been auto from the start. */
	world_init(&world, 1, 4, 1);
	world.grant_ms = 5;
	world.reserved = 4;
	for (size_t h = 1; h <= 4; h++)
		world_power_on(&world, h);
	world_run(&world, 8000);
	guest_on(3, 1);
	world.hosts[0].free_mib = world.hosts[1].free_mib = 1;
	world_host_tell(&world, 1);
	world_host_tell(&world, 2);
	world_power_off(&world, 3);
	world_run(&world, 12000);
	CHECK_INT(world_runs_on(&world, 0), 0);
	CHECK_INT(instance_of(1).place->phase, PHASE_WAITING);
	CHECK(strstr(instance_of(1).place->reason, "h4: reserved"));
	world_request(&world, 1, &evacuate);
	world_run(&world, 5000);
	CHECK_INT(world_runs_on(&world, 0), 4);
	/* It dies and is back: what ran there last is its own. */
	world_power_off(&world, 4);
	world_run(&world, 12000);
	CHECK_INT(world_runs_on(&world, 0), 0);
	world_power_on(&world, 4);
	world_run(&world, 20000);
	CHECK_INT(world_runs_on(&world, 0), 4);
	cluster_end();
}

static void untouched_reserved_hosts_stay_so_while_another_has_room(void)
{
	world_init(&world, 1, 5, 2);
	world.grant_ms = 5;
	world.swarm.recovery_method = RECOVERY_RH_PRIORITY; /* h5, and */
	world.reserved = 4;
	for (size_t h = 1; h <= 5; h++)
		world_power_on(&world, h);
	world_run(&world, 8000);
	guest_on(3, 1);
	guest_on(3, 2);
	world.hosts[4].free_mib = 9999; /* it is chosen first, and has less than h4 then */
	world_host_tell(&world, 5);
	world_power_off(&world, 3);
	world_run(&world, 12000);
	CHECK_INT(world_runs_on(&world, 0), 5);
	CHECK_INT(world_runs_on(&world, 1), 5);
	cluster_end();
}

/* --- the watchdog --- */

static uint64_t proven_after_ms(uint64_t lease_ms, uint64_t watchdog_ms, bool reboot_before)
{
	uint64_t from_ms;

	cluster_begin(3, 1);
	guest_on(3, 1);
	world.hosts[2].device_broken = true;
	world_attest(&world, 3, lease_ms, watchdog_ms);
	from_ms = world.now_ms;
	if (reboot_before) {
		/* The attestation is of a boot that is over. */
		world_power_off(&world, 3);
		world_power_on(&world, 3);
		world_run(&world, 15000);
	}
	world_power_off(&world, 3);
	for (int i = 0; i < 600 && host_of(3).fact->state != HOST_DEAD; i++)
		world_run(&world, 100);
	if (host_of(3).fact->state != HOST_DEAD) {
		CHECK_INT(world_runs_on(&world, 0), 0);
		world_free(&world);
		return 0;
	}
	CHECK_INT(host_of(3).fact->certificate.method, PROOF_WATCHDOG);
	from_ms = world.now_ms - from_ms;
	world_run(&world, 5000);
	CHECK(world_runs_on(&world, 0));
	cluster_end();
	return from_ms;
}

static void watchdog_counts_lease_timeout_drift_and_margin(void)
{
	/*
	 * 5 s and 10 s, a hundredth of that for the clocks, two seconds to spare; from the time when the majority sees
	 * it gone, which is one or two seconds after its last word.
	 */
	uint64_t took_ms = proven_after_ms(5000, 10000, false);

	CHECK(took_ms >= 17150 + 1000 && took_ms < 17150 + 3500);
	took_ms = proven_after_ms(10000, 20000, false);
	CHECK(took_ms >= 32300 + 1000 && took_ms < 32300 + 3500);
}

static void watchdog_of_another_boot_proves_nothing(void)
{
	CHECK_INT(proven_after_ms(5000, 10000, true), 0);
}

/* --- the brake --- */

/* h1 heard it leave, and nothing of its return, for it was alone by then; what it kept is no word of the host that is gone now. */
static void who_left_before_a_split_may_be_back(void)
{
	cluster_begin(5, 1);
	world_daemon_leave(&world, 2);
	world_run(&world, 3000);
	CHECK_INT(host_of(2).fact->state, HOST_LEFT);
	world_power_off(&world, 2);
	world_side(&world, 1, 1);
	world_side(&world, 5, 1);
	world_run(&world, 3000);
	/* With it the others are quorate again, for a moment: h1 has not been missed for long enough. */
	world_power_on(&world, 2);
	world_run(&world, 8000);
	CHECK(world_coordinator(&world) == world.hosts[1].core);
	guest_on(2, 1);
	world_side(&world, 2, 2);
	world_run(&world, 3000);
	world_side(&world, 1, 0);
	world_side(&world, 5, 0);
	world_run(&world, 60000);
	CHECK(world_coordinator(&world) == world.hosts[0].core);
	CHECK_INT(host_of(2).fact->state, HOST_DEAD);
	CHECK(world_runs_on(&world, 0) && world_runs_on(&world, 0) != 2);
	cluster_end();
}

static void brake_counts_hosts_of_one_window(void)
{
	struct core_request release = { .id = 1, .origin = 1, .verb = REQUEST_RELEASE, .who = "root" };

	world_init(&world, 1, 7, 3);
	world.grant_ms = 5;
	world.max_failed_hosts = 2;
	for (size_t h = 1; h <= 7; h++)
		world_power_on(&world, h);
	world_run(&world, 8000);
	for (size_t g = 1; g <= 3; g++)
		guest_on(4 + g, g);
	/* Two are as many as may fail. */
	world_power_off(&world, 5);
	world_power_off(&world, 6);
	world_run(&world, 12000);
	CHECK_INT(host_of(5).fact->state, HOST_DEAD);
	CHECK_INT(host_of(6).fact->state, HOST_DEAD);
	CHECK(!core_cluster(world_coordinator(&world))->brake);
	/* The third in the same window is one too many. */
	world_power_off(&world, 7);
	world_run(&world, 12000);
	CHECK_INT(host_of(7).fact->state, HOST_LOST);
	CHECK(!host_of(7).fact->fence_intent);
	CHECK(core_cluster(world_coordinator(&world))->brake);
	CHECK(strstr(core_cluster(world_coordinator(&world))->brake_reason, "3 hosts failed within 300 s (h5, h6, h7), the limit is 2"));
	CHECK_INT(world.fences, 2);
	/* It stays on when the window is over: only a person lets it go. */
	world_run(&world, 400000);
	CHECK_INT(host_of(7).fact->state, HOST_LOST);
	world_request(&world, 1, &release);
	world_run(&world, 12000);
	CHECK_INT(host_of(7).fact->state, HOST_DEAD);
	CHECK(!core_cluster(world_coordinator(&world))->brake);
	cluster_end();
}

static void brake_forgets_what_is_long_ago(void)
{
	world_init(&world, 1, 7, 2);
	world.grant_ms = 5;
	world.max_failed_hosts = 1;
	for (size_t h = 1; h <= 7; h++)
		world_power_on(&world, h);
	world_run(&world, 8000);
	guest_on(6, 1);
	guest_on(7, 2);
	world_power_off(&world, 6);
	world_run(&world, 310000);
	world_power_off(&world, 7);
	world_run(&world, 12000);
	CHECK_INT(host_of(7).fact->state, HOST_DEAD);
	CHECK(!core_cluster(world_coordinator(&world))->brake);
	cluster_end();
}

/* --- the gate, asked of one core --- */

static int gate_ask(struct core *core, uint64_t now_ms, const struct gate_query *query, char *reason)
{
	struct core_event event = { .type = EV_GATE, .gate = query };
	const struct core_action *acts;
	size_t n = core_step(core, now_ms, &event, &acts);
	int answer = -1;

	for (size_t i = 0; i < n; i++)
		if (acts[i].type == ACT_GATE_REPLY && acts[i].gate.id == query->id) {
			answer = acts[i].gate.allow;
			strcpy(reason, acts[i].gate.reason);
		}
	return answer;
}

static void gate_without_a_cluster(void)
{
	struct core_settings settings = { .self = 1, .boot_id = "b", .beat_ms = 1000, .coordinator_timeout_ms = 4000, .tilt_ms = 1 };
	struct gate_query query = { .id = 5, .op = GATE_START };
	struct core *core = core_new(&settings);
	char reason[CORE_TEXT_SIZE] = "";
	const struct core_action *acts;
	size_t n, answers = 0;

	snprintf(query.spec.uuid, sizeof(query.spec.uuid), "00000000-0000-4000-8000-000000000077");
	snprintf(query.spec.name, sizeof(query.spec.name), "other");
	/* What nobody protects is none of its business. */
	CHECK_INT(gate_ask(core, 1000, &query, reason), 1);
	/* What is protected is not started by a daemon that cannot read its store. */
	query.protected = true;
	CHECK_INT(gate_ask(core, 1001, &query, reason), 0);
	CHECK(strstr(reason, "store"));
	/* Nor without quorum: the answer is waited for, and is no before the hook gives up. */
	core_step(core, 1002, &(struct core_event){ .type = EV_LOADED, .loaded = { .ok = true } }, &acts);
	query.id = 6;
	CHECK_INT(gate_ask(core, 1003, &query, reason), -1);
	CHECK(core_deadline(core) <= 1003 + 1500);
	n = core_step(core, 1003 + 1500, &(struct core_event){ .type = EV_TICK }, &acts);
	for (size_t i = 0; i < n; i++)
		if (acts[i].type == ACT_GATE_REPLY) {
			answers++;
			CHECK_INT(acts[i].gate.id, 6);
			CHECK(!acts[i].gate.allow);
			CHECK(strstr(acts[i].gate.reason, "quorum"));
		}
	CHECK_INT(answers, 1);
	/* A question that was withdrawn is not answered any more. */
	query.id = 7;
	CHECK_INT(gate_ask(core, 3000, &query, reason), -1);
	core_step(core, 3001, &(struct core_event){ .type = EV_GATE_CANCEL, .gate_cancel = { 7 } }, &acts);
	n = core_step(core, 9000, &(struct core_event){ .type = EV_TICK }, &acts);
	for (size_t i = 0; i < n; i++)
		CHECK(acts[i].type != ACT_GATE_REPLY);
	core_free(core);
}

/* A disk is known by whatever name its user reported: also by the path that it had before its folder was marked. */
static void gate_knows_a_disk_by_its_path(void)
{
	static const char disk[] = "file:place:vm1.img";
	struct gate_query query = { .id = 1, .op = GATE_START, .n_paths = 1, .paths = { { .writable = true } } };
	char reason[CORE_TEXT_SIZE] = "";
	struct core *core = cluster_begin(3, 1);

	uint64_t now_ms;

	guest_on(3, 1);
	now_ms = world.now_ms + world.hosts[0].clock_ms;
	snprintf(query.spec.uuid, sizeof(query.spec.uuid), "00000000-0000-4000-8000-000000000077");
	snprintf(query.spec.name, sizeof(query.spec.name), "clone");
	snprintf(query.paths[0].id, sizeof(query.paths[0].id), "path:/a/other.img");
	CHECK_INT(gate_ask(core, now_ms, &query, reason), 1);
	snprintf(query.paths[0].id, sizeof(query.paths[0].id), "%s", disk);
	CHECK_INT(gate_ask(core, now_ms, &query, reason), 0);
	CHECK(strstr(reason, "vm1"));
	/* Its user itself may start. */
	snprintf(query.spec.uuid, sizeof(query.spec.uuid), "%s", instance_of(1).spec->uuid);
	CHECK(!gate_ask(core, now_ms, &query, reason) && !strstr(reason, "may be one of"));
	/* Of what cannot be identified nothing is known, so it is not allowed. */
	query = (struct gate_query){ .id = 2, .op = GATE_START, .disks_unknown = true };
	snprintf(query.spec.uuid, sizeof(query.spec.uuid), "00000000-0000-4000-8000-000000000078");
	snprintf(query.spec.name, sizeof(query.spec.name), "unknown");
	CHECK_INT(gate_ask(core, now_ms, &query, reason), 0);
	CHECK(strstr(reason, "identified"));
	cluster_end();
}

static void gate_bounds_those_who_wait(void)
{
	struct core_settings settings = { .self = 1, .boot_id = "b", .beat_ms = 1000, .coordinator_timeout_ms = 4000 };
	struct gate_query query = { .op = GATE_START, .protected = true };
	struct core *core = core_new(&settings);
	char reason[CORE_TEXT_SIZE] = "";
	const struct core_action *acts;

	core_step(core, 1000, &(struct core_event){ .type = EV_LOADED, .loaded = { .ok = true } }, &acts);
	for (size_t i = 0; i < CORE_GATE_WAITS_MAX; i++) {
		query.id = i + 1;
		snprintf(query.spec.uuid, sizeof(query.spec.uuid), "00000000-0000-4000-8000-%012zu", i);
		CHECK_INT(gate_ask(core, 1001, &query, reason), -1);
	}
	query.id = 1000;
	CHECK_INT(gate_ask(core, 1001, &query, reason), 0);
	CHECK_STR(reason, "too many starts wait already");
	core_free(core);
}

int main(void)
{
	RUN(no_memory_is_said_with_numbers);
	RUN(memory_stays_reserved_until_it_is_counted);
	RUN(groups_do_not_share_a_host);
	RUN(allow_and_deny_are_kept);
	RUN(unproven_disks_are_held);
	RUN(reserved_hosts_are_used_as_the_method_says);
	RUN(reserved_host_with_auto_takes_its_own_and_what_a_person_gives_it);
	RUN(untouched_reserved_hosts_stay_so_while_another_has_room);
	RUN(watchdog_counts_lease_timeout_drift_and_margin);
	RUN(watchdog_of_another_boot_proves_nothing);
	RUN(who_left_before_a_split_may_be_back);
	RUN(brake_counts_hosts_of_one_window);
	RUN(brake_forgets_what_is_long_ago);
	RUN(gate_without_a_cluster);
	RUN(gate_knows_a_disk_by_its_path);
	RUN(gate_bounds_those_who_wait);
	return 0;
}
