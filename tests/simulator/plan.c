/* What a seed says: how large the cluster is, what can go wrong in it, and what does. */
#include <stdio.h>
#include <string.h>

#include "tests/simulator/history.h"

const char *const fault_names[FAULT_KINDS] = {
	"power-off", "power-on", "reboot", "power-all", "death-and-split",
	"daemon-kill", "daemon-start", "daemon-leave", "freeze", "pause", "corosync",
	"isolate", "split-2", "split-3", "flap", "blip", "heal",
	"store-hang", "store-fail", "store-lose", "device", "device-broken",
	"storage", "storage-all", "libvirt", "starts-fail", "hook",
	"guest-start", "guest-elsewhere", "guest-crash", "guest-stop", "guest-destroy",
	"guest-undefine", "migrate", "migrate-and-death", "clone",
	"shutdown", "maintenance", "maintenance-all", "confirm", "release", "evacuate-host", "evacuate-guest",
};

/* How often each kind is drawn where all are on; what ends a fault is more frequent than what begins one. */
static const uint8_t weights[FAULT_KINDS] = {
	[FAULT_POWER_OFF] = 8, [FAULT_POWER_ON] = 10, [FAULT_REBOOT] = 4, [FAULT_POWER_ALL] = 1,
	[FAULT_DEATH_AND_SPLIT] = 6, [FAULT_DAEMON_KILL] = 4, [FAULT_DAEMON_START] = 7, [FAULT_DAEMON_LEAVE] = 2,
	[FAULT_FREEZE] = 4, [FAULT_PAUSE] = 4, [FAULT_COROSYNC] = 4, [FAULT_ISOLATE] = 5, [FAULT_SPLIT2] = 4,
	[FAULT_SPLIT3] = 3, [FAULT_FLAP] = 2, [FAULT_BLIP] = 3, [FAULT_HEAL] = 8, [FAULT_STORE_HANG] = 4, [FAULT_STORE_FAIL] = 3,
	[FAULT_STORE_LOSE] = 2, [FAULT_DEVICE] = 5, [FAULT_DEVICE_BROKEN] = 4, [FAULT_STORAGE] = 3,
	[FAULT_STORAGE_ALL] = 1, [FAULT_LIBVIRT] = 3, [FAULT_STARTS_FAIL] = 3, [FAULT_HOOK] = 2,
	[FAULT_GUEST_START] = 3, [FAULT_GUEST_ELSEWHERE] = 2, [FAULT_GUEST_CRASH] = 3, [FAULT_GUEST_STOP] = 3,
	[FAULT_GUEST_DESTROY] = 3, [FAULT_GUEST_UNDEFINE] = 2, [FAULT_MIGRATE] = 4, [FAULT_MIGRATE_AND_DEATH] = 4,
	[FAULT_CLONE] = 1, [FAULT_SHUTDOWN] = 2, [FAULT_MAINTENANCE] = 3, [FAULT_MAINTENANCE_ALL] = 1,
	[FAULT_CONFIRM] = 4, [FAULT_RELEASE] = 3, [FAULT_EVACUATE_HOST] = 2, [FAULT_EVACUATE_GUEST] = 3,
};

/* splitmix64: its own generator, so that a plan does not hang on how the world is built. */
static uint64_t draw(uint64_t *state, uint64_t below)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return below ? (z ^ (z >> 31)) % below : 0;
}

static void size_draw(struct plan *plan, uint64_t *rng)
{
	uint64_t dice = draw(rng, 100);

	if (dice == 0) {
		plan->hosts = 8 + draw(rng, WORLD_HOSTS_MAX - 7);
		plan->guests = 20 + draw(rng, draw(rng, 4) ? 40 : WORLD_GUESTS_MAX - 20);
	} else {
		plan->hosts = dice < 10 ? 2 : 3 + draw(rng, draw(rng, 2) ? 2 : 5);
		plan->guests = 1 + draw(rng, 6);
	}
}

static void swarm_draw(struct plan *plan, uint64_t *rng)
{
	static const uint32_t limits[] = { 0, 0, 1, 2, 7, 32 };

	plan->swarm.rings = true;
	plan->swarm.binary = draw(rng, 10) != 0;
	plan->swarm.definitions = draw(rng, 2);
	plan->swarm.memory = draw(rng, 3) == 0;
	plan->swarm.confirm = draw(rng, 3) != 0;
	plan->swarm.move_stopped = plan->seed % 4 == 3; /* not drawn: it came later, and moves no history of before */
	plan->swarm.recovery_method = plan->seed % 16 == 5 ? RECOVERY_RH_PRIORITY :
		plan->seed % 16 == 9 ? RECOVERY_AUTO_PRIORITY : RECOVERY_AUTO;
	plan->swarm.lock_percent = draw(rng, 3) ? 0 : 20;
	plan->swarm.helper_death_percent = draw(rng, 4) ? 0 : 15;
	plan->swarm.order_ms = draw(rng, 3) ? 5 : 800;
	plan->start_failures_percent = draw(rng, 2) ? 0 : (uint32_t)draw(rng, 30);
	plan->max_failed_hosts = limits[draw(rng, 6)];
	plan->max_failed_share_percent = 34;
	plan->fence_delay_ms = draw(rng, 3) ? 0 : draw(rng, 5000);
	plan->fence_levels = draw(rng, 8) ? 1 + (uint32_t)(draw(rng, 4) == 0) : 0;
	plan->devices_with_hosts = draw(rng, 4) == 0;
	plan->watchdogs = draw(rng, 4) == 0;
	plan->drift = draw(rng, 2);
	plan->groups = draw(rng, 5) == 0;
	/* Two of a group that have their disks, or are left to be started, on one host cannot both run: that is no fault of anybody. */
	plan->swarm.excluded = plan->seed % 8 == 3 && !plan->groups; /* not drawn either */
	plan->local_percent = draw(rng, 4) || plan->groups ? 0 : 30;
	plan->capacity_mib = 64 * (2 + 2 * plan->guests / plan->hosts + draw(rng, 4));
}

