/* The operations of the Nova control plane; see evacuate/plane.h. */
#ifndef HAMON_EVACUATE_NOVA_NOVA_H
#define HAMON_EVACUATE_NOVA_NOVA_H

#include "evacuate/nova/compute.h"
#include "evacuate/plane.h"

/* How a disabled service is marked as ours: whatever begins with this, but for NOVA_MARK_RESERVED, hamon may enable again, and nothing else. */
#define NOVA_MARK_PREFIX "hamon:"
#define NOVA_MARK NOVA_MARK_PREFIX " evacuated"
#define NOVA_MARK_KEEPING NOVA_MARK "; before that disabled: " /* and a person's reason, which it gets back */
#define NOVA_REASON_MAX 255 /* what Nova takes */
/* How a person disables the service of a reserved host: hamon enables it when it needs the host, and only then. */
#define NOVA_MARK_RESERVED NOVA_MARK_PREFIX " reserved"

bool nova_mark_is_ours(const char *reason);

/* As above, or "reserved" alone. */
bool nova_mark_is_reserved(const char *reason);

/* Whether Nova would give this host a server, after a reserved one was enabled for it; else false and a failed result. */
bool nova_target_ready(struct compute *compute, const struct request *req, struct json_object *result);

void nova_start(const struct request *req, const struct plane_paths *paths, struct json_object *result);
void nova_enable(const struct request *req, const struct plane_paths *paths, struct json_object *result);
void nova_servers(const struct request *req, const struct plane_paths *paths, struct json_object *result);

/*
 * Servers that run on this host, and that Nova believes to be in an evacuation which has failed elsewhere since: their state is set
 * right. The result gets their number as "mended". Nothing is started or stopped. False with compute->failure.
 */
bool nova_servers_mend(struct compute *compute, const struct request *req, struct json_object *result);

/* compute_open with what the request says; deadline_ms counts from now. compute_close in any case. */
bool nova_open(struct compute *compute, const struct request *req, uint64_t deadline_ms);

/* Fills a failed result from compute->failure. Always false. */
bool nova_result_fail(const struct compute *compute, struct json_object *result);

#endif
