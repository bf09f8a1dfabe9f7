/* What can go wrong in a fencing request, in the words of the helper protocol. */
#ifndef HAMON_FENCING_FAILURE_H
#define HAMON_FENCING_FAILURE_H

#define FAILURE_TEXT_SIZE 512

enum failure_class {
	FAILURE_NONE,
	FAILURE_STILL_ON,      /* off was accepted, and the power still reads on */
	FAILURE_UNREACHABLE,   /* the agent ran; its device did not answer or refused the login */
	FAILURE_TIMEOUT,       /* the agent did not end within its bound */
	FAILURE_AGENT_MISSING, /* there is no such agent, or it must not or cannot be run */
	FAILURE_AGENT_FAILED,  /* the agent crashed, contradicted itself or speaks no fence API */
	FAILURE_SECRETS,       /* the secrets file is absent, malformed or readable by others */
	FAILURE_BAD_REQUEST,   /* the request, or an option in it, is wrong */
};

struct failure {
	enum failure_class what;
	char text[FAILURE_TEXT_SIZE]; /* one sentence for an operator; never holds a secret */
};

/* The protocol's word ("still-on", ...); NULL for FAILURE_NONE. */
const char *failure_name(enum failure_class what);

/* Fills in failure; text that does not fit is cut. */
void failure_set(struct failure *failure, enum failure_class what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
