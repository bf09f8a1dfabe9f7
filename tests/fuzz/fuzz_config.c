/* The configuration from any bytes: no crash, and success exactly when no error was said. */
#include <stdint.h>
#include <stdlib.h>

#include "hamon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = { 0 };
	struct hamon_config *config = NULL;
	char digest[CONFIG_DIGEST_SIZE];
	int rc = config_parse((const char *)data, size, "fuzz", &config, &errors);

	if (!rc != !errors.errors || !rc != !!config || errors.count > CONFIG_ERRORS_MAX)
		abort();
	if (config)
		config_digest(config, digest);
	config_free(config);
	config_errors_free(&errors);
	return 0;
}
