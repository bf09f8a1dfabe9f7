/* Which events met which states of the core, counted over all histories. */
#ifndef HAMON_TESTS_SIMULATOR_COVERAGE_H
#define HAMON_TESTS_SIMULATOR_COVERAGE_H

#include <stdint.h>

#define COVERAGE_EVENTS 40 /* kinds of events, and of messages behind them */
#define COVERAGE_ROLES 5
#define COVERAGE_HOSTS 6
#define COVERAGE_PHASES 5

struct coverage {
	uint64_t roles[COVERAGE_ROLES][COVERAGE_EVENTS];
	uint64_t hosts[COVERAGE_HOSTS][COVERAGE_EVENTS];
	uint64_t phases[COVERAGE_PHASES][COVERAGE_EVENTS];
};

void coverage_add(struct coverage *sum, const struct coverage *part);
void coverage_print(const struct coverage *coverage);

#endif
