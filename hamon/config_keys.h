/* The table of all keys: the parser, the digest, the sample and the manual page follow it. */
#ifndef HAMON_CONFIG_KEYS_H
#define HAMON_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
	CONFIG_DURATION,	/* uint64_t, milliseconds; written 500ms, 10s, 5m, 1h */
	CONFIG_COUNT,		/* uint64_t */
	CONFIG_PERCENT,		/* uint64_t; written 34% */
	CONFIG_YESNO,		/* bool */
	CONFIG_CHOICE,		/* uint64_t, the index into choices */
	CONFIG_ABSPATH,		/* char *, absolute */
	CONFIG_URI,		/* char *, a libvirt URI of the QEMU driver */
	CONFIG_WORD,		/* char *, without blanks */
	CONFIG_MICROVERSION,	/* char *; written 2.93, min and max are of the second number */
	CONFIG_FENCE_AGENT,	/* char *, a program's name, or absolute */
	CONFIG_ALERT_AGENT,	/* appends to struct config_agent; repeatable */
	CONFIG_OPTION,		/* option.KEY, appends to struct config_options */
	CONFIG_LEVEL,		/* fence_level_N, N from 1 to CONFIG_LEVELS_MAX */
};

struct config_key {
	const char *name;	/* of CONFIG_OPTION and CONFIG_LEVEL: what goes before KEY and N */
	enum config_type type;
	size_t offset; /* in struct hamon_config, struct config_device or struct config_host */
	const char *dflt;	/* as it would be written; NULL: none */
	uint64_t min, max;	/* of numbers; durations in milliseconds */
	const char *const *choices;
	bool required;
	bool local;		/* hosts may differ in it: no part of the digest */
};

struct config_section {
	const char *name;
	bool named;		/* [name NAME], repeatable with another NAME */
	const struct config_key *keys;
	size_t keys_count;
};

enum {
	CONFIG_SECTIONS_MAX = 9,
	CONFIG_KEYS_MAX = 16,	/* in one section */
};

extern const struct config_section config_sections[];
extern const size_t config_sections_count;
extern const char *const config_interface_choices[];
extern const char *const config_select_choices[];

/* NULL when there is none of that name. */
const struct config_section *config_section_find(const char *name);

/* NULL when there is none; name may be option.KEY or fence_level_N. */
const struct config_key *config_key_find(const struct config_section *section, const char *name);

/* What the key is called in texts for people: option.KEY, fence_level_N, or its name. */
const char *config_key_label(const struct config_key *key);

#endif
