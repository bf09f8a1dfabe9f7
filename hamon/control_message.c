/* What a client of the control socket sent. Follows libqb 2.0's qbipc_common.h for the header. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <qb/qbipc_common.h>

#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/common/suggest.h"
#include "hamon/control_message.h"

#define VERB_MAX 64

static const struct {
	const char *verb;
	enum control_access access;
} verbs[] = {
	{ "status", CONTROL_ACCESS_ADMIN },
	{ "incidents", CONTROL_ACCESS_ADMIN },
	{ "servers", CONTROL_ACCESS_ADMIN },
	{ "explain", CONTROL_ACCESS_ADMIN },
	{ "events", CONTROL_ACCESS_ADMIN },
	{ "storage", CONTROL_ACCESS_ADMIN },
	{ "maintenance", CONTROL_ACCESS_ADMIN },
	{ "confirm-fenced", CONTROL_ACCESS_ADMIN },
	{ "forget", CONTROL_ACCESS_ADMIN },
	{ "release", CONTROL_ACCESS_ADMIN },
	{ "evacuate", CONTROL_ACCESS_ADMIN },
	{ "return", CONTROL_ACCESS_ADMIN },
	{ "gate", CONTROL_ACCESS_ROOT },
	{ "shutting-down", CONTROL_ACCESS_ROOT },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

enum control_access control_access(const char *verb)
{
	for (size_t i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].verb, verb))
			return verbs[i].access;
	return CONTROL_ACCESS_NONE;
}

const char *control_verb_suggest(const char *verb)
{
	const char *names[VERBS];

	for (size_t i = 0; i < VERBS; i++)
		names[i] = verbs[i].verb;
	return suggest_near(verb, names, VERBS);
}

static int __attribute__((format(printf, 4, 5)))
refuse(struct control_message_error *ret, const char *code, int rc, const char *format, ...)
{
	va_list ap;

	ret->code = code;
	va_start(ap, format);
	vsnprintf(ret->message, sizeof(ret->message), format, ap);
	va_end(ap);
	return rc;
}

static int header_check(const struct qb_ipc_request_header *header, const char *text, size_t size,
			struct control_message_error *ret_error)
{
	const char *end;
	size_t len = size - sizeof(*header);

	if (header->size < 0 || (size_t)header->size != size)
		return refuse(ret_error, "bad-length", -EINVAL,
			      "the header says %d bytes, but %zu came", header->size, size);
	end = len ? memchr(text, '\0', len) : NULL;
	if (!end)
		return refuse(ret_error, "bad-text", -EINVAL, "the request does not end in a NUL");
	if (end != text + len - 1)
		return refuse(ret_error, "bad-text", -EINVAL,
			      "there is a NUL in the middle of the request, at byte %zu of %zu",
			      (size_t)(end - text), len - 1);
	return 0;
}

static int request_check(struct json_object *obj, const char **ret_verb,
			 struct control_message_error *ret_error)
{
	const char *verb;
	uint64_t version;

	if (!json_object_is_type(obj, json_type_object))
		return refuse(ret_error, "bad-request", -EINVAL, "the request is not a JSON object");
	if (json_get_u64(obj, "v", UINT64_MAX, &version))
		return refuse(ret_error, "bad-version", -EINVAL,
			      "the request has no version: expected \"v\":%d", CTL_VERSION);
	if (version != CTL_VERSION)
		return refuse(ret_error, "bad-version", -EINVAL,
			      "the request has version %llu, this hamond speaks version %d only",
			      (unsigned long long)version, CTL_VERSION);
	if (json_get_string(obj, "verb", &verb) || !*verb || strlen(verb) > VERB_MAX)
		return refuse(ret_error, "bad-verb", -EINVAL,
			      "the request has no verb: expected \"verb\" with 1 to %d bytes", VERB_MAX);
	*ret_verb = verb;
	return 0;
}

int control_message_parse(const void *data, size_t size, struct control_message *ret,
			  struct control_message_error *ret_error)
{
	struct qb_ipc_request_header header;
	struct json_object *obj = NULL;
	const char *text = (const char *)data + sizeof(header), *verb = NULL;
	int rc;

	ret->id = 0;
	if (size < sizeof(header))
		return refuse(ret_error, "bad-length", -EINVAL,
			      "the request has %zu bytes, its header alone needs %zu", size, sizeof(header));
	memcpy(&header, data, sizeof(header));
	ret->id = header.id;
	if (size > CTL_MESSAGE_MAX_BYTES)
		return refuse(ret_error, "too-long", -E2BIG, "the request has %zu bytes, at most %d are read",
			      size, CTL_MESSAGE_MAX_BYTES);
	rc = header_check(&header, text, size, ret_error);
	if (rc)
		return rc;
	if (json_parse(text, size - sizeof(header) - 1, &obj))
		return refuse(ret_error, "bad-json", -EINVAL, "the request is not one JSON text in UTF-8");
	rc = request_check(obj, &verb, ret_error);
	if (rc) {
		json_object_put(obj);
		return rc;
	}
	ret->obj = obj;
	ret->verb = verb;
	return 0;
}
