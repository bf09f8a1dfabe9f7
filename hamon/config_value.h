/* Single values of the configuration: from text to number, and back. */
#ifndef HAMON_CONFIG_VALUE_H
#define HAMON_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hamon/config_keys.h"

/*
 * 0 and the milliseconds of 500ms, 10s, 5m or 1h; -EINVAL for any other text; -ERANGE beyond
 * uint64_t.
 */
int config_duration_parse(const char *text, uint64_t *ret_ms);

/* 0 and the value of decimal digits alone; -EINVAL, -ERANGE. */
int config_count_parse(const char *text, uint64_t *ret);

/* The shortest way of writing ms: 1m and not 60s. */
void config_duration_format(uint64_t ms, char *buf, size_t size);

/*
 * Reads a number, percentage, duration or choice of the key's type into *ret. 0, -EINVAL or
 * -ERANGE; then *ret is untouched.
 */
int config_number_parse(const struct config_key *key, const char *text, uint64_t *ret);

/* 0 for yes, no, true, false, on, off; else -EINVAL. */
int config_yesno_parse(const char *text, bool *ret);

/* "a duration from 1s to 1h": what the key's value must be. */
void config_expected_format(const struct config_key *key, char *buf, size_t size);

/*
 * Host and device names: letters, digits, '.', '_', '-', at most CONFIG_NAME_MAX, starting with
 * none of ".-".
 */
bool config_name_valid(const char *name);

/* Bytes that are not one of the above, but still printable: shortened at a character's border. */
void config_text_show(const char *text, char *buf, size_t size);

/* 0, or the number of the first line (from 1) that is not plain UTF-8 text. */
unsigned int config_text_check(const char *text, size_t len);

#endif
