/* Tables for people. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/table.h"

#define GAP 2		/* spaces between columns */
#define LAST_MIN 20	/* with less space than this, a last cell that does not fit goes below its row */
#define BELOW_INDENT 4

struct cell {
	const char *text;
	enum term_style style;
};

struct table {
	const struct table_column *columns;
	size_t columns_count;
	struct cell *cells; /* row by row */
	size_t cells_count, cells_size;
};

struct table *table_new(const struct table_column *columns, size_t count)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table || !count || count > TABLE_COLUMNS_MAX)
		abort();
	table->columns = columns;
	table->columns_count = count;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cells_count; i++)
		free((char *)table->cells[i].text);
	free(table->cells);
	free(table);
}

void table_cell(struct table *table, enum term_style style, const char *text)
{
	if (table->cells_count == table->cells_size) {
		table->cells_size = table->cells_size ? 2 * table->cells_size : 64;
		table->cells = realloc(table->cells, table->cells_size * sizeof(*table->cells));
		if (!table->cells)
			abort();
	}
	table->cells[table->cells_count++] = (struct cell){ term_clean(text), style };
}

void table_cellf(struct table *table, enum term_style style, const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		abort();
	va_end(ap);
	table_cell(table, style, text);
	free(text);
}

size_t table_rows(const struct table *table)
{
	return table->cells_count / table->columns_count;
}

static const struct cell *cell_at(const struct table *table, size_t row, size_t column)
{
	return &table->cells[row * table->columns_count + column];
}

/* Columns on the terminal, for each column of the table; 0 for one that is left out. */
static void widths_find(const struct table *table, size_t *widths)
{
	for (size_t c = 0; c < table->columns_count; c++) {
		bool used = !table->columns[c].optional;

		widths[c] = term_columns(table->columns[c].title);
		for (size_t r = 0; r < table_rows(table); r++) {
			size_t width = term_columns(cell_at(table, r, c)->text);

			used |= width > 0;
			if (width > widths[c])
				widths[c] = width;
		}
		if (!used)
			widths[c] = 0;
	}
}

static size_t last_find(const struct table *table, const size_t *widths)
{
	size_t last = 0;

	for (size_t c = 0; c < table->columns_count; c++)
		if (widths[c])
			last = c;
	return last;
}

/* A cell of any column but the last: padded to its width. */
static void cell_print(FILE *out, const struct term *term, const struct table_column *column, size_t width,
		       const struct cell *cell)
{
	size_t pad = width - term_columns(cell->text);

	fprintf(out, "%*s%s%s%s%*s", (int)(column->align == TABLE_RIGHT ? pad : 0), "", term_on(term, cell->style),
		cell->text, term_off(term, cell->style), (int)((column->align == TABLE_RIGHT ? 0 : pad) + GAP), "");
}

/* The last cell: without trailing spaces, wrapped or cut when it is too long. */
static void last_print(FILE *out, const struct term *term, const struct table_column *column, size_t width,
		       size_t at, const struct cell *cell)
{
	const char *dots = term->utf8 ? "…" : "...";
	size_t space = term->width > at + term_columns(dots) ? term->width - at - term_columns(dots) : 0;

	if (term->cut && term->width && at + term_columns(cell->text) > term->width) {
		fprintf(out, "%s%.*s%s%s\n", term_on(term, cell->style), (int)term_fit(cell->text, space), cell->text,
			space ? dots : "", term_off(term, cell->style));
		return;
	}
	if (column->align == TABLE_RIGHT)
		fprintf(out, "%*s", (int)(width - term_columns(cell->text)), "");
	term_paragraph(out, term, cell->style, at, at, cell->text);
}

/* The last cell up to limit that is not empty: behind it there are no spaces. */
static size_t end_find(const size_t *widths, const struct cell *cells, size_t limit)
{
	size_t end = limit;

	while (end && (!widths[end] || !*cells[end].text))
		end--;
	return end;
}

static void row_print(const struct table *table, FILE *out, const struct term *term, size_t indent,
		      const size_t *widths, const struct cell *cells)
{
	size_t at = indent, last = last_find(table, widths), end = end_find(widths, cells, last);
	const struct cell *below = NULL;

	for (size_t c = 0; c < end; c++)
		at += widths[c] ? widths[c] + GAP : 0;
	if (!term->cut && term->width && end && end == last && term->width < at + LAST_MIN &&
	    term_columns(cells[end].text) + at > term->width) {
		below = &cells[end];
		end = end_find(widths, cells, end - 1);
	}
	fprintf(out, "%*s", (int)indent, "");
	at = indent;
	for (size_t c = 0; c < end; c++) {
		if (!widths[c])
			continue;
		cell_print(out, term, &table->columns[c], widths[c], &cells[c]);
		at += widths[c] + GAP;
	}
	last_print(out, term, &table->columns[end], widths[end], at, &cells[end]);
	if (below) {
		fprintf(out, "%*s", (int)indent + BELOW_INDENT, "");
		term_paragraph(out, term, below->style, indent + BELOW_INDENT, indent + BELOW_INDENT, below->text);
	}
}

/* Like a row; but the title of a last column that has no space is left out, where its cells go below. */
static void title_print(const struct table *table, FILE *out, const struct term *term, size_t indent,
			const size_t *widths, struct cell *titles)
{
	size_t at = indent, last = last_find(table, widths);

	for (size_t c = 0; c < last; c++)
		at += widths[c] ? widths[c] + GAP : 0;
	if (last && term->width && at + term_columns(titles[last].text) > term->width)
		titles[last].text = "";
	row_print(table, out, term, indent, widths, titles);
}

void table_print(const struct table *table, FILE *out, const struct term *term, size_t indent, size_t rows_max)
{
	struct cell titles[TABLE_COLUMNS_MAX] = { 0 };
	size_t widths[TABLE_COLUMNS_MAX] = { 0 }, rows = table_rows(table), shown = rows;

	if (!rows)
		return;
	if (rows_max && rows > rows_max)
		shown = rows_max;
	widths_find(table, widths);
	for (size_t c = 0; c < table->columns_count; c++)
		titles[c] = (struct cell){ table->columns[c].title, TERM_DIM };
	title_print(table, out, term, indent, widths, titles);
	for (size_t r = 0; r < shown; r++)
		row_print(table, out, term, indent, widths, cell_at(table, r, 0));
	if (shown < rows)
		fprintf(out, "%*s%s and %zu more\n", (int)indent, "", term->utf8 ? "…" : "...", rows - shown);
}
