/* What a person's terminal can show. Widths follow Unicode 15's East Asian Width (UAX 11), coarsely. */
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "hamon/common/term.h"

#define COLUMNS_MIN 40 /* a narrower terminal wraps by itself */

static bool locale_is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool utf8;

	if (!locale)
		return false;
	utf8 = !strcasecmp(nl_langinfo_l(CODESET, locale), "UTF-8");
	freelocale(locale);
	return utf8;
}

void term_detect(int fd, struct term *ret)
{
	const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");
	struct winsize size;

	memset(ret, 0, sizeof(*ret));
	ret->utf8 = locale_is_utf8();
	ret->tty = isatty(fd);
	if (!ret->tty)
		return;
	ret->color = !(no_color && *no_color) && kind && *kind && strcmp(kind, "dumb");
	ret->width = 80;
	ret->height = 24;
	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col && size.ws_row) {
		ret->width = size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
		ret->height = size.ws_row;
	}
}

const char *term_on(const struct term *term, enum term_style style)
{
	static const char *const codes[] = {
		[TERM_PLAIN] = "", [TERM_BOLD] = "\033[1m", [TERM_DIM] = "\033[2m", [TERM_GOOD] = "\033[32m",
		[TERM_WARN] = "\033[33m", [TERM_BAD] = "\033[1;31m",
	};

	return term->color ? codes[style] : "";
}

const char *term_off(const struct term *term, enum term_style style)
{
	return term->color && style != TERM_PLAIN ? "\033[0m" : "";
}

/* Decodes one character; returns its bytes, 0 at the end, and UINT32_MAX as its code when it is broken. */
static size_t char_decode(const char *text, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t code = len == 1 ? s[0] : s[0] & (0x7fu >> len);

	if (!*s)
		return 0;
	*ret_code = UINT32_MAX;
	if (s[0] >= 0x80 && (s[0] < 0xc2 || s[0] > 0xf4))
		return 1;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 1;
	*ret_code = code;
	return len;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

#define IN(code, ranges) in_ranges(code, ranges, sizeof(ranges) / sizeof((ranges)[0]))

static size_t char_columns(uint32_t code)
{
	static const struct range none[] = {
		{ 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x610, 0x61a }, { 0x64b, 0x65f },
		{ 0x200b, 0x200f }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xe0100, 0xe01ef },
	};
	static const struct range wide[] = {
		{ 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0xa4cf }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
		{ 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f },
		{ 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
	};

	if (IN(code, none))
		return 0;
	return IN(code, wide) ? 2 : 1;
}

/* Control characters of both sets, and those that embed, override or isolate a direction. */
static bool char_is_unsafe(uint32_t code)
{
	static const struct range unsafe[] = {
		{ 0, 0x1f }, { 0x7f, 0x9f }, { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
		{ 0xfeff, 0xfeff }, { UINT32_MAX, UINT32_MAX },
	};

	return IN(code, unsafe);
}

char *term_clean(const char *text)
{
	char *clean = malloc((text ? strlen(text) : 0) + 1), *to = clean;
	uint32_t code;
	size_t len;

	if (!clean)
		abort();
	for (; text && (len = char_decode(text, &code)); text += len) {
		if (code == ' ' || (code >= '\t' && code <= '\r')) {
			if (to > clean && to[-1] != ' ')
				*to++ = ' ';
		} else if (char_is_unsafe(code)) {
			*to++ = '?';
		} else {
			memcpy(to, text, len);
			to += len;
		}
	}
	if (to > clean && to[-1] == ' ')
		to--;
	*to = '\0';
	return clean;
}

size_t term_columns(const char *text)
{
	size_t columns = 0, len;
	uint32_t code;

	for (; (len = char_decode(text, &code)); text += len)
		columns += char_columns(code);
	return columns;
}

size_t term_fit(const char *text, size_t columns)
{
	size_t bytes = 0, len;
	uint32_t code;

	while ((len = char_decode(text + bytes, &code)) && char_columns(code) <= columns) {
		columns -= char_columns(code);
		bytes += len;
	}
	return bytes;
}

void term_paragraph(FILE *out, const struct term *term, enum term_style style, size_t at, size_t indent,
		    const char *text)
{
	while (*text) {
		size_t space = !term->width ? SIZE_MAX : term->width > at + 10 ? term->width - at : 10;
		size_t bytes = term_fit(text, space), end = bytes;

		if (text[bytes]) { /* back to the last space, when there is one; a longer word is cut */
			while (end && text[end] != ' ')
				end--;
			if (end)
				bytes = end;
		}
		if (!bytes)
			break; /* a character wider than the space */
		fprintf(out, "%s%.*s%s", term_on(term, style), (int)bytes, text, term_off(term, style));
		text += bytes;
		while (*text == ' ')
			text++;
		if (*text)
			fprintf(out, "\n%*s", (int)indent, "");
		at = indent;
	}
	fputc('\n', out);
}
