/* The one place that parses XML: libxml2 without network, document types or entities. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libxml/parser.h>

#include "hamon/common/domxml_tree.h"

void tree_fail(struct tree *tree, int rc, const char *format, ...)
{
	va_list args;

	if (tree->rc)
		return;
	tree->rc = rc;
	va_start(args, format);
	vsnprintf(tree->error, sizeof(tree->error), format, args);
	va_end(args);
}

/*
 * A document type is where entities are declared. libvirt never writes one, so the parser stops at
 * its first byte, whatever the encoding: nothing of it is ever evaluated.
 */
static void doctype_refuse(void *user, const xmlChar *name, const xmlChar *id,
			   const xmlChar *system)
{
	(void)name;
	(void)id;
	(void)system;
	xmlStopParser(user);
}

static void message_drop(void *user, xmlError *error)
{
	(void)user;
	(void)error;
}

static void error_describe(struct tree *tree, xmlParserCtxt *ctxt)
{
	const xmlError *error = xmlCtxtGetLastError(ctxt);
	char text[128] = "not well-formed";

	if (error && error->message)
		snprintf(text, sizeof(text), "%s", error->message);
	text[strcspn(text, "\n")] = '\0';
	if (error && error->code == XML_ERR_NO_MEMORY)
		tree_fail(tree, -ENOMEM, "out of memory");
	else if (ctxt->errNo == XML_ERR_USER_STOP)
		tree_fail(tree, -EINVAL, "domain XML has a document type, which is not accepted");
	else
		tree_fail(tree, -EINVAL, "domain XML is not well-formed, line %d: %s",
			  error ? error->line : 0, text);
}

int tree_open(struct tree *tree, const char *xml, size_t len)
{
	xmlParserCtxt *ctxt;

	memset(tree, 0, sizeof(*tree));
	if (len > DOMXML_BYTES_MAX) {
		tree_fail(tree, -E2BIG, "domain XML has %zu bytes, at most %u are accepted", len,
			  DOMXML_BYTES_MAX);
		return tree->rc;
	}
	ctxt = xmlNewParserCtxt();
	if (!ctxt) {
		tree_fail(tree, -ENOMEM, "out of memory");
		return tree->rc;
	}
	ctxt->sax->internalSubset = doctype_refuse;
	ctxt->sax->serror = message_drop;
	tree->doc = xmlCtxtReadMemory(ctxt, xml, (int)len, NULL, "UTF-8",
				      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
					  XML_PARSE_NOCDATA | XML_PARSE_IGNORE_ENC);
	if (!tree->doc || ctxt->disableSAX) {
		error_describe(tree, ctxt);
		tree_close(tree);
	}
	xmlFreeParserCtxt(ctxt);
	return tree->rc;
}

void tree_close(struct tree *tree)
{
	if (tree->doc)
		xmlFreeDoc(tree->doc);
	tree->doc = NULL;
}

bool tree_is(const xmlNode *node, const char *name)
{
	return !strcmp((const char *)node->name, name);
}

static xmlNode *node_find(xmlNode *node, const char *ns, const char *name)
{
	for (; node; node = node->next) {
		if (node->type != XML_ELEMENT_NODE || (name && !tree_is(node, name)))
			continue;
		if (ns ? node->ns && !strcmp((const char *)node->ns->href, ns) : !node->ns)
			return node;
	}
	return NULL;
}

xmlNode *tree_child(const xmlNode *node, const char *ns, const char *name)
{
	return node ? node_find(node->children, ns, name) : NULL;
}

xmlNode *tree_next(const xmlNode *node, const char *ns, const char *name)
{
	return node_find(node->next, ns, name);
}

static char *own(struct tree *tree, xmlChar *text)
{
	char *copy = text ? strdup((const char *)text) : NULL;

	if (!copy)
		tree_fail(tree, -ENOMEM, "out of memory");
	xmlFree(text);
	return copy;
}

char *tree_attr(struct tree *tree, const xmlNode *node, const char *name)
{
	if (!node || !xmlHasNsProp(node, BAD_CAST name, NULL))
		return NULL;
	return own(tree, xmlGetNoNsProp(node, BAD_CAST name));
}

bool tree_attr_is(const xmlNode *node, const char *name, const char *value)
{
	xmlChar *text = node ? xmlGetNoNsProp(node, BAD_CAST name) : NULL;
	bool same = text && !strcmp((const char *)text, value);

	xmlFree(text);
	return same;
}

char *tree_text(struct tree *tree, const xmlNode *node)
{
	static const char blank[] = " \t\r\n";
	char *text, *start;
	size_t len;

	if (!node)
		return NULL;
	text = own(tree, xmlNodeGetContent(node));
	if (!text)
		return NULL;
	start = text + strspn(text, blank);
	len = strlen(start);
	while (len && strchr(blank, start[len - 1]))
		len--;
	memmove(text, start, len);
	text[len] = '\0';
	if (len)
		return text;
	free(text);
	return NULL;
}

void *tree_grow(struct tree *tree, void **array, size_t *count, size_t size, size_t max,
		const char *what)
{
	char *grown;

	if (tree->rc)
		return NULL;
	if (*count >= max) {
		tree_fail(tree, -E2BIG, "more than %zu %s", max, what);
		return NULL;
	}
	grown = realloc(*array, (*count + 1) * size);
	if (!grown) {
		tree_fail(tree, -ENOMEM, "out of memory");
		return NULL;
	}
	*array = grown;
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

char *tree_format(struct tree *tree, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		tree_fail(tree, -ENOMEM, "out of memory");
	}
	va_end(args);
	return text;
}
