/* check: a verdict for each instance, from one survey of all their storage. */
#include <errno.h>
#include <string.h>

#include "hamon/common/json.h"
#include "storage-check/helper.h"
#include "storage-check/judge.h"

static void verdict_write(const struct survey *survey, const struct request *request,
			  const struct request_instance *instance)
{
	struct json_object *obj = judge_instance(survey, request->self, instance);

	json_put_string(obj, "type", "verdict");
	json_put_string(obj, "uuid", instance->uuid);
	json_put_string(obj, "name", instance->name);
	json_write_line(1, obj);
	json_object_put(obj);
}

int check_run(const struct request *request, const char *lock_dir)
{
	const struct survey_limits limits = {
	    .lock_dir = lock_dir,
	    .probe_timeout_ms = request->probe_timeout_ms,
	    .total_ms = HELPER_ROUNDS * request->probe_timeout_ms,
	    .parallel = HELPER_PARALLEL,
	};
	struct survey *survey = survey_new(&limits);
	int rc;

	if (!survey)
		return -ENOMEM;
	if (request->deep)
		survey_set_deep(survey);
	for (size_t i = 0; i < request->n_instances; i++) {
		survey_add_host(survey, request->instances[i].owner);
		if (request->instances[i].dom)
			judge_prepare(survey, request->instances[i].dom, request->nova);
	}
	survey_run(survey);
	rc = survey_failed(survey);
	for (size_t i = 0; i < request->n_instances && !rc; i++)
		verdict_write(survey, request, &request->instances[i]);
	survey_free(survey);
	return rc;
}
