/*
 * The token, endpoints and microversion that one helper has got, for those that follow on this host: with a hundred servers to start,
 * two hundred requests less. A file that only root can read, in a folder that is empty after a boot. It is never believed for longer than
 * SESSION_MAX_AGE_MS, and a 401 ends it: whoever uses it must be ready to log in by itself.
 */
#ifndef HAMON_EVACUATE_NOVA_SESSION_H
#define HAMON_EVACUATE_NOVA_SESSION_H

#include <stdbool.h>

#include "evacuate/nova/keystone.h"

#define SESSION_MAX_AGE_MS 300000

struct session {
	char token[HTTP_TOKEN_SIZE];
	struct nova_endpoints compute, volume, image; /* as in struct keystone */
	uint32_t minor;                               /* the highest microversion of Nova */
};

/*
 * The kept session of these credentials: true and *ret, or false when there is none that may be used. A file that is not root's
 * own (this process's user's), or that others may read, is not looked into.
 */
bool session_read(const char *run_dir, const struct cloud *cloud, struct session *ret);

/* Keeps it; whether that succeeds matters to nobody. */
void session_write(const char *run_dir, const struct cloud *cloud, const struct session *session);

#endif
