/*
 * The simulator: histories of a cluster drawn from seeds. Each history is some minutes of faults (the safety phase: an instance
 * that runs twice ends it), then all faults end, and within a bound every instance must be where it belongs (liveness).
 *
 *	sim [--seeds FIRST-LAST] [--jobs N] [--hosts N] [--seed N (loud)]
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/simulator/world.h"

#define QUIET_MS 300000

static void fault(struct world *w, size_t hosts)
{
	size_t host = 1 + world_random(w, hosts), guest = 1 + world_random(w, w->n_guests);
	size_t runs = world_runs_on(w, guest - 1);

	switch (world_random(w, 18)) {
	case 0:
	case 1:
		world_power_off(w, host);
		break;
	case 2:
	case 3:
	case 4:
		world_power_on(w, host);
		break;
	case 5:
		world_daemon_kill(w, host);
		break;
	case 6:
	case 7:
		world_daemon_start(w, host);
		break;
	case 8:
		world_freeze(w, host, true);
		break;
	case 9:
		world_freeze(w, host, false);
		break;
	case 10:
		world_side(w, host, 1 + (uint32_t)world_random(w, 2));
		break;
	case 11:
		world_heal(w);
		break;
	case 12:
		world_store_hang(w, host, world_random(w, 8000));
		break;
	case 13:
		w->hosts[host - 1].device_broken = world_random(w, 2);
		break;
	case 14:
		world_guest_start(w, host, guest);
		break;
	case 16:
	case 17:
		/* A death, and a split while it is being dealt with: what only one side has heard must not count. */
		world_power_off(w, host);
		world_run(w, 900 + world_random(w, 2500));
		for (size_t h = 1; h <= hosts; h++)
			world_side(w, h, 1 + (uint32_t)world_random(w, 2));
		world_run(w, world_random(w, 10000));
		break;
	case 15:
		if (runs && world_random(w, 2))
			world_guest_stop(w, runs, guest, STOP_CRASH);
		break;
	}
}

/* How every daemon sees the hosts and the instances: printed where a history does not settle. */
static void views_print(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++) {
		const struct core *core = w->hosts[h].core;
		struct core_instance_view inst;
		struct core_host_view host;
		struct core_view view;

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
				printf("   %s: %s owner %u epoch %llu generation %llu wish %s on %x: %s\n",
				       inst.spec->name, phase_name(inst.place->phase), inst.place->owner,
				       (unsigned long long)inst.place->owner_epoch,
				       (unsigned long long)inst.place->generation,
				       wish_name(inst.place->wish), inst.running_on, inst.place->reason);
	}
}

static bool history(uint64_t seed, size_t hosts, size_t guests, bool loud)
{
	static struct world w;
	char why[512] = "";
	bool settled = false;
	int faults;

	world_init(&w, seed, hosts, guests);
	w.loud = loud;
	for (size_t h = 1; h <= hosts; h++)
		world_power_on(&w, h);
	world_run(&w, 8000);
	for (size_t g = 1; g <= guests; g++) {
		world_guest_start(&w, 1 + g % hosts, g);
		
	}
	for (int i = 0; i < 10 && !world_is_settled(&w, why, sizeof(why)); i++)
		world_run(&w, 4000);
	if (!w.failed && !world_is_settled(&w, why, sizeof(why))) {
		printf("seed %llu: not even at the start: %s\n", (unsigned long long)seed, why);
		world_free(&w);
		return false;
	}
	w.start_failures_percent = (uint32_t)world_random(&w, 30);
	faults = 5 + (int)world_random(&w, 40);
	for (int i = 0; i < faults && !w.failed; i++) {
		fault(&w, hosts);
		world_run(&w, world_random(&w, 3) ? world_random(&w, 3000) : world_random(&w, 20000));
	}
	/* All faults end. */
	w.start_failures_percent = 0;
	world_heal(&w);
	for (size_t h = 1; h <= hosts; h++) {
		world_power_on(&w, h);
		world_daemon_start(&w, h);
	}
	for (uint64_t t = 0; t < QUIET_MS && !w.failed; t += 5000) {
		world_run(&w, 5000);
		settled = world_is_settled(&w, why, sizeof(why));
		if (settled)
			break;
	}
	if (w.failed || !settled)
		printf("seed %llu, %zu hosts: %s\n", (unsigned long long)seed, hosts,
		       w.failed ? w.failure : why);
	if ((w.failed || !settled) && loud)
		views_print(&w);
	else if (loud)
		printf("seed %llu: settled at %llu ms, %llu steps, %llu fencings, %llu starts, %llu refused\n",
		       (unsigned long long)seed, (unsigned long long)w.now_ms, (unsigned long long)w.steps,
		       (unsigned long long)w.fences, (unsigned long long)w.starts, (unsigned long long)w.refusals);
	world_free(&w);
	return !w.failed && settled;
}

