/* The command evacuate: a plan by hamond, a person's consent, and the progress. */
#ifndef HAMON_EVACUATE_COMMAND_H
#define HAMON_EVACUATE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json_object.h>

#include "hamon/common/cli.h"

struct evacuation {
	struct cli cli;
	const char *instance;		/* one of these two, the other NULL */
	const char *host;
	const char *target;		/* or NULL: hamon chooses */
	bool on_shared_storage;
	struct json_object *accepted;	/* array of names: --accept-data-loss */
	bool dry_run, no_wait;
	int follow_ms;
};

/* How the instances of a plan end, or would. */
struct outcome {
	size_t good;	/* start, or need nothing */
	size_t refused;
};

/* An entry of a plan that hamon would start, or would start if its storage were proven. */
bool plan_entry_moves(struct json_object *entry);
/* Its storage is not proven to be what the failed host wrote to. */
bool plan_entry_unproven(struct json_object *entry);
/* Named by --accept-data-loss. */
bool plan_entry_accepted(const struct evacuation *evacuation, struct json_object *entry);

/* Prints the plan as a table, and counts. */
void plan_print(const struct evacuation *evacuation, struct json_object *plan);
struct outcome plan_outcome(struct json_object *plan);

/*
 * Whether the person has consented to what the plan does; else tells what would be lost and how to consent.
 * CLI_OK, CLI_REFUSED or CLI_USAGE (an accepted instance is not part of it).
 */
int plan_consent_check(const struct evacuation *evacuation, struct json_object *plan);

/*
 * Follows the instances that the plan starts until each runs or is held, or until the time is over, and prints what
 * happens. Adds to results an object for each: {"instance","uuid","state","host","reason"}. CLI_OK when all run, else
 * CLI_ATTENTION.
 */
int progress_follow(const struct evacuation *evacuation, struct json_object *plan, struct json_object *results);

#endif
