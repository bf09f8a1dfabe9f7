/* From a domain's network disk to QEMU's block device options, as libvirt does it. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/diskid.h"
#include "hamon/common/domxml.h"
#include "hamon/common/json.h"
#include "storage-check/imgsecret.h"
#include "storage-check/imgspec.h"

static char *spec_text(struct json_object *protocol, const char *format)
{
	struct json_object *root = json_object_new_object();
	char *text = NULL;

	json_put_string(root, "driver", format ? format : "raw");
	json_object_object_add(root, "file", protocol);
	if (asprintf(&text, "json:%s",
		     json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
		text = NULL;
	json_object_put(root);
	return text;
}

char *image_spec_of_file(const char *path, const char *format)
{
	struct json_object *protocol = json_object_new_object();

	json_put_string(protocol, "driver", "file");
	json_put_string(protocol, "filename", path);
	return spec_text(protocol, format);
}

static struct json_object *server_new(const struct domxml_server *server, const char *port,
				      bool typed)
{
	struct json_object *obj = json_object_new_object();

	if (typed)
		json_put_string(obj, "type", "inet");
	json_put_string(obj, "host", server->name);
	if (port)
		json_put_string(obj, "port", server->port ? server->port : port);
	return obj;
}

static bool nbd_fill(const struct domxml_disk *disk, struct json_object *obj)
{
	json_object_object_add(obj, "server", server_new(&disk->servers[0], "10809", true));
	if (disk->source)
		json_put_string(obj, "export", disk->source);
	return true;
}

/* By its usage a secret is not looked for. */
static bool secret_is_named(const struct domxml_disk *disk)
{
	return disk->auth_user && disk->auth_secret && imgsecret_uuid_valid(disk->auth_secret);
}

/* "iqn.../1": the target and the number of its unit. */
static bool iscsi_fill(const struct domxml_disk *disk, struct json_object *obj)
{
	const struct domxml_server *server = &disk->servers[0];
	const char *slash = strrchr(disk->source, '/'), *lun = slash ? slash + 1 : "0";
	int target_len = slash ? (int)(slash - disk->source) : (int)strlen(disk->source);
	bool v6 = strchr(server->name, ':') && server->name[0] != '[';
	char portal[300], target[256];

	if (!lun[0] || strlen(lun) > 5 || strspn(lun, "0123456789") != strlen(lun) ||
	    snprintf(target, sizeof(target), "%.*s", target_len, disk->source) >=
		(int)sizeof(target) ||
	    snprintf(portal, sizeof(portal), v6 ? "[%s]:%s" : "%s:%s", server->name,
		     server->port ? server->port : "3260") >= (int)sizeof(portal))
		return false;
	json_put_string(obj, "transport", "tcp");
	json_put_string(obj, "portal", portal);
	json_put_string(obj, "target", target);
	json_put_u64(obj, "lun", strtoul(lun, NULL, 10));
	if (secret_is_named(disk)) {
		json_put_string(obj, "user", disk->auth_user);
		imgsecret_put(obj, "password-secret", disk->auth_secret);
	}
	return true;
}

/*
 * "pool/image" or "pool/namespace/image". The key is libvirt's secret; without one Ceph's client
 * looks for a keyring of the host.
 */
static bool rbd_fill(const struct domxml_disk *disk, struct json_object *obj)
{
	struct json_object *servers;
	char name[1024], *image, *space;

	if (snprintf(name, sizeof(name), "%s", disk->source) >= (int)sizeof(name))
		return false;
	image = strchr(name, '/');
	if (!image)
		return false;
	*image++ = '\0';
	space = strchr(image, '/');
	if (space) {
		*space++ = '\0';
		json_put_string(obj, "namespace", image);
		image = space;
	}
	json_put_string(obj, "pool", name);
	json_put_string(obj, "image", image);
	if (disk->auth_user)
		json_put_string(obj, "user", disk->auth_user);
	servers = json_object_new_array();
	for (size_t i = 0; i < disk->n_servers; i++)
		json_object_array_add(servers, server_new(&disk->servers[i], "6789", false));
	json_object_object_add(obj, "server", servers);
	if (secret_is_named(disk))
		imgsecret_put(obj, "key-secret", disk->auth_secret);
	return true;
}

