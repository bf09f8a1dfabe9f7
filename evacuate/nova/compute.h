/*
 * Calls of Nova's API as functions. A call that is safe to repeat is repeated until the deadline: while nobody answers, after a 401 (once,
 * with a new token), and as 429 and 503 ask. One that is not is never sent twice: failure.lost then says that its effect must
 * be looked for. Follows the Compute API v2.1, microversions 2.53 to 2.93.
 */
#ifndef HAMON_EVACUATE_NOVA_COMPUTE_H
#define HAMON_EVACUATE_NOVA_COMPUTE_H

#include "evacuate/nova/session.h"

#define NOVA_MINOR_MIN 53
#define NOVA_MINOR_TESTED 93

struct compute {
	struct keystone keystone;
	struct nova_failure failure;   /* of the last call that returned false */
	uint64_t deadline_ms;          /* boot clock: nothing is waited for beyond it */
	uint64_t call_ms;              /* one request */
	char microversion[16];         /* of every call: "2.93" */
	char volume_microversion[16];  /* of Cinder's: "3.61" */
	void (*on_wait)(void *user, const char *why); /* somebody does not answer, and is asked again; may be NULL */
	void *user;
	const char *run_dir;           /* where a session is kept for other helpers; NULL for nowhere */
	bool kept;                     /* this session is such a one, and has not been doubted yet */
	uint32_t minor_max;            /* of the endpoint */
};

/* Token, catalogue, microversion: the lower of what is wanted and what the endpoint has. compute_close in any case. */
bool compute_open(struct compute *compute, const struct cloud_source *source, uint32_t wanted_minor);
void compute_close(struct compute *compute);

bool compute_server_get(struct compute *compute, const char *uuid, struct nova_server *ret);

/* The answer of Nova, or of Glance, as it is; http_answer_free on success. path: "/os-aggregates"; of Glance "/v2/images/ID". */
bool compute_text_get(struct compute *compute, bool image, const char *path, struct http_answer *ret);

/*
 * Whether Nova lists that very server as deleted: a 404 alone may as well come from another region. False (a failure) also when it
 * lists it as something else; *ret is then unchanged.
 */
bool compute_server_is_deleted(struct compute *compute, const char *uuid, bool *ret);

/* Servers of all projects on that host that have value for key, "status" or "locked" (from 2.73 on), at most max. */
bool compute_servers_get(struct compute *compute, const char *host, const char *key, const char *value,
			 struct nova_server *ret, size_t max, size_t *ret_n);

/*
 * The next page of the servers of all projects on that host, at most max: those after the one with the id marker, "" for the first
 * page. There are no more only when *ret_n is 0, for Nova may answer with fewer than it is asked for.
 */
bool compute_host_servers_get(struct compute *compute, const char *host, const char *marker, struct nova_server *ret, size_t max,
			      size_t *ret_n);

/* failure.error_class is "config" when there is no such service. */
bool compute_service_get(struct compute *compute, const char *host, struct nova_service *ret);

/* Evacuations of one server, or from one host: the other argument is NULL. *ret is to be freed on success. */
bool compute_evacuations_get(struct compute *compute, const char *uuid, const char *source,
			     struct nova_migrations *ret);

/*
 * Forces the service down, and disables it with that mark as its reason (not with mark NULL): one request, which Nova writes at once,
 * so there is no moment in which nobody could tell whose doing it is. To disable a service that Nova believes up takes a minute; one that
 * is forced down by the same request is not asked.
 */
bool compute_service_take_down(struct compute *compute, const struct nova_service *service, const char *mark);
bool compute_service_force_up(struct compute *compute, const struct nova_service *service);
bool compute_service_disable(struct compute *compute, const struct nova_service *service, const char *reason); /* "" for none */
bool compute_service_enable(struct compute *compute, const struct nova_service *service);

/* From 2.73 on. */
bool compute_server_lock(struct compute *compute, const char *uuid, const char *reason);
bool compute_server_unlock(struct compute *compute, const char *uuid);

/* Never repeated. */
bool compute_evacuate(struct compute *compute, const char *uuid, const char *host);

/* Repeating these changes nothing more, but they are answered by 409 once they have begun. */
bool compute_server_start(struct compute *compute, const char *uuid);
bool compute_server_stop(struct compute *compute, const char *uuid);
bool compute_server_reboot_hard(struct compute *compute, const char *uuid);
bool compute_server_reset(struct compute *compute, const char *uuid, const char *state);

#endif
