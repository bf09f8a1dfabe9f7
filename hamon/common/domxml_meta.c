/* What the operator wrote for hamon into the domain: <hamon:instance> in <metadata>; and what people call the domain. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/domxml_tree.h"

#define META_NAME_MAX 64
#define NOVA_NAMESPACE "http://openstack.org/xmlns/libvirt/nova/" /* and its version */

/* Says what is wrong with one attribute; the first error wins. */
static void meta_fail(struct tree *tree, struct domxml_meta *meta, const char *attr,
		      const char *value, const char *expected)
{
	if (!meta->error)
		meta->error = tree_format(tree, "hamon:instance %s=\"%.64s\": expected %s", attr,
					  value, expected);
}

static bool name_valid(const char *name, size_t len)
{
	if (!len || len > META_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

static void hosts_parse(struct tree *tree, struct domxml_meta *meta, const char *attr,
			const char *value, char ***hosts, size_t *n_hosts)
{
	static const char between[] = " \t\r\n,";

	while (*(value += strspn(value, between)) && !meta->error) {
		size_t len = strcspn(value, between);
		char **slot;

		if (!name_valid(value, len)) {
			meta_fail(tree, meta, attr, value, "host names separated by spaces");
			return;
		}
		slot = tree_grow(tree, (void **)hosts, n_hosts, sizeof(**hosts), DOMXML_HOSTS_MAX,
				 "host names in one list");
		if (!slot)
			return;
		*slot = strndup(value, len);
		if (!*slot)
			tree_fail(tree, -ENOMEM, "out of memory");
		value += len;
	}
}

static void priority_parse(struct tree *tree, struct domxml_meta *meta, const char *value)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)value[0]) || *end || strlen(value) > 4 ||
	    number > DOMXML_PRIORITY_MAX)
		meta_fail(tree, meta, "priority", value, "a number from 0 to 1000");
	else
		meta->priority = (int)number;
}

static void attr_parse(struct tree *tree, struct domxml_meta *meta, const char *name,
		       const char *value)
{
	if (!strcmp(name, "protected")) {
		if (strcmp(value, "yes") && strcmp(value, "no"))
			meta_fail(tree, meta, name, value, "yes or no");
		meta->protect = !strcmp(value, "yes");
	} else if (!strcmp(name, "priority")) {
		priority_parse(tree, meta, value);
	} else if (!strcmp(name, "group")) {
		if (!name_valid(value, strlen(value)))
			meta_fail(tree, meta, name, value, "one word of letters, digits and ._-");
		else if (!(meta->group = strdup(value)))
			tree_fail(tree, -ENOMEM, "out of memory");
	} else if (!strcmp(name, "allow")) {
		hosts_parse(tree, meta, name, value, &meta->allow, &meta->n_allow);
	} else if (!strcmp(name, "deny")) {
		hosts_parse(tree, meta, name, value, &meta->deny, &meta->n_deny);
	} else {
		meta_fail(tree, meta, name, value,
			  "only the attributes protected, priority, group, allow and deny");
	}
}

static void rules_clear(struct domxml_meta *meta)
{
	for (size_t i = 0; i < meta->n_allow; i++)
		free(meta->allow[i]);
	for (size_t i = 0; i < meta->n_deny; i++)
		free(meta->deny[i]);
	free(meta->allow);
	free(meta->deny);
	free(meta->group);
	meta->allow = meta->deny = NULL;
	meta->n_allow = meta->n_deny = 0;
	meta->group = NULL;
	meta->protect = meta->priority = -1;
}

void domxml_parse_meta(struct tree *tree, const xmlNode *domain, struct domxml_meta *meta)
{
	xmlNode *metadata = tree_child(domain, NULL, "metadata");
	xmlNode *node = tree_child(metadata, DOMXML_NAMESPACE, "instance");

	rules_clear(meta);
	meta->probe = tree_attr(tree, tree_child(metadata, DOMXML_NAMESPACE, "probe"), "nonce");
	if (!node)
		return;
	meta->present = true;
	for (xmlAttr *attr = node->properties; attr && !meta->error; attr = attr->next) {
		char *value = tree_attr(tree, node, (const char *)attr->name);

		if (value)
			attr_parse(tree, meta, (const char *)attr->name, value);
		free(value);
	}
	if (!meta->error && tree_next(node, DOMXML_NAMESPACE, "instance"))
		meta->error = tree_format(tree, "hamon:instance is there twice: expected once");
	if (meta->error)
		rules_clear(meta);
}

/* <nova:instance>, which Nova's libvirt driver writes (nova/virt/libvirt/config.py), whatever version its namespace has. */
const xmlNode *domxml_nova(const xmlNode *domain)
{
	xmlNode *metadata = tree_child(domain, NULL, "metadata");

	for (xmlNode *node = metadata ? metadata->children : NULL; node; node = node->next) {
		const char *ns = node->type == XML_ELEMENT_NODE && node->ns ? (const char *)node->ns->href : "";

		if (!strncmp(ns, NOVA_NAMESPACE, strlen(NOVA_NAMESPACE)) && !strcmp((const char *)node->name, "instance"))
			return node;
	}
	return NULL;
}

/* Nova's name of it, or the <title> that libvirt has for every domain. Tenants write it, so nothing in it may disturb a line of a log. */
char *domxml_parse_title(struct tree *tree, const xmlNode *domain)
{
	const xmlNode *nova = domxml_nova(domain);
	char *title = nova ? tree_text(tree, tree_child(nova, (const char *)nova->ns->href, "name")) : NULL;

	if (!title)
		title = tree_text(tree, tree_child(domain, NULL, "title"));
	for (char *c = title; c && *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	return title;
}

void domxml_meta_clear(struct domxml_meta *meta)
{
	rules_clear(meta);
	free(meta->error);
	free(meta->probe);
}