/* "volume/path" */
static bool gluster_fill(const struct domxml_disk *disk, struct json_object *obj)
{
	const char *source = disk->source[0] == '/' ? disk->source + 1 : disk->source;
	const char *slash = strchr(source, '/');
	struct json_object *servers;
	char volume[256];

	if (!slash || !slash[1] ||
	    snprintf(volume, sizeof(volume), "%.*s", (int)(slash - source), source) >=
		(int)sizeof(volume))
		return false;
	servers = json_object_new_array();
	for (size_t i = 0; i < disk->n_servers; i++)
		json_object_array_add(servers, server_new(&disk->servers[i], "24007", true));
	json_put_string(obj, "volume", volume);
	json_put_string(obj, "path", slash + 1);
	json_object_object_add(obj, "server", servers);
	return true;
}

static bool nfs_fill(const struct domxml_disk *disk, struct json_object *obj)
{
	json_object_object_add(obj, "server", server_new(&disk->servers[0], NULL, true));
	json_put_string(obj, "path", disk->source);
	return true;
}

static bool url_fill(const struct domxml_disk *disk, struct json_object *obj)
{
	const struct domxml_server *server = &disk->servers[0];
	char url[2048];

	if (snprintf(url, sizeof(url), "%s://%s%s%s/%s%s%s", disk->protocol, server->name,
		     server->port ? ":" : "", server->port ? server->port : "",
		     disk->source[0] == '/' ? disk->source + 1 : disk->source,
		     disk->query ? "?" : "", disk->query ? disk->query : "") >= (int)sizeof(url))
		return false;
	json_put_string(obj, "url", url);
	return true;
}

static const struct protocol {
	const char *name;
	bool (*fill)(const struct domxml_disk *disk, struct json_object *obj);
	bool servers; /* at least one is needed */
	bool source;
} protocols[] = {
    {"nbd", nbd_fill, true, false},  {"iscsi", iscsi_fill, true, true},
    {"rbd", rbd_fill, true, true},  {"gluster", gluster_fill, true, true},
    {"nfs", nfs_fill, true, true},   {"http", url_fill, true, true},
    {"https", url_fill, true, true}, {"ftp", url_fill, true, true},
    {"ftps", url_fill, true, true},
};

static const struct protocol *protocol_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (!strcmp(protocols[i].name, name))
			return &protocols[i];
	return NULL;
}

static const char *obstacle(const struct domxml_disk *disk, const struct protocol *protocol)
{
	char id[DISKID_SIZE];

	if (!protocol)
		return "hamon cannot check this protocol";
	/* Ceph's clients may find a keyring on the host. */
	if (disk->needs_secret && strcmp(protocol->name, "rbd") &&
	    (strcmp(protocol->name, "iscsi") || !secret_is_named(disk)))
		return "only libvirt has the secret that opens it";
	if (disk->tls)
		return "hamon cannot check a disk over TLS";
	/* A pool and an image of these names may be in another cluster too, such as a mirror of this one. */
	if (!strcmp(protocol->name, "rbd") && !disk->n_servers)
		return "the XML names no monitor, and each host's own ceph.conf could mean another "
		       "cluster";
	if ((protocol->servers && !disk->n_servers) || (protocol->source && !disk->source))
		return "the XML names no server or no source";
	for (size_t i = 0; i < disk->n_servers; i++)
		if (!disk->servers[i].name && !disk->servers[i].socket)
			return "the XML names a server without a name";
	if (diskid_network(disk, id, sizeof(id)) || !diskid_is_global(id))
		return "its server is this host's own socket or loopback address, which is another "
		       "one elsewhere";
	return NULL;
}

char *image_spec_of_network(const struct domxml_disk *disk, const char **ret_why)
{
	const struct protocol *protocol = protocol_find(disk->protocol);
	const char *why = obstacle(disk, protocol);
	struct json_object *obj;
	char *text;

	if (why) {
		*ret_why = why;
		return NULL;
	}
	obj = json_object_new_object();
	json_put_string(obj, "driver", protocol->name);
	if (!protocol->fill(disk, obj)) {
		json_object_put(obj);
		*ret_why = "its name in the XML has another form than its protocol needs";
		return NULL;
	}
	text = spec_text(obj, disk->format);
	if (!text)
		*ret_why = "out of memory";
	return text;
}
