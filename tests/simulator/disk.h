/* The store's own code behind a history, see disk.c. */
#ifndef HAMON_TESTS_SIMULATOR_DISK_H
#define HAMON_TESTS_SIMULATOR_DISK_H

#include "tests/simulator/inner.h"

/* Every host of the world gets a new store. */
void disks_begin(struct world *w);

#endif
