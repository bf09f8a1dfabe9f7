/*
 * What ties an instance to one host: passed-through hardware, TPM state, host folders, raw QEMU
 * arguments.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/domxml_tree.h"

/* Takes what; local as in struct domxml_device. */
static void device_add(struct tree *tree, struct domxml *dom, const char *kind, char *what,
		       bool local)
{
	struct domxml_device *device =
	    tree_grow(tree, (void **)&dom->devices, &dom->n_devices, sizeof(*device),
		      DOMXML_DEVICES_MAX, "passed-through devices");

	if (!device) {
		free(what);
		return;
	}
	device->kind = tree_format(tree, "%s", kind);
	device->what = what;
	device->local = local;
}

/* Attributes of <address> or <vendor>/<product> that name the hardware, in one word. */
static char *hardware_name(struct tree *tree, const xmlNode *source)
{
	static const char *const names[] = {"uuid",	"domain", "bus",    "slot",
					    "function", "device", "target", "unit"};
	xmlNode *address = tree_child(source, NULL, "address");
	xmlNode *adapter = tree_child(source, NULL, "adapter");
	char text[160] = "";
	size_t used = 0;
	char *value;

	value = tree_attr(tree, adapter, "name");
	if (value)
		used += (size_t)snprintf(text, sizeof(text), "%.40s", value);
	free(value);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = tree_attr(tree, address, names[i]);
		if (value && used + 40 < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.36s",
						 used ? ":" : "",
						 strncmp(value, "0x", 2) ? value : value + 2);
		free(value);
	}
	return tree_format(tree, "%s", used ? text : "(no address)");
}

static void hostdev_add(struct tree *tree, const xmlNode *node, struct domxml *dom,
			const char *kind)
{
	xmlNode *source = tree_child(node, NULL, "source");
	char *type = tree_attr(tree, node, "type");
	char *name = hardware_name(tree, source);
	bool network = xmlHasNsProp(source ? source : (xmlNode *)node, BAD_CAST "protocol", NULL);

	/*
	 * A SCSI device by iSCSI is no hardware of this host, but nothing here proves where it is.
	 */
	device_add(tree, dom, kind,
		   tree_format(tree, "host device %.16s %s is passed through", type ? type : "",
			       name ? name : ""),
		   !network);
	free(type);
	free(name);
}

static void tpm_add(struct tree *tree, const xmlNode *node, struct domxml *dom)
{
	xmlNode *backend = tree_child(node, NULL, "backend");
	bool emulator = tree_attr_is(backend, "type", "emulator");

	device_add(tree, dom, "tpm",
		   tree_format(tree, emulator
					 ? "the state of its emulated TPM is a folder of that host"
					 : "its TPM is a device of that host"),
		   true);
}

static void filesystem_add(struct tree *tree, const xmlNode *node, struct domxml *dom)
{
	xmlNode *source = tree_child(node, NULL, "source");
	char *path = tree_attr(tree, source, "dir");

	if (!path)
		path = tree_attr(tree, source, "socket");
	device_add(
	    tree, dom, "filesystem",
	    tree_format(tree, "the host's folder %.512s is given to the guest", path ? path : "?"),
	    false);
	free(path);
}

/* <interface type='hostdev'>, character devices and input devices that are hardware. */
static void typed_add(struct tree *tree, const xmlNode *node, struct domxml *dom)
{
	char *path;

	if (tree_is(node, "interface") &&
	    (tree_attr_is(node, "type", "hostdev") || tree_attr_is(node, "type", "vdpa"))) {
		hostdev_add(tree, node, dom, "interface");
		return;
	}
	if (tree_is(node, "smartcard") && !tree_attr_is(node, "mode", "passthrough")) {
		device_add(tree, dom, "smartcard",
			   tree_format(tree, "a smartcard of the host is passed through"), true);
		return;
	}
	if (!tree_attr_is(node, "type", tree_is(node, "input") ? "passthrough" : "dev") &&
	    !tree_attr_is(node, "type", "evdev"))
		return;
	path = tree_attr(tree, tree_child(node, NULL, "source"), "path");
	if (!path)
		path = tree_attr(tree, tree_child(node, NULL, "source"),
				 tree_is(node, "input") ? "evdev" : "dev");
	device_add(
	    tree, dom, (const char *)node->name,
	    tree_format(tree, "the host's device %.512s is passed through", path ? path : "?"),
	    true);
	free(path);
}

/* Raw arguments can open any file behind libvirt's back: whatever holds a path is named. */
static void arguments_parse(struct tree *tree, const xmlNode *domain, struct domxml *dom)
{
	static const char ns[] = "http://libvirt.org/schemas/domain/qemu/1.0";
	xmlNode *line = tree_child(domain, ns, "commandline");

	for (xmlNode *node = tree_child(line, ns, "arg"); node; node = tree_next(node, ns, "arg")) {
		char *value = tree_attr(tree, node, "value");
		bool path =
		    value && (value[0] == '/' || strstr(value, "=/") || strstr(value, "file") ||
			      strstr(value, "//") || strstr(value, "path"));

		if (path)
			device_add(tree, dom, "commandline",
				   tree_format(tree, "a QEMU argument of its own names a path, "
						     "which hamon does not follow"),
				   false);
		free(value);
		if (path)
			return;
	}
}

void domxml_parse_devices(struct tree *tree, const xmlNode *domain, struct domxml *dom)
{
	static const char *const typed[] = {"interface", "serial",    "parallel", "console",
					    "channel",	 "smartcard", "input",	  "redirdev"};
	xmlNode *devices = tree_child(domain, NULL, "devices");

	for (xmlNode *node = tree_child(devices, NULL, NULL); node && !tree->rc;
	     node = tree_next(node, NULL, NULL)) {
		if (tree_is(node, "hostdev"))
			hostdev_add(tree, node, dom, "hostdev");
		else if (tree_is(node, "tpm"))
			tpm_add(tree, node, dom);
		else if (tree_is(node, "filesystem"))
			filesystem_add(tree, node, dom);
		for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++)
			if (tree_is(node, typed[i]))
				typed_add(tree, node, dom);
	}
	arguments_parse(tree, domain, dom);
}
