/*
 * Transcripts: stories of a cluster, told in commands, with all that the daemons say and do in between. A line that begins
 * with "> " is a command, the indented lines below it are what followed, and the rest is told for the reader. The
 * whole file must come out again to the letter; --update writes what came out, and then a person reads it.
 *
 *	run [--update] FILE...
 *
 * Commands (hN is a host, vmN a guest; times are such as 300ms, 8s):
 *	cluster HOSTS GUESTS		a new world; everything is off
 *	move-stopped, hand-over			the control plane moves what is stopped too, after a death; or by itself, cold
 *	limit N, fence-delay TIME, grant TIME	the brake's limit; a host's delay before it is fenced; libvirtd's time to start
 *	boot hN|all, power-off hN, reboot hN, shutdown hN
 *	kill-daemon hN, start-daemon hN, leave hN, freeze hN, thaw hN, lose-store hN, store hN corrupt|ok, store-hang hN TIME
 *	side hN N, heal			who reaches whom
 *	device hN broken|ok, starts hN fail|work, hook hN missing|loaded, memory hN MIB, backing hN vmN WORD
 *	start vmN hN, stop vmN guest|api|crash, clone vmN hN, migrate vmN hN TIME, attest hN LEASE WATCHDOG
 *	request hN VERB [ARGUMENT...]	asked at hN: maintenance H on|off, maintenance-all on|off, confirm-fenced H REASON,
 *					forget H, release, evacuate INSTANCE|H [TARGET]
 *	run TIME, until TEXT		time passes; until a line with that text is said (within two minutes)
 *	expect vmN on hN|nowhere, expect vmN PHASE, expect hN STATE, expect no-coordinator|coordinator hN, expect fencings N
 *	show				hosts and instances, as the coordinator has them
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/world.h"

#define WORDS_MAX 12
#define UNTIL_MS 120000

struct story {
	struct world world;
	bool begun;
	const char *file;
	int line;
	int failures;
	char *said;      /* by the world, since the last command */
	size_t said_size;
	FILE *said_file;
	FILE *out;
};

static void wrong(struct story *st, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", st->file, st->line, what);
	st->failures++;
}

static size_t number_of(struct story *st, const char *word, char kind, size_t last)
{
	const char *digits = kind == 'h' ? word + 1 : word + 2;
	unsigned long n = 0;

	if (word && word[0] == kind && strlen(word) >= 2)
		n = strtoul(digits, NULL, 10);
	if (n >= 1 && n <= last)
		return n;
	wrong(st, "no such host or guest");
	return 1;
}

static uint64_t duration(struct story *st, const char *word)
{
	char *end;
	unsigned long long n = strtoull(word ? word : "", &end, 10);

	if (!strcmp(end, "s"))
		return n * 1000;
	if (!strcmp(end, "m"))
		return n * 60000;
	if (strcmp(end, "ms"))
		wrong(st, "a time is such as 300ms, 8s, 2m");
	return n;
}

/* --- requests --- */

