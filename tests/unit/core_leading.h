/* One core of host 1 that coordinates, or is about to: what the unit tests of the coordinator share. See core_alone.h. */
#ifndef HAMON_TESTS_UNIT_CORE_LEADING_H
#define HAMON_TESTS_UNIT_CORE_LEADING_H

#include "tests/unit/core_alone.h"

#define T1 TERM(1, 2) /* the term whose facts host 1 finds; its own is the next */

extern struct alone_facts facts;
extern const uint32_t without_3[2], all_3[3];

/* Of three hosts, who have all reported: vm1 runs on host owner. lead(&facts) is the next step. */
void lead_3(uint32_t owner);
/* Host 3 has left; its intent is committed and its device is told. */
void fence_3(void);
/* What that device, or its helper, says. */
void fence_end(bool off);
/* Time passes in which the disk writes, and the others have what is written. */
void live(uint64_t ms);

#endif
