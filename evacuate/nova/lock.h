/*
 * While hamon moves a server nobody else is to act upon it: it is locked, with a reason that names hamon, and by that reason the lock is
 * known again when whoever took it was killed. A lock without that mark is a person's and is never touched. Nova has reasons from
 * 2.73 on; below, nothing is locked, for such a lock could not be told from a person's.
 */
#ifndef HAMON_EVACUATE_NOVA_LOCK_H
#define HAMON_EVACUATE_NOVA_LOCK_H

#include <stdbool.h>
#include <json-c/json_object.h>

#include "evacuate/nova/compute.h"
#include "evacuate/request.h"

/* The server, as it was just read, has a lock of hamon's. */
bool nova_lock_is_ours(const struct nova_server *server);

/* Before an evacuation; that it fails is told and stops nothing. */
void nova_lock(struct compute *compute, const struct request *req, const struct nova_server *server);

/* Takes a lock of hamon's off; gives up soon. known: the server as it was read a moment ago, or NULL: it is read again. */
void nova_unlock(struct compute *compute, const struct request *req, const struct nova_server *known);

/* Those left on servers of this host, by whoever was killed. The result gets their number as "unlocked". False with compute->failure. */
bool nova_locks_end(struct compute *compute, const struct request *req, struct json_object *result);

#endif