static void request(struct story *st, size_t host, char **words, size_t n)
{
	static const struct {
		const char *name;
		enum request_verb verb;
	} verbs[] = {
		{ "maintenance", REQUEST_MAINTENANCE }, { "maintenance-all", REQUEST_MAINTENANCE_ALL },
		{ "confirm-fenced", REQUEST_CONFIRM_FENCED }, { "forget", REQUEST_FORGET },
		{ "release", REQUEST_RELEASE }, { "evacuate", REQUEST_EVACUATE },
	};
	struct core_request req = { .id = (uint64_t)st->line, .who = "root" };
	size_t v = 0;

	while (v < sizeof(verbs) / sizeof(verbs[0]) && strcmp(words[0], verbs[v].name))
		v++;
	if (v == sizeof(verbs) / sizeof(verbs[0])) {
		wrong(st, "no such request");
		return;
	}
	req.verb = verbs[v].verb;
	req.origin = st->world.hosts[host - 1].nodeid;
	req.on = req.verb == REQUEST_EVACUATE || (n > 1 && !strcmp(words[n - 1], "on"));
	if (req.verb == REQUEST_EVACUATE && n > 1 && words[1][0] == 'v')
		snprintf(req.instance, sizeof(req.instance), "%s", words[1]);
	else if (n > 1 && req.verb != REQUEST_MAINTENANCE_ALL)
		snprintf(req.host, sizeof(req.host), "%s", words[1]);
	if (req.verb == REQUEST_EVACUATE && n > 2)
		snprintf(req.target, sizeof(req.target), "%s", words[2]);
	for (size_t i = 2; req.verb == REQUEST_CONFIRM_FENCED && i < n; i++)
		snprintf(req.reason + strlen(req.reason), sizeof(req.reason) - strlen(req.reason), "%s%s",
			 i > 2 ? " " : "", words[i]);
	world_request(&st->world, host, &req);
}

/* --- looking --- */

static bool instance_view(struct world *w, size_t guest, struct core_instance_view *ret)
{
	struct core *core = world_coordinator(w);
	char name[16];

	snprintf(name, sizeof(name), "vm%zu", guest);
	for (size_t i = 0; core && i < core_instance_count(core); i++)
		if (core_instance(core, i, ret) && !strcmp(ret->spec->name, name))
			return true;
	return false;
}

static bool host_view(struct world *w, size_t host, struct core_host_view *ret)
{
	struct core *core = world_coordinator(w);

	for (size_t i = 0; core && core_host(core, i, ret); i++)
		if (ret->nodeid == w->hosts[host - 1].nodeid)
			return true;
	return false;
}

static const char *place_name(struct world *w, size_t guest)
{
	size_t host = world_runs_on(w, guest - 1);

	return host ? w->hosts[host - 1].name : "nowhere";
}

static void show(struct story *st)
{
	struct core_instance_view inst;
	struct core_host_view host;
	struct world *w = &st->world;

	if (!world_coordinator(w))
		fprintf(st->said_file, "nobody coordinates\n");
	for (size_t h = 1; h <= w->n_hosts; h++)
		if (host_view(w, h, &host))
			fprintf(st->said_file, "%s: %s, epoch %llu%s%s%s%s\n", host.name,
				host_state_name(host.fact->state), (unsigned long long)host.fact->epoch,
				host.fact->maintenance ? ", in maintenance" : "",
				host.fact->fence_intent && host.fact->state == HOST_LOST ? ", to be fenced" : "",
				host.reason[0] ? ": " : "", host.reason);
	for (size_t g = 1; g <= w->n_guests; g++) {
		if (!instance_view(w, g, &inst))
			continue;
		fprintf(st->said_file, "%s: %s with %s, generation %llu, wished %s, runs on %s%s%s\n",
			inst.spec->name, phase_name(inst.place->phase),
			inst.place->owner ? w->hosts[inst.place->owner - 1].name : "nobody",
			(unsigned long long)inst.place->generation, wish_name(inst.place->wish),
			place_name(w, g), inst.place->reason[0] ? ": " : "", inst.place->reason);
	}
}

static void expect(struct story *st, char **words, size_t n)
{
	struct core_instance_view inst;
	struct core_host_view host = { 0 };
	struct world *w = &st->world;
	const char *got = "nothing";
	const char *wanted = words[n - 1];
	char number[24];

	if (!strcmp(words[0], "fencings")) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)w->fences);
		got = number;
	} else if (!strcmp(words[0], "coordinator") || !strcmp(words[0], "no-coordinator")) {
		got = "no-coordinator";
		for (size_t h = 0; h < w->n_hosts; h++)
			if (world_coordinator(w) && world_coordinator(w) == w->hosts[h].core)
				got = w->hosts[h].name;
	} else if (words[0][0] == 'v' && n == 3 && !strcmp(words[1], "on")) {
		got = place_name(w, number_of(st, words[0], 'v', w->n_guests));
	} else if (words[0][0] == 'v') {
		if (instance_view(w, number_of(st, words[0], 'v', w->n_guests), &inst))
			got = phase_name(inst.place->phase);
	} else if (host_view(w, number_of(st, words[0], 'h', w->n_hosts), &host)) {
		got = host_state_name(host.fact->state);
	}
	if (strcmp(got, wanted)) {
		fprintf(stderr, "%s:%d: expected %s, it is %s\n", st->file, st->line, wanted, got);
		st->failures++;
	}
}

