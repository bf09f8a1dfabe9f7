/* Tables for people, JSON for programs, and the exit status for scripts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
#include "hamon/common/table.h"
#include "hamon/common/term.h"
#include "storage-check/command.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The n-th object of an array field, or NULL. */
static struct json_object *item_at(struct json_object *obj, const char *key, size_t i)
{
	struct json_object *array, *item;

	if (json_get_array(obj, key, &array) || i >= json_object_array_length(array))
		return NULL;
	item = json_object_array_get_idx(array, i);
	return json_object_is_type(item, json_type_object) ? item : NULL;
}

static enum term_style verdict_style(const char *verdict)
{
	if (!strcmp(verdict, "shared") || !strcmp(verdict, "volume"))
		return TERM_GOOD;
	return strcmp(verdict, "local") ? TERM_WARN : TERM_BAD;
}

static void verdict_cell(struct table *table, struct json_object *item)
{
	const char *verdict = json_string_or(item, "verdict", "?");

	table_cell(table, verdict_style(verdict), verdict);
}

static void table_end(struct table *table, const struct term *term)
{
	if (table_rows(table)) {
		putchar('\n');
		table_print(table, stdout, term, 0, 0);
	}
	table_free(table);
}

static void hosts_print(struct json_object *view, const struct term *term)
{
	static const struct table_column columns[] = {
	    {.title = "HOST"}, {.title = "VERDICT"}, {.title = "WHY"}};
	struct table *table = table_new(columns, COUNT(columns));
	struct json_object *item;

	for (size_t i = 0; (item = item_at(view, "verdicts", i)); i++) {
		const char *held = json_string_or(item, "held", NULL);

		table_cell(table, TERM_PLAIN, json_string_or(item, "host", "?"));
		verdict_cell(table, item);
		table_cell(table, TERM_PLAIN, json_string_or(item, "reason", ""));
		if (!held)
			continue;
		table_cell(table, TERM_PLAIN, "");
		table_cell(table, TERM_WARN, "held");
		table_cell(table, TERM_PLAIN, held);
	}
	table_end(table, term);
}

static void disks_print(struct json_object *view, const struct term *term)
{
	static const struct table_column columns[] = {{.title = "HOST"},
						      {.title = "DISK"},
						      {.title = "VERDICT"},
						      {.title = "SOURCE"},
						      {.title = "WHY"}};
	struct table *table = table_new(columns, COUNT(columns));
	struct json_object *host, *disk;

	for (size_t i = 0; (host = item_at(view, "verdicts", i)); i++)
		for (size_t k = 0; (disk = item_at(host, "disks", k)); k++) {
			table_cell(table, TERM_PLAIN, json_string_or(host, "host", "?"));
			table_cell(table, TERM_PLAIN, json_string_or(disk, "target", "?"));
			verdict_cell(table, disk);
			table_cell(table, TERM_PLAIN, json_string_or(disk, "source", "-"));
			table_cell(table, TERM_PLAIN, json_string_or(disk, "reason", ""));
		}
	table_end(table, term);
}

static void age_format(int64_t age_s, char *buf, size_t size)
{
	if (age_s < 0)
		age_s = 0;
	if (age_s < 120)
		snprintf(buf, size, "%lld s ago", (long long)age_s);
	else if (age_s < 7200)
		snprintf(buf, size, "%lld min ago", (long long)age_s / 60);
	else if (age_s < 172800)
		snprintf(buf, size, "%lld h ago", (long long)age_s / 3600);
	else
		snprintf(buf, size, "%lld days ago", (long long)age_s / 86400);
}

/* "h1 2 s ago, h2 3 days ago" */
static void beacons_format(struct json_object *place, char *buf, size_t size)
{
	struct json_object *beacon, *age;
	char text[64];
	size_t used = 0;

	snprintf(buf, size, "%s", json_string_or(place, "error", "none"));
	for (size_t i = 0; (beacon = item_at(place, "beacons", i)) && used + 200 < size; i++) {
		json_object_object_get_ex(beacon, "age_s", &age);
		age_format(json_object_get_int64(age), text, sizeof(text));
		used += (size_t)snprintf(buf + used, size - used, "%s%.64s %s", i ? ", " : "",
					 json_string_or(beacon, "host", "?"), text);
	}
}

static void places_print(struct json_object *view, const struct term *term)
{
	static const struct table_column columns[] = {
	    {.title = "PLACE"}, {.title = "FILE SYSTEM"}, {.title = "MARK"}, {.title = "BEACONS"}};
	struct table *table = table_new(columns, COUNT(columns));
	struct json_object *place;
	char beacons[4096];

	for (size_t i = 0; (place = item_at(view, "places", i)); i++) {
		const char *id = json_string_or(place, "place_id", "");

		table_cell(table, TERM_PLAIN, json_string_or(place, "path", "?"));
		table_cell(table, TERM_PLAIN, json_string_or(place, "fs", ""));
		table_cellf(table, TERM_PLAIN, "%.8s", id[0] ? id : "none");
		beacons_format(place, beacons, sizeof(beacons));
		table_cell(table, TERM_PLAIN, beacons);
	}
	table_end(table, term);
}

/* One line of text from elsewhere, made safe for a terminal. */
static void line_print(const char *before, const char *text)
{
	char *clean = term_clean(text);

	printf("%s%s", before, clean);
	free(clean);
}

void command_print(struct json_object *view, bool json)
{
	struct term term;

	if (json) {
		puts(json_object_to_json_string_ext(view, JSON_C_TO_STRING_PRETTY |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
		return;
	}
	term_detect(1, &term);
	line_print("", json_string_or(view, "instance", "?"));
	if (json_string_or(view, "owner", NULL))
		line_print(", owned by ", json_string_or(view, "owner", ""));
	if (json_string_or(view, "note", NULL))
		line_print("\nnote: ", json_string_or(view, "note", ""));
	putchar('\n');
	hosts_print(view, &term);
	disks_print(view, &term);
	places_print(view, &term);
}

static int verdict_status(const char *verdict)
{
	if (!strcmp(verdict, "shared") || !strcmp(verdict, "volume"))
		return 0;
	return strcmp(verdict, "local") ? 2 : 1;
}

int command_status(struct json_object *view)
{
	const char *owner = json_string_or(view, "owner", "");
	struct json_object *item;
	int best = 3;

	for (size_t i = 0; (item = item_at(view, "verdicts", i)); i++) {
		/* From bad to good: local 1, unknown 2; then 0. */
		int status = verdict_status(json_string_or(item, "verdict", ""));

		/* That the owner itself reaches its disks says nothing. */
		if (!strcmp(json_string_or(item, "host", ""), owner))
			continue;
		if (best == 3 || !status || (best && status > best))
			best = status;
	}
	return best == 3 ? 2 : best;
}
