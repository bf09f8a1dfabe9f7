/* Cinder's answers as structs; the rules are those of parse.h. Follows the Block Storage API v3 (3.0 to 3.70). */
#ifndef HAMON_EVACUATE_NOVA_CINDER_PARSE_H
#define HAMON_EVACUATE_NOVA_CINDER_PARSE_H

#include "evacuate/nova/parse.h"

#define CINDER_ATTACHMENTS_MAX 32 /* of one volume */

struct cinder_attachment {
	char server[37];
	char host[NOVA_HOST_SIZE];    /* Nova's name of it, "" when it is not told */
};

/* GET /volumes/ID */
struct cinder_volume {
	char id[37];
	char name[NOVA_HOST_SIZE];    /* cut */
	char status[NOVA_WORD_SIZE];  /* in-use, available, error, ... */
	char host[NOVA_HOST_SIZE];    /* of its service: "node@backend", without its pool; "" when it has none */
	bool host_shown;              /* else these credentials may not see it */
	char cluster[NOVA_HOST_SIZE]; /* of services, "" for none */
	size_t n_attachments;
	struct cinder_attachment attachments[CINDER_ATTACHMENTS_MAX];
};

/* 0, -EINVAL for what is not the answer that it should be, -ENOMEM. */
int cinder_volume_parse(const char *text, size_t len, struct cinder_volume *ret);

/*
 * GET /os-services?binary=cinder-volume: whether the service of that host, or another one of its cluster (unless that is ""), is up. Also
 * -ENOENT when it is not listed.
 */
int cinder_service_parse(const char *text, size_t len, const char *host, const char *cluster, bool *ret_up);

#endif
