/* The subcommands of hamonctl that change something. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/common/suggest.h"
#include "hamon/ctl/command.h"

#define ANSWER_MAX 300

/* "on" or "off" as a boolean; else CLI_USAGE after a message. */
static int switch_parse(struct arguments *args, const char *word, bool *ret)
{
	static const char *const words[] = { "on", "off" };
	const char *near;

	*ret = !strcmp(word, "on");
	if (*ret || !strcmp(word, "off"))
		return CLI_OK;
	near = suggest_near(word, words, 2);
	return cli_usage(&args->cli, "\"%s\": expected on or off%s%s%s", word, near ? "; did you mean \"" : "",
			 near ? near : "", near ? "\"?" : "");
}

/* Sends req; then prints hamond's own words, or these. */
static int change(struct arguments *args, struct json_object *req, const char *done)
{
	struct json_object *reply;
	int rc = cli_call(&args->cli, req, &reply);
	char *clean;

	if (rc)
		return rc;
	if (args->cli.json) {
		cli_json_print(reply);
	} else {
		clean = term_clean(json_string_or(reply, "text", done));
		term_paragraph(stdout, &args->cli.term, TERM_PLAIN, 0, 0, clean);
		free(clean);
	}
	json_object_put(reply);
	return CLI_OK;
}

/*
 * Lets a person at a terminal think again: the host's name must be typed. Without a terminal it is as if --yes was
 * needed, or not, as the caller says.
 */
static int confirm(struct arguments *args, const char *host, const char *question, bool need_yes)
{
	char answer[ANSWER_MAX];

	if (args->yes || (!need_yes && !isatty(0)))
		return CLI_OK;
	if (!isatty(0))
		return cli_usage(&args->cli, "%s Give --yes when you are sure", question);
	term_paragraph(stderr, &args->cli.term, TERM_BOLD, 0, 0, question);
	fprintf(stderr, "Type the host's name to go on: ");
	if (!fgets(answer, sizeof(answer), stdin))
		*answer = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	if (!strcmp(answer, host))
		return CLI_OK;
	cli_error(&args->cli, "that is not %s: nothing was done", host);
	return CLI_USAGE;
}

int command_maintenance(struct arguments *args)
{
	const char *host = args->all ? NULL : args->words[0];
	struct json_object *req;
	char done[400];
	bool on;
	int rc;

	if (args->all != (args->count == 1))
		return args->all ? cli_usage(&args->cli, "maintenance: either --all or a host, not both") :
				   cli_usage(&args->cli, "maintenance needs HOST on|off, or --all on|off");
	rc = switch_parse(args, args->words[args->count - 1], &on);
	if (rc)
		return rc;
	req = ctl_request("maintenance");
	json_put_string(req, "host", host);
	json_put_bool(req, "all", args->all);
	json_put_bool(req, "on", on);
	if (args->all)
		snprintf(done, sizeof(done), on ? "Maintenance of all hosts is on: hamon acts on no failure." :
						  "Maintenance of all hosts is off.");
	else
		snprintf(done, sizeof(done), on ? "Maintenance of %s is on: hamon neither fences it nor evacuates it." :
						  "Maintenance of %s is off.", host);
	return change(args, req, done);
}

int command_confirm_fenced(struct arguments *args)
{
	const char *host = args->words[0];
	struct json_object *req;
	char text[600];
	int rc;

	if (!args->reason)
		return cli_usage(&args->cli, "confirm-fenced needs --reason TEXT: how do you know that %s is dead?", host);
	snprintf(text, sizeof(text), "You say that %s is dead, its power off. If it still runs, its instances will run "
		 "twice and destroy their disks.", host);
	rc = confirm(args, host, text, false);
	if (rc)
		return rc;
	req = ctl_request("confirm-fenced");
	json_put_string(req, "host", host);
	json_put_string(req, "reason", args->reason);
	snprintf(text, sizeof(text), "Recorded: %s is dead by your word. Follow with: hamonctl explain %s", host, host);
	return change(args, req, text);
}

int command_forget(struct arguments *args)
{
	const char *host = args->words[0];
	struct json_object *req;
	char text[600];
	int rc;

	snprintf(text, sizeof(text), "hamon forgets %s and the instances that it has last, for good.", host);
	rc = confirm(args, host, text, true);
	if (rc)
		return rc;
	req = ctl_request("forget");
	json_put_string(req, "host", host);
	snprintf(text, sizeof(text), "%s is forgotten. Remove it from corosync.conf and hamon.conf as well.", host);
	return change(args, req, text);
}

int command_return(struct arguments *args)
{
	struct json_object *req = ctl_request("return");

	json_put_string(req, "host", args->words[0]);
	return change(args, req, "Nova gives it instances again.");
}

int command_release(struct arguments *args)
{
	return change(args, ctl_request("release"), "Released: hamon goes on with the failures that it held.");
}

int command_shutting_down(struct arguments *args)
{
	struct json_object *req;
	bool on;
	int rc = switch_parse(args, args->words[0], &on);

	if (rc)
		return rc;
	req = ctl_request("shutting-down");
	json_put_bool(req, "on", on);
	return change(args, req, on ? "Instances that stop from now on were not stopped by their owners." :
				      "Instances that stop from now on were stopped by their owners.");
}
