/* Why a call of Keystone or Nova failed, in hamon's classes and in the service's own words. */
#ifndef HAMON_EVACUATE_NOVA_FAILURE_H
#define HAMON_EVACUATE_NOVA_FAILURE_H

#include <stdbool.h>

#include "evacuate/nova/http.h"

#define NOVA_FAILURE_SIZE 1800

struct nova_failure {
	const char *error_class; /* static: auth, api, config, gone, conflict, timeout; start.c adds some */
	unsigned int status;     /* of the answer, 0 without one */
	bool lost;               /* the request may have had its effect all the same */
	char text[NOVA_FAILURE_SIZE];
};

/* Always false, for `return`. */
bool nova_fail(struct nova_failure *failure, const char *error_class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * From an answer that is no success, or that never came: what was asked ("GET /servers/..", "evacuate"), then the service's message, its
 * code, and the id by which its log can be searched. Always false.
 */
bool nova_fail_answer(struct nova_failure *failure, const char *who, const char *asked,
		      const struct http_answer *answer);

#endif
