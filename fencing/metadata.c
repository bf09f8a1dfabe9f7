/*
 * What an agent says about itself: the parser. Follows libxml2's xmlparser and xmltree interfaces,
 * 2.9.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "fencing/metadata.h"
#include "fencing/output.h"

/* --- libxml2 --- */

/* No agent has a use for entities, and a hostile one has several. */
static void entity_refuse(void *user, const xmlChar *name, int type, const xmlChar *public_id,
			  const xmlChar *system_id, xmlChar *content)
{
	xmlStopParser(user);
}

static void message_ignore(void *user, xmlErrorPtr error)
{
}

static xmlDocPtr document_parse(const char *xml, size_t len, struct failure *failure)
{
	xmlParserCtxtPtr parser = xmlNewParserCtxt();
	xmlDocPtr document = NULL;
	char message[METADATA_TEXT_SIZE] = "";
	int line = 0;

	if (!parser)
		goto out;
	parser->sax->entityDecl = entity_refuse;
	parser->sax->unparsedEntityDecl = NULL;
	parser->sax->serror =
		message_ignore; /* libxml2 would write to stderr what the agent wrote */
	document = xmlCtxtReadMemory(parser, xml, (int)len, NULL, NULL,
				     XML_PARSE_NONET | XML_PARSE_NOCDATA);
	if (document && !parser->wellFormed) {
		xmlFreeDoc(document);
		document = NULL;
	}
	if (!document && parser->lastError.message) {
		text_make_printable(parser->lastError.message, strlen(parser->lastError.message),
				    message, sizeof(message));
		line = parser->lastError.line;
	}
out:
	if (!document && message[0])
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "its metadata is not the XML of a fence agent: line %d: %s", line,
			    message);
	else if (!document)
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "its metadata is not the XML of a fence agent");
	xmlFreeParserCtxt(parser);
	return document;
}

static bool node_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !strcmp((const char *)node->name, name);
}

static const xmlNode *child_find(const xmlNode *node, const char *name)
{
	for (const xmlNode *child = node->children; child; child = child->next) {
		if (node_is(child, name))
			return child;
	}
	return NULL;
}

/* Copies an attribute as printable text; false when it is absent. */
static bool attribute_text(const xmlNode *node, const char *name, char *buf, size_t size)
{
	xmlChar *value = node ? xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)name) : NULL;

	if (!value)
		return false;
	text_make_printable((const char *)value, strlen((const char *)value), buf, size);
	xmlFree(value);
	return true;
}

static bool attribute_is_one(const xmlNode *node, const char *name)
{
	char text[8] = "";

	attribute_text(node, name, text, sizeof(text));
	return !strcmp(text, "1") || !strcasecmp(text, "true") || !strcasecmp(text, "yes");
}

/* Copies an attribute that is a name: 0, -ENOENT when it is absent, -EINVAL. */
static int attribute_name(const xmlNode *node, const char *attribute, char buf[OPTION_KEY_SIZE])
{
	char text[OPTION_KEY_SIZE + 1] = "";

	if (!attribute_text(node, attribute, text, sizeof(text)))
		return -ENOENT;
	if (!text[0] || strlen(text) >= OPTION_KEY_SIZE)
		return -EINVAL;
	for (const char *c = text; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("_-.", *c))
			return -EINVAL;
	}
	strcpy(buf, text);
	return 0;
}

/* --- elements --- */

static int parameter_parse(struct metadata *metadata, const xmlNode *node, struct failure *failure)
{
	const xmlNode *content = child_find(node, "content");
	struct metadata_parameter *parameter;

	if (metadata->parameter_count == METADATA_PARAMETERS_MAX) {
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "its metadata has more than %d parameters", METADATA_PARAMETERS_MAX);
		return -E2BIG;
	}
	parameter = &metadata->parameters[metadata->parameter_count];
	if (attribute_name(node, "name", parameter->name)) {
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "its metadata has a parameter without a valid name, "
			    "line %ld",
			    xmlGetLineNo((xmlNode *)node));
		return -EINVAL;
	}
	if (attribute_name(node, "obsoletes", parameter->obsoletes) == -EINVAL)
		parameter->obsoletes[0] = '\0'; /* only a help for messages */
	if (attribute_name(content, "type", parameter->type))
		strcpy(parameter->type, "string");
	parameter->has_default = attribute_text(content, "default", parameter->value,
						sizeof(parameter->value));
	parameter->required = attribute_is_one(node, "required");
	parameter->deprecated = attribute_is_one(node, "deprecated");
	metadata->parameter_count++;
	return 0;
}

static int action_parse(struct metadata *metadata, const xmlNode *node, struct failure *failure)
{
	char *action;

	if (metadata->action_count == METADATA_ACTIONS_MAX) {
		failure_set(failure, FAILURE_AGENT_FAILED, "its metadata has more than %d actions",
			    METADATA_ACTIONS_MAX);
		return -E2BIG;
	}
	action = metadata->actions[metadata->action_count];
	if (attribute_name(node, "name", action)) {
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "its metadata has an action without a valid name, "
			    "line %ld",
			    xmlGetLineNo((xmlNode *)node));
		return -EINVAL;
	}
	/* The library marks so the agents whose hosts must be let in again when they start. */
	if (!strcmp(action, "on") && attribute_is_one(node, "automatic"))
		metadata->fabric = true;
	metadata->action_count++;
	return 0;
}

static int children_parse(struct metadata *metadata, const xmlNode *parent, const char *name,
			  int (*parse)(struct metadata *, const xmlNode *, struct failure *),
			  struct failure *failure)
{
	int rc = 0;

	for (const xmlNode *node = parent->children; node && !rc; node = node->next) {
		if (node_is(node, name))
			rc = parse(metadata, node, failure);
	}
	return rc;
}

static int root_parse(struct metadata *metadata, const xmlNode *root, struct failure *failure)
{
	int rc = 0;

	if (!root || !node_is(root, "resource-agent")) {
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "its metadata is not the XML of a fence agent: no <resource-agent>");
		return -EINVAL;
	}
	if (attribute_name(root, "name", metadata->name))
		metadata->name[0] = '\0';
	attribute_text(root, "shortdesc", metadata->shortdesc, sizeof(metadata->shortdesc));
	for (const xmlNode *node = root->children; node && !rc; node = node->next) {
		if (node_is(node, "parameters"))
			rc = children_parse(metadata, node, "parameter", parameter_parse, failure);
		else if (node_is(node, "actions"))
			rc = children_parse(metadata, node, "action", action_parse, failure);
	}
	return rc;
}

int metadata_parse(struct metadata *metadata, const char *xml, size_t len, struct failure *failure)
{
	xmlDocPtr document;
	int rc;

	memset(metadata, 0, sizeof(*metadata));
	if (len > METADATA_BYTES_MAX) {
		failure_set(failure, FAILURE_AGENT_FAILED, "its metadata is longer than %u bytes",
			    METADATA_BYTES_MAX);
		return -E2BIG;
	}
	document = document_parse(xml, len, failure);
	if (!document)
		return -EINVAL;
	rc = root_parse(metadata, xmlDocGetRootElement(document), failure);
	xmlFreeDoc(document);
	return rc;
}
