/*
 * What hamon's commands for people share: options, errors, exit codes, and calls to hamond. In libhamon_ctl.a.
 */
#ifndef HAMON_COMMON_CLI_H
#define HAMON_COMMON_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json_object.h>

#include "hamon/common/term.h"

/* Exit codes, the same for all commands; documented in their --help and man pages. */
enum cli_exit {
	CLI_OK = 0,
	CLI_ATTENTION = 1,	/* it worked, and something needs attention */
	CLI_REFUSED = 2,	/* hamond refused */
	CLI_UNREACHABLE = 3,	/* hamond is not running, does not answer, or does not let this user in */
	CLI_USAGE = 64,		/* EX_USAGE of sysexits.h: the command line is wrong */
};

struct cli {
	const char *program;	/* for messages: "hamonctl" */
	const char *help;	/* how to get help, for usage errors: "hamonctl --help" */
	bool json;		/* print JSON for programs instead of text for people */
	int timeout_ms;
	struct term term;	/* of stdout */
};

struct cli_option {
	const char *name;	/* without the dashes */
	char letter;		/* the short form, or 0 */
	const char *value_name;	/* for the help; NULL: the option takes no value */
	const char *help;
	bool *flag;		/* set when it is given; or NULL */
	const char **value;	/* borrowed from argv; or NULL */
	struct json_object *list; /* each value is appended as a string; or NULL */
};

/*
 * Takes the options out of argv (from argv[0] on, no program name): --name, --name=value, --name value, -x, -x value,
 * and -- for "only operands follow". What is left, the operands, moves to the front of argv. Returns their
 * number, or -EINVAL after a message on stderr.
 */
int cli_options_parse(const struct cli *cli, const struct cli_option *options, size_t count, int argc, char **argv);

/* Prints the options as a list for --help. */
void cli_options_help(const struct cli *cli, const struct cli_option *options, size_t count);

/* Prints "PROGRAM: message" to stderr, and where to find help; returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints "PROGRAM: message" to stderr. */
void cli_error(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Seconds with up to three decimals ("2", "0.5"), 1 ms to one day, as milliseconds; or -EINVAL. */
int cli_seconds_parse(const char *text, int *ret_ms);

/*
 * Calls hamond; takes over the caller's reference to req. Returns CLI_OK and a new reference in *ret_reply; or
 * CLI_REFUSED or CLI_UNREACHABLE after it has told why: on stderr, and with cli->json as an object on stdout too.
 * *ret_reply is NULL then.
 */
int cli_call(const struct cli *cli, struct json_object *req, struct json_object **ret_reply);

/* Prints obj to stdout, for programs. */
void cli_json_print(struct json_object *obj);

/*
 * What an instance in a reply is called in a sentence: "TITLE (NAME)" when it has a title of its own, else its name, which stands
 * under key. buf is the room for it.
 */
#define CLI_LABEL_SIZE 400
const char *cli_label(struct json_object *instance, const char *key, char buf[CLI_LABEL_SIZE]);

/* Its title, or NULL when it has none that its name does not say. */
const char *cli_title(struct json_object *instance, const char *key);

/* "1.2 s", "3 min 20 s", "2 h 5 min", "4 d 3 h"; buf of at least CLI_DURATION_SIZE. Returns buf. */
#define CLI_DURATION_SIZE 32
const char *cli_duration(char *buf, uint64_t ms);

/*
 * RFC 3339 text of hamon's records as milliseconds since 1970, or 0 when it is none; and that as local time,
 * "2026-11-21 11:50:40", in buf of at least CLI_TIME_SIZE. Returns buf, "-" for 0.
 */
#define CLI_TIME_SIZE 32
uint64_t cli_wall_ms(const char *rfc3339);
const char *cli_time(char *buf, uint64_t wall_ms);

#endif
