/* A history: a cluster and what happens to it, all drawn from a seed, so that it can be told again, whole or in part. */
#ifndef HAMON_TESTS_SIMULATOR_HISTORY_H
#define HAMON_TESTS_SIMULATOR_HISTORY_H

#include "tests/simulator/coverage.h"
#include "tests/simulator/world.h"

#define FAULTS_MAX 48

enum fault_kind {
	FAULT_POWER_OFF, FAULT_POWER_ON, FAULT_REBOOT, FAULT_POWER_ALL, FAULT_DEATH_AND_SPLIT,
	FAULT_DAEMON_KILL, FAULT_DAEMON_START, FAULT_DAEMON_LEAVE, FAULT_FREEZE, FAULT_PAUSE, FAULT_COROSYNC,
	FAULT_ISOLATE, FAULT_SPLIT2, FAULT_SPLIT3, FAULT_FLAP, FAULT_BLIP, FAULT_HEAL,
	FAULT_STORE_HANG, FAULT_STORE_FAIL, FAULT_STORE_LOSE,
	FAULT_DEVICE, FAULT_DEVICE_BROKEN,
	FAULT_STORAGE, FAULT_STORAGE_ALL, FAULT_LIBVIRT, FAULT_STARTS_FAIL, FAULT_HOOK,
	FAULT_GUEST_START, FAULT_GUEST_ELSEWHERE, FAULT_GUEST_CRASH, FAULT_GUEST_STOP, FAULT_GUEST_DESTROY,
	FAULT_GUEST_UNDEFINE, FAULT_MIGRATE, FAULT_MIGRATE_AND_DEATH, FAULT_CLONE,
	FAULT_SHUTDOWN, FAULT_MAINTENANCE, FAULT_MAINTENANCE_ALL, FAULT_CONFIRM, FAULT_RELEASE,
	FAULT_EVACUATE_HOST, FAULT_EVACUATE_GUEST,
	FAULT_KINDS,
};

/* Hosts and guests are large numbers, taken modulo what there is: the same plan fits a smaller cluster. */
struct fault {
	enum fault_kind kind;
	uint32_t host, other, guest;
	uint64_t value;
	uint64_t lasts_ms;
	uint64_t wait_ms; /* until the next one */
};

struct plan {
	uint64_t seed;
	size_t hosts, guests;
	struct swarm swarm;
	uint32_t start_failures_percent;
	uint32_t max_failed_hosts, max_failed_share_percent;
	uint64_t fence_delay_ms;
	uint32_t fence_levels;
	bool devices_with_hosts, watchdogs, drift, groups;
	uint32_t local_percent;  /* of guests have their disks on one host only */
	uint32_t stay_off;       /* so many hosts die when all faults end, and are off for good */
	bool last_alone;         /* of two, one is off for good once all is well again */
	uint64_t capacity_mib;
	size_t n_faults;
	struct fault faults[FAULTS_MAX];
	bool masked[FAULTS_MAX]; /* left out */
};

struct outcome {
	bool failed;
	char why[512];
	uint64_t simulated_ms, steps, fences, starts, refusals, commits, digest;
	uint64_t faults[FAULT_KINDS];
};

extern const char *const fault_names[FAULT_KINDS];

/* hosts and guests: 0 for as many as the seed says. */
void plan_draw(struct plan *plan, uint64_t seed, size_t hosts, size_t guests);
void history_run(const struct plan *plan, bool loud, struct coverage *coverage, struct outcome *ret);
/* Leaves out of a plan that fails what it takes not to fail. */
void plan_shrink(struct plan *plan, struct outcome *outcome);
void plan_tell(const struct plan *plan);

/* faults.c */
/* What lasts for a while: it ends by itself. */
struct end {
	uint64_t at_ms;
	enum fault_kind kind;
	size_t host;
};

struct ends {
	size_t n;
	struct end ends[FAULTS_MAX];
};

void fault_apply(struct world *w, const struct plan *plan, const struct fault *fault, struct ends *ends);
void faults_end(struct world *w, const struct plan *plan, struct ends *ends);
void operator_tidy(struct world *w);
void storage_restore(struct world *w, const struct plan *plan);

void end_add(struct ends *ends, const struct world *w, enum fault_kind kind, size_t host, uint64_t in_ms);
void run_with_ends(struct world *w, const struct plan *plan, struct ends *ends, uint64_t for_ms);

#endif
