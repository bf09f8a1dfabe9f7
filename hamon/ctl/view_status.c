/* hamonctl's view of hosts, fence devices and instances. */
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/common/table.h"
#include "hamon/ctl/view.h"

struct json_object *view_array(struct json_object *obj, const char *key)
{
	struct json_object *array = NULL;

	(void)json_get_array(obj, key, &array);
	return array;
}

size_t view_length(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

struct json_object *view_at(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

static size_t hosts_up(struct json_object *hosts)
{
	size_t n = 0;

	for (size_t i = 0; i < view_length(hosts); i++)
		n += !strcmp(json_string_or(view_at(hosts, i), "state", ""), "admitted");
	return n;
}

static void running_count(struct json_object *instances, size_t *ret_running, size_t *ret_wanted)
{
	*ret_running = *ret_wanted = 0;
	for (size_t i = 0; i < view_length(instances); i++) {
		struct json_object *instance = view_at(instances, i);

		if (strcmp(json_string_or(instance, "wish", "running"), "running"))
			continue;
		++*ret_wanted;
		*ret_running += !strcmp(json_string_or(instance, "state", ""), "running");
	}
}

/* The problems one after the other, as many as fit, and how many there are besides. */
static void problems_line(FILE *out, const struct term *term, const struct findings *findings)
{
	size_t at = strlen("DEGRADED: "), room = strlen("; and 999 more"), shown = 0;

	fprintf(out, "%sDEGRADED%s: ", term_on(term, TERM_BAD), term_off(term, TERM_BAD));
	for (size_t i = 0; i < findings->count && shown < findings->problems; i++) {
		char *what;

		if (findings->list[i].level != FINDING_PROBLEM)
			continue;
		what = term_clean(findings->list[i].what);
		if (shown && term->width && at + 2 + term_columns(what) +
		    (shown + 1 < findings->problems ? room : 0) > term->width) {
			free(what);
			break;
		}
		at += fprintf(out, "%s", shown ? "; " : "") + term_columns(what);
		fputs(what, out);
		free(what);
		shown++;
	}
	if (shown < findings->problems)
		fprintf(out, "; and %zu more", findings->problems - shown);
	fputc('\n', out);
}

void view_headline(FILE *out, const struct term *term, struct json_object *status, const struct findings *findings)
{
	struct json_object *hosts = view_array(status, "hosts"), *instances = view_array(status, "instances");
	size_t running, wanted, warnings = findings->count - findings->problems;

	if (findings->problems) {
		problems_line(out, term, findings);
		return;
	}
	running_count(instances, &running, &wanted);
	fprintf(out, "%sOK%s: %zu of %zu hosts up, %zu of %zu instances running", term_on(term, TERM_GOOD),
		term_off(term, TERM_GOOD), hosts_up(hosts), view_length(hosts), running, wanted);
	if (warnings)
		fprintf(out, "; %s%zu warning%s%s", term_on(term, TERM_WARN), warnings, warnings > 1 ? "s" : "",
			term_off(term, TERM_WARN));
	fputc('\n', out);
}

void view_cluster(FILE *out, const struct term *term, struct json_object *status)
{
	struct json_object *cluster = NULL, *votes = NULL;
	char *name, *coordinator, *self, *version, text[512];

	(void)json_get_object(status, "cluster", &cluster);
	(void)json_get_object(cluster, "votes", &votes);
	name = term_clean(json_string_or(cluster, "name", ""));
	coordinator = term_clean(json_string_or(cluster, "coordinator", "none"));
	self = term_clean(json_string_or(status, "self", "?"));
	version = term_clean(json_string_or(status, "version", "?"));
	snprintf(text, sizeof(text), "cluster %s, %s with %llu of %llu votes, coordinator %s; asked %s, hamon %s",
		 *name ? name : "without a name", json_bool_or(cluster, "quorate", false) ? "quorate" : "no quorum",
		 (unsigned long long)json_u64_or(votes, "present", 0),
		 (unsigned long long)json_u64_or(votes, "configured", 0), coordinator, self, version);
	term_paragraph(out, term, TERM_DIM, 0, 0, text);
	free(name);
	free(coordinator);
	free(self);
	free(version);
}

void view_findings(FILE *out, const struct term *term, const struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];
		bool problem = finding->level == FINDING_PROBLEM;
		char *text, *clean;

		if (asprintf(&text, "%s%s%s", finding->what, *finding->why ? ": " : "", finding->why) < 0)
			abort();
		clean = term_clean(text);
		fprintf(out, "%s%s%s ", term_on(term, problem ? TERM_BAD : TERM_WARN), problem ? "!" : "-",
			term_off(term, problem ? TERM_BAD : TERM_WARN));
		term_paragraph(out, term, TERM_PLAIN, 2, 2, clean);
		free(clean);
		free(text);
		if (!*finding->hint)
			continue;
		clean = term_clean(finding->hint);
		fprintf(out, "  ");
		term_paragraph(out, term, TERM_DIM, 2, 2, clean);
		free(clean);
	}
}

/* --- hosts --- */

