/* The command line of the search, and what it prints. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explorer/search.h"

static struct search_bounds bounds = { .depth = 1000 };
static const char *replay, *out_path = "explore-violation.txt";
static bool json, verbose;
static size_t quiet_from;
static bool has_quiet;

enum { OPT_FAULT = 1000, OPT_HOSTS = 2000, OPT_FENCE_DELAY, OPT_HAND_OVER, OPT_INSTANCES, OPT_OWNER, OPT_DEPTH, OPT_STATES, OPT_SECONDS, OPT_LAG,
	OPT_NO_REDUCE, OPT_BATCH, OPT_ALL_ORDERS, OPT_REPLAY, OPT_DEEPEST, OPT_OUT, OPT_JSON, OPT_VERBOSE, OPT_POISON, OPT_HELP };

static const struct option long_options[] = {
	{ "crashes", required_argument, NULL, OPT_FAULT + FAULT_CRASH },
	{ "returns", required_argument, NULL, OPT_FAULT + FAULT_RETURN },
	{ "kills", required_argument, NULL, OPT_FAULT + FAULT_KILL },
	{ "cuts", required_argument, NULL, OPT_FAULT + FAULT_CUT },
	{ "fence-failures", required_argument, NULL, OPT_FAULT + FAULT_FENCE },
	{ "start-failures", required_argument, NULL, OPT_FAULT + FAULT_START },
	{ "early", required_argument, NULL, OPT_FAULT + FAULT_EARLY },
	{ "late", required_argument, NULL, OPT_FAULT + FAULT_LATE },
	{ "by-hand", required_argument, NULL, OPT_FAULT + FAULT_HAND },
	{ "stops", required_argument, NULL, OPT_FAULT + FAULT_STOP },
	{ "waits", required_argument, NULL, OPT_FAULT + FAULT_WAIT },
	{ "slow", required_argument, NULL, OPT_FAULT + FAULT_SLOW },
	{ "all-orders", no_argument, NULL, OPT_ALL_ORDERS },
	{ "hosts", required_argument, NULL, OPT_HOSTS },
	{ "fence-delay", required_argument, NULL, OPT_FENCE_DELAY },
	{ "hand-over", no_argument, NULL, OPT_HAND_OVER },
	{ "instances", required_argument, NULL, OPT_INSTANCES },
	{ "owner", required_argument, NULL, OPT_OWNER },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "states", required_argument, NULL, OPT_STATES },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "lag", required_argument, NULL, OPT_LAG },
	{ "no-reduce", no_argument, NULL, OPT_NO_REDUCE },
	{ "batch", no_argument, NULL, OPT_BATCH },
	{ "replay", required_argument, NULL, OPT_REPLAY },
	{ "deepest", no_argument, NULL, OPT_DEEPEST },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "poison", no_argument, NULL, OPT_POISON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *to)
{
	fputs(
"usage: explore [--depth N] [--hosts 2|3] [--instances 1|2] [--owner H] [bounds] [--json] [--replay FILE]\n"
"\n"
"Every state that three cores of hamon can reach from a healthy cluster, within bounds, is visited once. In each, the\n"
"truth is checked; from each, a run without faults must end every incident. Exit 1 on a violation, 0 otherwise.\n"
"\n"
"how many of each fault a path may have:\n"
"  --crashes N         hosts that lose their power (1)\n"
"  --returns N         hosts that boot again (1)\n"
"  --kills N           daemons that die, with what they had not written (1)\n"
"  --cuts N            hosts that are cut off from the network for a while (0)\n"
"  --fence-failures N  fencings that fail (0)\n"
"  --start-failures N  starts that fail (0)\n"
"  --early N           timers that overtake messages and writes (0)\n"
"  --late N            helpers that were ended and answer all the same (0)\n"
"  --by-hand N         starts past hamon, where an instance does not run (0)\n"
"  --stops N           instances that are stopped by hand (0)\n"
"  --waits N           how often time passes while helpers are at work (0)\n"
"  --slow N            channels of a host (messages, quorum service, disk, libvirt, fencing) that are slow for a while:\n"
"                      from any moment to any other all else overtakes them (0)\n"
"  --all-orders        whatever is under way may come next, at every moment: shallow, see --depth\n"
"\n"
"how far it goes:\n"
"  --depth N           moves from the start state (1000: until no state is left)\n"
"  --states N          end after so many states\n"
"  --seconds N         end after so long\n"
"  --lag N             messages that a host may be behind the others (48)\n"
"  --batch             a write completes together with all that wait behind it\n"
"  --no-reduce         also visit states that differ only by a message that changes nothing\n"
"\n"
"  --hosts N           3, or 2 with two_node: the one that is left may decide alone (3)\n"
"  --fence-delay MS    before the first host is fenced: of two, it wins (0)\n"
"  --hand-over         what is stopped may be started on another host, if its owner consents\n"
"  --instances N       1 or 2 instances, on one host (1)\n"
"  --owner H           the host that runs them at first: 1 (which coordinates), 2 or 3 (1)\n"
"  --replay FILE       take the moves of a violation again, and tell them\n"
"  --out FILE          where the way to a violation is written (explore-violation.txt)\n"
"  --deepest           nothing violated: write the way to the deepest state there\n"
"  --json              the figures as JSON\n"
"  --verbose           tell each depth on stderr\n"
"  --poison            fill whatever a core does not remember with garbage: nothing may change\n"
"  --help              this\n", to);
}

static size_t number_take(const char *text, size_t least, size_t most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n < least || n > most) {
		fprintf(stderr, "explore: %s: a number from %zu to %zu is expected\n", text, least, most);
		exit(64);
	}
	return n;
}

static bool option_take(int opt)
{
	if (opt >= OPT_FAULT && opt < OPT_FAULT + FAULTS) {
		options.faults[opt - OPT_FAULT] = (uint8_t)number_take(optarg, 0, 20);
		return true;
	}
	switch (opt) {
	case OPT_HOSTS:
		hosts_n = number_take(optarg, 2, HOSTS_MAX);
		if (options.owner >= HOSTS)
			options.owner = 0;
		return true;
	case OPT_FENCE_DELAY:
		fence_delay_ms = (uint32_t)number_take(optarg, 0, 60000);
		return true;
	case OPT_HAND_OVER:
		hand_over = true;
		return true;
	case OPT_INSTANCES:
		options.guests = number_take(optarg, 1, GUESTS_MAX);
		return true;
	case OPT_OWNER:
		options.owner = number_take(optarg, 1, HOSTS) - 1;
		return true;
	case OPT_DEPTH:
		bounds.depth = number_take(optarg, 0, 1000000);
		return true;
	case OPT_STATES:
		bounds.states = number_take(optarg, 1, UINT32_MAX - 1);
		return true;
	case OPT_SECONDS:
		bounds.seconds = (double)number_take(optarg, 1, 1000000);
		return true;
	case OPT_LAG:
		options.lag = number_take(optarg, 1, INBOX_MAX);
		return true;
	case OPT_NO_REDUCE:
		options.reduce = false;
		return true;
	case OPT_ALL_ORDERS:
		options.all_orders = true;
		return true;
	case OPT_BATCH:
		options.batch = true;
		return true;
	case OPT_REPLAY:
		replay = optarg;
		return true;
	case OPT_DEEPEST:
		bounds.tell_deepest = true;
		return true;
	case OPT_OUT:
		out_path = optarg;
		return true;
	case OPT_JSON:
		json = true;
		return true;
	case OPT_VERBOSE:
		verbose = true;
		return true;
	case OPT_POISON:
		codec_poison = 0xa5;
		return true;
	default:
		return false;
	}
}

static void options_take(int argc, char **argv)
{
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (opt == OPT_HELP) {
			usage(stdout);
			exit(0);
		}
		if (!option_take(opt)) {
			usage(stderr);
			exit(64);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "explore: %s: not an option\n", argv[optind]);
		exit(64);
	}
}

/* The moves of a file, its options taken. */
static struct move *replay_read(size_t *ret_n)
{
	struct move *moves = NULL;
	FILE *file = fopen(replay, "r");
	char line[1024], *words[64], *save;
	size_t n = 0;