struct options {
	unsigned long long first, last;
	unsigned long hosts, jobs;
	bool loud;
};

/* What all workers count together: each adds to its own entry. */
struct counts {
	unsigned long long histories, failed, simulated_ms;
};

static bool options_read(struct options *opt, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'o' },
		{ "hosts", required_argument, NULL, 'h' }, { "jobs", required_argument, NULL, 'j' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's' && sscanf(optarg, "%llu-%llu", &opt->first, &opt->last) == 2)
			continue;
		if (c == 'o' && sscanf(optarg, "%llu", &opt->first) == 1) {
			opt->last = opt->first;
			opt->loud = true;
			continue;
		}
		if (c == 'h' && (opt->hosts = strtoul(optarg, NULL, 10)) >= 2 && opt->hosts <= WORLD_HOSTS_MAX)
			continue;
		if (c == 'j' && (opt->jobs = strtoul(optarg, NULL, 10)) >= 1 && opt->jobs <= 64)
			continue;
		return false;
	}
	return optind == argc && opt->first <= opt->last;
}

static void worker(const struct options *opt, unsigned long number, struct counts *counts)
{
	for (unsigned long long seed = opt->first + number; seed <= opt->last; seed += opt->jobs) {
		counts->failed += !history(seed, opt->hosts ? opt->hosts : 3 + seed % 5, 1 + seed % 6, opt->loud);
		counts->histories++;
		fflush(stdout);
	}
}

/* Starts a process for each job and waits for all. False when one ended otherwise than by its own will. */
static bool workers_run(const struct options *opt, struct counts *counts)
{
	bool good = true;
	int status;

	if (opt->jobs == 1) {
		worker(opt, 0, counts);
		return true;
	}
	for (unsigned long i = 0; i < opt->jobs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return false;
		if (!pid) {
			worker(opt, i, &counts[i]);
			exit(0);
		}
	}
	for (unsigned long i = 0; i < opt->jobs; i++)
		good &= wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
	return good;
}

int main(int argc, char **argv)
{
	struct options opt = { .first = 1, .last = 150, .jobs = 1 };
	struct counts *counts, sum = { 0 };
	struct timespec begin, end;
	double seconds;
	bool good;

	if (!options_read(&opt, argc, argv)) {
		fprintf(stderr, "usage: sim [--seeds FIRST-LAST] [--jobs 1..64] [--seed N] [--hosts 2..%d]\n", WORLD_HOSTS_MAX);
		return 64;
	}
	counts = mmap(NULL, sizeof(*counts) * opt.jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		return 70;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	good = workers_run(&opt, counts);
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (unsigned long i = 0; i < opt.jobs; i++) {
		sum.histories += counts[i].histories;
		sum.failed += counts[i].failed;
	}
	seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	printf("%llu histories, %llu failed; %.0f histories/s\n", sum.histories, sum.failed,
	       (double)sum.histories / (seconds > 0 ? seconds : 1));
	return !good || sum.failed || sum.histories != opt.last - opt.first + 1;
}
