/*
 * The digest by which members notice that their settings differ. It covers meanings and not texts:
 * "60s" and "1m" are equal, and so is any order. FNV-1a: the parameters are those of
 * draft-eastlake-fnv.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/config.h"
#include "hamon/config_keys.h"

static uint64_t bytes_add(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3ull;
	return hash;
}

/* With the NUL, so that "ab", "c" is not "a", "bc". */
static uint64_t text_add(uint64_t hash, const char *text)
{
	return bytes_add(hash, text, strlen(text) + 1);
}

static uint64_t number_add(uint64_t hash, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return text_add(hash, text);
}

static int options_compare(const void *a, const void *b)
{
	return strcmp((*(const struct config_option *const *)a)->key,
		      (*(const struct config_option *const *)b)->key);
}

static uint64_t options_add(uint64_t hash, const struct config_options *options)
{
	const struct config_option *sorted[CONFIG_OPTIONS_MAX];

	for (size_t i = 0; i < options->count; i++)
		sorted[i] = &options->list[i];
	qsort(sorted, options->count, sizeof(sorted[0]), options_compare);
	hash = number_add(hash, options->count);
	for (size_t i = 0; i < options->count; i++)
		hash = text_add(text_add(hash, sorted[i]->key), sorted[i]->value);
	return hash;
}

/* The order of the levels, and of the devices in a level, means something: it stays. */
static uint64_t levels_add(uint64_t hash, const struct config_level *levels)
{
	for (size_t l = 0; l < CONFIG_LEVELS_MAX; l++) {
		hash = number_add(hash, levels[l].count);
		for (size_t i = 0; i < levels[l].count; i++) {
			hash = text_add(hash, levels[l].devices[i].name);
			hash = options_add(hash, &levels[l].devices[i].options);
		}
	}
	return hash;
}

static uint64_t key_add(uint64_t hash, const struct config_key *key, const void *object)
{
	const void *field = (const char *)object + key->offset;
	const char *text;

	if (key->local)
		return hash;
	hash = text_add(hash, key->name);
	switch (key->type) {
	case CONFIG_DURATION:
	case CONFIG_COUNT:
	case CONFIG_PERCENT:
	case CONFIG_CHOICE:
		return number_add(hash, *(const uint64_t *)field);
	case CONFIG_YESNO:
		return number_add(hash, *(const bool *)field);
	case CONFIG_ABSPATH:
	case CONFIG_URI:
	case CONFIG_WORD:
	case CONFIG_MICROVERSION:
	case CONFIG_FENCE_AGENT:
		text = *(char *const *)field;
		return text_add(hash, text ? text : "");
	case CONFIG_OPTION:
		return options_add(hash, field);
	case CONFIG_LEVEL:
		return levels_add(hash, field);
	case CONFIG_ALERT_AGENT:
		break;	/* always local */
	}
	return hash;
}

static uint64_t section_digest(const struct config_section *section, const char *name,
			       const void *object)
{
	uint64_t hash = text_add(text_add(0xcbf29ce484222325ull, section->name), name);

	for (size_t i = 0; i < section->keys_count; i++)
		hash = key_add(hash, &section->keys[i], object);
	return hash;
}

/* Sections are added up, each with a digest of its own: their order cannot matter. */
void config_digest(const struct hamon_config *config, char hex[CONFIG_DIGEST_SIZE])
{
	const struct config_section *device = config_section_find("fence-device");
	const struct config_section *host = config_section_find("host");
	uint64_t sum = 0;

	for (size_t i = 0; i < config_sections_count; i++)
		if (!config_sections[i].named)
			sum += section_digest(&config_sections[i], "", config);
	for (size_t i = 0; i < config->devices_count; i++)
		sum += section_digest(device, config->devices[i].name, &config->devices[i]);
	for (size_t i = 0; i < config->hosts_count; i++)
		sum += section_digest(host, config->hosts[i].name, &config->hosts[i]);
	snprintf(hex, CONFIG_DIGEST_SIZE, "%016" PRIx64, sum);
}