static enum term_style host_style(const char *state)
{
	if (!strcmp(state, "admitted"))
		return TERM_GOOD;
	return !strcmp(state, "left") ? TERM_WARN : TERM_BAD;
}

static void note_add(char *notes, size_t size, const char *format, const char *value)
{
	size_t len = strlen(notes);

	if (len + 2 < size && len)
		len += (size_t)snprintf(notes + len, size - len, "; ");
	/* The formats are this file's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (len < size)
		snprintf(notes + len, size - len, format, value);
#pragma GCC diagnostic pop
}

static void host_notes(struct json_object *host, struct json_object *status, char *notes, size_t size)
{
	struct json_object *cluster = NULL;
	const char *name = json_string_or(host, "name", "?"), *value;
	bool up = !strcmp(json_string_or(host, "state", ""), "admitted");

	*notes = '\0';
	(void)json_get_object(status, "cluster", &cluster);
	if (!strcmp(json_string_or(cluster, "coordinator", ""), name))
		note_add(notes, size, "%s", "coordinator");
	if (json_bool_or(host, "maintenance", false))
		note_add(notes, size, "%s", "maintenance");
	if (json_bool_or(host, "reserved", false))
		note_add(notes, size, "%s", "reserved");
	value = json_string_or(host, "daemon", "running");
	if (up && strcmp(value, "running"))
		note_add(notes, size, "hamond is %s", value);
	value = json_string_or(host, "libvirt", "ok");
	if (up && strcmp(value, "ok"))
		note_add(notes, size, "libvirt is %s", value);
	value = json_string_or(host, "gate", "ok");
	if (up && strcmp(value, "ok"))
		note_add(notes, size, "start gate is %s", value);
	value = json_string_or(host, "reason", "");
	if (*value)
		note_add(notes, size, "%s", value);
}

void view_hosts(FILE *out, const struct term *term, struct json_object *status, size_t rows_max)
{
	static const struct table_column columns[] = {
		{ "HOST", TABLE_LEFT, false }, { "STATE", TABLE_LEFT, false }, { "FREE MEMORY", TABLE_RIGHT, true },
		{ "INSTANCES", TABLE_RIGHT, false }, { "NOTES", TABLE_LEFT, true },
	};
	struct json_object *hosts = view_array(status, "hosts"), *host;
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	const char *state;
	char notes[512];

	for (size_t i = 0; i < view_length(hosts); i++) {
		uint64_t free_mib = 0;

		host = view_at(hosts, i);
		state = json_string_or(host, "state", "unknown");
		table_cell(table, TERM_BOLD, json_string_or(host, "name", "?"));
		table_cell(table, host_style(state), state);
		if (strcmp(state, "admitted") || json_get_u64(host, "free_mib", UINT64_MAX, &free_mib))
			table_cell(table, TERM_PLAIN, NULL);
		else
			table_cellf(table, TERM_PLAIN, "%llu MiB", (unsigned long long)free_mib);
		table_cellf(table, TERM_PLAIN, "%llu", (unsigned long long)json_u64_or(host, "instances", 0));
		host_notes(host, status, notes, sizeof(notes));
		table_cell(table, TERM_PLAIN, notes);
	}
	table_print(table, out, term, 0, rows_max);
	table_free(table);
}

/* --- fence devices --- */

static char *names_join(struct json_object *names)
{
	char *text = strdup(""), *longer;

	for (size_t i = 0; text && i < view_length(names); i++) {
		if (asprintf(&longer, "%s%s%s", text, i ? " " : "", json_object_get_string(view_at(names, i))) < 0)
			abort();
		free(text);
		text = longer;
	}
	if (!text)
		abort();
	return text;
}

void view_devices(FILE *out, const struct term *term, struct json_object *status, size_t rows_max)
{
	static const struct table_column columns[] = {
		{ "FENCE DEVICE", TABLE_LEFT, false }, { "AGENT", TABLE_LEFT, false }, { "HOSTS", TABLE_LEFT, false },
		{ "STATE", TABLE_LEFT, false }, { "CHECKED", TABLE_LEFT, true }, { "ERROR", TABLE_LEFT, true },
	};
	struct json_object *devices = view_array(status, "fence_devices"), *device;
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char duration[CLI_DURATION_SIZE], *names;
	const char *state;
	uint64_t ago_ms;

	for (size_t i = 0; i < view_length(devices); i++) {
		device = view_at(devices, i);
		state = json_string_or(device, "state", "unknown");
		names = names_join(view_array(device, "hosts"));
		table_cell(table, TERM_BOLD, json_string_or(device, "name", "?"));
		table_cell(table, TERM_PLAIN, json_string_or(device, "agent", "?"));
		table_cell(table, TERM_PLAIN, names);
		table_cell(table, !strcmp(state, "ok") ? TERM_GOOD : !strcmp(state, "failed") ? TERM_BAD : TERM_WARN, state);
		if (!strcmp(state, "unknown"))
			table_cell(table, TERM_PLAIN, "not yet");
		else if (json_get_u64(device, "checked_ms_ago", UINT64_MAX, &ago_ms))
			table_cell(table, TERM_PLAIN, NULL);
		else
			table_cellf(table, TERM_PLAIN, "%s ago", cli_duration(duration, ago_ms));
		table_cell(table, TERM_PLAIN, json_string_or(device, "error", NULL));
		free(names);
	}
	table_print(table, out, term, 0, rows_max);
	table_free(table);
}

/* --- instances --- */

struct sorted {
	struct json_object *instance;
	size_t index;
	int rank;	/* smaller: needs attention more */
};

const char *view_instance_state(struct json_object *instance, enum term_style *ret_style, int *ret_rank)
{
	const char *phase = json_string_or(instance, "phase", "settled");
	const char *state = json_string_or(instance, "state", "unknown");
	bool wanted = !strcmp(json_string_or(instance, "wish", "running"), "running");

	*ret_style = TERM_BAD;
	*ret_rank = 0;
	if (!strcmp(phase, "held") && !json_bool_or(instance, "excluded", false))
		return phase;
	*ret_style = TERM_WARN;
	*ret_rank = 1;
	if (!strcmp(state, "starting"))
		return state;
	if (strcmp(phase, "settled"))
		return phase;
	if (!wanted && strcmp(state, "running")) {
		*ret_style = TERM_DIM;
		*ret_rank = 4;
		return !strcmp(state, "stopped") ? "stopped" : state;
	}
	*ret_style = !strcmp(state, "running") ? TERM_GOOD : TERM_BAD;
	*ret_rank = !strcmp(state, "running") ? 3 : 0;
	return state;
}

static int sorted_compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank - y->rank;
	return x->index < y->index ? -1 : x->index > y->index;
}

