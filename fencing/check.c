/*
 * What an agent says about itself: whether it can fence for hamon, and whether a device's options
 * fit it.
 */
#include <errno.h>
#include <string.h>

#include "fencing/metadata.h"
#include "hamon/common/suggest.h"

/* The name that a misspelt one most likely means; rather a current than a deprecated one. */
static const char *name_nearest(const struct metadata *metadata, const char *name)
{
	const char *current[METADATA_PARAMETERS_MAX], *all[METADATA_PARAMETERS_MAX], *nearest;
	size_t current_count = 0;

	for (size_t i = 0; i < metadata->parameter_count; i++) {
		all[i] = metadata->parameters[i].name;
		if (!metadata->parameters[i].deprecated)
			current[current_count++] = all[i];
	}
	nearest = suggest_near(name, current, current_count);
	return nearest ? nearest : suggest_near(name, all, metadata->parameter_count);
}

bool metadata_has_action(const struct metadata *metadata, const char *action)
{
	for (size_t i = 0; i < metadata->action_count; i++) {
		if (!strcmp(metadata->actions[i], action))
			return true;
	}
	return false;
}

int metadata_check_agent(const struct metadata *metadata, struct failure *failure)
{
	if (!metadata_has_action(metadata, "off")) {
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "it has no action `off`: it cannot fence a host");
		return -EINVAL;
	}
	if (!metadata_has_action(metadata, "status")) {
		failure_set(failure, FAILURE_AGENT_FAILED,
			    "it has no action `status`: that a host is off could "
			    "never be read back, so it proves nothing");
		return -EINVAL;
	}
	return 0;
}

static const struct metadata_parameter *parameter_find(const struct metadata *metadata,
						       const char *name)
{
	for (size_t i = 0; i < metadata->parameter_count; i++) {
		if (option_names_equal(metadata->parameters[i].name, name))
			return &metadata->parameters[i];
	}
	return NULL;
}

const struct metadata_parameter *metadata_replacement(const struct metadata *metadata,
						      const char *name)
{
	for (size_t i = 0; i < metadata->parameter_count; i++) {
		if (*name && option_names_equal(metadata->parameters[i].obsoletes, name))
			return &metadata->parameters[i];
	}
	return NULL;
}

static bool parameter_is_given(const struct metadata *metadata,
			       const struct metadata_parameter *parameter,
			       const struct options *options)
{
	const struct metadata_parameter *newer;

	if (parameter->value[0] || options_get(options, parameter->name))
		return true;
	if (parameter->obsoletes[0] && options_get(options, parameter->obsoletes))
		return true;
	newer = metadata_replacement(metadata, parameter->name);
	return newer && options_get(options, newer->name);
}

static int option_check(const struct metadata *metadata, const char *key, struct failure *failure)
{
	const char *nearest;

	/* The library takes nodename from everybody, and all agents get it from hamon. */
	if (parameter_find(metadata, key) || !strcmp(key, "nodename"))
		return 0;
	nearest = name_nearest(metadata, key);
	if (nearest)
		failure_set(failure, FAILURE_BAD_REQUEST, "unknown option %s (did you mean %s?)",
			    key, nearest);
	else
		failure_set(failure, FAILURE_BAD_REQUEST, "unknown option %s", key);
	return -EINVAL;
}

static bool parameter_is_plug(const struct metadata_parameter *parameter)
{
	return !strcmp(parameter->name, "plug") || !strcmp(parameter->name, "port");
}

int metadata_check_options(const struct metadata *metadata, const struct options *options,
			   bool for_host, struct failure *failure)
{
	/*
	 * Unknown ones first: a misspelt option explains a missing one, and not the other way
	 * round.
	 */
	for (size_t i = 0; i < options->count; i++) {
		int rc = option_check(metadata, options->items[i].key, failure);

		if (rc)
			return rc;
	}
	for (size_t i = 0; i < metadata->parameter_count; i++) {
		const struct metadata_parameter *parameter = &metadata->parameters[i];

		/* The old name of something is never asked for; its new name is, further on. */
		if (!parameter->required || parameter->deprecated ||
		    !strcmp(parameter->name, "action"))
			continue;
		if ((!for_host && parameter_is_plug(parameter)) ||
		    parameter_is_given(metadata, parameter, options))
			continue;
		failure_set(failure, FAILURE_BAD_REQUEST, "required option %s is missing",
			    parameter->name);
		return -EINVAL;
	}
	return 0;
}
