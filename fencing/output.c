/* What an agent's exit code and words mean. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "fencing/output.h"

#define EXIT_ON 0
#define EXIT_OFF 2

struct line {
	const char *start;
	size_t len;
};

const char *power_name(enum power power)
{
	switch (power) {
	case POWER_UNKNOWN:
		return "unknown";
	case POWER_ON:
		return "on";
	case POWER_OFF:
		return "off";
	}
	return "unknown";
}

/* --- lines --- */

/* Takes the next line, without white space around it, off a text; false at the end. */
static bool line_next(struct line *rest, struct line *line)
{
	const char *feed;

	if (!rest->len)
		return false;
	feed = memchr(rest->start, '\n', rest->len);
	line->start = rest->start;
	line->len = feed ? (size_t)(feed - rest->start) : rest->len;
	rest->len -= line->len + (feed ? 1 : 0);
	rest->start += line->len + (feed ? 1 : 0);
	while (line->len && isspace((unsigned char)line->start[0])) {
		line->start++;
		line->len--;
	}
	while (line->len && isspace((unsigned char)line->start[line->len - 1]))
		line->len--;
	return true;
}

static bool line_has(const struct line *line, const char *words)
{
	size_t len = strlen(words);

	for (size_t i = 0; i + len <= line->len; i++) {
		if (!strncasecmp(line->start + i, words, len))
			return true;
	}
	return false;
}

static bool text_has(const char *text, size_t len, const char *words)
{
	const struct line whole = { text, len };

	return line_has(&whole, words);
}

static bool text_is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isspace((unsigned char)text[i]))
			return false;
	}
	return true;
}

/* --- power --- */

/* "Status: ON" and "Status: OFF", alone on a line; anything else says nothing about the power. */
static enum power line_power(const struct line *line)
{
	static const char word[] = "status:";
	size_t at = sizeof(word) - 1;

	if (line->len < at || strncasecmp(line->start, word, at))
		return POWER_UNKNOWN;
	while (at < line->len && isspace((unsigned char)line->start[at]))
		at++;
	if (line->len - at == 2 && !strncasecmp(line->start + at, "on", 2))
		return POWER_ON;
	if (line->len - at == 3 && !strncasecmp(line->start + at, "off", 3))
		return POWER_OFF;
	return POWER_UNKNOWN;
}

enum power output_power(const struct agent_output *output)
{
	bool said_on = false, said_off = false, silent;
	struct line rest = { output->out, output->out_len }, line;

	while (line_next(&rest, &line)) {
		said_on |= line_power(&line) == POWER_ON;
		said_off |= line_power(&line) == POWER_OFF;
	}
	silent = text_is_blank(output->out, output->out_len) &&
		 text_is_blank(output->err, output->err_len);
	if (output->exit_code == EXIT_ON && !said_off)
		return POWER_ON;
	if (output->exit_code == EXIT_OFF && !said_on && (said_off || silent))
		return POWER_OFF;
	return POWER_UNKNOWN;
}

bool output_already_off(const struct agent_output *output)
{
	return output->exit_code == 0 && text_has(output->out, output->out_len, "already off");
}

/* --- failures --- */

enum failure_class output_failure(const struct agent_output *output)
{
	static const char *const signs[] = {
		"unable to connect", "connection", "unreachable", "no route to host", "login",
		"correct plug status", "timed out", "timeout", "password", "privilege",
		"name or service not known", "authentication",
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if (text_has(output->err, output->err_len, signs[i]))
			return FAILURE_UNREACHABLE;
	}
	return FAILURE_AGENT_FAILED;
}

/* "2026-01-01 00:00:00,000 ERROR: words" and "ERROR: words" become "words". */
static void line_skip_prefix(struct line *line)
{
	static const char *const levels[] = { "ERROR: ", "CRITICAL: ", "WARNING: " };

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		const char *hit = memmem(line->start, line->len, levels[i], strlen(levels[i]));

		if (hit && (hit == line->start || hit[-1] == ' ')) {
			line->len -= (size_t)(hit - line->start) + strlen(levels[i]);
			line->start = hit + strlen(levels[i]);
			return;
		}
	}
}

static struct line line_telling(const char *text, size_t len)
{
	struct line rest = { text, len }, line, last = { text, 0 };

	while (line_next(&rest, &line)) {
		line_skip_prefix(&line);
		if (line.len && !line_has(&line, "for usage"))
			last = line;
	}
	return last;
}

void output_excerpt(const struct agent_output *output, char excerpt[OUTPUT_EXCERPT_SIZE])
{
	struct line line = line_telling(output->err, output->err_len);

	if (!line.len)
		line = line_telling(output->out, output->out_len);
	text_make_printable(line.start, line.len, excerpt, OUTPUT_EXCERPT_SIZE);
}

/* --- printable text --- */

/* The length of the well-formed UTF-8 character at text (Unicode 15, table 3-7), or 0. */
static size_t utf8_len(const unsigned char *text, size_t len)
{
	size_t need = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] <= 0xdf ? 2 :
		      (text[0] & 0xf0) == 0xe0 ? 3 : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4 : 0;

	if (!need || need > len)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return need;
}

void text_make_printable(const char *text, size_t len, char *buf, size_t size)
{
	const unsigned char *in = (const unsigned char *)text;
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(in + i, len - i);
		/* U+0080 to U+009F are control characters that some terminals obey. */
		bool control = in[i] < ' ' || in[i] == 0x7f ||
			       (n == 2 && in[i] == 0xc2 && in[i + 1] < 0xa0);

		if (used + (n ? n : 1) >= size)
			break;
		if (!n || control)
			buf[used++] = isspace(in[i]) ? ' ' : '?';
		else
			memcpy(buf + used, in + i, n), used += n;
		i += n ? n : 1;
	}
	buf[used] = '\0';
}
