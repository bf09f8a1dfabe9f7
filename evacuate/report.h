/*
 * What an operation says on stdout, and the watch over it: when the operation does not end in time, the watch says
 * so in a result of its own and ends the process. (The caller's SIGKILL stands behind that.)
 */
#ifndef HAMON_EVACUATE_REPORT_H
#define HAMON_EVACUATE_REPORT_H

#include <stdint.h>
#include <json-c/json_object.h>

/* One line on stdout; ends the process when nobody reads any more. */
void report_line(struct json_object *obj);

/* From now on each phase that is told is a fault point "helper-PHASE WHAT" (hamon/common/faultfile.h). Borrowed. */
void report_faults(const char *path, const char *what);

/* {"type":"progress","op":..,"phase":..,"detail":..} */
void report_progress(const char *op, const char *phase, const char *detail);

/* Fills a failed result: "ok":false, "error_class", "error". */
void report_failure(struct json_object *result, const char *error_class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * From now on the process ends after timeout_ms (0 = never) with `expired`, the result to be told then; it is copied
 * as text. A later call replaces an earlier one. 0 or -errno.
 */
int report_watch(uint64_t timeout_ms, struct json_object *expired);

/* The same with a result of class "timeout" that names what did not end: whatever comes next ends in time, or with it. */
void report_limit(const char *op, uint64_t timeout_ms, const char *doing);

#endif
