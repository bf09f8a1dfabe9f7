/* hamonctl servers: each instance by hamon's word and by Nova's, side by side. */
#include <stdio.h>
#include <string.h>

#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/common/table.h"
#include "hamon/ctl/command.h"
#include "hamon/ctl/view.h"

#define SLACK_MS 1000 /* hamond ends its question to Nova before this program gives up */
#define NOTES_SIZE 1400

static void note_add(char *notes, const char *text)
{
	size_t len = strlen(notes);

	snprintf(notes + len, NOTES_SIZE - len, "%s%s", len ? "; " : "", text);
}

/* Where the two do not agree, and what is wrong; true when a person should look. */
static bool notes_make(struct json_object *instance, struct json_object *nova, bool answered, char notes[NOTES_SIZE])
{
	const char *host = json_string_or(instance, "host", ""), *theirs = json_string_or(nova, "host", "");
	const char *status = json_string_or(nova, "status", ""), *task = json_string_or(nova, "task", "");
	bool known = json_string_or(instance, "name", NULL), runs = !strcmp(json_string_or(instance, "state", ""), "running");
	bool wrong = false;
	char text[400];

	*notes = '\0';
	if (json_string_or(instance, "reason", NULL))
		note_add(notes, json_string_or(instance, "reason", ""));
	if (!known)
		note_add(notes, "hamon does not protect it");
	if (answered && !nova) {
		note_add(notes, "Nova has it on none of hamon's hosts");
		wrong = true;
	}
	if (known && nova && strcmp(host, theirs) && !*task) {
		snprintf(text, sizeof(text), "Nova has it on %s", *theirs ? theirs : "no host");
		note_add(notes, text);
		wrong = true;
	}
	if (known && runs && nova && !*task && strcmp(status, "ACTIVE") && strcmp(status, "PAUSED")) {
		note_add(notes, "it runs");
		wrong = true;
	}
	if (json_string_or(nova, "fault", NULL)) {
		snprintf(text, sizeof(text), "Nova: %s", json_string_or(nova, "fault", ""));
		note_add(notes, text);
		wrong = true;
	}
	return wrong;
}

static bool row_add(struct table *table, struct json_object *instance, bool answered)
{
	struct json_object *nova = NULL;
	const char *status, *task;
	char notes[NOTES_SIZE];
	enum term_style style;
	bool wrong;
	int rank;

	(void)json_get_object(instance, "nova", &nova);
	wrong = notes_make(instance, nova, answered, notes);
	status = json_string_or(nova, "status", answered ? "-" : "?");
	task = json_string_or(nova, "task", "");
	table_cell(table, TERM_BOLD, json_string_or(instance, "title", json_string_or(instance, "name", "?")));
	table_cell(table, TERM_PLAIN, json_string_or(instance, "name", "-"));
	table_cell(table, TERM_PLAIN, json_string_or(instance, "host", json_string_or(nova, "host", "-")));
	if (json_string_or(instance, "name", NULL)) {
		const char *word = view_instance_state(instance, &style, &rank);

		table_cell(table, style, word);
	} else {
		table_cell(table, TERM_WARN, "-");
	}
	style = !strcmp(status, "ACTIVE") ? TERM_GOOD : !strcmp(status, "SHUTOFF") ? TERM_DIM : !strcmp(status, "ERROR") ? TERM_BAD :
		TERM_WARN;
	table_cellf(table, style, "%s%s%s", status, *task ? ", " : "", task);
	table_cell(table, wrong ? TERM_WARN : TERM_PLAIN, notes);
	return wrong;
}

static size_t servers_print(const struct term *term, struct json_object *reply, bool answered, bool quiet)
{
	static const struct table_column columns[] = {
		{ "SERVER", TABLE_LEFT, false }, { "INSTANCE", TABLE_LEFT, false }, { "HOST", TABLE_LEFT, false },
		{ "HAMON", TABLE_LEFT, false }, { "NOVA", TABLE_LEFT, false }, { "NOTES", TABLE_LEFT, true },
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct json_object *servers = view_array(reply, "servers");
	size_t wrong = 0;

	for (size_t i = 0; i < view_length(servers); i++)
		wrong += row_add(table, view_at(servers, i), answered);
	if (!quiet && view_length(servers))
		table_print(table, stdout, term, 0, 0);
	else if (!quiet)
		puts("There are no servers.");
	table_free(table);
	return wrong;
}

int command_servers(struct arguments *args)
{
	struct json_object *req = ctl_request("servers"), *reply, *nova = NULL;
	size_t wrong;
	bool answered;
	int rc;

	json_put_u64(req, "within_ms", (uint64_t)(args->cli.timeout_ms > SLACK_MS ? args->cli.timeout_ms - SLACK_MS : 0));
	rc = cli_call(&args->cli, req, &reply);
	if (rc)
		return rc;
	(void)json_get_object(reply, "nova", &nova);
	answered = json_bool_or(nova, "ok", false);
	wrong = servers_print(&args->cli.term, reply, answered, args->cli.json);
	if (args->cli.json)
		cli_json_print(reply);
	if (!answered)
		cli_error(&args->cli, "Nova's word is missing: %s", json_string_or(nova, "error", "no reason given"));
	json_object_put(reply);
	return wrong || !answered ? CLI_ATTENTION : CLI_OK;
}
