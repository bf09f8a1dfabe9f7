/* What is wrong in a cluster, read from a reply to "status". Pure. */
#ifndef HAMON_CTL_FINDINGS_H
#define HAMON_CTL_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json_object.h>

enum finding_level {
	FINDING_PROBLEM,	/* something does not work: status ends with exit code 1 */
	FINDING_WARNING,	/* it works, but an operator should know */
};

struct finding {
	enum finding_level level;
	char *what;	/* short, for the first line: "host h3 is lost" */
	char *why;	/* the reason, or "" */
	char *hint;	/* what to do, or "" */
};

struct findings {
	struct finding *list; /* the worst first */
	size_t count, problems;
};

/* Judges status; the caller frees *ret by findings_free. */
void findings_collect(struct json_object *status, struct findings *ret);
void findings_free(struct findings *findings);

/* True when the instance wants to run, and could not be started anywhere else; *ret_hosts counts where it could. */
bool instance_is_stuck(struct json_object *instance, size_t *ret_hosts);

#endif
