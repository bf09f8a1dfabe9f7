/* An agent's metadata from any bytes, and options that are checked against what came of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fencing/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void names_check(const struct metadata *metadata)
{
	if (metadata->parameter_count > METADATA_PARAMETERS_MAX ||
	    metadata->action_count > METADATA_ACTIONS_MAX)
		abort();
	for (size_t i = 0; i < metadata->parameter_count; i++) {
		const char *name = metadata->parameters[i].name;

		if (!*name || strlen(name) >= OPTION_KEY_SIZE || strpbrk(name, " \n\"<>="))
			abort();
	}
	for (size_t i = 0; i < metadata->action_count; i++) {
		if (!metadata->actions[i][0] || strpbrk(metadata->actions[i], " \n\"<>="))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct metadata metadata;
	struct failure failure = { 0 };
	struct options options = { 0 };
	int rc = metadata_parse(&metadata, (const char *)data, size, &failure);

	if (!rc != (failure.what == FAILURE_NONE) || (rc && !failure.text[0]))
		abort();
	if (rc)
		return 0;
	names_check(&metadata);
	options_set(&options, "ip", "10.0.0.1", false);
	options_set(&options, "pasword", "x", true);
	if (metadata_check_options(&metadata, &options, true, &failure) && !failure.text[0])
		abort();
	(void)metadata_check_agent(&metadata, &failure);
	options_clear(&options);
	return 0;
}
