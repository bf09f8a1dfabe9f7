/*
 * The simulator: histories of a cluster drawn from seeds. One that breaks an invariant, or does not come to rest when its faults are
 * over, is shortened, told, and can be told again with the command that is printed.
 *
 *	sim [--seeds FIRST-LAST] [--jobs N] [--hosts N] [--guests N] [--seed N (loud)] [--only FAULT,..] [--coverage]
 *	    [--no-shrink] [--fresh-cores (nothing may come of it)] [--disks]
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/simulator/history.h"

#define JOBS_MAX 64
#define COVERED_SEEDS 16 /* one history of so many is counted in the coverage: counting costs time */

struct options {
	unsigned long long first, last;
	size_t hosts, guests, jobs;
	bool loud, coverage, shrink, disks;
	const char *only;
};

/* What all workers count together: each adds to its own entry. */
struct counts {
	unsigned long long current; /* the seed that runs now */
	unsigned long long histories, failed, simulated_ms, steps, fences, starts, refusals, commits;
	unsigned long long host_ms, digest;
	uint64_t faults[FAULT_KINDS];
	struct coverage coverage;
};

static bool number_read(const char *text, unsigned long long low, unsigned long long high, size_t *ret)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	*ret = n;
	return end != text && !*end && n >= low && n <= high;
}

static bool options_read(struct options *opt, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'o' },
		{ "hosts", required_argument, NULL, 'h' }, { "guests", required_argument, NULL, 'g' },
		{ "jobs", required_argument, NULL, 'j' }, { "only", required_argument, NULL, 'y' },
		{ "coverage", no_argument, NULL, 'c' }, { "no-shrink", no_argument, NULL, 'n' },
		{ "fresh-cores", no_argument, NULL, 'f' }, { "disks", no_argument, NULL, 'd' }, { 0 },
	};
	bool good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			good = sscanf(optarg, "%llu-%llu", &opt->first, &opt->last) == 2;
			break;
		case 'o':
			good = sscanf(optarg, "%llu", &opt->first) == 1;
			opt->last = opt->first;
			opt->loud = true;
			break;
		case 'h':
			good = number_read(optarg, 2, WORLD_HOSTS_MAX, &opt->hosts);
			break;
		case 'g':
			good = number_read(optarg, 1, WORLD_GUESTS_MAX, &opt->guests);
			break;
		case 'j':
			good = number_read(optarg, 1, JOBS_MAX, &opt->jobs);
			break;
		case 'y':
			opt->only = optarg;
			break;
		case 'c':
			opt->coverage = true;
			break;
		case 'd':
			opt->disks = true;
			break;
		case 'f':
			cores_always_fresh = true;
			break;
		case 'n':
			opt->shrink = false;
			break;
		default:
			good = false;
		}
	}
	return good && optind == argc && opt->first <= opt->last;
}

/* "3,7,9": all other faults are left out. */
static void plan_mask(struct plan *plan, const char *only)
{
	memset(plan->masked, true, sizeof(plan->masked));
	while (*only) {
		unsigned long n = strtoul(only, NULL, 10);

		if (n < FAULTS_MAX)
			plan->masked[n] = false;
		only += strcspn(only, ",");
		only += *only == ',';
	}
}

static void replay_print(const struct options *opt, const struct plan *plan)
{
	const char *sep = "";

	printf("again: tests/sim --seed %llu --hosts %zu --guests %zu%s --only ", (unsigned long long)plan->seed,
	       plan->hosts, plan->guests, opt->disks ? " --disks" : "");
	for (size_t i = 0; i < plan->n_faults; i++)
		if (!plan->masked[i]) {
			printf("%s%zu", sep, i);
			sep = ",";
		}
	printf("%s\n", *sep ? "" : ",");
}

static void failure_tell(const struct options *opt, struct plan *plan, struct outcome *outcome, bool first)
{
	printf("seed %llu, %zu hosts: %s\n", (unsigned long long)plan->seed, plan->hosts, outcome->why);
	if (!first || !opt->shrink)
		return;
	plan_shrink(plan, outcome);
	printf("shortened:\n");
	plan_tell(plan);
	history_run(plan, true, NULL, outcome);
	printf("seed %llu, %zu hosts: %s\n", (unsigned long long)plan->seed, plan->hosts, outcome->why);
	replay_print(opt, plan);
}

