/* hamonctl's view of records: timelines and events. */
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/common/table.h"
#include "hamon/ctl/view.h"

static enum term_style severity_style(const char *severity)
{
	if (!strcmp(severity, "alert"))
		return TERM_BAD;
	if (!strcmp(severity, "warning"))
		return TERM_WARN;
	return TERM_PLAIN;
}

void view_records(FILE *out, const struct term *term, struct json_object *records, bool offsets)
{
	static const struct table_column columns[] = {
		{ "TIME", TABLE_LEFT, false }, { "AFTER", TABLE_RIGHT, true }, { "HOST", TABLE_LEFT, true },
		{ "INSTANCE", TABLE_LEFT, true }, { "WHAT", TABLE_LEFT, false },
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	uint64_t first_ms = 0, wall_ms;
	char time[CLI_TIME_SIZE];
	struct json_object *record;
	const char *text;

	for (size_t i = 0; i < view_length(records); i++) {
		record = view_at(records, i);
		wall_ms = cli_wall_ms(json_string_or(record, "wall", NULL));
		first_ms = first_ms ? first_ms : wall_ms;
		table_cell(table, TERM_DIM, cli_time(time, wall_ms));
		if (offsets && wall_ms >= first_ms)
			table_cellf(table, TERM_PLAIN, "+%llu.%03llu s", (unsigned long long)((wall_ms - first_ms) / 1000),
				    (unsigned long long)((wall_ms - first_ms) % 1000));
		else
			table_cell(table, TERM_PLAIN, NULL);
		table_cell(table, TERM_BOLD, json_string_or(record, "host", NULL));
		table_cell(table, TERM_BOLD, json_string_or(record, "instance", NULL));
		text = json_string_or(record, "text", "");
		table_cell(table, severity_style(json_string_or(record, "severity", "info")),
			   *text ? text : json_string_or(record, "kind", "?"));
	}
	table_print(table, out, term, 0, 0);
	table_free(table);
}

void view_record_line(FILE *out, const struct term *term, struct json_object *record)
{
	enum term_style style = severity_style(json_string_or(record, "severity", "info"));
	char time[CLI_TIME_SIZE], *text, *clean;
	const char *host = json_string_or(record, "host", ""), *instance = json_string_or(record, "instance", "");

	if (asprintf(&text, "%s %s%s%s%s%s", json_string_or(record, "kind", "?"), host, *host ? " " : "", instance,
		     *instance ? " " : "", json_string_or(record, "text", "")) < 0)
		abort();
	clean = term_clean(text);
	fprintf(out, "%s  ", cli_time(time, cli_wall_ms(json_string_or(record, "wall", NULL))));
	term_paragraph(out, term, style, strlen(time) + 2, strlen(time) + 2, clean);
	free(clean);
	free(text);
}
