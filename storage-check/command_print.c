/* Tables. Everything printed may come from a guest's XML, so nothing but printable text reaches the terminal. */
#include <stdio.h>
#include <string.h>

#include "hamon/common/json.h"
#include "storage-check/command.h"

#define COLUMNS_MAX 5

struct table {
	const char *heads[COLUMNS_MAX];
	size_t columns;
	struct json_object *rows; /* of arrays of strings */
};

static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void text_print(const char *text, size_t width)
{
	size_t used = text_width(text);

	for (; *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
	for (; used < width; used++)
		putchar(' ');
}

static const char *cell(const struct table *table, size_t row, size_t column)
{
	struct json_object *cells = json_object_array_get_idx(table->rows, row);

	return json_object_get_string(json_object_array_get_idx(cells, column));
}

static void table_print(struct table *table)
{
	size_t n = json_object_array_length(table->rows), widths[COLUMNS_MAX];

	for (size_t c = 0; c < table->columns; c++) {
		widths[c] = text_width(table->heads[c]);
		for (size_t r = 0; r < n; r++)
			if (text_width(cell(table, r, c)) > widths[c])
				widths[c] = text_width(cell(table, r, c));
	}
	/* The last column is not padded. */
	widths[table->columns - 1] = 0;
	for (size_t c = 0; n && c < table->columns; c++) {
		text_print(table->heads[c], widths[c]);
		fputs(c + 1 < table->columns ? "  " : "\n", stdout);
	}
	for (size_t r = 0; r < n; r++)
		for (size_t c = 0; c < table->columns; c++) {
			text_print(cell(table, r, c), widths[c]);
			fputs(c + 1 < table->columns ? "  " : "\n", stdout);
		}
	if (n)
		putchar('\n');
	json_object_put(table->rows);
}

static void row_add(struct table *table, const char *const *cells)
{
	struct json_object *row = json_object_new_array();

	for (size_t i = 0; i < table->columns; i++)
		json_object_array_add(row, json_object_new_string(cells[i]));
	json_object_array_add(table->rows, row);
}

/* The n-th object of an array field, or NULL. */
static struct json_object *item_at(struct json_object *obj, const char *key, size_t i)
{
	struct json_object *array, *item;

	if (json_get_array(obj, key, &array) || i >= json_object_array_length(array))
		return NULL;
	item = json_object_array_get_idx(array, i);
	return json_object_is_type(item, json_type_object) ? item : NULL;
}

static void hosts_print(struct json_object *view)
{
	struct table table = { { "HOST", "VERDICT", "WHY" }, 3, json_object_new_array() };
	struct json_object *item;

	for (size_t i = 0; (item = item_at(view, "verdicts", i)); i++) {
		const char *held = json_string_or(item, "held", NULL);

		row_add(&table, (const char *[]){ json_string_or(item, "host", "?"),
						  json_string_or(item, "verdict", "?"),
						  json_string_or(item, "reason", "") });
		if (held)
			row_add(&table, (const char *[]){ "", "held", held });
	}
	table_print(&table);
}

static void disks_print(struct json_object *view)
{
	struct table table = { { "HOST", "DISK", "VERDICT", "SOURCE", "WHY" }, 5, json_object_new_array() };
	struct json_object *host, *disk;

	for (size_t i = 0; (host = item_at(view, "verdicts", i)); i++)
		for (size_t k = 0; (disk = item_at(host, "disks", k)); k++)
			row_add(&table, (const char *[]){ json_string_or(host, "host", "?"),
							  json_string_or(disk, "target", "?"),
							  json_string_or(disk, "verdict", "?"),
							  json_string_or(disk, "source", "-"),
							  json_string_or(disk, "reason", "") });
	table_print(&table);
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

static void places_print(struct json_object *view)
{
	struct table table = { { "PLACE", "FILE SYSTEM", "MARK", "BEACONS" }, 4, json_object_new_array() };
	struct json_object *place, *beacon, *age;

	for (size_t i = 0; (place = item_at(view, "places", i)); i++) {
		char beacons[2048] = "", text[64], mark[16];
		const char *id = json_string_or(place, "place_id", "");
		size_t used = 0;

		for (size_t k = 0; (beacon = item_at(place, "beacons", k)) && used + 200 < sizeof(beacons); k++) {
			json_object_object_get_ex(beacon, "age_s", &age);
			age_format(json_object_get_int64(age), text, sizeof(text));
			used += (size_t)snprintf(beacons + used, sizeof(beacons) - used, "%s%.64s %s", k ? ", " : "",
						 json_string_or(beacon, "host", "?"), text);
		}
		snprintf(mark, sizeof(mark), "%.8s", id[0] ? id : "none");
		row_add(&table, (const char *[]){ json_string_or(place, "path", "?"),
						  json_string_or(place, "fs", ""), mark,
						  used ? beacons : json_string_or(place, "error", "none") });
	}
	table_print(&table);
}

void command_print(struct json_object *view, bool json)
{
	const char *owner = json_string_or(view, "owner", NULL);

	if (json) {
		puts(json_object_to_json_string_ext(view, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
		return;
	}
	text_print(json_string_or(view, "instance", "?"), 0);
	if (owner)
		printf(", owned by %.64s", owner);
	if (json_string_or(view, "note", NULL)) {
		fputs("\nnote: ", stdout);
		text_print(json_string_or(view, "note", ""), 0);
	}
	fputs("\n\n", stdout);
	hosts_print(view);
	disks_print(view);
	places_print(view);
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
