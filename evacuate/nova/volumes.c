/* A server's volumes. */
#include <stdio.h>
#include <string.h>

#include "evacuate/nova/cinder.h"
#include "evacuate/nova/volumes.h"

#define NOT(compute, verdict, ...) (nova_fail(&(compute)->failure, "volumes", __VA_ARGS__), verdict)

static enum volumes fail(struct compute *compute, const struct nova_server *server, const char *volume)
{
	if (compute->failure.status != 404)
		return VOLUMES_FAIL;
	return NOT(compute, VOLUMES_FAIL, "Nova says that %s has volume %s, and Cinder knows none of that id: nothing was done",
		   server->name, volume);
}

/* How many attachments of the volume are the server's; the others' hosts and servers do not matter here. */
static size_t attachments_of(const struct cinder_volume *volume, const char *server)
{
	size_t n = 0;

	for (size_t i = 0; i < volume->n_attachments; i++)
		n += !strcmp(volume->attachments[i].server, server);
	return n;
}

/* An evacuation that failed half way leaves the others than in-use, and the next one starts from them. */
static bool may_be_attached(const char *status)
{
	static const char *const good[] = { "in-use", "available", "reserved", "attaching", "detaching" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!strcmp(status, good[i]))
			return true;
	return false;
}

static enum volumes before(struct compute *compute, const struct nova_server *server, const char *id)
{
	struct cinder_volume volume;
	bool up;

	if (!cinder_volume_get(compute, id, &volume))
		return fail(compute, server, id);
	if (!volume.host_shown)
		return NOT(compute, VOLUMES_FAIL, "Cinder does not show these credentials the services of volumes: they need the role admin");
	/* Attached to another one, and not to this: somebody has taken it away behind Nova's back, and now it is not this server's to write. */
	if (volume.n_attachments && !attachments_of(&volume, server->id))
		return NOT(compute, VOLUMES_FAIL, "volume %s of %s is attached to another server (%s), says Cinder: nothing was done",
			   id, server->name, volume.attachments[0].server);
	if (!may_be_attached(volume.status))
		return NOT(compute, strncmp(volume.status, "error", 5) ? VOLUMES_WAIT : VOLUMES_FAIL,
			   "volume %s of %s is %s, says Cinder, and has to be in-use", id, server->name, volume.status);
	if (!cinder_service_is_up(compute, &volume, &up))
		return VOLUMES_FAIL;
	if (!up)
		return NOT(compute, VOLUMES_WAIT, "cinder-volume on %s is down, says Cinder: nobody can attach volume %s of %s elsewhere",
			   volume.host, id, server->name);
	return VOLUMES_READY;
}

enum volumes volumes_before(struct compute *compute, const struct nova_server *server)
{
	enum volumes verdict = VOLUMES_READY;

	for (size_t i = 0; i < server->n_volumes && verdict == VOLUMES_READY; i++)
		verdict = before(compute, server, server->volumes[i]);
	return verdict;
}

static enum volumes after(struct compute *compute, const struct nova_server *server, const char *id, const char *host)
{
	struct cinder_volume volume;
	size_t here = 0;

	if (!cinder_volume_get(compute, id, &volume))
		return fail(compute, server, id);
	for (size_t i = 0; i < volume.n_attachments; i++) {
		if (strcmp(volume.attachments[i].server, server->id))
			continue;
		if (strcmp(volume.attachments[i].host, host))
			return NOT(compute, VOLUMES_WAIT, "volume %s of %s is still attached to %s, says Cinder", id, server->name,
				   *volume.attachments[i].host ? volume.attachments[i].host : "no host");
		here++;
	}
	if (!here || strcmp(volume.status, "in-use"))
		return NOT(compute, VOLUMES_WAIT, "volume %s of %s is %s and %sattached to it, says Cinder", id, server->name,
			   volume.status, here ? "" : "not ");
	return VOLUMES_READY;
}

enum volumes volumes_after(struct compute *compute, const struct nova_server *server, const char *host)
{
	enum volumes verdict = VOLUMES_READY;

	for (size_t i = 0; i < server->n_volumes && verdict == VOLUMES_READY; i++)
		verdict = after(compute, server, server->volumes[i], host);
	return verdict;
}
