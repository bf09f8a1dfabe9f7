/* hamonctl: what a person or a script asks of the hamond of this host, and tells it. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "hamon/common/ctl.h"
#include "hamon/common/suggest.h"
#include "hamon/ctl/command.h"

/* How long hamond may take by default: for a return it asks Nova several times; a screen that stands still for seconds looks dead. */
enum { USUAL_S = CTL_TIMEOUT_MS / 1000, RETURN_S = 60, WATCH_S = 2 };

static const struct command commands[] = {
	{ "status", "", 0, 0, 0, command_status, "hosts, fence devices, instances, and what is wrong",
	  "The first line says whether all is well or what is wrong.\n"
	  "Exit code 1: something needs attention.\n", USUAL_S },
	{ "incidents", "", 0, 0, 0, command_incidents, "the failures of hosts, and how each one ended",
	  "An incident lasts from the loss of a host until each of its instances is running or held.\n"
	  "Exit code 1: one is still open, or has instances that are held.\n", USUAL_S },
	{ "servers", "", 0, 0, 0, command_servers, "instances by hamon's word, and by Nova's",
	  "Only where Nova is the control plane. Nova is asked within the time of --timeout; when it does not answer, that is said.\n"
	  "Exit code 1: the two do not agree, Nova tells of a fault, or it does not answer.\n", USUAL_S },
	{ "explain", "INCIDENT|INSTANCE|HOST", 1, 1, 0, command_explain, "why hamon acted, or did not, with the timeline",
	  "An instance is named by its UUID, its domain's name, or what Nova calls it.\n", USUAL_S },
	{ "events", "", 0, 0, TAKES_SINCE, command_events, "the records that this host keeps, oldest first", "", USUAL_S },
	{ "watch", "", 0, 0, 0, command_watch, "a live view; q or Ctrl-C ends it",
	  "On a terminal: status and the last events, drawn again each second. Otherwise, and with --json: each new "
	  "event as a line, until it is interrupted.\n", WATCH_S },
	{ "maintenance", "HOST|--all on|off", 1, 2, TAKES_ALL, command_maintenance,
	  "suppress fencing and evacuation of a host, or of all",
	  "While it is on, hamon neither fences the host nor evacuates it when it fails. The start gate stays closed for "
	  "what runs elsewhere.\n"
	  "--all freezes the whole cluster.\n", USUAL_S },
	{ "confirm-fenced", "HOST --reason TEXT", 1, 1, TAKES_REASON | TAKES_YES, command_confirm_fenced,
	  "say that a host is dead for certain, where no fence device can",
	  "Its instances are started elsewhere then. If the host still runs, they run twice and destroy their disks: "
	  "be sure that its power is off. Your user and the reason are recorded.\n"
	  "On a terminal it asks first, unless --yes is given.\n", USUAL_S },
	{ "forget", "HOST", 1, 1, TAKES_YES, command_forget, "remove a host for good",
	  "For a host that will never come back: hamon stops waiting for it. Its instances are forgotten with it, unless "
	  "they run elsewhere.\n"
	  "On a terminal it asks first; elsewhere it needs --yes.\n", USUAL_S },
	{ "return", "HOST", 1, 1, 0, command_return, "let Nova give instances to a host again that hamon had evacuated",
	  "Only where Nova is the control plane, for a host that is back and admitted. With automatic_return = no in hamon.conf nothing else "
	  "does it. What somebody else has disabled or forced down stays so.\n"
	  "Exit code 2: it is not done yet, or not to be done; the reason is told.\n", RETURN_S },
	{ "release", "", 0, 0, 0, command_release, "let hamon go on after it held because of too many failures",
	  "More hosts failed in a short time than max_failed_hosts and max_failed_share allow. Look at \"hamonctl status\" "
	  "first: when the network or the storage is the cause, repair that instead.\n", USUAL_S },
	{ "shutting-down", "on|off", 1, 1, 0, command_shutting_down,
	  "tell hamond that this host is being shut down (for the service manager)",
	  "Guests that stop while it is on were not stopped by their owners: hamon starts them again.\n", USUAL_S },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char exit_codes[] =
	"Exit codes: 0 it worked; 1 something needs attention; 2 hamond refused; 3 hamond cannot be reached; "
	"64 the command line is wrong.";

static void help_print(const struct cli *cli)
{
	printf("Usage: hamonctl COMMAND [OPTION...]\n\n"
	       "Asks the hamond of this host about the cluster, and tells it what people decide.\n\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		printf("  %s%-14s%s  ", term_on(&cli->term, TERM_BOLD), commands[i].name,
		       term_off(&cli->term, TERM_BOLD));
		term_paragraph(stdout, &cli->term, TERM_PLAIN, 18, 18, commands[i].help);
	}
	printf("\nEach takes --json for programs, --timeout SECONDS and --help.\n"
	       "hamonctl --version tells which version it is.\n\n");
	term_paragraph(stdout, &cli->term, TERM_PLAIN, 0, 0, exit_codes);
	printf("\nTo evacuate by hand: evacuate --help. Where disks are: storage-check --help.\n");
}

