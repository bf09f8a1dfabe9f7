/*
 * Everything that an instance opens as storage: <disk>, and the files that <os> and <memory> name.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/domxml_tree.h"

#define SOURCE_MAX (PATH_MAX - 1)

static struct domxml_disk *disk_add(struct tree *tree, struct domxml *dom, const char *what)
{
	struct domxml_disk *disk = tree_grow(tree, (void **)&dom->disks, &dom->n_disks,
					     sizeof(*disk), DOMXML_DISKS_MAX, "disks");

	if (!disk)
		return NULL;
	disk->what = tree_format(tree, "%s", what);
	return disk;
}

/* A path must be absolute: any other would depend on who opens it. */
static void source_check(struct tree *tree, const struct domxml_disk *disk)
{
	const char *target = disk->target ? disk->target : "?";

	if (!disk->source)
		return;
	if (strlen(disk->source) > SOURCE_MAX)
		tree_fail(tree, -EINVAL,
			  "disk %.32s: the source has %zu bytes, expected at most %d", target,
			  strlen(disk->source), SOURCE_MAX);
	else if ((disk->kind == DOMXML_FILE || disk->kind == DOMXML_BLOCK) &&
		 disk->source[0] != '/')
		tree_fail(tree, -EINVAL,
			  "disk %.32s: the source is \"%.64s\", expected an absolute path", target,
			  disk->source);
}

static void servers_parse(struct tree *tree, const xmlNode *source, struct domxml_disk *disk)
{
	for (xmlNode *node = tree_child(source, NULL, "host"); node;
	     node = tree_next(node, NULL, "host")) {
		struct domxml_server *server =
		    tree_grow(tree, (void **)&disk->servers, &disk->n_servers, sizeof(*server),
			      DOMXML_SERVERS_MAX, "servers of one disk");

		if (!server)
			return;
		server->transport = tree_attr(tree, node, "transport");
		server->name = tree_attr(tree, node, "name");
		server->port = tree_attr(tree, node, "port");
		server->socket = tree_attr(tree, node, "socket");
	}
}

static char *volume_name(struct tree *tree, const xmlNode *source)
{
	char *pool = tree_attr(tree, source, "pool");
	char *volume = tree_attr(tree, source, "volume");
	char *name = tree_format(tree, "%s/%s", pool ? pool : "?", volume ? volume : "?");

	free(pool);
	free(volume);
	return name;
}

/* <auth> stands in the disk or in its source. */
static void auth_parse(struct tree *tree, const xmlNode *parent, struct domxml_disk *disk)
{
	xmlNode *auth = tree_child(parent, NULL, "auth");

	if (!auth || disk->auth_user || disk->auth_secret)
		return;
	disk->auth_user = tree_attr(tree, auth, "username");
	disk->auth_secret = tree_attr(tree, tree_child(auth, NULL, "secret"), "uuid");
}

/* <source> of a disk, an nvram or a backing store; type is libvirt's word for it. */
static void source_parse(struct tree *tree, const xmlNode *source, struct domxml_disk *disk)
{
	const char *type = disk->type;

	disk->kind = DOMXML_OTHER;
	if (!strcmp(type, "file")) {
		disk->source = tree_attr(tree, source, "file");
		disk->kind = DOMXML_FILE;
	} else if (!strcmp(type, "block")) {
		disk->source = tree_attr(tree, source, "dev");
		disk->kind = DOMXML_BLOCK;
	} else if (!strcmp(type, "network")) {
		disk->source = tree_attr(tree, source, "name");
		disk->protocol = tree_attr(tree, source, "protocol");
		disk->query = tree_attr(tree, source, "query");
		disk->tls = tree_attr_is(source, "tls", "yes");
		servers_parse(tree, source, disk);
		disk->kind = DOMXML_NETWORK;
	} else if (!strcmp(type, "dir")) {
		disk->source = tree_attr(tree, source, "dir");
	} else if (!strcmp(type, "volume")) {
		disk->source = volume_name(tree, source);
	}
	if (disk->source && !disk->source[0]) {
		free(disk->source);
		disk->source = NULL;
	}
	if (!disk->source && !disk->protocol && disk->kind != DOMXML_OTHER)
		disk->kind = DOMXML_EMPTY;
	disk->optional = tree_attr_is(source, "startupPolicy", "optional");
	disk->sliced = tree_child(source, NULL, "slices") != NULL;
	auth_parse(tree, source, disk);
	if (tree_child(source, NULL, "auth") || tree_child(source, NULL, "encryption") ||
	    tree_child(source, NULL, "cookies"))
		disk->needs_secret = true;
	source_check(tree, disk);
}

