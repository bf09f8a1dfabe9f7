/*
 * From what a survey saw to a verdict. Nothing is shared that was not proved: what is not proved to
 * be the same is unknown, what is proved not to be is local.
 */
#ifndef HAMON_STORAGE_JUDGE_H
#define HAMON_STORAGE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json_object.h>

#include "storage-check/request.h"
#include "storage-check/survey.h"

enum verdict { VERDICT_LOCAL, VERDICT_UNKNOWN, VERDICT_VOLUME, VERDICT_SHARED };

const char *verdict_name(enum verdict verdict);

/*
 * Adds everything that an instance opens to the survey; with nova (it is what starts the instance)
 * but for Cinder's volumes.
 */
void judge_prepare(struct survey *survey, const struct domxml *dom, bool nova);

/*
 * {"verdict","reason","held","disks":[..]} about one instance, seen from host self, for its owner.
 * With owner NULL self is alone: no folder can be proved, and the reasons say what can be seen. A
 * new object.
 */
struct json_object *judge_instance(const struct survey *survey, const char *self,
				   const struct request_instance *instance);

#endif
