/*
 * One history: the cluster comes up, some minutes of faults (the safety phase: a broken invariant ends it), then all faults end,
 * and within a bound every instance must be where it belongs (L1).
 */
#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/disk.h"
#include "tests/simulator/history.h"
#include "tests/simulator/inner.h"

#define QUIET_MS 900000 /* a start that failed often is tried again after 320 s at most */
#define STEPS_MAX 20000000

static struct world world;
static sigjmp_buf asserted;
static bool catching;

/* An assertion of the core is a finding like any other, and ends this history only. */
void __assert_fail(const char *expr, const char *file, unsigned int line, const char *function)
{
	if (!catching) {
		fprintf(stderr, "%s:%u: %s: %s\n", file, line, function, expr);
		abort();
	}
	fail(&world, "assertion: %s:%u: %s", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, expr);
	siglongjmp(asserted, 1);
}

/* How every daemon sees the hosts and the instances: printed where a history does not settle. */
static void views_print(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++) {
		const struct core *core = w->hosts[h].core;
		struct core_instance_view inst;
		struct core_host_view host;
		struct core_view view;

		if (!core)
			continue;
		core_view(core, &view);
		printf("%s: power %d daemon %d frozen %d | quorate %d synced %d store %d coordinating %d term %llu seq %llu commit %llu coordinator %u tilt %d\n",
		       w->hosts[h].name, w->hosts[h].power, w->hosts[h].daemon, w->hosts[h].frozen,
		       view.quorate, view.synced, view.store_ok, view.coordinating,
		       (unsigned long long)view.term, (unsigned long long)view.seq,
		       (unsigned long long)view.commit, view.coordinator, view.tilt);
		for (size_t i = 0; view.coordinating && core_host(core, i, &host); i++)
			printf("   %s: %s epoch %llu present %d daemon %d reported %d: %s\n", host.name,
			       host_state_name(host.fact->state), (unsigned long long)host.fact->epoch,
			       host.present, host.daemon, host.reported, host.reason);
		for (size_t i = 0; view.coordinating && i < core_instance_count(core); i++)
			if (core_instance(core, i, &inst))
				printf("   %s: %s owner %u joint %u epoch %llu generation %llu wish %s on %x: %s\n",
				       inst.spec->name, phase_name(inst.place->phase), inst.place->owner,
				       inst.place->joint, (unsigned long long)inst.place->owner_epoch,
				       (unsigned long long)inst.place->generation,
				       wish_name(inst.place->wish), inst.running_on, inst.place->reason);
	}
}

static void cluster_make(struct world *w, const struct plan *plan)
{
	world_init(w, plan->seed, plan->hosts, plan->guests);
	w->ledger = ledger_new();
	w->swarm = plan->swarm;
	if (plan->swarm.real_store)
		disks_begin(w);
	w->swarm.lock_percent = w->swarm.helper_death_percent = 0;
	w->swarm.versions = false;
	w->max_failed_hosts = plan->max_failed_hosts;
	w->max_failed_share_percent = plan->max_failed_share_percent;
	w->fence_delay_ms = plan->fence_delay_ms;
	for (size_t h = 0; h < w->n_hosts; h++) {
		struct world_host *host = &w->hosts[h];

		host->fence_levels = plan->fence_levels;
		host->device_with_host = plan->devices_with_hosts;
		host->watchdog_ms = plan->watchdogs && h % 3 ? 5000 : 0;
		host->drift = plan->drift ? (int64_t)(plan->seed >> h) % 11 - 5 : 0;
		if (plan->swarm.memory)
			host->free_mib = plan->capacity_mib;
	}
	for (size_t g = 0; plan->groups && g < w->n_guests; g++) {
		w->spec_changed[g] = true;
		w->spec_over[g].memory_mib = 64;
		w->spec_over[g].priority = (uint32_t)(g % 3);
		if (g < 2 && w->n_hosts > 2)
			strcpy(w->spec_over[g].group, "pair");
	}
	storage_restore(w, plan);
}

static size_t hosts_admitted(struct world *w)
{
	struct core *core = world_coordinator(w);
	struct core_host_view view;
	size_t n = 0;

	for (size_t i = 0; core && core_host(core, i, &view); i++)
		n += view.fact->state == HOST_ADMITTED;
	return n;
}