/* With a generator of its own: what was added later leaves the older seeds as they are. */
static void later_draw(struct plan *plan)
{
	uint64_t rng = plan->seed * 0x9e6c63d0876a9a47ull + 3;

	plan->swarm.takes_along = draw(&rng, 2);
	plan->swarm.asks_twice = draw(&rng, 4) != 0;
	plan->swarm.versions = draw(&rng, 12) == 0;
	if (plan->hosts > 2 && !plan->local_percent && draw(&rng, 2))
		plan->stay_off = 1 + (uint32_t)draw(&rng, (plan->hosts - 1) / 2);
	plan->swarm.hand_over = plan->swarm.move_stopped && draw(&rng, 3) != 0;
	/* It costs some ten times as much as a model of it. */
	rng = plan->seed * 0x9e6c63d0876a9a47ull + 11;
	plan->swarm.real_store = draw(&rng, 100) < 2 && plan->hosts <= 5 && plan->guests <= 4;
	/* A watchdog bites whoever is alone. */
	plan->last_alone = draw(&rng, 2) && plan->hosts == 2 && !plan->watchdogs && !plan->local_percent && !plan->groups &&
		!plan->swarm.excluded;
}

static void faults_draw(struct plan *plan, uint64_t *rng)
{
	uint32_t on[FAULT_KINDS], total = 0;
	uint64_t hurry = draw(rng, 3);

	for (size_t k = 0; k < FAULT_KINDS; k++) {
		on[k] = draw(rng, 2) || k == FAULT_POWER_ON || k == FAULT_HEAL || k == FAULT_DAEMON_START ? weights[k] : 0;
		total += on[k];
	}
	plan->n_faults = 3 + draw(rng, draw(rng, 4) ? 16 : FAULTS_MAX - 3);
	for (size_t i = 0; i < plan->n_faults; i++) {
		struct fault *fault = &plan->faults[i];
		uint64_t pick = draw(rng, total);

		while (pick >= on[fault->kind])
			pick -= on[fault->kind++];
		fault->host = (uint32_t)draw(rng, UINT32_MAX);
		fault->other = (uint32_t)draw(rng, UINT32_MAX);
		fault->guest = (uint32_t)draw(rng, UINT32_MAX);
		fault->value = draw(rng, 0);
		fault->value = *rng >> 8;
		fault->lasts_ms = draw(rng, 2) ? draw(rng, 6000) : draw(rng, 70000);
		fault->wait_ms = draw(rng, 3 + hurry) ? draw(rng, 2500) : draw(rng, 20000);
	}
}

void plan_draw(struct plan *plan, uint64_t seed, size_t hosts, size_t guests)
{
	uint64_t rng = seed * 0xd1342543de82ef95ull + 7;

	memset(plan, 0, sizeof(*plan));
	plan->seed = seed;
	size_draw(plan, &rng);
	plan->hosts = hosts ? hosts : plan->hosts;
	plan->guests = guests ? guests : plan->guests;
	swarm_draw(plan, &rng);
	faults_draw(plan, &rng);
	later_draw(plan);
}

void plan_tell(const struct plan *plan)
{
	printf("seed %llu: %zu hosts, %zu guests; rings %d, codec %d, definitions %d, memory %d (%llu MiB a host), confirm %d, stopped ones moved %d, vm1 left to its host %d, locks %u%%, dying helpers %u%%, failing starts %u%%\n",
	       (unsigned long long)plan->seed, plan->hosts, plan->guests, plan->swarm.rings, !plan->swarm.binary,
	       plan->swarm.definitions, plan->swarm.memory, (unsigned long long)plan->capacity_mib,
	       plan->swarm.confirm, plan->swarm.move_stopped, plan->swarm.excluded, plan->swarm.lock_percent,
	       plan->swarm.helper_death_percent,
	       plan->start_failures_percent);
	printf("brake %u hosts or %u%%, fence levels %u, delay %llu ms, BMCs with their hosts %d, watchdogs %d, drift %d, groups %d, local disks %u%%\n",
	       plan->max_failed_hosts, plan->max_failed_share_percent, plan->fence_levels,
	       (unsigned long long)plan->fence_delay_ms, plan->devices_with_hosts, plan->watchdogs, plan->drift,
	       plan->groups, plan->local_percent);
	printf("migrations take definitions along %d and ask twice %d, two versions %d, %u hosts stay off at the end, stopped ones handed over %d, stores %s\n",
	       plan->swarm.takes_along, plan->swarm.asks_twice, plan->swarm.versions, plan->stay_off,
	       plan->swarm.hand_over, plan->swarm.real_store ? "on disks that tear" : "modelled");
	for (size_t i = 0; i < plan->n_faults; i++)
		if (!plan->masked[i])
			printf("  fault %zu: %s (host %zu, guest %zu), then %llu ms\n", i,
			       fault_names[plan->faults[i].kind], 1 + plan->faults[i].host % plan->hosts,
			       1 + plan->faults[i].guest % plan->guests,
			       (unsigned long long)plan->faults[i].wait_ms);
}
