/* The requests about a device itself: whether it would work, and what its agent can do. */
#ifndef HAMON_FENCING_SELFTEST_H
#define HAMON_FENCING_SELFTEST_H

#include "fencing/request.h"

/*
 * Tests the device as far as that is possible without switching anything: the agent's metadata, the
 * options against it, the agent's own `monitor`, and, when the request names a host, a `status` of
 * it, for that is what a fencing will be proven with. All of it within status_timeout_ms. Reports
 * {"power","warnings":[..]}.
 */
void selftest_monitor(struct fence_request *request);

/*
 * Reports what the agent's metadata says,
 * {"name","shortdesc","parameters":[..],"actions":[..],"fabric", "warnings"}; not ok when the agent
 * could not fence for hamon, or when options were given and do not fit.
 */
void selftest_metadata(struct fence_request *request);

#endif
