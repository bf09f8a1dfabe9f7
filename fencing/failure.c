/* What can go wrong in a fencing request. */
#include <stdarg.h>
#include <stdio.h>

#include "fencing/failure.h"

const char *failure_name(enum failure_class what)
{
	switch (what) {
	case FAILURE_NONE:
		return NULL;
	case FAILURE_STILL_ON:
		return "still-on";
	case FAILURE_UNREACHABLE:
		return "unreachable";
	case FAILURE_TIMEOUT:
		return "timeout";
	case FAILURE_AGENT_MISSING:
		return "agent-missing";
	case FAILURE_AGENT_FAILED:
		return "agent-failed";
	case FAILURE_SECRETS:
		return "secrets";
	case FAILURE_BAD_REQUEST:
		return "bad-request";
	}
	return NULL;
}

void failure_set(struct failure *failure, enum failure_class what, const char *format, ...)
{
	va_list args;

	failure->what = what;
	va_start(args, format);
	vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
}
