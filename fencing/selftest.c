/* The requests about a device itself. */
#include <stdio.h>
#include <stdlib.h>
#include <json-c/json.h>

#include "fencing/action.h"
#include "fencing/metadata.h"
#include "fencing/power.h"
#include "fencing/report.h"
#include "fencing/selftest.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define WARNING_SIZE 256

/* --- metadata --- */

static int metadata_fetch(const struct fence_request *request, uint64_t deadline_ms,
			  struct metadata *metadata, struct failure *failure)
{
	/* The credentials are no business of this action. */
	struct fence_request bare = *request;
	struct agent_run run = { 0 };
	struct failure why;
	int rc = -1;

	bare.options.count = 0;
	action_run(&run, &bare, "metadata", deadline_ms);
	if (run.end != AGENT_EXITED || run.code != 0) {
		action_explain(&run, &bare, "metadata", failure);
	} else if (run.out.cut) {
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "%s: its metadata is longer than %u bytes", request->agent_name,
			    AGENT_OUTPUT_MAX);
	} else {
		struct agent_output output = agent_output(&run);

		rc = metadata_parse(metadata, output.out, output.out_len, &why);
		if (rc)
			failure_set(failure, why.what, "%s: %.400s", request->agent_name, why.text);
	}
	agent_clear(&run);
	return rc;
}

/* Checks the agent and, where wanted, the options against what the agent says about itself. */
static int metadata_check(const struct fence_request *request, const struct metadata *metadata,
			  bool with_options, struct failure *failure)
{
	struct failure why;
	int rc = metadata_check_agent(metadata, &why);

	if (!rc && with_options)
		rc = metadata_check_options(metadata, &request->options, request->host[0] != '\0',
					    &why);
	if (rc)
		failure_set(failure, why.what, "%s: %.400s", request->agent_name, why.text);
	return rc;
}

static void warning_add(struct json_object *warnings, const char *option, const char *instead)
{
	char text[WARNING_SIZE];

	snprintf(text, sizeof(text), "option %s is deprecated%s%s", option, instead ? ": use " : "",
		 instead ? instead : "");
	json_object_array_add(warnings, json_object_new_string(text));
}

static struct json_object *warnings_collect(const struct fence_request *request,
					    const struct metadata *metadata)
{
	struct json_object *warnings = json_object_new_array();

	for (size_t i = 0; i < metadata->parameter_count; i++) {
		const struct metadata_parameter *parameter = &metadata->parameters[i];
		const struct metadata_parameter *newer = metadata_replacement(metadata,
									      parameter->name);

		if (parameter->deprecated && options_get(&request->options, parameter->name))
			warning_add(warnings, parameter->name, newer ? newer->name : NULL);
	}
	return warnings;
}

static struct json_object *parameters_list(const struct metadata *metadata)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < metadata->parameter_count; i++) {
		const struct metadata_parameter *parameter = &metadata->parameters[i];
		struct json_object *obj = json_object_new_object();

		json_put_string(obj, "name", parameter->name);
		json_put_bool(obj, "required", parameter->required);
		json_put_string(obj, "type", parameter->type);
		json_put_string(obj, "default", parameter->has_default ? parameter->value : NULL);
		json_put_bool(obj, "deprecated", parameter->deprecated);
		json_object_array_add(list, obj);
	}
	return list;
}

static struct json_object *actions_list(const struct metadata *metadata)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < metadata->action_count; i++)
		json_object_array_add(list, json_object_new_string(metadata->actions[i]));
	return list;
}

void selftest_metadata(struct fence_request *request)
{
	struct metadata *metadata = calloc(1, sizeof(*metadata));
	struct failure failure = { 0 };
	struct json_object *result;

	if (!metadata)
		abort();
	if (!action_prepare(request, &failure) &&
	    !metadata_fetch(request, clock_boot_ms() + request->status_timeout_ms, metadata,
			    &failure))
		metadata_check(request, metadata, request->has_options, &failure);
	result = report_new(request, &failure);
	json_put_string(result, "name", metadata->name);
	json_put_string(result, "shortdesc", metadata->shortdesc);
	json_object_object_add(result, "parameters", parameters_list(metadata));
	json_object_object_add(result, "actions", actions_list(metadata));
	json_put_bool(result, "fabric", metadata->fabric);
	json_object_object_add(result, "warnings", warnings_collect(request, metadata));
	report_result(result);
	free(metadata);
}

/* --- monitor --- */

static int agent_monitor(const struct fence_request *request, uint64_t deadline_ms,
			 struct failure *failure)
{
	struct agent_run run = { 0 };
	bool ok = false;

	for (unsigned int n = 0; n <= request->retries && !ok; n++) {
		if (n && clock_boot_ms() >= deadline_ms)
			break;
		action_run(&run, request, "monitor", deadline_ms);
		ok = run.end == AGENT_EXITED && run.code == 0;
		if (!ok)
			action_explain(&run, request, "monitor", failure);
		agent_clear(&run);
	}
	if (ok)
		failure->what = FAILURE_NONE;
	return ok ? 0 : -1;
}

static int device_test(struct fence_request *request, struct metadata *metadata, enum power *power,
		       struct failure *failure)
{
	uint64_t deadline_ms = clock_boot_ms() + request->status_timeout_ms;

	if (action_prepare(request, failure) ||
	    metadata_fetch(request, deadline_ms, metadata, failure) ||
	    metadata_check(request, metadata, true, failure))
		return -1;
	if (metadata_has_action(metadata, "monitor") &&
	    agent_monitor(request, deadline_ms, failure))
		return -1;
	if (!request->host[0])
		return 0;
	*power = power_read(request, deadline_ms, failure);
	return *power == POWER_UNKNOWN ? -1 : 0;
}

void selftest_monitor(struct fence_request *request)
{
	struct metadata *metadata = calloc(1, sizeof(*metadata));
	struct failure failure = { 0 };
	enum power power = POWER_UNKNOWN;
	struct json_object *result;

	if (!metadata)
		abort();
	device_test(request, metadata, &power, &failure);
	result = report_new(request, &failure);
	json_put_string(result, "power", power_name(power));
	json_object_object_add(result, "warnings", warnings_collect(request, metadata));
	report_result(result);
	free(metadata);
}
