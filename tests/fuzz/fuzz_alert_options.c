/* Fuzz target: the options that lie beside an alert agent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/alert/agents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct alert_options options = { 0 };
	char error[80] = "";

	if (alert_options_parse((const char *)data, size, &options, error, sizeof(error))) {
		if (!*error || strlen(error) >= sizeof(error))
			abort();
		return 0;
	}
	for (size_t i = 0; i < options.n_options; i++)
		if (!strchr(options.options[i], '=') || !strncmp(options.options[i], "CRM_", 4) ||
		    !strncmp(options.options[i], "LD_", 3) || !strncmp(options.options[i], "HAMON_", 6))
			abort();
	for (size_t i = 0; i < options.n_recipients; i++)
		if (!options.recipients[i])
			abort();
	alert_options_free(&options);
	return 0;
}
