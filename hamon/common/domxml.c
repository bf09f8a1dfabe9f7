/*
 * What an instance is: name, uuid, size. Disks, devices and hamon's metadata have files of their
 * own.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/domxml_tree.h"

/* Units of <memory>, as libvirt's virScaleInteger reads them; KiB when there is none. */
static const struct unit {
	const char *name;
	uint64_t bytes;
} units[] = {
    {"b", 1},	       {"bytes", 1},	    {"KB", 1000},
    {"k", 1ull << 10}, {"KiB", 1ull << 10}, {"MB", 1000000},
    {"M", 1ull << 20}, {"MiB", 1ull << 20}, {"GB", 1000000000},
    {"G", 1ull << 30}, {"GiB", 1ull << 30}, {"TB", 1000000000000},
    {"T", 1ull << 40}, {"TiB", 1ull << 40},
};

static bool number_parse(const char *text, uint64_t *ret)
{
	char *end;

	if (!text || !isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && !*end;
}

static void memory_parse(struct tree *tree, const xmlNode *domain, struct domxml *dom)
{
	xmlNode *node = tree_child(domain, NULL, "memory");
	char *text = tree_text(tree, node);
	char *name = tree_attr(tree, node, "unit");
	uint64_t number, scale = name ? 0 : 1024;

	for (size_t i = 0; name && i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcasecmp(units[i].name, name))
			scale = units[i].bytes;
	if (!node)
		goto out;
	if (!number_parse(text, &number) || !scale || number > UINT64_MAX / 2 / scale)
		tree_fail(tree, -EINVAL,
			  "<memory> is \"%.40s\" \"%.16s\", expected a number and a unit like KiB",
			  text ? text : "", name ? name : "");
	else
		dom->memory_mib = (number * scale + (1 << 20) - 1) >> 20;
out:
	free(text);
	free(name);
}

static void vcpus_parse(struct tree *tree, const xmlNode *domain, struct domxml *dom)
{
	char *text = tree_text(tree, tree_child(domain, NULL, "vcpu"));
	uint64_t number = 1;

	if (text && (!number_parse(text, &number) || !number || number > 65535))
		tree_fail(tree, -EINVAL, "<vcpu> is \"%.40s\", expected a number from 1 to 65535",
			  text);
	else
		dom->vcpus = (unsigned int)number;
	free(text);
}

/* libvirt reads a uuid with hyphens anywhere; it is always written with all four. */
static bool uuid_normalize(const char *text, char ret[37])
{
	size_t used = 0;

	for (; *text; text++) {
		if (*text == '-')
			continue;
		if (!isxdigit((unsigned char)*text) || used == 36)
			return false;
		if (used == 8 || used == 13 || used == 18 || used == 23)
			ret[used++] = '-';
		ret[used++] = (char)tolower((unsigned char)*text);
	}
	ret[used] = '\0';
	return used == 36;
}

static void identity_parse(struct tree *tree, const xmlNode *domain, struct domxml *dom)
{
	char *uuid = tree_text(tree, tree_child(domain, NULL, "uuid"));

	dom->type = tree_attr(tree, domain, "type");
	dom->name = tree_text(tree, tree_child(domain, NULL, "name"));
	if (!dom->name)
		tree_fail(tree, -EINVAL, "the domain has no <name>");
	else if (strlen(dom->name) > 255)
		tree_fail(tree, -EINVAL, "<name> has %zu bytes, expected at most 255",
			  strlen(dom->name));
	for (const char *c = dom->name; c && *c; c++)
		if (*c == '/' || iscntrl((unsigned char)*c))
			tree_fail(tree, -EINVAL,
				  "<name> has the character 0x%02x, expected no slash and no "
				  "control character",
				  (unsigned char)*c);
	if (uuid && !uuid_normalize(uuid, dom->uuid)) {
		dom->uuid[0] = '\0';
		tree_fail(tree, -EINVAL, "<uuid> is \"%.60s\", expected 32 hexadecimal digits",
			  uuid);
	}
	free(uuid);
}

static void domain_parse(struct tree *tree, struct domxml *dom)
{
	xmlNode *domain = xmlDocGetRootElement(tree->doc);

	if (!domain || !tree_is(domain, "domain") || domain->ns) {
		tree_fail(tree, -EINVAL, "the root element is <%.40s>, expected <domain>",
			  domain ? (const char *)domain->name : "");
		return;
	}
	identity_parse(tree, domain, dom);
	memory_parse(tree, domain, dom);
	vcpus_parse(tree, domain, dom);
	domxml_parse_disks(tree, domain, dom);
	domxml_parse_devices(tree, domain, dom);
	domxml_parse_meta(tree, domain, &dom->meta);
	dom->title = domxml_parse_title(tree, domain);
	dom->nova = domxml_nova(domain);
	dom->has_secrets = domxml_secrets(domain, false) > 0;
}

int domxml_parse(const char *xml, size_t len, struct domxml **ret, char *error, size_t error_size)
{
	struct domxml *dom = calloc(1, sizeof(*dom));
	struct tree tree;

	if (!dom)
		return -ENOMEM;
	if (!tree_open(&tree, xml, len))
		domain_parse(&tree, dom);
	tree_close(&tree);
	if (!tree.rc) {
		*ret = dom;
		return 0;
	}
	if (error)
		snprintf(error, error_size, "%s", tree.error);
	domxml_free(dom);
	return tree.rc;
}

void domxml_free(struct domxml *dom)
{
	if (!dom)
		return;
	for (size_t i = 0; i < dom->n_disks; i++)
		domxml_disk_clear(&dom->disks[i]);
	for (size_t i = 0; i < dom->n_devices; i++) {
		free(dom->devices[i].kind);
		free(dom->devices[i].what);
	}
	domxml_meta_clear(&dom->meta);
	free(dom->disks);
	free(dom->devices);
	free(dom->type);
	free(dom->name);
	free(dom->title);
	free(dom);
}
