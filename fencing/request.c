/* One request to hamon-fence. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>

#include "fencing/request.h"
#include "hamon/common/json.h"

#define TIMEOUT_MS 60000
#define STATUS_TIMEOUT_MS 20000
#define RETRIES 1

static int name_read(struct json_object *obj, const char *key, char *buf, size_t size,
		     struct failure *failure)
{
	int rc = json_copy_string(obj, key, buf, size);

	if (!rc || rc == -ENOENT)
		return 0;
	failure_set(failure, FAILURE_BAD_REQUEST, "%s: expected a text shorter than %zu bytes", key,
		    size);
	return -EINVAL;
}

static int number_read(struct json_object *obj, const char *key, uint64_t min, uint64_t max,
		       uint64_t *ret, struct failure *failure)
{
	uint64_t value = *ret;
	int rc = json_get_u64(obj, key, max, &value);

	if (rc == -ENOENT)
		return 0;
	if (rc || value < min) {
		failure_set(failure, FAILURE_BAD_REQUEST, "%s: expected a number from %llu to %llu",
			    key, (unsigned long long)min, (unsigned long long)max);
		return -EINVAL;
	}
	*ret = value;
	return 0;
}

static int path_read(struct json_object *obj, const char *key, char *buf, size_t size,
		     struct failure *failure)
{
	int rc = name_read(obj, key, buf, size, failure);

	if (!rc && *buf && *buf != '/') {
		failure_set(failure, FAILURE_BAD_REQUEST, "%s: expected an absolute path", key);
		rc = -EINVAL;
	}
	return rc;
}

static int agent_read(struct json_object *obj, struct fence_request *request,
		      struct failure *failure)
{
	const char *agent = json_string_or(obj, "agent", "");
	const char *slash = strrchr(agent, '/');
	const char *name = slash ? slash + 1 : agent;
	int n;

	if (!*name || strlen(name) >= sizeof(request->agent_name) || (slash && agent[0] != '/')) {
		failure_set(failure, FAILURE_BAD_REQUEST,
			    "agent: expected the name of a program in %s, as fence_ipmilan, or an "
			    "absolute path", AGENT_FOLDER);
		return -EINVAL;
	}
	n = snprintf(request->agent, sizeof(request->agent), "%s%s%s", slash ? "" : AGENT_FOLDER,
		     slash ? "" : "/", agent);
	if (n < 0 || (size_t)n >= sizeof(request->agent)) {
		request->agent[0] = '\0';
		failure_set(failure, FAILURE_BAD_REQUEST, "agent: the path is too long");
		return -EINVAL;
	}
	strcpy(request->agent_name, name);
	return 0;
}

static int option_read(struct fence_request *request, const char *key, struct json_object *value,
		       struct failure *failure)
{
	const char *text = json_object_get_string(value);
	int rc;

	if (!json_object_is_type(value, json_type_string) ||
	    strlen(text) != (size_t)json_object_get_string_len(value)) {
		failure_set(failure, FAILURE_BAD_REQUEST, "option %.64s: expected a text", key);
		return -EINVAL;
	}
	if (option_names_equal(key, "action") || option_names_equal(key, "option")) {
		failure_set(failure, FAILURE_BAD_REQUEST,
			    "option %.64s: the action is not for the options to say", key);
		return -EINVAL;
	}
	rc = options_set(&request->options, key, text, false);
	if (rc)
		failure_set(failure, FAILURE_BAD_REQUEST, "option %.64s: %s", key,
			    rc == -EINVAL ?
				    "expected a name of letters, digits, '_' and '-', and a value "
				    "without control characters" :
			    rc == -E2BIG ? "too long, or too many options" :
					   "out of memory");
	return rc;
}

static int options_read(struct json_object *obj, struct fence_request *request,
			struct failure *failure)
{
	struct json_object *options = NULL;
	int rc = json_get_object(obj, "options", &options);

	if (rc == -ENOENT)
		return 0;
	if (rc) {
		failure_set(failure, FAILURE_BAD_REQUEST, "options: expected an object of texts");
		return rc;
	}
	request->has_options = true;
	json_object_object_foreach(options, key, value) {
		rc = option_read(request, key, value, failure);
		if (rc)
			return rc;
	}
	return 0;
}

static int fields_read(struct json_object *obj, struct fence_request *request,
		       struct failure *failure)
{
	uint64_t retries = RETRIES;
	int rc = 0, last;

	/* All names first, so that a result about a wrong field still says what it is about. */
	last = name_read(obj, "op", request->op, sizeof(request->op), failure);
	rc = rc ? rc : last;
	last = name_read(obj, "host", request->host, sizeof(request->host), failure);
	rc = rc ? rc : last;
	last = name_read(obj, "device", request->device, sizeof(request->device), failure);
	rc = rc ? rc : last;
	if (!rc)
		rc = agent_read(obj, request, failure);
	if (!rc)
		rc = path_read(obj, "secrets_file", request->secrets_file,
			       sizeof(request->secrets_file), failure);
	if (!rc)
		rc = number_read(obj, "timeout_ms", 1, REQUEST_TIME_MAX_MS, &request->timeout_ms,
				 failure);
	if (!rc)
		rc = number_read(obj, "status_timeout_ms", 1, REQUEST_TIME_MAX_MS,
				 &request->status_timeout_ms, failure);
	if (!rc)
		rc = number_read(obj, "retries", 0, REQUEST_RETRIES_MAX, &retries, failure);
	if (!rc)
		rc = options_read(obj, request, failure);
	request->retries = (unsigned int)retries;
	return rc;
}

int request_parse(struct fence_request *request, const char *text, size_t len,
		  struct failure *failure)
{
	struct json_object *obj = NULL;
	int rc;

	memset(request, 0, sizeof(*request));
	request->timeout_ms = TIMEOUT_MS;
	request->status_timeout_ms = STATUS_TIMEOUT_MS;
	if (len > REQUEST_BYTES_MAX) {
		failure_set(failure, FAILURE_BAD_REQUEST, "the request is longer than %u bytes",
			    REQUEST_BYTES_MAX);
		return -EBADMSG;
	}
	rc = json_parse(text, len, &obj);
	if (rc || !json_object_is_type(obj, json_type_object)) {
		failure_set(failure, FAILURE_BAD_REQUEST, "expected one JSON object on stdin");
		rc = -EBADMSG;
		goto out;
	}
	rc = fields_read(obj, request, failure);
	/* Agents that know hosts by name find it where Pacemaker puts it; all others ignore it. */
	if (!rc && request->host[0] && !options_get(&request->options, "nodename") &&
	    options_set(&request->options, "nodename", request->host, false)) {
		failure_set(failure, FAILURE_BAD_REQUEST,
			    "host: expected a name without control characters");
		rc = -EINVAL;
	}
out:
	json_object_put(obj);
	return rc;
}

void request_clear(struct fence_request *request)
{
	options_clear(&request->options);
}
