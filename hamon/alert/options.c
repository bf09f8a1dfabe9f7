/* The options that lie beside an agent. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/alert/agents.h"

void alert_options_free(struct alert_options *options)
{
	for (size_t i = 0; i < options->n_recipients; i++)
		free(options->recipients[i]);
	for (size_t i = 0; i < options->n_options; i++)
		free(options->options[i]);
	free(options->timestamp_format);
	*options = (struct alert_options){ 0 };
}

/* What the record says, and what makes a program another one, is no option. */
static bool name_is_option(const char *name)
{
	static const char *const reserved[] = { "CRM_", "HAMON_", "LD_" };

	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return false;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (!strncmp(name, reserved[i], strlen(reserved[i])))
			return false;
	return true;
}

/* "30s", "500ms", "2m": 0 and milliseconds, or -EINVAL. */
static int duration_parse(const char *text, uint64_t *ret_ms)
{
	char *unit;
	unsigned long value = strtoul(text, &unit, 10);
	uint64_t factor = !strcmp(unit, "ms") ? 1 : !strcmp(unit, "s") ? 1000 : !strcmp(unit, "m") ? 60000 : 0;

	if (!isdigit((unsigned char)*text) || !factor || !value || value > 86400000 / factor)
		return -EINVAL;
	*ret_ms = value * factor;
	return 0;
}

static int option_take(struct alert_options *options, const char *key, const char *value, char *error,
		       size_t error_size)
{
	size_t len = strlen(key) + strlen(value) + 2;
	char *option;

	if (!strcmp(key, "recipient")) {
		if (options->n_recipients == ALERT_AGENTS_MAX) {
			snprintf(error, error_size, "more than %d recipients", ALERT_AGENTS_MAX);
			return -EINVAL;
		}
		options->recipients[options->n_recipients] = strdup(value);
		return options->recipients[options->n_recipients] ? (options->n_recipients++, 0) : -ENOMEM;
	}
	if (!strcmp(key, "timestamp-format")) {
		free(options->timestamp_format);
		options->timestamp_format = strdup(value);
		return options->timestamp_format ? 0 : -ENOMEM;
	}
	if (!strcmp(key, "timeout")) {
		if (!duration_parse(value, &options->timeout_ms))
			return 0;
		snprintf(error, error_size, "timeout: expected a duration like 30s, not \"%.64s\"", value);
		return -EINVAL;
	}
	if (!name_is_option(key) || options->n_options == ALERT_OPTIONS_MAX) {
		snprintf(error, error_size, "\"%.64s\" cannot be an option (letters, digits and _, at most %d; "
			 "CRM_*, HAMON_* and LD_* are reserved)", key, ALERT_OPTIONS_MAX);
		return -EINVAL;
	}
	option = malloc(len);
	if (!option)
		return -ENOMEM;
	snprintf(option, len, "%s=%s", key, value);
	options->options[options->n_options++] = option;
	return 0;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (isspace((unsigned char)*text))
		text++;
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static int line_take(struct alert_options *options, char *line, unsigned int number, char *error, size_t error_size)
{
	char why[256] = "", *value;
	int rc;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	value = strchr(line, '=');
	if (!value) {
		snprintf(error, error_size, "line %u: expected KEY = VALUE", number);
		return -EINVAL;
	}
	*value++ = '\0';
	rc = option_take(options, trim(line), trim(value), why, sizeof(why));
	if (rc == -EINVAL)
		snprintf(error, error_size, "line %u: %s", number, why);
	return rc;
}

int alert_options_parse(const char *text, size_t len, struct alert_options *ret_options, char *error,
			size_t error_size)
{
	struct alert_options options = { 0 };
	unsigned int number = 0;
	char *copy, *line, *next;
	int rc = 0;

	if (len > ALERT_OPTIONS_BYTES || memchr(text, '\0', len)) {
		snprintf(error, error_size, "expected a text of at most %d bytes", ALERT_OPTIONS_BYTES);
		return -EINVAL;
	}
	copy = strndup(text, len);
	if (!copy)
		rc = -ENOMEM;
	for (line = copy; line && !rc; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		rc = line_take(&options, line, ++number, error, error_size);
	}
	free(copy);
	if (!rc) {
		*ret_options = options;
		return 0;
	}
	if (rc == -ENOMEM)
		snprintf(error, error_size, "out of memory");
	alert_options_free(&options);
	return rc;
}
