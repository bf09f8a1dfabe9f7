/* The options of one fence device: what goes to the agent's stdin, one KEY=VALUE a line. */
#ifndef HAMON_FENCING_OPTIONS_H
#define HAMON_FENCING_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_MAX 64
#define OPTION_KEY_SIZE 64
#define OPTION_VALUE_SIZE 4096
/* The whole input fits a pipe's buffer (64 KiB), so that writing it to an agent never blocks. */
#define OPTIONS_INPUT_MAX (60u << 10)

struct option {
	char *key;
	char *value;
	bool secret; /* from the secrets file, or named like a credential: never shown */
};

struct options {
	struct option items[OPTIONS_MAX];
	size_t count;
};

/*
 * Adds a copy of key and value, or replaces the value of an equal key; a secret stays secret. A key
 * is made of letters, digits, '_' and '-'; a value has no control characters. Returns 0, -EINVAL,
 * -E2BIG (too long or too many) or -ENOMEM.
 */
int options_set(struct options *options, const char *key, const char *value, bool secret);

/* The value of key ('-' and '_' are equal, as in the fence-agents library), borrowed, or NULL. */
const char *options_get(const struct options *options, const char *key);

/* True when two names mean the same option. */
bool option_names_equal(const char *a, const char *b);

/*
 * The agent's input for an action: "action=ACTION", then every option. Returns 0 and a text of
 * *ret_len bytes that options_input_free() must wipe, or -E2BIG, -ENOMEM.
 */
int options_input(const struct options *options, const char *action, char **ret_text,
		  size_t *ret_len);
void options_input_free(char *text, size_t len);

/* Wipes and frees all of it. */
void options_clear(struct options *options);

#endif
