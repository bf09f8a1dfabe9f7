/* What a person's terminal can show: its width, colours, and text made safe for it. In libhamon_common.a. */
#ifndef HAMON_COMMON_TERM_H
#define HAMON_COMMON_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum term_style {
	TERM_PLAIN,
	TERM_BOLD,
	TERM_DIM,
	TERM_GOOD,	/* green */
	TERM_WARN,	/* yellow */
	TERM_BAD,	/* bold red */
};

struct term {
	bool tty;
	bool color;		/* a tty, TERM is not dumb, NO_COLOR (no-color.org) is unset or empty */
	bool utf8;		/* by the locale (LC_ALL, LC_CTYPE, LANG) */
	unsigned int width;	/* columns; 0 when it is no tty: no limit */
	unsigned int height;	/* lines; 0 likewise */
	bool cut;		/* tables cut what is too long, instead of wrapping it; not set by term_detect */
};

/* Looks at fd, usually 1. Call it again after SIGWINCH. */
void term_detect(int fd, struct term *ret);

/* The escape sequence that switches style on, or off again; "" without colours or for TERM_PLAIN. Static. */
const char *term_on(const struct term *term, enum term_style style);
const char *term_off(const struct term *term, enum term_style style);

/*
 * A copy of text (NULL: "") that is safe to print: control characters, which could be escape sequences, those that
 * turn the direction of text, and broken UTF-8 become '?'; white space becomes single spaces. Never NULL: ends the
 * program when there is no memory. Free it with free().
 */
char *term_clean(const char *text);

/* Columns that UTF-8 text takes; wide East Asian characters and emoji take two, combining ones none. */
size_t term_columns(const char *text);

/* The bytes of the longest beginning of text that takes at most columns, without cutting a character. */
size_t term_fit(const char *text, size_t columns);

/*
 * Prints text as a paragraph: wrapped between words at the terminal's width, each further line indented. at is the
 * column where the first line begins. Ends in a newline.
 */
void term_paragraph(FILE *out, const struct term *term, enum term_style style, size_t at, size_t indent,
		    const char *text);

#endif
