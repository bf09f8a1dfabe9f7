/* evacuate: starts the instances of a dead host elsewhere, by hand, with the proofs that hamond asks for itself. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evacuate/command/command.h"
#include "hamon/common/ctl.h"
#include "hamon/common/json.h"

#define FOLLOW_MS (10 * 60 * 1000)

static void help_print(const struct cli *cli, const struct cli_option *options, size_t count)
{
	static const char *const paragraphs[] = {
		"Starts an instance of a host that has failed, or all of its instances, on other hosts. It goes through hamond "
		"and needs the same proofs: that the host is dead, and that the disks of each instance are shared.",
		"First it prints the plan. Without --on-shared-storage it says what would be lost and does nothing, unless "
		"--accept-data-loss names each instance whose disks are not proven to be shared.",
	};

	printf("Usage: evacuate --on-shared-storage INSTANCE [TARGET]\n"
	       "       evacuate --on-shared-storage --host FAILED_HOST [TARGET]\n\n");
	for (size_t i = 0; i < sizeof(paragraphs) / sizeof(paragraphs[0]); i++)
		term_paragraph(stdout, &cli->term, TERM_PLAIN, 0, 0, paragraphs[i]);
	printf("\n");
	cli_options_help(cli, options, count);
	printf("\n");
	term_paragraph(stdout, &cli->term, TERM_PLAIN, 0, 0,
		       "Exit codes: 0 all run (or would, with --dry-run); 1 some do not; 2 refused, nothing was done; "
		       "3 hamond cannot be reached; 64 the command line is wrong.");
}

/*
 * To hamond on_shared_storage means "start those that are proven"; it refuses the others itself, but for those that
 * are accepted. Whether the person wants that is settled here, between the plan and the act.
 */
static int request_send(const struct evacuation *e, bool dry_run, struct json_object **ret_reply)
{
	struct json_object *req = ctl_request("evacuate");

	json_put_string(req, "instance", e->instance);
	json_put_string(req, "host", e->host);
	json_put_string(req, "target", e->target);
	json_put_bool(req, "on_shared_storage", true);
	json_object_object_add(req, "accept_data_loss", json_object_get(e->accepted));
	json_put_bool(req, "dry_run", dry_run);
	return cli_call(&e->cli, req, ret_reply);
}

/* The plan of a reply; an empty one when there is none. New reference. */
static struct json_object *plan_take(struct json_object *reply)
{
	struct json_object *plan = NULL;

	(void)json_get_array(reply, "plan", &plan);
	return plan ? json_object_get(plan) : json_object_new_array();
}

static void result_json_print(struct json_object *reply, struct json_object *plan, struct json_object *results,
			      int rc)
{
	struct json_object *obj = json_object_new_object(), *field = NULL;

	json_put_u64(obj, "v", CTL_VERSION);
	json_put_bool(obj, "ok", rc == CLI_OK);
	if (json_object_object_get_ex(reply, "incident", &field))
		json_object_object_add(obj, "incident", json_object_get(field));
	json_object_object_add(obj, "plan", json_object_get(plan));
	if (results)
		json_object_object_add(obj, "results", json_object_get(results));
	cli_json_print(obj);
	json_object_put(obj);
}

static int outcome_exit(struct json_object *plan)
{
	struct outcome outcome = plan_outcome(plan);

	if (!outcome.refused)
		return CLI_OK;
	return outcome.good ? CLI_ATTENTION : CLI_REFUSED;
}

/* Prints the plan, and whether and why it will not be carried out. CLI_OK: go on. */
static int plan_show(const struct evacuation *e, struct json_object *reply, struct json_object *plan)
{
	int rc;

	if (!e->cli.json)
		plan_print(e, plan);
	rc = plan_consent_check(e, plan);
	if (!rc && plan_outcome(plan).good == 0 && json_object_array_length(plan)) {
		cli_error(&e->cli, "nothing can be started; the reasons are in the plan");
		rc = CLI_REFUSED;
	}
	if (rc && e->cli.json)
		result_json_print(reply, plan, NULL, rc);
	return rc;
}

