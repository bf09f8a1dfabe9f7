/* The subcommands of hamonctl that only look. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/common/table.h"
#include "hamon/ctl/command.h"
#include "hamon/ctl/view.h"

/* An empty line before each table that has rows. */
static void section(struct json_object *list)
{
	if (view_length(list))
		putchar('\n');
}

int command_status(struct arguments *args)
{
	const struct term *term = &args->cli.term;
	struct json_object *status;
	struct findings findings;
	int rc = cli_call(&args->cli, ctl_request("status"), &status);

	if (rc)
		return rc;
	findings_collect(status, &findings);
	rc = findings.problems ? CLI_ATTENTION : CLI_OK;
	if (args->cli.json) {
		cli_json_print(status);
	} else {
		view_headline(stdout, term, status, &findings);
		view_cluster(stdout, term, status);
		if (findings.count)
			putchar('\n');
		view_findings(stdout, term, &findings);
		section(view_array(status, "hosts"));
		view_hosts(stdout, term, status, 0);
		section(view_array(status, "fence_devices"));
		view_devices(stdout, term, status, 0);
		section(view_array(status, "instances"));
		view_instances(stdout, term, status, 0);
	}
	findings_free(&findings);
	json_object_put(status);
	return rc;
}

/* --- incidents --- */

static void span_cell(struct table *table, struct json_object *obj, const char *from, const char *to)
{
	uint64_t from_ms = json_u64_or(obj, from, 0), to_ms = json_u64_or(obj, to, 0);
	char duration[CLI_DURATION_SIZE];

	table_cell(table, TERM_PLAIN, from_ms && to_ms >= from_ms ? cli_duration(duration, to_ms - from_ms) : NULL);
}

static const struct table_column incident_columns[] = {
	{ "INCIDENT", TABLE_LEFT, false }, { "SINCE", TABLE_LEFT, true }, { "STATE", TABLE_LEFT, false },
	{ "DETECT", TABLE_RIGHT, true }, { "PROVE", TABLE_RIGHT, true }, { "START", TABLE_RIGHT, true },
	{ "RUNNING", TABLE_RIGHT, false }, { "NOTES", TABLE_LEFT, true },
};

static void incident_row(struct table *table, struct json_object *incident)
{
	const char *state = json_string_or(incident, "state", "?"), *proof = json_string_or(incident, "proof", "");
	const char *reason = json_string_or(incident, "reason", "");
	uint64_t held = json_u64_or(incident, "held", 0), wall_ms = cli_wall_ms(json_string_or(incident, "wall", NULL));
	char time[CLI_TIME_SIZE], notes[40] = "";

	if (!strcmp(proof, "none"))
		proof = "";
	table_cell(table, TERM_BOLD, json_string_or(incident, "id", "?"));
	table_cell(table, TERM_PLAIN, wall_ms ? cli_time(time, wall_ms) : NULL);
	table_cell(table, !strcmp(state, "closed") ? TERM_GOOD : !strcmp(state, "held") ? TERM_BAD : TERM_WARN, state);
	span_cell(table, incident, "last_heard_ms", "lost_ms");
	span_cell(table, incident, "lost_ms", "certified_ms");
	span_cell(table, incident, "certified_ms", "closed_ms");
	table_cellf(table, TERM_PLAIN, "%llu of %llu", (unsigned long long)json_u64_or(incident, "running", 0),
		    (unsigned long long)json_u64_or(incident, "total", 0));
	if (held)
		snprintf(notes, sizeof(notes), "%llu held%s", (unsigned long long)held, *proof || *reason ? "; " : "");
	table_cellf(table, held ? TERM_BAD : TERM_PLAIN, "%s%s%s%s%s", notes, *proof ? "proof: " : "", proof,
		    *proof && *reason ? "; " : "", reason);
}

static bool incident_needs_attention(struct json_object *incident)
{
	return strcmp(json_string_or(incident, "state", ""), "closed") || json_u64_or(incident, "held", 0);
}