static struct sorted *instances_sort(struct json_object *instances)
{
	struct sorted *list = calloc(view_length(instances) + 1, sizeof(*list));
	enum term_style style;

	if (!list)
		abort();
	for (size_t i = 0; i < view_length(instances); i++) {
		list[i].instance = view_at(instances, i);
		list[i].index = i;
		view_instance_state(list[i].instance, &style, &list[i].rank);
		if (list[i].rank == 3 && instance_is_stuck(list[i].instance, NULL))
			list[i].rank = 2;
	}
	qsort(list, view_length(instances), sizeof(*list), sorted_compare);
	return list;
}

/* "shared (2)": on how many other hosts it could be started; else the verdict that stands against it. */
static void storage_cell(struct table *table, struct json_object *instance)
{
	struct json_object *verdicts = view_array(instance, "verdicts");
	const char *owner = json_string_or(instance, "host", ""), *good = NULL, *bad = NULL, *verdict;
	size_t hosts;
	bool stuck = instance_is_stuck(instance, &hosts);

	for (size_t i = 0; i < view_length(verdicts); i++) {
		if (!strcmp(json_string_or(view_at(verdicts, i), "host", ""), owner))
			continue;
		verdict = json_string_or(view_at(verdicts, i), "verdict", "unknown");
		if (!strcmp(verdict, "shared") || !strcmp(verdict, "volume"))
			good = verdict;
		else if (!bad || !strcmp(verdict, "local"))
			bad = verdict;
	}
	if (good)
		table_cellf(table, TERM_PLAIN, "%s (%zu)", good, hosts);
	else
		table_cell(table, stuck ? TERM_WARN : TERM_PLAIN, bad);
}

void view_instances(FILE *out, const struct term *term, struct json_object *status, size_t rows_max)
{
	static const struct table_column columns[] = {
		{ "INSTANCE", TABLE_LEFT, false }, { "NAME", TABLE_LEFT, true }, { "HOST", TABLE_LEFT, false }, { "STATE", TABLE_LEFT, false },
		{ "STORAGE", TABLE_LEFT, true }, { "PRIORITY", TABLE_RIGHT, true }, { "GROUP", TABLE_LEFT, true },
		{ "NOTES", TABLE_LEFT, true },
	};
	struct json_object *instances = view_array(status, "instances"), *instance;
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct sorted *list = instances_sort(instances);
	enum term_style style;
	const char *state;
	uint64_t priority;
	int rank;

	for (size_t i = 0; i < view_length(instances); i++) {
		instance = list[i].instance;
		state = view_instance_state(instance, &style, &rank);
		priority = json_u64_or(instance, "priority", 0);
		table_cell(table, TERM_BOLD, json_string_or(instance, "name", "?"));
		table_cell(table, TERM_PLAIN, cli_title(instance, "name"));
		table_cell(table, TERM_PLAIN, json_string_or(instance, "host", "-"));
		table_cell(table, style, state);
		storage_cell(table, instance);
		if (priority)
			table_cellf(table, TERM_PLAIN, "%llu", (unsigned long long)priority);
		else
			table_cell(table, TERM_PLAIN, NULL);
		table_cell(table, TERM_PLAIN, json_string_or(instance, "group", NULL));
		table_cell(table, TERM_PLAIN, json_string_or(instance, "reason", NULL));
	}
	table_print(table, out, term, 0, rows_max);
	table_free(table);
	free(list);
}