/* --- commands --- */

static void cluster(struct story *st, char **words, size_t n)
{
	size_t hosts = n > 1 ? strtoul(words[1], NULL, 10) : 0, guests = n > 2 ? strtoul(words[2], NULL, 10) : 0;

	if (hosts < 2 || hosts > WORLD_HOSTS_MAX || guests < 1 || guests > WORLD_GUESTS_MAX) {
		wrong(st, "cluster HOSTS GUESTS");
		hosts = guests = 2;
	}
	if (st->begun)
		world_free(&st->world);
	world_init(&st->world, 1, hosts, guests);
	st->begun = true;
	st->world.loud = st->world.untimed = true;
	st->world.grant_ms = 5;
	st->world.out = st->said_file;
}

static void until(struct story *st, const char *text)
{
	for (uint64_t ms = 0; ms < UNTIL_MS; ms++) {
		world_run(&st->world, 1);
		fflush(st->said_file);
		if (st->said && strstr(st->said, text))
			return;
	}
	wrong(st, "that was never said");
}


static void guest_stop(struct story *st, size_t guest, const char *how)
{
	size_t host = world_runs_on(&st->world, guest - 1);

	if (host)
		world_guest_stop(&st->world, host, guest, !strcmp(how, "guest") ? STOP_BY_GUEST :
				 !strcmp(how, "api") ? STOP_BY_API : STOP_CRASH);
	else
		wrong(st, "it does not run");
}

/* What needs one host or guest first. False when the command is unknown. */
static bool command_host(struct story *st, char **words, size_t n)
{
	struct world *w = &st->world;
	const char *verb = words[0], *arg = n > 2 ? words[2] : "";
	size_t h;

	if (n < 2 || words[1][0] != 'h')
		return false;
	h = number_of(st, words[1], 'h', w->n_hosts);
	if (!strcmp(verb, "boot"))
		world_power_on(w, h);
	else if (!strcmp(verb, "power-off"))
		world_power_off(w, h);
	else if (!strcmp(verb, "shutdown"))
		world_shutdown(w, h);
	else if (!strcmp(verb, "kill-daemon"))
		world_daemon_kill(w, h);
	else if (!strcmp(verb, "start-daemon"))
		world_daemon_start(w, h);
	else if (!strcmp(verb, "leave"))
		world_daemon_leave(w, h);
	else if (!strcmp(verb, "freeze") || !strcmp(verb, "thaw"))
		world_freeze(w, h, verb[0] == 'f');
	else if (!strcmp(verb, "lose-store"))
		world_store_lose(w, h);
	else if (!strcmp(verb, "store"))
		w->hosts[h - 1].store_corrupt = !strcmp(arg, "corrupt");
	else if (!strcmp(verb, "store-hang"))
		world_store_hang(w, h, duration(st, arg));
	else if (!strcmp(verb, "side"))
		world_side(w, h, (uint32_t)strtoul(arg, NULL, 10));
	else if (!strcmp(verb, "device"))
		w->hosts[h - 1].device_broken = !strcmp(arg, "broken");
	else if (!strcmp(verb, "starts"))
		w->hosts[h - 1].starts_fail = !strcmp(arg, "fail");
	else if (!strcmp(verb, "attest") && n == 4)
		world_attest(w, h, duration(st, arg), duration(st, words[3]));
	else if (!strcmp(verb, "request") && n > 2)
		request(st, h, words + 2, n - 2);
	else
		return false;
	return true;
}

