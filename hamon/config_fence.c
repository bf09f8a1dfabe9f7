/*
 * How hosts are fenced: the options of fence agents and the levels of a host. What would harm is
 * refused here: secrets that everybody could read, options that would make an agent print them, and
 * "off" commands that prove nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hamon/config_internal.h"
#include "hamon/config_value.h"

static bool text_ends(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcasecmp(text + len - end_len, end);
}

static char letter_plain(char letter)
{
	return letter == '-' ? '_' : (char)tolower((unsigned char)letter);
}

bool config_option_same(const char *a, const char *b)
{
	for (; *a && letter_plain(*a) == letter_plain(*b); a++, b++)
		;
	return !*a && !*b;
}

static bool word_among(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (config_option_same(word, *list))
			return true;
	return false;
}

static bool option_name_valid(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)key[i]) && !strchr("_-", key[i]))
			return false;
	return len && len <= CONFIG_NAME_MAX;
}

/* The names are those of the parameters in the metadata of Debian's fence-agents 4.12. */
bool config_option_is_secret(const char *key)
{
	static const char *const names[] = {
		"community", "hexadecimal_kg", "secret_key", "apikey", "api_key", "token", NULL,
	};

	return text_ends(key, "passwd") || text_ends(key, "password") || word_among(key, names);
}

static const char *option_objection(const char *key, const char *value)
{
	static const char *const ours[] = { "action", "option", "help", "version", NULL };
	static const char *const talkative[] = {"verbose", "verbose_level", "debug", "debug_file",
						NULL};

	if (config_option_is_secret(key))
		return "a secret does not belong in this file, which anybody may read: write it as "
		       "KEY=VALUE "
		       "into a file that belongs to root with mode 0600, and name that file with "
		       "\"secrets = PATH\"";
	if (word_among(key, ours))
		return "hamon itself says this to the agent";
	if (word_among(key, talkative))
		return "makes an agent write all that it sends, passwords too, into a log";
	if (config_option_same(key, "delay"))
		return "would delay every attempt; use fence_delay in the section of the host";
	if (config_option_same(key, "method") && !strcasecmp(value, "cycle"))
		return "a host that is switched on again at once is never seen off, which is the "
		       "proof of its death; expected onoff";
	return NULL;
}

int config_option_add(const struct config_place *place, struct config_options *options,
		      const char *key, const char *value)
{
	const char *objection = option_objection(key, value);
	struct config_option *option;

	if (!option_name_valid(key)) {
		CONFIG_ERROR(place,
			     "expected an option's name of letters, digits, \"_\" and \"-\"");
		return 0;
	}
	if (strchr(value, '\t')) {
		CONFIG_ERROR(place, "expected a value without tabs");
		return 0;
	}
	if (objection) {
		CONFIG_ERROR(place, "%s", objection);
		return 0;
	}
	for (size_t i = 0; i < options->count; i++) {
		if (config_option_same(options->list[i].key, key)) {
			CONFIG_ERROR(place, "\"%s\" is given twice, first in line %u", key,
				     options->list[i].line);
			return 0;
		}
	}
	if (options->count == CONFIG_OPTIONS_MAX) {
		CONFIG_ERROR(place, "expected at most %d options", CONFIG_OPTIONS_MAX);
		return 0;
	}
	option = config_array_add((void **)&options->list, &options->count, sizeof(*option));
	if (!option)
		return -ENOMEM;
	option->line = place->line;
	option->key = strdup(key);
	option->value = strdup(value);
	return option->key && option->value ? 0 : -ENOMEM;
}

enum token { TOKEN_WORD, TOKEN_COMMA, TOKEN_END, TOKEN_OPEN };

/* Blanks and commas end a word, "double quotes" keep both. word has room for the whole of *text. */
static enum token token_next(const char **text, char *word)
{
	const char *at = *text + strspn(*text, " \t");
	bool quoted = false;

	*text = at;
	if (!*at)
		return TOKEN_END;
	if (*at == ',') {
		*text = at + 1;
		return TOKEN_COMMA;
	}
	for (; *at && (quoted || !strchr(" \t,", *at)); at++) {
		if (*at == '"')
			quoted = !quoted;
		else
			*word++ = *at;
	}
	*word = '\0';
	*text = at;
	return quoted ? TOKEN_OPEN : TOKEN_WORD;
}

static int level_device_add(const struct config_place *place, struct config_level *level,
			    const char *name, struct config_level_device **ret)
{
	struct config_level_device *added;

	if (!config_name_valid(name)) {
		CONFIG_ERROR(place, "expected a device's name, found \"%.64s\"", name);
		return 0;
	}
	for (size_t i = 0; i < level->count; i++) {
		if (!strcmp(level->devices[i].name, name)) {
			CONFIG_ERROR(place, "the device \"%s\" is named twice", name);
			return 0;
		}
	}
	if (level->count == CONFIG_LEVEL_DEVICES_MAX) {
		CONFIG_ERROR(place, "expected at most %d devices", CONFIG_LEVEL_DEVICES_MAX);
		return 0;
	}
	added = config_array_add((void **)&level->devices, &level->count, sizeof(*added));
	if (!added)
		return -ENOMEM;
	added->name = strdup(name);
	*ret = added;
	return added->name ? 0 : -ENOMEM;
}

static int level_option_add(const struct config_place *place, struct config_level_device *device,
			    const char *key, const char *value)
{
	struct config_place inner = *place;
	char where[3 * CONFIG_NAME_MAX];

	snprintf(where, sizeof(where), "%s %s %.64s", place->key, device->name, key);
	inner.key = where;
	return config_option_add(&inner, &device->options, key, value);
}

/* One device and its options, up to the comma or the end. *ret_token says which it was. */
static int level_device_parse(const struct config_place *place, const char **text,
			      struct config_level *level, enum token *ret_token)
{
	struct config_level_device *device = NULL;
	char word[CONFIG_LINE_MAX + 1], *value;
	enum token token = token_next(text, word);
	int rc;

	*ret_token = token;
	if (token != TOKEN_WORD) {
		if (token != TOKEN_OPEN)
			CONFIG_ERROR(place, "expected a device %s", level->count ? "after the comma"
				     : token == TOKEN_COMMA ? "before the comma" : "");
		return 0;
	}
	rc = level_device_add(place, level, word, &device);
	while (!rc && (token = token_next(text, word)) == TOKEN_WORD) {
		value = strchr(word, '=');
		if (!value) {
			CONFIG_ERROR(
			    place,
			    "expected KEY=VALUE or a comma after the device, found \"%.64s\"",
			    word);
			continue;
		}
		*value = '\0';
		if (device)
			rc = level_option_add(place, device, word, value + 1);
	}
	*ret_token = token;
	return rc;
}

int config_level_parse(const struct config_place *place, const char *text,
		       struct config_level *level)
{
	enum token token;
	int rc;

	level->line = place->line;
	do {
		rc = level_device_parse(place, &text, level, &token);
	} while (!rc && token == TOKEN_COMMA);
	if (token == TOKEN_OPEN)
		CONFIG_ERROR(place, "expected another \" to end the quoted text");
	return rc;
}

void config_options_free(struct config_options *options)
{
	for (size_t i = 0; i < options->count; i++) {
		free(options->list[i].key);
		free(options->list[i].value);
	}
	free(options->list);
}

void config_level_free(struct config_level *level)
{
	for (size_t i = 0; i < level->count; i++) {
		free(level->devices[i].name);
		config_options_free(&level->devices[i].options);
	}
	free(level->devices);
}
