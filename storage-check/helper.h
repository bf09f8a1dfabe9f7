/* The operations of hamon-storage: one request in, lines of JSON out. */
#ifndef HAMON_STORAGE_HELPER_H
#define HAMON_STORAGE_HELPER_H

#include "storage-check/request.h"

#define HELPER_PARALLEL 32
/* Of all probes together, in units of one probe's time: what is not seen by then is unknown. */
#define HELPER_ROUNDS 4

/*
 * Each writes its lines but the result to stdout. 0, or -errno when the operation as a whole
 * failed.
 */
int beacon_run(const struct request *request, const char *lock_dir);
int check_run(const struct request *request, const char *lock_dir);
/* Adds "places" and "disks" to result. */
int identify_run(const struct request *request, const char *lock_dir, struct json_object *result);

#endif
