/*
 * The dry run of an evacuation by hand says what is then done: each case asks for the plan first, at the coordinator and at another
 * member, and then for the act. What needs a host that has what nobody gave it is in core_waiting_test.c.
 */
#include "tests/simulator/world.h"
#include "tests/unit/test.h"

static struct world world;
static struct core_plan plans[8], theirs[8];
static size_t n_plans;

/* Guests 1.. run on h3, which is in maintenance, dies, and is confirmed: so nothing moves by itself. */
static void begin(size_t guests)
{
	struct core_request request = { .id = 1, .origin = 1, .verb = REQUEST_MAINTENANCE, .host = "h3", .on = true, .who = "root" };

	world_init(&world, 1, 3, guests);
	world.grant_ms = 5;
	for (size_t h = 1; h <= 3; h++)
		world_power_on(&world, h);
	world_run(&world, 8000);
	for (size_t g = 1; g <= guests; g++)
		world_guest_start(&world, 3, g);
	world_run(&world, 3000);
	world_request(&world, 1, &request);
	world_run(&world, 500);
	CHECK(world_coordinator(&world) == world.hosts[0].core);
}

static void death(void)
{
	struct core_request request = { .id = 2, .origin = 1, .verb = REQUEST_CONFIRM_FENCED, .host = "h3", .reason = "seen",
					.who = "root" };

	world_power_off(&world, 3);
	world_run(&world, 6000);
	world_request(&world, 1, &request);
	world_run(&world, 1000);
}

static void end(void)
{
	CHECK(!world.failed);
	world_free(&world);
}

static struct core_request of_host(void)
{
	return (struct core_request){ .id = 9, .origin = 1, .verb = REQUEST_EVACUATE, .host = "h3", .on = true, .who = "root" };
}

/* The plan of the coordinator h1 and of the member h2, which must be one; then the act, which must be the plan's. */
static void ask(const struct core_request *request)
{
	struct core_instance_view before[8], after;

	n_plans = core_evacuation_plan(world.hosts[0].core, request, 8, plans);
	CHECK_INT(core_evacuation_plan(world.hosts[1].core, request, 8, theirs), n_plans);
	for (size_t i = 0; i < n_plans; i++) {
		CHECK_INT(plans[i].action, theirs[i].action);
		CHECK_INT(plans[i].target, theirs[i].target);
		CHECK_STR(plans[i].text, theirs[i].text);
		CHECK(core_instance(world.hosts[0].core, plans[i].instance, &before[i]));
	}
	for (size_t i = 0; i < n_plans; i++) {
		static struct place_fact places[8];

		places[i] = *before[i].place;
		before[i].place = &places[i];
	}
	world_request(&world, 1, request);
	world_run(&world, 3);
	for (size_t i = 0; i < n_plans; i++) {
		bool moves = plans[i].action == PLAN_START || plans[i].action == PLAN_MOVE;

		CHECK(core_instance(world.hosts[0].core, plans[i].instance, &after));
		CHECK_INT(after.place->generation, before[i].place->generation + moves);
		if (moves)
			CHECK_INT(after.place->owner, plans[i].target);
	}
}

static void what_a_living_host_owns_is_refused(void)
{
	struct core_request request = of_host();

	begin(1);
	ask(&request);
	CHECK_INT(n_plans, 1);
	CHECK_INT(plans[0].action, PLAN_REFUSE);
	CHECK_STR(plans[0].code, "host-alive");
	CHECK_STR(plans[0].text, "vm1 belongs to h3, which is alive");
	world_power_off(&world, 3);
	world_run(&world, 6000);
	ask(&request);
	CHECK_STR(plans[0].code, "not-certified");
	end();
}

/* There is room for one on each host: the second goes to the other one, and the third nowhere. */
static void memory_is_given_out_once(void)
{
	struct core_request request = of_host();

	begin(3);
	world.hosts[0].free_mib = 100;
	world.hosts[1].free_mib = 101;
	world_host_tell(&world, 1);
	world_host_tell(&world, 2);
	death();
	ask(&request);
	CHECK_INT(n_plans, 3);
	CHECK_INT(plans[0].action, PLAN_START);
	CHECK_INT(plans[0].target, 2);
	CHECK_INT(plans[1].action, PLAN_START);
	CHECK_INT(plans[1].target, 1);
	CHECK_INT(plans[2].action, PLAN_REFUSE);
	CHECK_STR(plans[2].code, "no-target");
	CHECK(strstr(plans[2].text, "no host has 64 MiB free: h1 36, h2 37"));
	end();
}

static void a_group_shares_no_host(void)
{
	struct core_request request = of_host();

	begin(3);
	for (size_t g = 1; g <= 3; g++) {
		world.spec_changed[g - 1] = true;
		world.spec_over[g - 1].memory_mib = 64;
		strcpy(world.spec_over[g - 1].group, "db");
	}
	world_look(&world, 3);
	world_run(&world, 500);
	death();
	ask(&request);
	CHECK(plans[0].target && plans[1].target && plans[0].target != plans[1].target);
	CHECK_INT(plans[2].action, PLAN_REFUSE);
	CHECK(strstr(plans[2].text, "of the same group"));
	end();
}

static void a_host_in_maintenance_is_no_target(void)
{
	struct core_request request = of_host(), maintenance = { .id = 3, .origin = 1, .verb = REQUEST_MAINTENANCE, .host = "h2",
								 .on = true, .who = "root" };

	begin(1);
	death();
	world_request(&world, 1, &maintenance);
	world_run(&world, 500);
	strcpy(request.target, "h2");
	ask(&request);
	CHECK_INT(plans[0].action, PLAN_REFUSE);
	CHECK_STR(plans[0].code, "no-target");
	CHECK(strstr(plans[0].text, "h2: in maintenance"));
	request.target[0] = '\0';
	ask(&request);
	CHECK_INT(plans[0].target, 1);
	end();
}

static void only_storage_is_a_matter_of_consent(void)
{
	struct core_request request = of_host();

	begin(1);
	world_verdict(&world, 1, 1, VERDICT_LOCAL);
	world_verdict(&world, 2, 1, VERDICT_UNKNOWN);
	world_run(&world, 500);
	death();
	ask(&request);
	CHECK_INT(plans[0].action, PLAN_REFUSE);
	CHECK_STR(plans[0].code, "unproven");
	request.on = false;
	ask(&request);
	CHECK_STR(plans[0].code, "data-loss");
	strcpy(request.accept_loss, "vm1");
	ask(&request);
	CHECK_INT(plans[0].action, PLAN_START);
	world_run(&world, 5000);
	end();
}

static void what_was_stopped_stays_so(void)
{
	struct core_request request = { .id = 9, .origin = 1, .verb = REQUEST_EVACUATE, .instance = "vm1", .on = true, .who = "root" };

	begin(1);
	world_guest_stop(&world, 3, 1, STOP_BY_GUEST);
	world_run(&world, 500);
	death();
	ask(&request);
	CHECK_INT(n_plans, 1);
	CHECK_INT(plans[0].action, PLAN_STOPPED);
	world_run(&world, 5000);
	CHECK_INT(world_runs_on(&world, 0), 0);
	end();
}

int main(void)
{
	RUN(what_a_living_host_owns_is_refused);
	RUN(memory_is_given_out_once);
	RUN(a_group_shares_no_host);
	RUN(a_host_in_maintenance_is_no_target);
	RUN(only_storage_is_a_matter_of_consent);
	RUN(what_was_stopped_stays_so);
	return 0;
}
