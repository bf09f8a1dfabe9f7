/*
 * A target that died with the request of an evacuation in its queue carries it out when it is back, long after the server runs
 * here. The start gate refuses it there; what stays is Nova's word that the server is being rebuilt, and with it no operator can do anything
 * with the server. What Nova has then is unmistakable (measured with Zed): the server on this host, in REBUILD; its newest evacuation, to this
 * host, "accepted" for ever, since Nova had ended the older one in its place; and that older one failed now, on another host.
 */
#include <string.h>

#include "evacuate/libvirt/verify.h"
#include "evacuate/nova/nova.h"
#include "evacuate/report.h"
#include "hamon/common/json.h"

#define MEND_MAX 20 /* in one look; the next one takes the rest */

static bool was_overtaken(const struct nova_migrations *migrations, const char *uuid, const char *self)
{
	const struct nova_migration *newest = nova_migrations_newest(migrations, uuid);

	if (!newest || strcmp(newest->status, "accepted") || strcmp(newest->dest, self))
		return false;
	for (size_t i = 0; i < migrations->n; i++) {
		const struct nova_migration *older = &migrations->list[i];

		if (older->id < newest->id && strcmp(older->dest, self) &&
		    (!strcmp(older->status, "failed") || !strcmp(older->status, "error")))
			return true;
	}
	return false;
}

/* The request of enable has no server: this is one for a look at a domain. */
static bool runs_here(const struct request *req, const char *uuid)
{
	struct json_object *unused = json_object_new_object();
	struct request look = *req;
	bool active;

	memcpy(look.uuid, uuid, sizeof(look.uuid));
	active = libvirt_verify_here(&look, true, unused) == LIBVIRT_ACTIVE;
	json_object_put(unused);
	return active;
}

static bool server_mend(struct compute *compute, const struct request *req, const struct nova_server *server,
			uint64_t *mended)
{
	struct nova_migrations migrations;
	bool overtaken;

	if (!compute_evacuations_get(compute, server->id, NULL, &migrations))
		return false;
	overtaken = was_overtaken(&migrations, server->id, req->nova.self);
	nova_migrations_free(&migrations);
	if (!overtaken || !runs_here(req, server->id))
		return true;
	if (!compute_server_reset(compute, server->id, "active"))
		return false;
	report_progress(req->op, "mended", server->id);
	(*mended)++;
	return true;
}

bool nova_servers_mend(struct compute *compute, const struct request *req, struct json_object *result)
{
	static struct nova_server servers[MEND_MAX];
	uint64_t mended = 0;
	size_t n = 0;
	bool ok = compute_servers_get(compute, req->nova.self, "status", "REBUILD", servers, MEND_MAX, &n);

	for (size_t i = 0; ok && i < n; i++)
		if (!strcmp(servers[i].host, req->nova.self))
			ok = server_mend(compute, req, &servers[i], &mended);
	json_put_u64(result, "mended", mended);
	return ok;
}
