/* A token and the endpoints that go with it. Follows the Identity API v3. */
#ifndef HAMON_EVACUATE_NOVA_KEYSTONE_H
#define HAMON_EVACUATE_NOVA_KEYSTONE_H

#include "evacuate/nova/clouds.h"
#include "evacuate/nova/failure.h"
#include "evacuate/nova/parse.h"

struct keystone {
	struct cloud cloud;
	struct http *http;
	char token[HTTP_TOKEN_SIZE];
	struct nova_endpoints identity;  /* as they are configured */
	struct nova_endpoints compute;   /* without a slash at their ends, and without a project behind the version */
	struct nova_endpoints volume;    /* n 0: the catalogue has none */
	struct nova_endpoints image;     /* the same; without the version */
};

/* Reads the credentials. keystone_close also after a failure. */
bool keystone_open(struct keystone *keystone, const struct cloud_source *source, struct nova_failure *failure);
void keystone_close(struct keystone *keystone);

/*
 * A token from the first Keystone that answers, each within timeout_ms; failure->status is 0 when none did, and the request may be repeated
 * whatever the end was.
 */
bool keystone_token_get(struct keystone *keystone, uint64_t timeout_ms, struct nova_failure *failure,
			uint64_t *ret_retry_after_ms);

#endif
