/* What an agent says about itself: whether it can fence for hamon, and whether a device's options fit it. */
#include <errno.h>
#include <string.h>

#include "fencing/metadata.h"

/* --- near misses --- */

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters must be put in, left out or changed to make a into b (Levenshtein, one row at a time). */
static size_t name_distance(const char *a, const char *b)
{
	size_t len = strlen(b), row[OPTION_KEY_SIZE + 1];

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t above = row[j];

			row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (*a != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

static const char *name_nearest(const struct metadata *metadata, const char *name)
{
	const char *nearest = NULL;
	size_t best = strlen(name) / 3 + 1;

	for (size_t i = 0; i < metadata->parameter_count; i++) {
		const struct metadata_parameter *parameter = &metadata->parameters[i];
		size_t distance = name_distance(name, parameter->name);

		/* Of two equally near ones the one that is not deprecated. */
		if (distance < best || (distance == best && (!nearest || !parameter->deprecated))) {
			best = distance;
			nearest = parameter->name;
		}
	}
	return nearest;
}

/* --- checks --- */

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
		failure_set(failure, FAILURE_AGENT_FAILED, "it has no action `off`: it cannot fence a host");
		return -EINVAL;
	}
	if (!metadata_has_action(metadata, "status")) {
		failure_set(failure, FAILURE_AGENT_FAILED, "it has no action `status`: that a host is off could "
			    "never be read back, so it proves nothing");
		return -EINVAL;
	}
	return 0;
}

static const struct metadata_parameter *parameter_find(const struct metadata *metadata, const char *name)
{
	for (size_t i = 0; i < metadata->parameter_count; i++) {
		if (option_names_equal(metadata->parameters[i].name, name))
			return &metadata->parameters[i];
	}
	return NULL;
}

const struct metadata_parameter *metadata_replacement(const struct metadata *metadata, const char *name)
{
	for (size_t i = 0; i < metadata->parameter_count; i++) {
		if (option_names_equal(metadata->parameters[i].obsoletes, name))
			return &metadata->parameters[i];
	}
	return NULL;
}

static bool parameter_is_given(const struct metadata *metadata, const struct metadata_parameter *parameter,
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
		failure_set(failure, FAILURE_BAD_REQUEST, "unknown option %s (did you mean %s?)", key, nearest);
	else
		failure_set(failure, FAILURE_BAD_REQUEST, "unknown option %s", key);
	return -EINVAL;
}

static bool parameter_is_plug(const struct metadata_parameter *parameter)
{
	return !strcmp(parameter->name, "plug") || !strcmp(parameter->name, "port");
}

int metadata_check_options(const struct metadata *metadata, const struct options *options, bool for_host,
			   struct failure *failure)
{
	/* Unknown ones first: a misspelt option explains a missing one, and not the other way round. */
	for (size_t i = 0; i < options->count; i++) {
		int rc = option_check(metadata, options->items[i].key, failure);

		if (rc)
			return rc;
	}
	for (size_t i = 0; i < metadata->parameter_count; i++) {
		const struct metadata_parameter *parameter = &metadata->parameters[i];

		/* The old name of something is never asked for; its new name is, further on. */
		if (!parameter->required || parameter->deprecated || !strcmp(parameter->name, "action"))
			continue;
		if ((!for_host && parameter_is_plug(parameter)) ||
		    parameter_is_given(metadata, parameter, options))
			continue;
		failure_set(failure, FAILURE_BAD_REQUEST, "required option %s is missing", parameter->name);
		return -EINVAL;
	}
	return 0;
}
