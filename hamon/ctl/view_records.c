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

/* What happened, in one sentence that names host and instance. */
static const char *record_text(struct json_object *record)
{
	const char *text = json_string_or(record, "text", "");

	return *text ? text : json_string_or(record, "kind", "?");
}

void view_records(FILE *out, const struct term *term, struct json_object *records, enum view_records_kind kind)
{
	static const struct table_column columns[] = {
		{ "NUMBER", TABLE_RIGHT, true }, { "TIME", TABLE_LEFT, false }, { "AFTER", TABLE_RIGHT, true },
		{ "WHAT", TABLE_LEFT, false },
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	uint64_t first_ms = 0, wall_ms, seq;
	char time[CLI_TIME_SIZE];
	struct json_object *record;

	for (size_t i = 0; i < view_length(records); i++) {
		record = view_at(records, i);
		wall_ms = cli_wall_ms(json_string_or(record, "wall", NULL));
		first_ms = first_ms ? first_ms : wall_ms;
		if (kind == VIEW_NUMBERED && !json_get_u64(record, "seq", UINT64_MAX, &seq))
			table_cellf(table, TERM_DIM, "%llu", (unsigned long long)seq);
		else
			table_cell(table, TERM_PLAIN, NULL);
		table_cell(table, TERM_DIM, cli_time(time, wall_ms));
		if (kind == VIEW_TIMELINE && wall_ms && wall_ms >= first_ms)
			table_cellf(table, TERM_PLAIN, "+%llu.%03llu s", (unsigned long long)((wall_ms - first_ms) / 1000),
				    (unsigned long long)((wall_ms - first_ms) % 1000));
		else
			table_cell(table, TERM_PLAIN, NULL);
		table_cell(table, severity_style(json_string_or(record, "severity", "info")), record_text(record));
	}
	table_print(table, out, term, 0, 0);
	table_free(table);
}

void view_record_line(FILE *out, const struct term *term, struct json_object *record, bool brief)
{
	char time[CLI_TIME_SIZE], *clean = term_clean(record_text(record)), *kind;
	const char *when = cli_time(time, cli_wall_ms(json_string_or(record, "wall", NULL)));
	size_t indent;

	if (brief && strlen(when) > strlen("2026-11-21 "))
		when += strlen("2026-11-21 ");
	indent = strlen(when) + 2;
	fprintf(out, "%s  ", when);
	if (!brief) {
		kind = term_clean(json_string_or(record, "kind", "?"));
		indent += (size_t)fprintf(out, "%s: ", kind);
		free(kind);
	}
	term_paragraph(out, term, severity_style(json_string_or(record, "severity", "info")), indent, indent, clean);
	free(clean);
}
