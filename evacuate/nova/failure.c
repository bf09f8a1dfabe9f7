/* Failures in words. */
#include <stdarg.h>
#include <stdio.h>

#include "evacuate/nova/failure.h"
#include "evacuate/nova/parse.h"

bool nova_fail(struct nova_failure *failure, const char *error_class, const char *fmt, ...)
{
	va_list ap;

	failure->error_class = error_class;
	failure->status = 0;
	failure->lost = false;
	va_start(ap, fmt);
	vsnprintf(failure->text, sizeof(failure->text), fmt, ap);
	va_end(ap);
	return false;
}

static const char *class_of(unsigned int status)
{
	switch (status) {
	case 401:
	case 403:
		return "auth";
	case 404:
		return "gone";
	case 409:
		return "conflict";
	default:
		return "api";
	}
}

bool nova_fail_answer(struct nova_failure *failure, const char *who, const char *asked,
		      const struct http_answer *answer)
{
	char message[NOVA_TEXT_SIZE];

	if (answer->end != HTTP_ANSWERED) {
		nova_fail(failure, answer->end == HTTP_UNUSABLE ? "config" : "api", "%s %s: %s", who,
			  answer->end == HTTP_UNUSABLE ? "cannot be asked" : "does not answer", answer->error);
		failure->lost = answer->end == HTTP_LOST;
		return false;
	}
	if (!nova_error_parse(answer->body, answer->len, message))
		snprintf(message, sizeof(message), "no message");
	nova_fail(failure, class_of(answer->status), "%s answered %u to %s: %s%s%s%s", who, answer->status, asked,
		  message, *answer->request_id ? " (" : "", answer->request_id, *answer->request_id ? ")" : "");
	failure->status = answer->status;
	/* A proxy says these when it has waited in vain: what stands behind it may go on. */
	failure->lost = answer->status == 502 || answer->status == 503 || answer->status == 504;
	return false;
}
