/* The subcommands of hamonctl. */
#ifndef HAMON_CTL_COMMAND_H
#define HAMON_CTL_COMMAND_H

#include "hamon/common/cli.h"

/* What the command line says, options and operands. */
struct arguments {
	struct cli cli;
	const char *reason;
	const char *since;
	bool all, yes, help;
	int count;		/* operands, without the subcommand's name */
	char **words;
};

/* Which options a subcommand takes besides --json, --timeout and --help. */
enum {
	TAKES_ALL = 1,
	TAKES_REASON = 2,
	TAKES_YES = 4,
	TAKES_SINCE = 8,
};

struct command {
	const char *name;
	const char *operands;	/* for the usage line; "" for none */
	int operands_min, operands_max;
	unsigned int takes;
	int (*run)(struct arguments *args); /* returns an enum cli_exit */
	const char *help;	/* one line for the list */
	const char *more;	/* paragraphs for its own --help, each ended by a newline */
	unsigned int timeout_s;	/* without --timeout */
};

int command_status(struct arguments *args);
int command_incidents(struct arguments *args);
int command_servers(struct arguments *args);
int command_explain(struct arguments *args);
int command_events(struct arguments *args);
int command_watch(struct arguments *args);
int command_maintenance(struct arguments *args);
int command_confirm_fenced(struct arguments *args);
int command_forget(struct arguments *args);
int command_return(struct arguments *args);
int command_release(struct arguments *args);
int command_shutting_down(struct arguments *args);

#endif