/*
 * <backingStore> overrides what the image itself says, so it is part of the truth. An empty one
 * ends the chain, as no entry does: then the image speaks for itself.
 */
static void backing_parse(struct tree *tree, const xmlNode *node, struct domxml_disk *disk,
			  int depth)
{
	xmlNode *format = tree_child(node, NULL, "format");
	struct domxml_disk *backing;

	if (!node || !xmlHasNsProp((xmlNode *)node, BAD_CAST "type", NULL) || tree->rc)
		return;
	if (depth > DOMXML_BACKING_MAX) {
		tree_fail(tree, -E2BIG, "more than %d backing images of one disk",
			  DOMXML_BACKING_MAX);
		return;
	}
	backing = calloc(1, sizeof(*backing));
	if (!backing) {
		tree_fail(tree, -ENOMEM, "out of memory");
		return;
	}
	disk->backing = backing;
	backing->target = tree_format(tree, "%s", disk->target ? disk->target : "?");
	backing->what = tree_format(tree, "backing");
	backing->type = tree_attr(tree, node, "type");
	backing->readonly = true;
	backing->format = tree_attr(tree, format, "type");
	if (tree->rc)
		return;
	source_parse(tree, tree_child(node, NULL, "source"), backing);
	backing_parse(tree, tree_child(node, NULL, "backingStore"), backing, depth + 1);
}

static void disk_parse(struct tree *tree, const xmlNode *node, struct domxml *dom)
{
	xmlNode *source = tree_child(node, NULL, "source");
	char *device = tree_attr(tree, node, "device");
	struct domxml_disk *disk = disk_add(tree, dom, device ? device : "disk");

	free(device);
	if (!disk)
		return;
	disk->target = tree_attr(tree, tree_child(node, NULL, "target"), "dev");
	if (!disk->target || strlen(disk->target) > 64)
		tree_fail(tree, -EINVAL, "disk %zu has no <target dev> of at most 64 bytes",
			  dom->n_disks);
	disk->type = tree_attr(tree, node, "type");
	if (!disk->type)
		disk->type = tree_format(tree, "file");
	disk->format = tree_attr(tree, tree_child(node, NULL, "driver"), "type");
	disk->readonly =
	    tree_child(node, NULL, "readonly") || (disk->what && !strcmp(disk->what, "cdrom"));
	disk->shareable = tree_child(node, NULL, "shareable") != NULL;
	disk->mirror = tree_child(node, NULL, "mirror") != NULL;
	disk->serial = tree_text(tree, tree_child(node, NULL, "serial"));
	auth_parse(tree, node, disk);
	disk->needs_secret = tree_child(node, NULL, "auth") || tree_child(node, NULL, "encryption");
	if (disk->mirror)
		dom->mirror = true;
	if (tree->rc)
		return;
	if (source)
		source_parse(tree, source, disk);
	else
		disk->kind = strcmp(disk->type, "vhostuser") && strcmp(disk->type, "nvme")
				 ? DOMXML_EMPTY
				 : DOMXML_OTHER;
	backing_parse(tree, tree_child(node, NULL, "backingStore"), disk, 1);
}

/* A file that is named as text: <kernel>/boot/vmlinuz</kernel>. Takes path. */
static void file_add(struct tree *tree, struct domxml *dom, const char *what, const char *target,
		     char *path, bool readonly)
{
	struct domxml_disk *disk = path ? disk_add(tree, dom, what) : NULL;

	if (!disk) {
		free(path);
		return;
	}
	disk->target = tree_format(tree, "%s", target);
	disk->type = tree_format(tree, "file");
	disk->kind = DOMXML_FILE;
	disk->source = path;
	disk->readonly = readonly;
	source_check(tree, disk);
}