static void worker(const struct options *opt, size_t number, struct counts *counts)
{
	static struct plan plan;
	static struct outcome outcome;

	for (unsigned long long seed = opt->first + number; seed <= opt->last; seed += opt->jobs) {
		bool covered = opt->coverage && (seed % COVERED_SEEDS == 0 || opt->first == opt->last);

		counts->current = seed;
		plan_draw(&plan, seed, opt->hosts, opt->guests);
		plan.swarm.real_store |= opt->disks;
		if (opt->only)
			plan_mask(&plan, opt->only);
		if (opt->loud)
			plan_tell(&plan);
		history_run(&plan, opt->loud, covered ? &counts->coverage : NULL, &outcome);
		counts->histories++;
		counts->simulated_ms += outcome.simulated_ms;
		counts->host_ms += outcome.simulated_ms * plan.hosts;
		counts->steps += outcome.steps;
		counts->digest += outcome.digest * (seed | 1);
		counts->fences += outcome.fences;
		counts->starts += outcome.starts;
		counts->refusals += outcome.refusals;
		counts->commits += outcome.commits;
		for (size_t k = 0; k < FAULT_KINDS; k++)
			counts->faults[k] += outcome.faults[k];
		if (outcome.failed && opt->loud)
			printf("seed %llu, %zu hosts: %s\n", seed, plan.hosts, outcome.why);
		else if (outcome.failed)
			failure_tell(opt, &plan, &outcome, !counts->failed);
		counts->failed += outcome.failed;
		fflush(stdout);
	}
}

/* Starts a process for each job and waits for all. False when one ended otherwise than by its own will. */
static bool workers_run(const struct options *opt, struct counts *counts)
{
	pid_t pids[JOBS_MAX];
	bool good = true;
	int status;

	if (opt->jobs == 1) {
		worker(opt, 0, counts);
		return true;
	}
	for (size_t i = 0; i < opt->jobs; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return false;
		if (!pids[i]) {
			worker(opt, i, &counts[i]);
			exit(0);
		}
	}
	for (size_t i = 0; i < opt->jobs; i++) {
		if (waitpid(pids[i], &status, 0) > 0 && WIFEXITED(status) && !WEXITSTATUS(status))
			continue;
		printf("seed %llu: the simulator itself ended\n", counts[i].current);
		good = false;
	}
	return good;
}

static void counts_add(struct counts *sum, const struct counts *part)
{
	sum->histories += part->histories;
	sum->failed += part->failed;
	sum->simulated_ms += part->simulated_ms;
	sum->host_ms += part->host_ms;
	sum->steps += part->steps;
	sum->digest += part->digest;
	sum->fences += part->fences;
	sum->starts += part->starts;
	sum->refusals += part->refusals;
	sum->commits += part->commits;
	for (size_t k = 0; k < FAULT_KINDS; k++)
		sum->faults[k] += part->faults[k];
	coverage_add(&sum->coverage, &part->coverage);
}

/* The digest is the same as long as nothing has changed but speed. */
static void counts_print(const struct options *opt, const struct counts *sum, double seconds, double processor_s)
{
	if (opt->first != opt->last) {
		printf("faults:");
		for (size_t k = 0; k < FAULT_KINDS; k++)
			printf("%s %s %llu", k ? "," : "", fault_names[k], (unsigned long long)sum->faults[k]);
		printf("\n%.0f host-hours, %llu steps of a core, %llu records committed, %llu fencings, %llu starts, %llu starts refused\n",
		       (double)sum->host_ms / 3.6e6, sum->steps, sum->commits, sum->fences, sum->starts, sum->refusals);
	}
	if (opt->coverage)
		coverage_print(&sum->coverage);
	printf("%llu histories, %llu failed; %.0f histories/s, %.0f for each second of a processor, digest %016llx\n",
	       sum->histories, sum->failed, (double)sum->histories / (seconds > 0 ? seconds : 1),
	       (double)sum->histories / (processor_s > 0 ? processor_s : 1), sum->digest);
}

static double processor_used(int who)
{
	struct rusage used;

	if (getrusage(who, &used))
		return 0;
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	struct options opt = { .first = 1, .last = 150, .jobs = 1, .shrink = true };
	struct timespec begin, end;
	static struct counts sum;
	struct counts *counts;
	bool good;

	if (!options_read(&opt, argc, argv)) {
		fprintf(stderr, "usage: sim [--seeds FIRST-LAST] [--jobs 1..%d] [--seed N] [--hosts 2..%d] [--guests 1..%d] [--only FAULT,..] [--coverage] [--no-shrink] [--fresh-cores] [--disks]\n",
			JOBS_MAX, WORLD_HOSTS_MAX, WORLD_GUESTS_MAX);
		return 64;
	}
	if (opt.last - opt.first + 1 < opt.jobs)
		opt.jobs = opt.last - opt.first + 1;
	counts = mmap(NULL, sizeof(*counts) * opt.jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		return 70;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	good = workers_run(&opt, counts);
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (size_t i = 0; i < opt.jobs; i++)
		counts_add(&sum, &counts[i]);
	counts_print(&opt, &sum, (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
		     processor_used(RUSAGE_SELF) + processor_used(RUSAGE_CHILDREN));
	return !good || sum.failed || sum.histories != opt.last - opt.first + 1;
}