	if (!file) {
		perror(replay);
		exit(66);
	}
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "options", 7)) {
			int argc = 0;

			for (char *word = strtok_r(line, " \n", &save); word && argc < 63; word = strtok_r(NULL, " \n", &save))
				words[argc++] = word;
			words[argc] = NULL;
			options_take(argc, words);
			continue;
		}
		if (!strncmp(line, "quiet", 5)) {
			has_quiet = true;
			quiet_from = n;
			continue;
		}
		moves = grow(moves, n + 1, sizeof(*moves));
		n += line[0] != '#' && line[0] != ' ' && line[0] != '\n' && move_parse(line, &moves[n]);
	}
	fclose(file);
	*ret_n = has_quiet ? quiet_from : n;
	return moves;
}

static int replay_run(void)
{
	struct model m;
	struct move *moves;
	size_t n;

	moves = replay_read(&n);
	step_init(options.guests);
	if (!search_start(&m)) {
		fprintf(stderr, "explore: the healthy cluster itself: %s\n", model_wrong);
		return 1;
	}
	model_note = tell_note;
	tell_out = stdout;
	for (size_t i = 0; i < n && !model_wrong[0]; i++) {
		tell_move(&m, &moves[i]);
		model_apply(&m, &moves[i]);
	}
	if (has_quiet && !model_wrong[0]) {
		puts("quiet 1 0 0          # from here nothing fails any more");
		search_quiet(&m, 4000, tell_move);
	}
	free(moves);
	printf("# %s%s\n", model_wrong[0] ? "violated: " : "nothing is violated", model_wrong);
	return model_wrong[0] ? 1 : 0;
}

