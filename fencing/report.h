/* What hamon-fence says on its stdout: one JSON object a line. */
#ifndef HAMON_FENCING_REPORT_H
#define HAMON_FENCING_REPORT_H

#include <json-c/json_object.h>

#include "fencing/failure.h"
#include "fencing/request.h"

/* {"type":"progress","op","phase","detail"} */
void report_progress(const struct fence_request *request, const char *phase, const char *detail);

/*
 * A new result: {"type":"result","op","ok","device","host","agent","error_class","error"}; failure
 * is NULL, or FAILURE_NONE, for success. The caller adds its fields and hands it to
 * report_result().
 */
struct json_object *report_new(const struct fence_request *request, const struct failure *failure);

/* Writes the one result and frees it. */
void report_result(struct json_object *result);

#endif
