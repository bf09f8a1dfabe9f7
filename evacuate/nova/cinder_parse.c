/* The JSON of Cinder. */
#include <errno.h>
#include <string.h>

#include "evacuate/nova/answer.h"
#include "evacuate/nova/cinder_parse.h"
#include "evacuate/request.h"
#include "hamon/common/json.h"

static int attachment_take(struct json_object *obj, struct cinder_attachment *ret)
{
	const char *server;

	if (!json_object_is_type(obj, json_type_object) || WORD(obj, "host_name", ret->host))
		return -EINVAL;
	/* Attached to a host alone, as for an image's conversion. */
	if (json_get_string(obj, "server_id", &server)) {
		ret->server[0] = '\0';
		return 0;
	}
	return uuid_normalize(server, ret->server) ? 0 : -EINVAL;
}

static int volume_take(struct json_object *obj, struct cinder_volume *ret)
{
	struct cinder_volume volume = { .n_attachments = 0 };
	struct json_object *list;
	const char *id;

	if (!json_object_is_type(obj, json_type_object) || json_get_string(obj, "id", &id) ||
	    !uuid_normalize(id, volume.id) || WORD(obj, "status", volume.status) || !volume.status[0] ||
	    WORD(obj, "os-vol-host-attr:host", volume.host) || WORD(obj, "cluster_name", volume.cluster) ||
	    json_get_array(obj, "attachments", &list) || json_object_array_length(list) > CINDER_ATTACHMENTS_MAX)
		return -EINVAL;
	volume.host_shown = json_object_object_get_ex(obj, "os-vol-host-attr:host", NULL);
	volume.host[strcspn(volume.host, "#")] = '\0';
	volume.cluster[strcspn(volume.cluster, "#")] = '\0';
	text_take(obj, "name", volume.name, sizeof(volume.name));
	volume.n_attachments = json_object_array_length(list);
	for (size_t i = 0; i < volume.n_attachments; i++)
		if (attachment_take(json_object_array_get_idx(list, i), &volume.attachments[i]))
			return -EINVAL;
	*ret = volume;
	return 0;
}

int cinder_volume_parse(const char *text, size_t len, struct cinder_volume *ret)
{
	struct json_object *root, *obj;
	int rc = answer_open(text, len, "volume", &root, &obj);

	if (rc)
		return rc;
	rc = volume_take(obj, ret);
	json_object_put(root);
	return rc;
}

/* -ENOENT for another service. */
static int service_take(struct json_object *obj, const char *host, const char *cluster, bool *ret_up)
{
	char here[NOVA_HOST_SIZE], group[NOVA_HOST_SIZE], state[NOVA_WORD_SIZE];

	if (!json_object_is_type(obj, json_type_object) || WORD(obj, "host", here) || WORD(obj, "cluster", group) ||
	    WORD(obj, "state", state) || (strcmp(state, "up") && strcmp(state, "down")))
		return -EINVAL;
	if (strcmp(json_string_or(obj, "binary", ""), "cinder-volume") ||
	    (strcmp(here, host) && (!*cluster || strcmp(group, cluster))))
		return -ENOENT;
	*ret_up = !strcmp(state, "up");
	return 0;
}

int cinder_service_parse(const char *text, size_t len, const char *host, const char *cluster, bool *ret_up)
{
	struct json_object *root, *list;
	bool up = false, found = false, one;
	int rc = answer_open(text, len, "services", &root, &list);

	if (rc)
		return rc;
	rc = json_object_is_type(list, json_type_array) ? 0 : -EINVAL;
	for (size_t i = 0; !rc && i < json_object_array_length(list); i++) {
		rc = service_take(json_object_array_get_idx(list, i), host, cluster, &one);
		if (!rc) {
			found = true;
			up |= one;
		} else if (rc == -ENOENT) {
			rc = 0;
		}
	}
	json_object_put(root);
	if (!rc && !found)
		return -ENOENT;
	if (!rc)
		*ret_up = up;
	return rc;
}
