/*
 * One call of an OpenStack service with the patience that it allows: internal to compute.c and cinder.c. Asked again until the deadline
 * while nobody answers (at the next endpoint of the service, where it has several), after a 401 (once, with a new token), and as 429 and 503
 * ask; a call that must not be repeated only when it was certainly not seen.
 */
#ifndef HAMON_EVACUATE_NOVA_CALL_H
#define HAMON_EVACUATE_NOVA_CALL_H

#include "evacuate/nova/compute.h"

#define CALL_PATH_SIZE 640

enum call_service {
	CALL_COMPUTE,
	CALL_VOLUME,
	CALL_IMAGE,
};

struct call {
	enum call_service service;
	const char *method;
	const char *path;
	const char *asked;        /* for people, instead of these two; NULL: they say it */
	struct json_object *body; /* owned by the call; NULL for none */
	bool once;                /* must not be sent again once it may have been seen */
	bool bare;                /* the version document: no microversion */
};

/* True with the body of a success in *ret (to be freed), else compute->failure is filled. */
bool call_run(struct compute *compute, const struct call *call, struct http_answer *ret);

/* A token, with patience for a Keystone that does not answer. A refusal is final. */
bool call_token_renew(struct compute *compute);

/* Leaves the session to the other helpers of this host, once its microversion is known. */
void call_session_keep(const struct compute *compute);

/* The endpoint that is asked now; "" when the catalogue has none. */
const char *call_url(const struct compute *compute, enum call_service service);

/* How long may still be waited. */
uint64_t call_remaining_ms(const struct compute *compute);

/* Percent-encoding of RFC 3986, for a name in a query. */
void call_query_escape(const char *text, char *buf, size_t size);

#endif
