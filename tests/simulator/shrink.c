/* A history that fails is told as shortly as it can be: fewer faults, fewer hosts and guests, as long as it fails alike. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/simulator/history.h"

#define RUNS_MAX 250
#define SECONDS_MAX 30

struct shrinking {
	struct plan *plan;
	struct outcome *outcome;
	int runs;
	time_t until;
};

/* "I1: vm2 runs on .." and "I1: vm4 runs on .." are one kind of failure. */
static bool failures_are_alike(const char *a, const char *b)
{
	size_t len = strcspn(a, ":");

	return len == strcspn(b, ":") && !strncmp(a, b, len);
}

/* Takes the plan when it still fails as the one before it did. */
static bool plan_try(struct shrinking *sh, const struct plan *plan)
{
	static struct outcome outcome;

	if (sh->runs >= RUNS_MAX || time(NULL) > sh->until)
		return false;
	sh->runs++;
	history_run(plan, false, NULL, &outcome);
	if (!outcome.failed || !failures_are_alike(outcome.why, sh->outcome->why))
		return false;
	*sh->plan = *plan;
	*sh->outcome = outcome;
	return true;
}

static size_t faults_left(const struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_faults; i++)
		n += !plan->masked[i];
	return n;
}

/* Leaves out chunk after chunk, and halves the chunks, down to single faults. */
static void faults_shrink(struct shrinking *sh)
{
	for (size_t chunk = (sh->plan->n_faults + 1) / 2; chunk; chunk /= 2) {
		for (size_t from = 0; from < sh->plan->n_faults; from += chunk) {
			struct plan less = *sh->plan;

			for (size_t i = from; i < from + chunk && i < less.n_faults; i++)
				less.masked[i] = true;
			if (faults_left(&less) < faults_left(sh->plan))
				plan_try(sh, &less);
		}
	}
}

static void size_shrink(struct shrinking *sh)
{
	for (size_t hosts = 2; hosts < sh->plan->hosts; hosts++) {
		struct plan less = *sh->plan;

		less.hosts = hosts;
		if (plan_try(sh, &less))
			break;
	}
	for (size_t guests = 1; guests < sh->plan->guests; guests++) {
		struct plan less = *sh->plan;

		less.guests = guests;
		if (plan_try(sh, &less))
			break;
	}
}

void plan_shrink(struct plan *plan, struct outcome *outcome)
{
	struct shrinking sh = { .plan = plan, .outcome = outcome, .until = time(NULL) + SECONDS_MAX };
	size_t before;

	do {
		before = faults_left(plan);
		faults_shrink(&sh);
		size_shrink(&sh);
	} while (faults_left(plan) < before);
}
