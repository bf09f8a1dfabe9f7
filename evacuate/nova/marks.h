/*
 * What selects a server for recovery, read from the answers of Nova and Glance. Pure, as parse.h: recorded answers are its test data, and it is
 * fuzzed. A mark that cannot be read is an error and never a mark that is absent.
 */
#ifndef HAMON_EVACUATE_NOVA_MARKS_H
#define HAMON_EVACUATE_NOVA_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#include "evacuate/nova/parse.h"
#include "evacuate/request.h"

struct nova_marks {
	bool selected;
	bool found;                      /* the key is there, with */
	char value[NOVA_WORD_SIZE];      /* this value; cut; "" for a tag */
};

/* What has to be there; value "" for a tag. */
struct nova_wanted {
	const char *key;
	const char *value;
};

/*
 * All return 0 and *ret, -EINVAL for what is not the answer that it should be, -ENODATA when it keeps the marks back (these credentials
 * may not see them), -ENOMEM.
 */

/* GET /servers/ID: of its own metadata, its tags, or the extra specs of its flavor as it was when the server was made. */
int nova_marks_server(const char *text, size_t len, enum request_select select, const struct nova_wanted *wanted,
		      struct nova_marks *ret);

/* GET /servers/ID: its image, "" for one that was made from a volume. */
int nova_image_parse(const char *text, size_t len, char ret_id[37]);

/* GET /v2/images/ID of Glance: a property, or a tag of that name. */
int nova_marks_image(const char *text, size_t len, const struct nova_wanted *wanted, struct nova_marks *ret);

/* GET /os-aggregates: the metadata of any to which the host belongs. */
int nova_marks_aggregates(const char *text, size_t len, const char *host, const struct nova_wanted *wanted,
			  struct nova_marks *ret);

/* "True" is what "yes" is; else the same but for upper and lower case. */
bool nova_mark_agrees(const char *value, const char *wanted);

#endif
