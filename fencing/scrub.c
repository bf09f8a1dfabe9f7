/* Credentials of a fence device: keeping them out of what an agent has written. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fencing/secrets.h"

#define SECRET_ALONE_LEN 3
/* The longest form of a value is one where each character became "&quot;". */
#define SECRET_FORM_SIZE (OPTION_VALUE_SIZE * 6 + 8)

static bool is_word(unsigned char c)
{
	return isalnum(c) || c == '_';
}

static bool stands_alone(const char *text, size_t len, size_t at, size_t form_len)
{
	return (at == 0 || !is_word((unsigned char)text[at - 1])) &&
	       (at + form_len == len || !is_word((unsigned char)text[at + form_len]));
}

static void form_scrub(const char *form, size_t form_len, char *text, size_t len, bool cut)
{
	char *at = text, *hit;

	if (!form_len)
		return;
	while ((hit = memmem(at, len - (size_t)(at - text), form, form_len))) {
		if (form_len > SECRET_ALONE_LEN ||
		    stands_alone(text, len, (size_t)(hit - text), form_len))
			memset(hit, '*', form_len);
		at = hit + 1;
	}
	if (!cut)
		return;
	for (size_t part = form_len < len ? form_len : len; part; part--) {
		if (!memcmp(text + len - part, form, part)) {
			memset(text + len - part, '*', part);
			break;
		}
	}
}

/* Each writer turns one character into its form at out and returns the form's length. */
static size_t char_as_is(unsigned char c, char *out)
{
	*out = (char)c;
	return 1;
}

static size_t char_for_shell(unsigned char c, char *out)
{
	if (c != '\'')
		return char_as_is(c, out);
	memcpy(out, "'\"'\"'", 5); /* as Python's shlex.quote writes it */
	return 5;
}

static size_t char_for_repr(unsigned char c, char *out)
{
	size_t len = 0;

	if (c == '\'' || c == '"' || c == '\\')
		out[len++] = '\\';
	out[len++] = (char)c;
	return len;
}

static size_t char_for_xml(unsigned char c, char *out)
{
	const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" :
			     c == '"' ? "&quot;" : c == '\'' ? "&apos;" : NULL;

	if (!entity)
		return char_as_is(c, out);
	memcpy(out, entity, strlen(entity));
	return strlen(entity);
}

static size_t char_for_url(unsigned char c, char *out)
{
	static const char hex[] = "0123456789ABCDEF";

	if (isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
		return char_as_is(c, out);
	out[0] = '%';
	out[1] = hex[c >> 4];
	out[2] = hex[c & 15];
	return 3;
}

static size_t base64_of(const char *value, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		unsigned int bits = (unsigned int)(unsigned char)value[i] << 16;

		bits |= i + 1 < len ? (unsigned int)(unsigned char)value[i + 1] << 8 : 0;
		bits |= i + 2 < len ? (unsigned int)(unsigned char)value[i + 2] : 0;
		out[n++] = digits[bits >> 18];
		out[n++] = digits[bits >> 12 & 63];
		if (i + 1 < len)
			out[n++] = digits[bits >> 6 & 63];
		if (i + 2 < len)
			out[n++] = digits[bits & 63];
	}
	return n; /* without the '=' at its end, which some leave out */
}

static void value_scrub(const char *value, size_t value_len, char *form, char *text, size_t len,
			bool cut)
{
	static size_t (*const writers[])(unsigned char, char *) = {
		char_as_is, char_for_shell, char_for_repr, char_for_xml, char_for_url,
	};

	for (size_t w = 0; w < sizeof(writers) / sizeof(writers[0]); w++) {
		size_t form_len = 0;

		for (size_t i = 0; i < value_len; i++)
			form_len += writers[w]((unsigned char)value[i], form + form_len);
		form_scrub(form, form_len, text, len, cut);
	}
	form_scrub(form, base64_of(value, value_len, form), text, len, cut);
}

/* A secret as it stands, and as agents read it: without spaces around it and one pair of quotes. */
static void value_bare(const char *value, const char **ret_start, size_t *ret_len)
{
	size_t len = strlen(value);

	for (; len && isspace((unsigned char)value[len - 1]); len--)
		;
	for (; len && isspace((unsigned char)*value); len--)
		value++;
	if (len > 2 && value[0] == '"' && value[len - 1] == '"') {
		value++;
		len -= 2;
	}
	*ret_start = value;
	*ret_len = len;
}

struct value {
	const char *start; /* borrowed from the options */
	size_t len;
};

static int longer_first(const void *a, const void *b)
{
	const struct value *left = a, *right = b;

	return left->len < right->len ? 1 : left->len > right->len ? -1 : 0;
}

void secrets_scrub(const struct options *options, char *text, size_t len, bool cut)
{
	struct value values[OPTIONS_MAX * 2];
	size_t count = 0;
	char *form;

	if (!len)
		return;
	form = malloc(SECRET_FORM_SIZE);
	if (!form) {
		memset(text, '*', len); /* rather nothing readable than a secret */
		return;
	}
	for (size_t i = 0; i < options->count; i++) {
		const char *value = options->items[i].value;

		if (!options->items[i].secret)
			continue;
		values[count].start = value;
		values[count++].len = strlen(value);
		value_bare(value, &values[count].start, &values[count].len);
		count++;
	}
	/* A secret that is part of a longer one must not break that up before it is found. */
	qsort(values, count, sizeof(values[0]), longer_first);
	for (size_t i = 0; i < count; i++)
		value_scrub(values[i].start, values[i].len, form, text, len, cut);
	explicit_bzero(form, SECRET_FORM_SIZE);
	free(form);
}