static bool command_more(struct story *st, char **words, size_t n)
{
	static const char *const verdicts[] = { "unknown", "local", "shared", "volume" };
	struct world *w = &st->world;
	const char *verb = words[0];
	size_t h, g;

	if (!strcmp(verb, "reboot") && n == 2) {
		h = number_of(st, words[1], 'h', w->n_hosts);
		world_power_off(w, h);
		world_power_on(w, h);
	} else if (!strcmp(verb, "hook") && n == 3) {
		h = number_of(st, words[1], 'h', w->n_hosts);
		w->hosts[h - 1].gate_missing = !strcmp(words[2], "missing");
		world_host_tell(w, h);
	} else if (!strcmp(verb, "memory") && n == 3) {
		h = number_of(st, words[1], 'h', w->n_hosts);
		w->hosts[h - 1].free_mib = strtoul(words[2], NULL, 10);
		world_host_tell(w, h);
	} else if (!strcmp(verb, "backing") && n == 4) {
		h = number_of(st, words[1], 'h', w->n_hosts);
		for (size_t v = 0; v < 4; v++)
			if (!strcmp(words[3], verdicts[v]))
				world_verdict(w, h, number_of(st, words[2], 'v', w->n_guests), (enum verdict)v);
	} else if (n == 3 && words[1][0] == 'v') {
		g = number_of(st, words[1], 'v', w->n_guests);
		if (!strcmp(verb, "stop")) {
			guest_stop(st, g, words[2]);
			return true;
		}
		h = number_of(st, words[2], 'h', w->n_hosts);
		if (!strcmp(verb, "start"))
			world_guest_start(w, h, g);
		else if (!strcmp(verb, "clone"))
			world_clone_start(w, h, g);
		else
			return false;
	} else if (!strcmp(verb, "migrate") && n == 4 && world_runs_on(w, number_of(st, words[1], 'v', w->n_guests) - 1)) {
		g = number_of(st, words[1], 'v', w->n_guests);
		world_guest_migrate(w, world_runs_on(w, g - 1), number_of(st, words[2], 'h', w->n_hosts), g,
				    duration(st, words[3]));
	} else {
		return command_host(st, words, n);
	}
	return true;
}

static void command(struct story *st, const char *text)
{
	char copy[512], *words[WORDS_MAX], *save = NULL;
	struct world *w = &st->world;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, " ", &save); word && n < WORDS_MAX; word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	if (!n)
		return;
	if (!strcmp(words[0], "cluster")) {
		cluster(st, words, n);
	} else if (!st->begun) {
		wrong(st, "a story begins with: cluster HOSTS GUESTS");
	} else if (n == 1 && !strcmp(words[0], "heal")) {
		world_heal(w);
	} else if (n == 1 && !strcmp(words[0], "show")) {
		show(st);
	} else if (n == 2 && !strcmp(words[0], "run")) {
		world_run(w, duration(st, words[1]));
	} else if (n > 1 && !strcmp(words[0], "until")) {
		until(st, text + strlen("until "));
	} else if (n > 1 && !strcmp(words[0], "expect")) {
		expect(st, words + 1, n - 1);
	} else if (n == 2 && !strcmp(words[0], "boot") && !strcmp(words[1], "all")) {
		for (size_t h = 1; h <= w->n_hosts; h++)
			world_power_on(w, h);
	} else if (n == 2 && !strcmp(words[0], "limit")) {
		w->max_failed_hosts = (uint32_t)strtoul(words[1], NULL, 10);
	} else if (n == 1 && !strcmp(words[0], "move-stopped")) {
		st->world.swarm.move_stopped = true;
	} else if (n == 1 && !strcmp(words[0], "hand-over")) {
		st->world.swarm.hand_over = true;
	} else if (n == 2 && !strcmp(words[0], "fence-delay")) {
		w->fence_delay_ms = duration(st, words[1]);
	} else if (n == 2 && !strcmp(words[0], "grant")) {
		w->grant_ms = duration(st, words[1]);
	} else if (!command_more(st, words, n)) {
		wrong(st, "no such command");
	}
	if (w->failed) {
		wrong(st, w->failure);
		w->failed = false;
	}
}

