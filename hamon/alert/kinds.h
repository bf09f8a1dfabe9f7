/* The kinds of records, looked up by name. */
#ifndef HAMON_ALERT_KINDS_H
#define HAMON_ALERT_KINDS_H

#include <stddef.h>

/* Pacemaker's kinds of alerts. */
enum alert_class {
	ALERT_NODE,
	ALERT_FENCING,
	ALERT_RESOURCE,
	ALERT_ATTRIBUTE,
};

struct alert_kind {
	const char *name;
	const char *message_id;
	enum alert_class class;
	const char *desc;
	int rc, status;
};

/* Never NULL: an unknown kind is told as an attribute, under a message id of its own. */
const struct alert_kind *alert_kind_find(const char *name);

/* The i-th known kind, or NULL behind the last. */
const struct alert_kind *alert_kind_at(size_t i);

/* "node", "fencing", "resource", "attribute" */
const char *alert_class_name(enum alert_class class);

#endif
