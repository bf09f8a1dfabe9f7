/*
 * The options of one fence device, as FenceAgentAPI.md of the fence-agents project describes their
 * form.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fencing/options.h"

static bool key_is_valid(const char *key)
{
	if (!*key)
		return false;
	for (; *key; key++) {
		if (!isalnum((unsigned char)*key) && *key != '_' && *key != '-')
			return false;
	}
	return true;
}

static bool value_is_valid(const char *value)
{
	for (; *value; value++) {
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return false; /* a line feed would smuggle in another option */
	}
	return true;
}

/* Names of the fence-agents library and of common agents that carry a credential. */
static bool key_sounds_secret(const char *key)
{
	static const char *const words[] = {
		"passw",  "secret",  "token",	"community",
		"apikey", "api_key", "api-key", "hexadecimal",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasestr(key, words[i]))
			return !strcasestr(key, "script") && !strcasestr(key, "file");
	}
	return false;
}

bool option_names_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	}
	return *a == *b;
}

static struct option *option_find(const struct options *options, const char *key)
{
	for (size_t i = 0; i < options->count; i++) {
		if (option_names_equal(options->items[i].key, key))
			return (struct option *)&options->items[i];
	}
	return NULL;
}

static void value_free(char *value)
{
	if (value)
		explicit_bzero(value, strlen(value));
	free(value);
}

int options_set(struct options *options, const char *key, const char *value, bool secret)
{
	struct option *option;
	char *copy;

	if (!key_is_valid(key) || !value_is_valid(value))
		return -EINVAL;
	if (strlen(key) >= OPTION_KEY_SIZE || strlen(value) >= OPTION_VALUE_SIZE)
		return -E2BIG;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	option = option_find(options, key);
	if (option) {
		value_free(option->value);
		option->value = copy;
		option->secret |= secret;
		return 0;
	}
	if (options->count == OPTIONS_MAX) {
		value_free(copy);
		return -E2BIG;
	}
	option = &options->items[options->count];
	option->key = strdup(key);
	if (!option->key) {
		value_free(copy);
		return -ENOMEM;
	}
	option->value = copy;
	option->secret = secret || key_sounds_secret(key);
	options->count++;
	return 0;
}

const char *options_get(const struct options *options, const char *key)
{
	const struct option *option = option_find(options, key);

	return option ? option->value : NULL;
}

int options_input(const struct options *options, const char *action, char **ret_text,
		  size_t *ret_len)
{
	size_t size = strlen("action=\n") + strlen(action) + 1;
	char *text, *end;

	for (size_t i = 0; i < options->count; i++)
		size += strlen(options->items[i].key) + strlen(options->items[i].value) + 2;
	if (size > OPTIONS_INPUT_MAX)
		return -E2BIG;
	text = malloc(size);
	if (!text)
		return -ENOMEM;
	end = text + sprintf(text, "action=%s\n", action);
	for (size_t i = 0; i < options->count; i++)
		end += sprintf(end, "%s=%s\n", options->items[i].key, options->items[i].value);
	*ret_text = text;
	*ret_len = (size_t)(end - text);
	return 0;
}

void options_input_free(char *text, size_t len)
{
	if (text)
		explicit_bzero(text, len);
	free(text);
}

void options_clear(struct options *options)
{
	for (size_t i = 0; i < options->count; i++) {
		free(options->items[i].key);
		value_free(options->items[i].value);
	}
	memset(options, 0, sizeof(*options));
}