/* --- the file --- */

/* Times of the world are drawn: what was measured is written as a word. */
static void line_write(FILE *out, const char *line)
{
	fputs("    ", out);
	while (*line) {
		size_t digits = strspn(line, "0123456789");

		if (digits && !strncmp(line + digits, " ms", 3)) {
			fputs("some", out);
			line += digits;
			continue;
		}
		fwrite(line, 1, digits ? digits : 1, out);
		line += digits ? digits : 1;
	}
	fputc('\n', out);
}

static void said_write(struct story *st)
{
	char *save = NULL;

	fclose(st->said_file);
	for (char *line = strtok_r(st->said, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		line_write(st->out, line);
	free(st->said);
	st->said = NULL;
	st->said_file = open_memstream(&st->said, &st->said_size);
	if (!st->said_file)
		abort();
	st->world.out = st->said_file;
}

static void story_tell(struct story *st, FILE *in)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	st->said_file = open_memstream(&st->said, &st->said_size);
	if (!st->said_file)
		abort();
	while ((len = getline(&line, &size, in)) >= 0) {
		st->line++;
		if (len && line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (!strncmp(line, "    ", 4))
			continue; /* what came out the last time */
		fprintf(st->out, "%s\n", line);
		if (strncmp(line, "> ", 2))
			continue;
		command(st, line + 2);
		said_write(st);
	}
	fclose(st->said_file);
	free(st->said);
	free(line);
	if (st->begun)
		world_free(&st->world);
}

static char *file_read(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!in || getdelim(&text, &size, '\0', in) < 0) {
		perror(path);
		exit(1);
	}
	fclose(in);
	return text;
}

static int difference_show(const char *path, char *expected, char *got)
{
	int line = 1;

	while (*expected || *got) {
		size_t a = strcspn(expected, "\n"), b = strcspn(got, "\n");

		if (a != b || strncmp(expected, got, a)) {
			fprintf(stderr, "%s:%d:\n- %.*s\n+ %.*s\n", path, line, (int)a, expected, (int)b, got);
			return 1;
		}
		expected += a + (expected[a] == '\n');
		got += b + (got[b] == '\n');
		line++;
	}
	return 0;
}

static int story_run(const char *path, bool update)
{
	static struct story st;
	char *text = file_read(path), *got = NULL;
	size_t size = 0;
	FILE *in = fmemopen(text, strlen(text), "r");
	int failures;

	memset(&st, 0, sizeof(st));
	st.file = path;
	st.out = open_memstream(&got, &size);
	if (!in || !st.out)
		abort();
	story_tell(&st, in);
	fclose(in);
	fclose(st.out);
	failures = st.failures;
	if (update && strcmp(text, got)) {
		FILE *out = fopen(path, "w");

		if (!out || fputs(got, out) < 0 || fclose(out)) {
			perror(path);
			exit(1);
		}
		printf("%s is written anew: read it\n", path);
	} else if (!update) {
		failures += difference_show(path, text, got);
	}
	free(text);
	free(got);
	return failures;
}

int main(int argc, char **argv)
{
	bool update = argc > 1 && !strcmp(argv[1], "--update");
	int first = update ? 2 : 1, failures = 0;

	if (first >= argc) {
		fprintf(stderr, "usage: run [--update] FILE...\n");
		return 64;
	}
	for (int i = first; i < argc; i++)
		failures += story_run(argv[i], update);
	printf("%d transcripts, %d failures\n", argc - first, failures);
	return failures != 0;
}
