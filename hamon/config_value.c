/* Single values of the configuration. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hamon/config.h"
#include "hamon/config_value.h"

static const struct {
	const char *suffix;
	uint64_t ms;
} units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

#define UNITS (sizeof(units) / sizeof(units[0]))

/* strtoull() takes signs, blanks and hexadecimal, none of which anybody means here. */
static int digits_parse(const char *text, const char **ret_rest, uint64_t *ret)
{
	uint64_t value = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		if (value > (UINT64_MAX - 9) / 10)
			return -ERANGE;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*ret_rest = text;
	*ret = value;
	return 0;
}

int config_count_parse(const char *text, uint64_t *ret)
{
	const char *rest;
	uint64_t value;
	int rc = digits_parse(text, &rest, &value);

	if (rc)
		return rc;
	if (*rest)
		return -EINVAL;
	*ret = value;
	return 0;
}

int config_duration_parse(const char *text, uint64_t *ret_ms)
{
	const char *rest;
	uint64_t value;
	int rc = digits_parse(text, &rest, &value);

	if (rc)
		return rc;
	for (size_t i = 0; i < UNITS; i++) {
		if (strcmp(rest, units[i].suffix))
			continue;
		if (value > UINT64_MAX / units[i].ms)
			return -ERANGE;
		*ret_ms = value * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

void config_duration_format(uint64_t ms, char *buf, size_t size)
{
	size_t i = 0;

	if (!ms)
		i = 2;
	while (ms % units[i].ms)
		i++;
	snprintf(buf, size, "%llu%s", (unsigned long long)(ms / units[i].ms), units[i].suffix);
}

static int percent_parse(const char *text, uint64_t *ret)
{
	const char *rest;
	uint64_t value;
	int rc = digits_parse(text, &rest, &value);

	if (rc)
		return rc;
	if (strcmp(rest, "%"))
		return -EINVAL;
	*ret = value;
	return 0;
}

static int choice_parse(const char *const *choices, const char *text, uint64_t *ret)
{
	for (uint64_t i = 0; choices[i]; i++) {
		if (!strcmp(choices[i], text)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

int config_number_parse(const struct config_key *key, const char *text, uint64_t *ret)
{
	uint64_t value;
	int rc;

	if (key->type == CONFIG_CHOICE)
		return choice_parse(key->choices, text, ret);
	if (key->type == CONFIG_DURATION)
		rc = config_duration_parse(text, &value);
	else if (key->type == CONFIG_PERCENT)
		rc = percent_parse(text, &value);
	else
		rc = config_count_parse(text, &value);
	if (rc)
		return rc;
	if (value < key->min || value > key->max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int config_yesno_parse(const char *text, bool *ret)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(words[i], text)) {
			*ret = i % 2;
			return 0;
		}
	}
	return -EINVAL;
}

static void choices_format(const char *const *choices, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; choices[i] && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s",
					 !i ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
}

void config_expected_format(const struct config_key *key, char *buf, size_t size)
{
	char from[32], to[32];

	switch (key->type) {
	case CONFIG_DURATION:
		config_duration_format(key->min, from, sizeof(from));
		config_duration_format(key->max, to, sizeof(to));
		snprintf(buf, size, "a duration from %s to %s (units: ms, s, m, h)", from, to);
		return;
	case CONFIG_COUNT:
		snprintf(buf, size, "a number from %llu to %llu", (unsigned long long)key->min,
			 (unsigned long long)key->max);
		return;
	case CONFIG_PERCENT:
		snprintf(buf, size, "a share from %llu%% to %llu%%", (unsigned long long)key->min,
			 (unsigned long long)key->max);
		return;
	case CONFIG_YESNO:
		snprintf(buf, size, "yes or no");
		return;
	case CONFIG_CHOICE:
		choices_format(key->choices, buf, size);
		return;
	case CONFIG_ABSPATH:
		snprintf(buf, size, "an absolute path");
		return;
	case CONFIG_URI:
		snprintf(buf, size, "a libvirt URI of the QEMU driver such as qemu:///system");
		return;
	case CONFIG_WORD:
		snprintf(buf, size, "a name without blanks");
		return;
	case CONFIG_MICROVERSION:
		snprintf(buf, size, "a microversion from 2.%llu to 2.%llu", (unsigned long long)key->min,
			 (unsigned long long)key->max);
		return;
	case CONFIG_FENCE_AGENT:
		snprintf(buf, size,
			 "a fence agent's name such as fence_ipmilan, or its absolute path");
		return;
	case CONFIG_ALERT_AGENT:
		snprintf(buf, size, "an absolute path, and perhaps a recipient");
		return;
	case CONFIG_OPTION:
		snprintf(buf, size, "a value");
		return;
	case CONFIG_LEVEL:
		snprintf(buf, size, "DEVICE [KEY=VALUE...], and more of these after commas");
		return;
	}
}

bool config_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > CONFIG_NAME_MAX || strchr(".-", name[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

void config_text_show(const char *text, char *buf, size_t size)
{
	size_t len = strlen(text);

	if (len < size) {
		memcpy(buf, text, len + 1);
		return;
	}
	len = size - 4;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	memcpy(buf, text, len);
	strcpy(buf + len, "...");
}

/* The bytes of the UTF-8 character at text (RFC 3629), or 0 when it is none. */
static size_t character_length(const unsigned char *text, size_t left)
{
	size_t len = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 :
		     text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;

	if (!len || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

unsigned int config_text_check(const char *text, size_t len)
{
	const unsigned char *byte = (const unsigned char *)text;
	unsigned int line = 1;

	for (size_t at = 0; at < len;) {
		size_t n = character_length(byte + at, len - at);

		if (!n || byte[at] == 0x7f || (byte[at] < ' ' && !strchr("\t\r\n", byte[at])) ||
		    !byte[at])
			return line;
		if (byte[at] == '\n')
			line++;
		at += n;
	}
	return 0;
}