/* After the consent: acts, and follows what happens to the instances of the plan. */
static int plan_run(const struct evacuation *e, struct json_object *plan)
{
	struct json_object *reply, *results = json_object_new_array();
	int rc = request_send(e, false, &reply), followed = CLI_OK;
	char *text;

	if (rc)
		goto out;
	rc = outcome_exit(plan);
	text = term_clean(json_string_or(reply, "text", ""));
	if (!e->cli.json && *text)
		term_paragraph(stdout, &e->cli.term, TERM_PLAIN, 0, 0, text);
	free(text);
	if (!e->no_wait) {
		followed = progress_follow(e, plan, results);
		rc = rc ? rc : followed;
	} else if (!e->cli.json) {
		printf("hamond has begun. Follow it with: hamonctl watch\n");
	}
	if (e->cli.json)
		result_json_print(reply, plan, e->no_wait ? NULL : results, rc);
	json_object_put(reply);
out:
	json_object_put(results);
	return rc;
}

static int run(const struct evacuation *e)
{
	struct json_object *reply, *plan;
	int rc = request_send(e, true, &reply);

	if (rc)
		return rc;
	plan = plan_take(reply);
	rc = plan_show(e, reply, plan);
	if (!rc && e->dry_run) {
		rc = outcome_exit(plan);
		if (e->cli.json)
			result_json_print(reply, plan, NULL, rc);
	} else if (!rc && !json_object_array_length(plan)) {
		if (e->cli.json)
			result_json_print(reply, plan, NULL, rc);
		else
			printf("There is nothing to do.\n");
	} else if (!rc) {
		rc = plan_run(e, plan);
	}
	json_object_put(plan);
	json_object_put(reply);
	return rc;
}

static int operands_take(struct evacuation *e, int count, char **words)
{
	int i = 0;

	if (!e->host && i < count)
		e->instance = words[i++];
	if (i < count)
		e->target = words[i++];
	if (i < count)
		return cli_usage(&e->cli, "\"%s\" is too much: expected %s [TARGET]", words[i],
				 e->host ? "--host FAILED_HOST" : "INSTANCE");
	if (!e->host && !e->instance)
		return cli_usage(&e->cli, "which? Expected INSTANCE, or --host FAILED_HOST");
	if (e->host && e->target && !strcmp(e->host, e->target))
		return cli_usage(&e->cli, "%s is the failed host and cannot be the target", e->host);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	struct evacuation e = {
		.cli = { .program = "evacuate", .help = "evacuate --help", .timeout_ms = CTL_TIMEOUT_MS },
		.accepted = json_object_new_array(),
		.follow_ms = FOLLOW_MS,
	};
	const char *timeout = NULL;
	bool help = false, version = false;
	const struct cli_option options[] = {
		{ "on-shared-storage", 's', NULL, "go on, for the instances whose disks are proven to be shared",
		  &e.on_shared_storage, NULL, NULL },
		{ "host", 'H', "FAILED_HOST", "all instances of this host", NULL, &e.host, NULL },
		{ "accept-data-loss", 0, "INSTANCE",
		  "start this one although its disks are not proven to be those of the failed host; repeatable",
		  NULL, NULL, e.accepted },
		{ "dry-run", 'n', NULL, "print the plan only", &e.dry_run, NULL, NULL },
		{ "no-wait", 0, NULL, "do not wait until they run", &e.no_wait, NULL, NULL },
		{ "timeout", 't', "SECONDS", "wait at most so long until they run, 600 by default; hamond goes on", NULL,
		  &timeout, NULL },
		{ "json", 'j', NULL, "print one JSON object for programs, at the end", &e.cli.json, NULL, NULL },
		{ "help", 'h', NULL, "print this", &help, NULL, NULL },
		{ "version", 0, NULL, "print the version", &version, NULL, NULL },
	};
	const size_t options_count = sizeof(options) / sizeof(options[0]);
	int count, rc;

	term_detect(1, &e.cli.term);
	count = cli_options_parse(&e.cli, options, options_count, argc - 1, argv + 1);
	rc = CLI_USAGE;
	if (count >= 0 && help) {
		help_print(&e.cli, options, options_count);
		rc = CLI_OK;
	} else if (count >= 0 && version) {
		printf("evacuate %s\n", HAMON_VERSION);
		rc = CLI_OK;
	} else if (count >= 0 && timeout && cli_seconds_parse(timeout, &e.follow_ms)) {
		rc = cli_usage(&e.cli, "--timeout %s: expected seconds from 0.001 to 86400", timeout);
	} else if (count >= 0 && !operands_take(&e, count, argv + 1)) {
		rc = run(&e);
	}
	json_object_put(e.accepted);
	return rc;
}