int command_incidents(struct arguments *args)
{
	struct table *table = table_new(incident_columns, sizeof(incident_columns) / sizeof(incident_columns[0]));
	struct json_object *reply, *incidents;
	size_t attention = 0;
	int rc = cli_call(&args->cli, ctl_request("incidents"), &reply);

	if (rc)
		goto out;
	incidents = view_array(reply, "incidents");
	for (size_t i = 0; i < view_length(incidents); i++) {
		incident_row(table, view_at(incidents, i));
		attention += incident_needs_attention(view_at(incidents, i));
	}
	if (args->cli.json)
		cli_json_print(reply);
	else if (!view_length(incidents))
		puts("No host has failed since this cluster's records begin.");
	else
		table_print(table, stdout, &args->cli.term, 0, 0);
	rc = attention ? CLI_ATTENTION : CLI_OK;
	json_object_put(reply);
out:
	table_free(table);
	return rc;
}

/* --- explain --- */

static void explain_heading(const struct term *term, struct json_object *reply, const char *what)
{
	struct json_object *incident = NULL, *instance = NULL, *list = json_object_new_array();
	struct json_object *status = json_object_new_object();
	struct table *table = table_new(incident_columns, sizeof(incident_columns) / sizeof(incident_columns[0]));
	char *clean = term_clean(what);

	if (!json_get_object(reply, "instance", &instance)) {
		json_object_object_del(instance, "reason"); /* the sentences below have it */
		json_object_array_add(list, json_object_get(instance));
		json_object_object_add(status, "instances", json_object_get(list));
		view_instances(stdout, term, status, 0);
	}
	if (!json_get_object(reply, "incident", &incident)) {
		if (instance)
			putchar('\n');
		incident_row(table, incident);
		table_print(table, stdout, term, 0, 0);
	}
	if (!instance && !incident)
		printf("%s%s%s\n", term_on(term, TERM_BOLD), clean, term_off(term, TERM_BOLD));
	free(clean);
	table_free(table);
	json_object_put(list);
	json_object_put(status);
}

static void explain_print(const struct term *term, struct json_object *reply, const char *what)
{
	struct json_object *why = view_array(reply, "why"), *timeline = view_array(reply, "timeline");

	explain_heading(term, reply, what);
	section(why);
	for (size_t i = 0; i < view_length(why); i++) {
		char *clean = term_clean(json_object_get_string(view_at(why, i)));

		fputs("- ", stdout);
		term_paragraph(stdout, term, TERM_PLAIN, 2, 2, clean);
		free(clean);
	}
	section(timeline);
	view_records(stdout, term, timeline, VIEW_TIMELINE);
	if (!view_length(why) && !view_length(timeline))
		puts("\nhamon has no record about it.");
}

int command_explain(struct arguments *args)
{
	struct json_object *req = ctl_request("explain"), *reply;
	int rc;

	json_put_string(req, "what", args->words[0]);
	rc = cli_call(&args->cli, req, &reply);
	if (rc)
		return rc;
	if (args->cli.json)
		cli_json_print(reply);
	else
		explain_print(&args->cli.term, reply, args->words[0]);
	json_object_put(reply);
	return CLI_OK;
}

/* --- events --- */

int command_events(struct arguments *args)
{
	struct json_object *req, *reply, *events;
	unsigned long long since = 0;
	char *end;
	int rc;

	if (args->since) {
		since = strtoull(args->since, &end, 10);
		if (!isdigit((unsigned char)args->since[0]) || *end)
			return cli_usage(&args->cli, "--since %s: expected the number of a record, 0 or more", args->since);
	}
	req = ctl_request("events");
	json_put_u64(req, "since", since);
	rc = cli_call(&args->cli, req, &reply);
	if (rc)
		return rc;
	events = view_array(reply, "events");
	if (args->cli.json)
		cli_json_print(reply);
	else if (!view_length(events))
		puts(since ? "No records after that one." : "No records yet.");
	else
		view_records(stdout, &args->cli.term, events, VIEW_NUMBERED);
	json_object_put(reply);
	return CLI_OK;
}
