/*
 * What tests of the sample and of the manual page need to know about the parser.
 *   config_tool keys         one line for each key: SECTION KEY DEFAULT ("-": none), as people
 * write it config_tool check FILE   as hamond --check-config
 */
#include <stdio.h>
#include <string.h>

#include "hamon/config.h"
#include "hamon/config_keys.h"

static int keys_print(void)
{
	for (size_t s = 0; s < config_sections_count; s++)
		for (size_t k = 0; k < config_sections[s].keys_count; k++) {
			const struct config_key *key = &config_sections[s].keys[k];

			printf("%s %s %s\n", config_sections[s].name, config_key_label(key),
			       key->dflt ? key->dflt : "-");
		}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "keys"))
		return keys_print();
	if (argc == 3 && !strcmp(argv[1], "check"))
		return config_check_command(argv[2], stdout);
	fprintf(stderr, "expected: keys, or check FILE\n");
	return 64;
}
