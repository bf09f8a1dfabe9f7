/* Between the files of the configuration: not for others. */
#ifndef HAMON_CONFIG_INTERNAL_H
#define HAMON_CONFIG_INTERNAL_H

#include "hamon/config.h"
#include "hamon/config_keys.h"

/*
 * Adds "FILE:LINE: error: " (or warning) and the formatted text. Line 0 is the file as a whole.
 * Never fails: without memory the message is only counted.
 */
void config_error_add(struct config_errors *errors, const char *file, unsigned int line,
		      bool warning, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* By line, what concerns the whole file last; messages of one line stay in their order. */
void config_errors_sort(struct config_errors *errors);

/*
 * Where the keys of the sections without a name stand, by their places in the table; 0: not in the
 * file.
 */
struct config_lines {
	unsigned int of[CONFIG_SECTIONS_MAX][CONFIG_KEYS_MAX];
};

/*
 * Fills config and lines, which hold nothing but zeroes, from text. 0 or -ENOMEM; all else goes to
 * errors.
 */
int config_text_parse(const char *text, size_t len, const char *file, struct hamon_config *config,
		      struct config_lines *lines, struct config_errors *errors);

/* What only shows when everything was read: references, limits that contradict each other, gaps. */
void config_check_whole(const char *file, struct hamon_config *config,
			const struct config_lines *lines, struct config_errors *errors);

/*
 * What the file names on this host: secrets files (wrong ones are errors), agents (missing:
 * warnings).
 */
void config_check_files(const char *file, const struct hamon_config *config,
			struct config_errors *errors);

/* Where a key stands: what its messages begin with. */
struct config_place {
	struct config_errors *errors;
	const char *file;
	const char *section;		/* "[host h1]" */
	const char *key;		/* "fence_level_1" */
	unsigned int line;
};

#define CONFIG_ERROR(place, format, ...) \
	config_error_add((place)->errors, (place)->file, (place)->line, false, "%s %s: " format, \
			 (place)->section, (place)->key, ##__VA_ARGS__)

/*
 * Puts value into its field of object, which is what the key's section fills; place->key is the key
 * as it is written in the file. 0 or -ENOMEM; all else goes to the errors.
 */
int config_value_store(const struct config_place *place, const struct config_key *key, void *object,
		       const char *value);

/* Adds one option of a fence agent, or says why not. 0 or -ENOMEM. */
int config_option_add(const struct config_place *place, struct config_options *options,
		      const char *key, const char *value);

/* Whether two names mean one option: "-" and "_" are equal, as in the fence-agents library. */
bool config_option_same(const char *a, const char *b);

/* Whether an option of that name carries a secret, in any agent of the fence-agents project. */
bool config_option_is_secret(const char *key);

/*
 * Reads "DEVICE [KEY=VALUE...], ..." into the empty level. 0 or -ENOMEM; all else goes to the
 * errors.
 */
int config_level_parse(const struct config_place *place, const char *text,
		       struct config_level *level);

void config_options_free(struct config_options *options);
void config_level_free(struct config_level *level);

/* Appends to list an element of size zero bytes. NULL without memory (then nothing is changed). */
void *config_array_add(void **list, size_t *count, size_t size);

#endif
