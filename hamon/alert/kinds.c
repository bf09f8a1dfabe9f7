/* The kinds of records, looked up by name. */
#include <string.h>

#include "hamon/alert/kinds.h"
#include "hamon/alert/message_ids.h"

#define KIND(name, id, class, desc, rc, status) { name, id, ALERT_##class, desc, rc, status },

static const struct alert_kind kinds[] = { ALERT_KINDS(KIND) };
static const struct alert_kind other = { "", ALERT_OTHER_MESSAGE_ID, ALERT_ATTRIBUTE, "", 0, 0 };

const struct alert_kind *alert_kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return &other;
}

const struct alert_kind *alert_kind_at(size_t i)
{
	return i < sizeof(kinds) / sizeof(*kinds) ? &kinds[i] : NULL;
}

const char *alert_class_name(enum alert_class class)
{
	static const char *const names[] = {
		[ALERT_NODE] = "node", [ALERT_FENCING] = "fencing", [ALERT_RESOURCE] = "resource",
		[ALERT_ATTRIBUTE] = "attribute",
	};

	return names[class];
}
