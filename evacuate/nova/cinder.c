/* Cinder's API: what a server's volumes are. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "evacuate/nova/call.h"
#include "evacuate/nova/cinder.h"

/* The first that tells the cluster of a volume (3.61); a Cinder that is older answers 406, and has no clusters that matter here. */
#define VERSION "3.61"
#define VERSION_OLD "3.0"

static bool cinder_get(struct compute *compute, const char *path, struct http_answer *ret)
{
	const struct call call = { .service = CALL_VOLUME, .method = "GET", .path = path };

	if (!*call_url(compute, CALL_VOLUME))
		return nova_fail(&compute->failure, "config", "%s: the catalogue has no %s endpoint of the service block-storage "
				 "(volumev3), and the server has volumes", compute->keystone.cloud.origin,
				 compute->keystone.cloud.value[CLOUD_INTERFACE]);
	if (!compute->volume_microversion[0])
		snprintf(compute->volume_microversion, sizeof(compute->volume_microversion), VERSION);
	if (call_run(compute, &call, ret))
		return true;
	if (compute->failure.status != 406 || !strcmp(compute->volume_microversion, VERSION_OLD))
		return false;
	snprintf(compute->volume_microversion, sizeof(compute->volume_microversion), VERSION_OLD);
	return call_run(compute, &call, ret);
}

static bool unreadable(struct compute *compute, int rc, const char *what)
{
	return nova_fail(&compute->failure, "api", "Cinder's answer is no %s that could be read: %s", what, strerror(-rc));
}

bool cinder_volume_get(struct compute *compute, const char *id, struct cinder_volume *ret)
{
	char path[CALL_PATH_SIZE];
	struct http_answer answer;
	int rc;

	snprintf(path, sizeof(path), "/volumes/%s", id);
	if (!cinder_get(compute, path, &answer))
		return false;
	rc = cinder_volume_parse(answer.body, answer.len, ret);
	http_answer_free(&answer);
	if (!rc && strcmp(ret->id, id))
		rc = -EINVAL;
	return rc ? unreadable(compute, rc, "volume") : true;
}

bool cinder_service_is_up(struct compute *compute, const struct cinder_volume *volume, bool *ret)
{
	struct http_answer answer;
	int rc;

	if (!cinder_get(compute, "/os-services?binary=cinder-volume", &answer))
		return false;
	rc = cinder_service_parse(answer.body, answer.len, volume->host, volume->cluster, ret);
	http_answer_free(&answer);
	if (rc == -ENOENT)
		return nova_fail(&compute->failure, "config", "Cinder has no volume service %s, which volume %s belongs to",
				 *volume->host ? volume->host : "at all", volume->id);
	return rc ? unreadable(compute, rc, "list of services") : true;
}