static void json_print(const struct search_result *r)
{
	printf("{\"hosts\":%zu,\"instances\":%zu,\"owner\":%zu,\"bounds\":{", HOSTS, options.guests, options.owner + 1);
	for (size_t i = 0; i < FAULTS; i++)
		printf("\"%s\":%u,", fault_name(i), options.faults[i]);
	printf("\"all-orders\":%s,\"depth\":%zu,\"lag\":%zu},", options.all_orders ? "true" : "false", bounds.depth, options.lag);
	printf("\"states\":%zu,\"transitions\":%zu,\"depth\":%zu,\"exhausted\":%s,\"not_expanded\":%zu,\"beyond_lag\":%zu,"
	       "\"settled\":%zu,\"settled_after_all_faults\":%zu,\"quiet_states\":%zu,\"core_states\":%u,\"core_steps\":%llu,",
	       r->states, r->transitions, r->depth, r->open || r->found ? "false" : "true", r->open, r->too_far, r->settled,
	       r->whole, r->quiet_states, cores.n, (unsigned long long)steps_computed);
	printf("\"seconds\":%.2f,\"states_per_second\":%.0f,\"violation\":%s}\n", r->seconds,
	       (double)r->states / (r->seconds > 0 ? r->seconds : 1), r->found ? "true" : "false");
}

static void text_print(const struct search_result *r)
{
	printf("%zu hosts, %zu instance%s on h%zu; a path may have:", HOSTS, options.guests, options.guests > 1 ? "s" : "",
	       options.owner + 1);
	for (size_t i = 0; i < FAULTS; i++)
		if (options.faults[i])
			printf(" %s %u,", fault_name(i), options.faults[i]);
	printf(" nothing else\n  order of what is under way: %s\n", options.all_orders ? "any" : !options.faults[FAULT_SLOW] ?
	       "the usual one; faults, restarts and returns at every moment" :
	       "the usual one, but for slow channels; faults, restarts and returns at every moment");
	printf("  %zu states, %zu transitions, depth %zu, %.1f s, %.0f states/s (%u states of a core, %llu steps computed of %llu)\n",
	       r->states, r->transitions, r->depth, r->seconds, (double)r->states / (r->seconds > 0 ? r->seconds : 1), cores.n,
	       (unsigned long long)steps_computed, (unsigned long long)steps_asked);
	printf("  %zu settled states, %zu of them with every fault of the bounds behind them; fault-free runs, %zu states of them, end\n",
	       r->settled, r->whole, r->quiet_states);
	printf("  left out: %zu states not expanded%s, %zu moves that put a host more than %zu messages behind\n", r->open,
	       r->open || r->found ? "" : " (every state within the bounds was visited)", r->too_far, options.lag);
}

int main(int argc, char **argv)
{
	struct search_result result;
	struct model start;

	options = (struct model_options){ .guests = 1, .lag = 48, .reduce = true,
		.faults = { [FAULT_CRASH] = 1, [FAULT_RETURN] = 1, [FAULT_KILL] = 1 } };
	options_take(argc, argv);
	if (replay)
		return replay_run();
	step_init(options.guests);
	if (!search_start(&start)) {
		printf("VIOLATED by the boot of a healthy cluster: %s\n", model_wrong);
		return 1;
	}
	search_run(&start, &bounds, verbose, &result);
	if (json)
		json_print(&result);
	else
		text_print(&result);
	if (result.found) {
		FILE *file = fopen(out_path, "w");

		fprintf(json ? stderr : stdout, "VIOLATED: %s\n", model_wrong);
		if (file) {
			tell_out = file;
			tell_path(&start, &result);
			fclose(file);
			fprintf(json ? stderr : stdout, "  the shortest way to it, %zu moves, is in %s\n", result.n_path, out_path);
		}
		tell_out = stdout;
		if (!json)
			tell_path(&start, &result);
	}
	if (!result.found && bounds.tell_deepest) {
		tell_out = fopen(out_path, "w");
		if (tell_out)
			tell_path(&start, &result);
	}
	free(result.path);
	step_free();
	return result.found ? 1 : 0;
}
