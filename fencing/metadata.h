/* What an agent says about itself, and whether a device's options fit it. */
#ifndef HAMON_FENCING_METADATA_H
#define HAMON_FENCING_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "fencing/failure.h"
#include "fencing/options.h"

#define METADATA_BYTES_MAX (256u << 10)
#define METADATA_PARAMETERS_MAX 256
#define METADATA_ACTIONS_MAX 64
#define METADATA_TEXT_SIZE 256

struct metadata_parameter {
	char name[OPTION_KEY_SIZE];
	char obsoletes[OPTION_KEY_SIZE]; /* the old name that this one replaces, or "" */
	char type[OPTION_KEY_SIZE]; /* "string", "boolean", "integer", "second", "select" ... */
	char value[METADATA_TEXT_SIZE];  /* the default; see has_default */
	bool has_default;
	bool required;
	bool deprecated;
};

struct metadata {
	char name[OPTION_KEY_SIZE];
	char shortdesc[METADATA_TEXT_SIZE];
	struct metadata_parameter parameters[METADATA_PARAMETERS_MAX];
	size_t parameter_count;
	char actions[METADATA_ACTIONS_MAX][OPTION_KEY_SIZE];
	size_t action_count;
	bool fabric; /* its `off` cuts a host from its storage and leaves it running */
};

/*
 * Parses the XML that an agent's `metadata` prints (resource-agent, as FenceAgentAPI.md has it).
 * Nothing is loaded from elsewhere, and an entity declaration ends the parsing. Texts that are too
 * long are cut, names that are too long or malformed make it invalid. Returns 0, or -EINVAL,
 * -E2BIG, -ENOMEM with failure filled in; then metadata is not to be used.
 */
int metadata_parse(struct metadata *metadata, const char *xml, size_t len, struct failure *failure);

bool metadata_has_action(const struct metadata *metadata, const char *action);

/*
 * Checks that the agent can fence for hamon: it has `off`, and `status` to read the effect back. 0,
 * or -EINVAL with failure filled in.
 */
int metadata_check_agent(const struct metadata *metadata, struct failure *failure);

/*
 * Checks the options of a device, the secret ones included: each is a parameter of the agent (else
 * the near miss is named), and each required parameter without a default is there, under its new or
 * its old name. A device that is looked at without a host (for_host false) needs no plug. 0, or
 * -EINVAL with failure filled in.
 */
int metadata_check_options(const struct metadata *metadata, const struct options *options,
			   bool for_host, struct failure *failure);

/* The parameter that replaces a deprecated one, or NULL. */
const struct metadata_parameter *metadata_replacement(const struct metadata *metadata,
						      const char *name);

#endif