static void command_help_print(const struct cli *cli, const struct command *command, const struct cli_option *options,
			       size_t count)
{
	const char *more = command->more, *end;
	char paragraph[512];

	printf("Usage: hamonctl %s%s%s [OPTION...]\n\n", command->name, *command->operands ? " " : "",
	       command->operands);
	printf("%c%s.\n", command->help[0] >= 'a' ? command->help[0] - 'a' + 'A' : command->help[0],
	       command->help + 1);
	for (; (end = strchr(more, '\n')); more = end + 1) {
		snprintf(paragraph, sizeof(paragraph), "%.*s", (int)(end - more), more);
		term_paragraph(stdout, &cli->term, TERM_PLAIN, 0, 0, paragraph);
	}
	printf("\n");
	cli_options_help(cli, options, count);
	printf("\n");
	term_paragraph(stdout, &cli->term, TERM_PLAIN, 0, 0, exit_codes);
}

static const struct command *command_find(const struct cli *cli, const char *name)
{
	const char *names[COMMANDS], *near;

	for (size_t i = 0; i < COMMANDS; i++) {
		names[i] = commands[i].name;
		if (!strcmp(names[i], name))
			return &commands[i];
	}
	near = suggest_near(name, names, COMMANDS);
	cli_usage(cli, "there is no command \"%s\"%s%s%s", name, near ? "; did you mean \"" : "", near ? near : "",
		  near ? "\"?" : "");
	return NULL;
}

static int command_run(const struct command *command, struct arguments *args, int argc, char **argv)
{
	const char *timeout = NULL;
	char timeout_help[64];
	const struct cli_option all[] = {
		{ "json", 'j', NULL, "print JSON for programs", &args->cli.json, NULL, NULL },
		{ "timeout", 't', "SECONDS", timeout_help, NULL, &timeout, NULL },
		{ "help", 'h', NULL, "print this", &args->help, NULL, NULL },
		{ "all", 'a', NULL, "all hosts", &args->all, NULL, NULL },
		{ "reason", 'r', "TEXT", "why you are sure; recorded", NULL, &args->reason, NULL },
		{ "yes", 'y', NULL, "do not ask", &args->yes, NULL, NULL },
		{ "since", 's', "NUMBER", "only records after the one with this number", NULL, &args->since, NULL },
	};
	struct cli_option options[sizeof(all) / sizeof(all[0])];
	size_t count = 0;

	snprintf(timeout_help, sizeof(timeout_help), "wait so long for hamond, %u by default", command->timeout_s);
	args->cli.timeout_ms = (int)command->timeout_s * 1000;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (i < 3 || command->takes & 1u << (i - 3))
			options[count++] = all[i];
	args->count = cli_options_parse(&args->cli, options, count, argc, argv);
	args->words = argv;
	if (args->count < 0)
		return CLI_USAGE;
	if (args->help) {
		command_help_print(&args->cli, command, options, count);
		return CLI_OK;
	}
	if (timeout && cli_seconds_parse(timeout, &args->cli.timeout_ms))
		return cli_usage(&args->cli, "--timeout %s: expected seconds from 0.001 to 86400", timeout);
	if (args->count < command->operands_min)
		return cli_usage(&args->cli, "%s needs %s", command->name, command->operands);
	if (args->count > command->operands_max)
		return cli_usage(&args->cli, "%s: \"%s\" is too much", command->name,
				 args->words[command->operands_max]);
	return command->run(args);
}

int main(int argc, char **argv)
{
	struct arguments args = {
		.cli = { .program = "hamonctl", .help = "hamonctl --help", .timeout_ms = CTL_TIMEOUT_MS },
	};
	const struct command *command;
	char help[64];

	term_detect(1, &args.cli.term);
	if (argc < 2) {
		help_print(&args.cli);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help_print(&args.cli);
		return CLI_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("hamonctl %s\n", HAMON_VERSION);
		return CLI_OK;
	}
	if (argv[1][0] == '-')
		return cli_usage(&args.cli, "the command comes first, then its options: hamonctl status %s", argv[1]);
	command = command_find(&args.cli, argv[1]);
	if (!command)
		return CLI_USAGE;
	snprintf(help, sizeof(help), "hamonctl %s --help", command->name);
	args.cli.help = help;
	return command_run(command, &args, argc - 2, argv + 2);
}
