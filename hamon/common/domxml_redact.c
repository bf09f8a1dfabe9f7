/*
 * The same XML without its secrets. When in doubt a value is hidden: this is text for people, not
 * for libvirt.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/domxml_tree.h"

#define HIDDEN "(hidden)"

static const char *const secret_attrs[] = {"passwd", "password", "passphrase", "secret"};
/* Text of these: cookies of http disks, launch keys, what cloud-init reads from the firmware. */
static const char *const secret_texts[] = {
    "cookie", "password", "passwd", "passphrase", "secret", "session", "dhCert",
};

static bool word_in(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(word, list[i]))
			return true;
	return false;
}

static bool text_is_secret(const xmlNode *node)
{
	const xmlNode *parent = node->parent;

	if (word_in((const char *)node->name, secret_texts,
		    sizeof(secret_texts) / sizeof(secret_texts[0])))
		return true;
	/*
	 * <sysinfo type='fwcfg'> and <oemStrings> carry ignition files and cloud-init credentials.
	 */
	return tree_is(node, "entry") && parent && parent->type == XML_ELEMENT_NODE &&
	       (tree_is(parent, "oemStrings") || tree_is(parent, "sysinfo"));
}

static bool attr_is_secret(const xmlNode *node, const xmlAttr *attr)
{
	if (word_in((const char *)attr->name, secret_attrs,
		    sizeof(secret_attrs) / sizeof(secret_attrs[0])))
		return true;
	/* <qemu:env value> and <qemu:arg value> may hold anything, "-object secret" among it. */
	return node->ns && !strcmp((const char *)attr->name, "value") &&
	       (tree_is(node, "env") || tree_is(node, "arg"));
}

static size_t attrs_walk(xmlNode *node, bool hide)
{
	size_t found = 0;

	for (xmlAttr *attr = node->properties; attr; attr = attr->next) {
		if (!attr_is_secret(node, attr))
			continue;
		found++;
		if (hide)
			xmlNodeSetContent((xmlNode *)attr, BAD_CAST HIDDEN);
	}
	return found;
}

/* Recursion is bounded: libxml2 refuses more than 256 levels. */
size_t domxml_secrets(xmlNode *node, bool hide)
{
	size_t found = 0;

	if (node->type != XML_ELEMENT_NODE)
		return 0;
	found += attrs_walk(node, hide);
	if (text_is_secret(node) && node->children) {
		found++;
		if (hide)
			xmlNodeSetContent(node, BAD_CAST HIDDEN);
	}
	for (xmlNode *child = node->children; child; child = child->next)
		found += domxml_secrets(child, hide);
	return found;
}

/* A comment may quote anything. */
static void comments_drop(xmlNode *node)
{
	xmlNode *next;

	for (xmlNode *child = node->children; child; child = next) {
		next = child->next;
		if (child->type == XML_COMMENT_NODE) {
			xmlUnlinkNode(child);
			xmlFreeNode(child);
		} else if (child->type == XML_ELEMENT_NODE) {
			comments_drop(child);
		}
	}
}

int domxml_redact(const char *xml, size_t len, char **ret)
{
	xmlBuffer *buffer;
	struct tree tree;
	xmlNode *root;
	char *text = NULL;

	if (tree_open(&tree, xml, len))
		return tree.rc;
	root = xmlDocGetRootElement(tree.doc);
	buffer = xmlBufferCreate();
	if (root && buffer) {
		comments_drop(root);
		domxml_secrets(root, true);
		if (xmlNodeDump(buffer, tree.doc, root, 0, 0) >= 0)
			text = strdup((const char *)xmlBufferContent(buffer));
	}
	if (buffer)
		xmlBufferFree(buffer);
	tree_close(&tree);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}
