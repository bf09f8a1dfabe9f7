/*
 * What an agent writes, from any bytes: the first is its exit code, a line of "--" parts stdout
 * from stderr. Off is only read from exit code 2; the excerpt is printable; and a secret never
 * comes through.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "fencing/output.h"
#include "fencing/secrets.h"
#include "hamon/common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "s3cret"

static void excerpt_check(const struct agent_output *output)
{
	struct json_object *obj = json_object_new_object(), *again = NULL;
	char excerpt[OUTPUT_EXCERPT_SIZE];
	const char *text;
	size_t len;

	output_excerpt(output, excerpt);
	if (strstr(excerpt, SECRET) || strlen(excerpt) >= sizeof(excerpt))
		abort();
	for (const char *c = excerpt; *c; c++) {
		if (iscntrl((unsigned char)*c))
			abort();
	}
	/* It goes to hamond as JSON, whose parser wants UTF-8. */
	json_put_string(obj, "error", excerpt);
	text = json_object_to_json_string_length(obj, JSON_C_TO_STRING_PLAIN, &len);
	if (json_parse(text, len, &again))
		abort();
	json_object_put(again);
	json_object_put(obj);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options options = { 0 };
	struct agent_output output = { 0 };
	char *text, *parting;

	if (!size)
		return 0;
	text = malloc(size);
	memcpy(text, data, size);
	parting = memmem(text + 1, size - 1, "\n--\n", 4);
	output.exit_code = text[0];
	output.out = text + 1;
	output.out_len = parting ? (size_t)(parting - output.out) : size - 1;
	output.err = parting ? parting + 4 : text + size;
	output.err_len = (size_t)(text + size - output.err);
	if (output_power(&output) == POWER_OFF && output.exit_code != 2)
		abort();
	if (output_power(&output) == POWER_ON && output.exit_code != 0)
		abort();
	(void)output_already_off(&output);
	(void)output_failure(&output);

	options_set(&options, "passwd", SECRET, true);
	options_set(&options, "password", "it's & \"1\"", true);
	options_set(&options, "pin", "12", true);
	secrets_scrub(&options, text + 1, size - 1, data[0] & 0x80);
	if (memmem(text + 1, size - 1, SECRET, strlen(SECRET)))
		abort();
	excerpt_check(&output);
	options_clear(&options);
	free(text);
	return 0;
}