static bool cluster_begin(struct world *w, char why[512])
{
	for (size_t h = 1; h <= w->n_hosts; h++)
		world_power_on(w, h);
	for (int i = 0; i < 60 && hosts_admitted(w) < w->n_hosts; i++)
		world_run(w, 1000);
	for (size_t g = 1; g <= w->n_guests; g++) {
		world_guest_start(w, 1 + g % w->n_hosts, g);
		if (g % 16 == 0)
			world_run(w, 1500);
	}
	for (int i = 0; i < 20 && !w->failed; i++) {
		world_run(w, 3000);
		if (world_is_settled(w, why, 512))
			return true;
	}
	return false;
}

static void faults_run(struct world *w, const struct plan *plan, struct outcome *ret)
{
	struct ends ends = { 0 };

	w->start_failures_percent = plan->start_failures_percent;
	w->swarm.lock_percent = plan->swarm.lock_percent;
	w->swarm.versions = plan->swarm.versions;
	w->swarm.helper_death_percent = plan->swarm.helper_death_percent;
	for (size_t i = 0; i < plan->n_faults && !w->failed; i++) {
		if (plan->masked[i])
			continue;
		ret->faults[plan->faults[i].kind]++;
		fault_apply(w, plan, &plan->faults[i], &ends);
		run_with_ends(w, plan, &ends, plan->faults[i].wait_ms);
	}
	if (!w->failed)
		faults_end(w, plan, &ends);
}

static void quiet_run(struct world *w, char why[512])
{
	for (uint64_t t = 0; t < QUIET_MS && !w->failed && w->steps < STEPS_MAX; t += 5000) {
		world_run(w, 5000);
		if (w->failed || world_is_settled(w, why, 512))
			return;
		operator_tidy(w);
	}
	if (!w->failed)
		fail(w, "L1: %.480s", why);
}

/*
 * Of two hosts that are well one goes for good: the other ends everything alone. While faults last it may be one that has to wait
 * for both, so this comes when they are over.
 */
static void alone_run(struct world *w, const struct plan *plan, char why[512])
{
	size_t gone = 1 + plan->seed / 2 % w->n_hosts, alone = 3 - gone;

	for (int i = 0; i < 60 && !w->failed && (hosts_admitted(w) < w->n_hosts || !world_is_settled(w, why, 512)); i++) {
		operator_tidy(w);
		world_run(w, 5000);
	}
	world_run(w, 40000); /* an off of a slow device may still arrive */
	if (w->failed || hosts_admitted(w) < w->n_hosts)
		return;
	if (plan->seed % 4 == 1)
		world_shutdown(w, gone);
	else
		world_power_off(w, gone);
	w->hosts[gone - 1].stays_off = true;
	if (plan->seed % 3 == 0) {
		world_run(w, plan->seed / 6 % 4000);
		for (size_t g = 1; g <= w->n_guests; g++)
			world_guest_stop(w, alone, g, STOP_CRASH);
	}
	quiet_run(w, why);
}

static void history_tell(struct world *w, const struct plan *plan, struct outcome *ret)
{
	char why[512] = "";

	if (!cluster_begin(w, why) && !w->failed)
		fail(w, "L1: not even at the start: %.450s", why);
	if (!w->failed)
		faults_run(w, plan, ret);
	if (!w->failed)
		quiet_run(w, why);
	if (!w->failed && plan->last_alone)
		alone_run(w, plan, why);
}

void history_run(const struct plan *plan, bool loud, struct coverage *coverage, struct outcome *ret)
{
	memset(ret, 0, sizeof(*ret));
	cluster_make(&world, plan);
	world.loud = loud;
	world.coverage = coverage;
	catching = true;
	if (!sigsetjmp(asserted, 0))
		history_tell(&world, plan, ret);
	catching = false;
	ret->failed = world.failed;
	memcpy(ret->why, world.failure, sizeof(ret->why));
	ret->simulated_ms = world.now_ms;
	ret->steps = world.steps;
	ret->digest = world.digest;
	ret->fences = world.fences;
	ret->starts = world.starts;
	ret->refusals = world.refusals;
	ret->commits = world.ledger ? ledger_commits(&world) : 0;
	if (loud && ret->failed)
		views_print(&world);
	world_free(&world);
}
