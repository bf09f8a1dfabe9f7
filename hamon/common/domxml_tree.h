/* Walking a libxml2 tree, for the files of domxml alone. */
#ifndef HAMON_COMMON_DOMXML_TREE_H
#define HAMON_COMMON_DOMXML_TREE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <libxml/tree.h>

#include "hamon/common/domxml.h"

/* One parse: the first error wins, and everything after it is skipped cheaply. */
struct tree {
	xmlDoc *doc;
	int rc;
	char error[DOMXML_ERROR_SIZE];
};

/* 0 or -EINVAL, -E2BIG, -ENOMEM; on failure there is no doc and error is set. */
int tree_open(struct tree *tree, const char *xml, size_t len);
void tree_close(struct tree *tree);

/* Remembers the first failure. */
void tree_fail(struct tree *tree, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The first child element, or the next sibling, of that name and namespace (NULL: none); name NULL:
 * any.
 */
xmlNode *tree_child(const xmlNode *node, const char *ns, const char *name);
xmlNode *tree_next(const xmlNode *node, const char *ns, const char *name);
bool tree_is(const xmlNode *node, const char *name);

/* A new string, or NULL when it is absent (or memory is out, which fails the tree). */
char *tree_attr(struct tree *tree, const xmlNode *node, const char *name);
char *tree_text(struct tree *tree, const xmlNode *node); /* white space trimmed; NULL when empty */
bool tree_attr_is(const xmlNode *node, const char *name, const char *value);

/*
 * Grows *array (of count elements of size bytes) by one zeroed element; NULL when max is reached or
 * memory is out.
 */
void *tree_grow(struct tree *tree, void **array, size_t *count, size_t size, size_t max,
		const char *what);
/* A formatted new string; NULL fails the tree. */
char *tree_format(struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The parts of domxml_parse. Each fails the tree when it must. */
void domxml_parse_disks(struct tree *tree, const xmlNode *domain, struct domxml *dom);
void domxml_parse_devices(struct tree *tree, const xmlNode *domain, struct domxml *dom);
void domxml_parse_meta(struct tree *tree, const xmlNode *domain, struct domxml_meta *meta);
const xmlNode *domxml_nova(const xmlNode *domain); /* Nova's own metadata, or NULL */
char *domxml_parse_title(struct tree *tree, const xmlNode *domain);
void domxml_disk_clear(struct domxml_disk *disk);
void domxml_meta_clear(struct domxml_meta *meta);

/* Counts what may be a secret below node; with hide also overwrites it. */
size_t domxml_secrets(xmlNode *node, bool hide);

#endif
