/* Whether a server is among those that hamon recovers, as [nova] select of hamon.conf says. */
#ifndef HAMON_EVACUATE_NOVA_SELECT_H
#define HAMON_EVACUATE_NOVA_SELECT_H

#include <stdbool.h>

#include "evacuate/nova/compute.h"
#include "evacuate/request.h"

#define NOVA_SELECT_WHY_SIZE 256

/*
 * True and *ret; when it is not selected, why has the words for that. False with compute->failure when that cannot be read: then nothing is
 * known, and it must not be taken for "no".
 */
bool nova_select(struct compute *compute, const struct request *req, const struct nova_server *server, bool *ret,
		 char why[NOVA_SELECT_WHY_SIZE]);

#endif
