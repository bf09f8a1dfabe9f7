/* What hamon-fence says on its stdout. */
#include <stdlib.h>
#include <unistd.h>
#include <json-c/json.h>

#include "fencing/report.h"
#include "hamon/common/json.h"

static void line_write(struct json_object *obj)
{
	/* Without a reader there is nobody to fence for; see actions_wait(). */
	if (json_write_line(STDOUT_FILENO, obj))
		_exit(EXIT_FAILURE);
	json_object_put(obj);
}

void report_progress(const struct fence_request *request, const char *phase, const char *detail)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "progress");
	json_put_string(obj, "op", request->op);
	json_put_string(obj, "phase", phase);
	json_put_string(obj, "detail", detail);
	line_write(obj);
}

struct json_object *report_new(const struct fence_request *request, const struct failure *failure)
{
	bool ok = !failure || failure->what == FAILURE_NONE;
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "result");
	json_put_string(obj, "op", request->op);
	json_put_bool(obj, "ok", ok);
	json_put_string(obj, "device", request->device);
	json_put_string(obj, "host", request->host);
	json_put_string(obj, "agent", request->agent_name);
	json_put_string(obj, "error_class", ok ? NULL : failure_name(failure->what));
	json_put_string(obj, "error", ok ? NULL : failure->text);
	return obj;
}

void report_result(struct json_object *result)
{
	line_write(result);
}
