/* The plan of an evacuation: what it does, what it would lose, and whether the person has consented. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "evacuate/command/command.h"
#include "hamon/common/json.h"
#include "hamon/common/table.h"

static const char *entry_action(struct json_object *entry)
{
	return json_string_or(entry, "action", "refuse");
}

bool plan_entry_moves(struct json_object *entry)
{
	/* What is refused for another reason than its storage is not started with anybody's consent. */
	static const char *const storage[] = { "unproven", "data-loss" };
	const char *code = json_string_or(entry, "code", storage[0]);

	if (!strcmp(entry_action(entry), "refuse"))
		return !strcmp(code, storage[0]) || !strcmp(code, storage[1]);
	return !strcmp(entry_action(entry), "start") || !strcmp(entry_action(entry), "move");
}

bool plan_entry_unproven(struct json_object *entry)
{
	const char *verdict = json_string_or(entry, "verdict", "unknown");

	return strcmp(verdict, "shared") && strcmp(verdict, "volume");
}

static bool entry_is(struct json_object *entry, const char *name)
{
	return !strcmp(json_string_or(entry, "instance", ""), name) || !strcmp(json_string_or(entry, "title", ""), name) ||
		!strcasecmp(json_string_or(entry, "uuid", ""), name);
}

bool plan_entry_accepted(const struct evacuation *evacuation, struct json_object *entry)
{
	for (size_t i = 0; i < json_object_array_length(evacuation->accepted); i++)
		if (entry_is(entry, json_object_get_string(json_object_array_get_idx(evacuation->accepted, i))))
			return true;
	return false;
}

void plan_print(const struct evacuation *evacuation, struct json_object *plan)
{
	static const struct table_column columns[] = {
		{ "INSTANCE", TABLE_LEFT, false }, { "NAME", TABLE_LEFT, true }, { "PLAN", TABLE_LEFT, false }, { "TARGET", TABLE_LEFT, true },
		{ "STORAGE", TABLE_LEFT, true }, { "REASON", TABLE_LEFT, true },
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct json_object *entry;
	const char *action;

	for (size_t i = 0; i < json_object_array_length(plan); i++) {
		entry = json_object_array_get_idx(plan, i);
		action = entry_action(entry);
		table_cell(table, TERM_BOLD, json_string_or(entry, "instance", "?"));
		table_cell(table, TERM_PLAIN, cli_title(entry, "instance"));
		if (!strcmp(action, "start"))
			table_cell(table, TERM_GOOD, "start");
		else if (!strcmp(action, "move"))
			table_cell(table, TERM_GOOD, "move, stays stopped");
		else if (!strcmp(action, "refuse"))
			table_cell(table, TERM_BAD, "refused");
		else
			table_cell(table, TERM_DIM, !strcmp(action, "stopped") ? "stays stopped" : "nothing to do");
		table_cell(table, TERM_PLAIN, json_string_or(entry, "target", NULL));
		table_cell(table, plan_entry_unproven(entry) ? TERM_WARN : TERM_PLAIN, json_string_or(entry, "verdict", NULL));
		table_cell(table, TERM_PLAIN, json_string_or(entry, "reason", NULL));
	}
	table_print(table, stdout, &evacuation->cli.term, 0, 0);
	table_free(table);
	fflush(stdout);
}

struct outcome plan_outcome(struct json_object *plan)
{
	struct outcome outcome = { 0, 0 };

	for (size_t i = 0; i < json_object_array_length(plan); i++) {
		if (!strcmp(entry_action(json_object_array_get_idx(plan, i)), "refuse"))
			outcome.refused++;
		else
			outcome.good++;
	}
	return outcome;
}

/* Every name after --accept-data-loss must be one of the plan: a mistyped one must not pass as consent. */
static int accepted_check(const struct evacuation *e, struct json_object *plan)
{
	for (size_t i = 0; i < json_object_array_length(e->accepted); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(e->accepted, i));
		bool found = false;

		for (size_t j = 0; j < json_object_array_length(plan); j++)
			found |= entry_is(json_object_array_get_idx(plan, j), name);
		if (!found)
			return cli_usage(&e->cli, "--accept-data-loss %s: that instance is not part of this plan", name);
	}
	return CLI_OK;
}

static void loss_tell(const struct evacuation *e, struct json_object *plan, bool accepted, const char *heading)
{
	bool told = false;
	struct term term;

	term_detect(2, &term);
	for (size_t i = 0; i < json_object_array_length(plan); i++) {
		struct json_object *entry = json_object_array_get_idx(plan, i);
		char *text, *clean, label[CLI_LABEL_SIZE];

		if (!plan_entry_moves(entry) || !plan_entry_unproven(entry) || plan_entry_accepted(e, entry) != accepted)
			continue;
		if (!told)
			fprintf(stderr, "%s\n", heading);
		told = true;
		if (asprintf(&text, "%s (%s): %s", cli_label(entry, "instance", label),
			     json_string_or(entry, "verdict", "unknown"), json_string_or(entry, "reason", "no reason is known")) < 0)
			abort();
		clean = term_clean(text);
		fprintf(stderr, "  ");
		term_paragraph(stderr, &term, TERM_PLAIN, 2, 4, clean);
		free(clean);
		free(text);
	}
}

int plan_consent_check(const struct evacuation *e, struct json_object *plan)
{
	size_t moving = 0, unproven = 0;
	int rc = accepted_check(e, plan);

	if (rc)
		return rc;
	for (size_t i = 0; i < json_object_array_length(plan); i++) {
		struct json_object *entry = json_object_array_get_idx(plan, i);

		moving += plan_entry_moves(entry);
		unproven += plan_entry_moves(entry) && plan_entry_unproven(entry) && !plan_entry_accepted(e, entry);
	}
	loss_tell(e, plan, true, "Not proven to be shared. What these wrote on the failed host may be lost, as you accept:");
	if (e->on_shared_storage || e->dry_run || !moving)
		return CLI_OK;
	if (unproven) {
		loss_tell(e, plan, false, "Not proven to be shared. What these wrote on the failed host may be lost:");
		cli_error(&e->cli, "nothing was done. Leave them out with --on-shared-storage, or name each of them with "
			  "--accept-data-loss INSTANCE");
		return CLI_REFUSED;
	}
	if (json_object_array_length(e->accepted))
		return CLI_OK;
	cli_error(&e->cli, "nothing would be lost: all disks are proven to be shared. Nothing was done; go on with "
		  "--on-shared-storage");
	return CLI_REFUSED;
}