static bool has_own_nvram(const xmlNode *os)
{
	xmlNode *loader = tree_child(os, NULL, "loader");

	if (tree_attr_is(loader, "stateless", "yes"))
		return false;
	return tree_attr_is(os, "firmware", "efi") || tree_attr_is(loader, "type", "pflash");
}

static void nvram_parse(struct tree *tree, const xmlNode *os, struct domxml *dom)
{
	xmlNode *node = tree_child(os, NULL, "nvram");
	xmlNode *source = tree_child(node, NULL, "source");
	char *path = source ? NULL : tree_text(tree, node);
	struct domxml_disk *disk;

	/* Without a path libvirt makes this one when the domain starts for the first time. */
	if (!source && !path && has_own_nvram(os) && dom->name)
		path = tree_format(tree, "/var/lib/libvirt/qemu/nvram/%s_VARS.fd", dom->name);
	if (!source) {
		file_add(tree, dom, "nvram", "nvram", path, false);
		return;
	}
	disk = disk_add(tree, dom, "nvram");
	if (!disk)
		return;
	disk->target = tree_format(tree, "nvram");
	disk->type = tree_attr(tree, node, "type");
	if (!disk->type)
		disk->type = tree_format(tree, "file");
	if (!tree->rc)
		source_parse(tree, source, disk);
}

static void os_parse(struct tree *tree, const xmlNode *domain, struct domxml *dom)
{
	static const char *const names[] = {"loader", "kernel", "initrd", "dtb"};
	xmlNode *os = tree_child(domain, NULL, "os");
	xmlNode *acpi = tree_child(os, NULL, "acpi");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		file_add(tree, dom, names[i], names[i],
			 tree_text(tree, tree_child(os, NULL, names[i])), true);
	for (xmlNode *node = tree_child(acpi, NULL, "table"); node;
	     node = tree_next(node, NULL, "table"))
		file_add(tree, dom, "acpi", "acpi", tree_text(tree, node), true);
	if (os)
		nvram_parse(tree, os, dom);
}

static void fwcfg_parse(struct tree *tree, const xmlNode *domain, struct domxml *dom)
{
	for (xmlNode *info = tree_child(domain, NULL, "sysinfo"); info;
	     info = tree_next(info, NULL, "sysinfo"))
		for (xmlNode *node = tree_child(info, NULL, "entry"); node;
		     node = tree_next(node, NULL, "entry"))
			file_add(tree, dom, "fwcfg", "fwcfg", tree_attr(tree, node, "file"), true);
}

static void memory_files_parse(struct tree *tree, const xmlNode *devices, struct domxml *dom)
{
	char target[32];
	int i = 0;

	for (xmlNode *node = tree_child(devices, NULL, "memory"); node;
	     node = tree_next(node, NULL, "memory"), i++) {
		xmlNode *source = tree_child(node, NULL, "source");
		bool readonly = tree_child(tree_child(node, NULL, "target"), NULL, "readonly");

		snprintf(target, sizeof(target), "nvdimm%d", i);
		file_add(tree, dom, "nvdimm", target,
			 tree_text(tree, tree_child(source, NULL, "path")), readonly);
	}
}

void domxml_parse_disks(struct tree *tree, const xmlNode *domain, struct domxml *dom)
{
	xmlNode *devices = tree_child(domain, NULL, "devices");

	for (xmlNode *node = tree_child(devices, NULL, "disk"); node && !tree->rc;
	     node = tree_next(node, NULL, "disk"))
		disk_parse(tree, node, dom);
	os_parse(tree, domain, dom);
	fwcfg_parse(tree, domain, dom);
	memory_files_parse(tree, devices, dom);
}

void domxml_disk_clear(struct domxml_disk *disk)
{
	for (size_t i = 0; i < disk->n_servers; i++) {
		free(disk->servers[i].transport);
		free(disk->servers[i].name);
		free(disk->servers[i].port);
		free(disk->servers[i].socket);
	}
	free(disk->servers);
	free(disk->target);
	free(disk->what);
	free(disk->type);
	free(disk->source);
	free(disk->format);
	free(disk->protocol);
	free(disk->query);
	free(disk->auth_user);
	free(disk->auth_secret);
	free(disk->serial);
	if (disk->backing)
		domxml_disk_clear(disk->backing);
	free(disk->backing);
}
