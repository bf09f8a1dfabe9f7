/* Tables for people: columns as wide as what is in them, fitted to the terminal. In libhamon_common.a. */
#ifndef HAMON_COMMON_TABLE_H
#define HAMON_COMMON_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "hamon/common/term.h"

#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *title;
	enum { TABLE_LEFT, TABLE_RIGHT } align;
	/* Left out when all its cells are empty. */
	bool optional;
};

/*
 * columns are borrowed and outlive the table, at most TABLE_COLUMNS_MAX. The last column takes what is left of the
 * terminal's width and wraps within it, or goes below its row when that is too little. Nothing here fails: without memory the program ends.
 */
struct table *table_new(const struct table_column *columns, size_t count);
void table_free(struct table *table);

/* Adds the next cell, row by row; a NULL text is an empty cell. The text is copied and made safe (term_clean). */
void table_cell(struct table *table, enum term_style style, const char *text);
void table_cellf(struct table *table, enum term_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Rows that are complete. */
size_t table_rows(const struct table *table);

/*
 * Prints the titles and at most rows_max rows (0: all) to out, each line after indent spaces; nothing at all when
 * there is no row. A row that is left out is not silent: "... and N more".
 */
void table_print(const struct table *table, FILE *out, const struct term *term, size_t indent, size_t rows_max);

#endif
