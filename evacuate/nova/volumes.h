/* What Cinder has to say about a server's volumes before its evacuation and after it. */
#ifndef HAMON_EVACUATE_NOVA_VOLUMES_H
#define HAMON_EVACUATE_NOVA_VOLUMES_H

#include "evacuate/nova/compute.h"

enum volumes {
	VOLUMES_READY, /* or it has none */
	VOLUMES_WAIT,  /* not now: *compute's failure says for what (class "volumes"), and another look may find it otherwise */
	VOLUMES_FAIL,  /* compute's failure says why */
};

/*
 * Whether an evacuation can attach them on another host. Nova does not ask this first: it tears the attachments of the dead host down, and
 * the server ends in ERROR half way.
 */
enum volumes volumes_before(struct compute *compute, const struct nova_server *server);

/* Whether each of them is in use by the server on that host, and nowhere else by it. */
enum volumes volumes_after(struct compute *compute, const struct nova_server *server, const char *host);

#endif
