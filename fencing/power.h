/* The requests about a host's power: `off` with its proof, and `status`. */
#ifndef HAMON_FENCING_POWER_H
#define HAMON_FENCING_POWER_H

#include "fencing/request.h"

/*
 * Switches the host off and reports the readback, at the latest after timeout_ms * (retries + 1);
 * see fencing/off.h. After the result is out, an `off` that still runs is given a moment to end by
 * itself, so that it can close its session with the device.
 */
void power_off(struct fence_request *request);

/*
 * Reads the power and reports it, repeating a failed reading as often as the request allows, within
 * status_timeout_ms.
 */
void power_status(struct fence_request *request);

/* The same without the report, until deadline_ms; failure says why it is unknown. */
enum power power_read(struct fence_request *request, uint64_t deadline_ms, struct failure *failure);

#endif
