/* Moves as words: a line is for people and for --replay alike; what follows a # is for people alone. */
#include <stdio.h>
#include <string.h>

#include "tests/explorer/search.h"

void *tell_out;

static const struct {
	const char *name;
	const char *text;       /* %h the host, %a what it is about */
} names[MOVE_KINDS] = {
	[MOVE_LOADED] = { "loaded", "h%h has read its store" },
	[MOVE_VIEW] = { "view", "h%h hears from the quorum service" },
	[MOVE_WATCH] = { "watch", "h%h lists its guests" },
	[MOVE_DELIVER] = { "deliver", "h%h takes" },
	[MOVE_WRITTEN] = { "written", "h%h: its first write under way is on disk" },
	[MOVE_REPORT] = { "report", "h%h: libvirt tells of vm%a" },
	[MOVE_FENCE_OFF] = { "fence-off", "h%h's fence helper switches h%a off and reads it back" },
	[MOVE_FENCE_TOLD] = { "fence-told", "h%h's fence helper tells that h%a is off" },
	[MOVE_START_ASK] = { "start-ask", "h%h: libvirt's hook asks whether vm%a may start" },
	[MOVE_START_QEMU] = { "start-qemu", "h%h: vm%a RUNS" },
	[MOVE_START_TOLD] = { "start-told", "h%h: the start helper of vm%a tells how it ended" },
	[MOVE_INSPECT] = { "inspect", "h%h has looked what is left of vm%a" },
	[MOVE_STOP] = { "stop", "h%h has ended vm%a" },
	[MOVE_RESTART] = { "restart", "the daemon of h%h is started again" },
	[MOVE_ORPHAN_NEVER] = { "orphan-never", "the off that might still hit h%h never does" },
	[MOVE_HEAL] = { "heal", "h%h is on the network again" },
	[MOVE_PASS] = { "pass", "nothing is under way: time passes to the next deadline" },
	[MOVE_SLOW] = { "slow", "h%h: slow from here" },
	[MOVE_QUICK] = { "quick", "h%h: slow no more" },
	[MOVE_ORPHAN_OFF] = { "orphan-off", "an off of an earlier coordinator hits h%h" },
	[MOVE_CRASH] = { "crash", "h%h LOSES ITS POWER" },
	[MOVE_RETURN] = { "return", "h%h BOOTS" },
	[MOVE_KILL] = { "kill", "the daemon of h%h IS KILLED" },
	[MOVE_CUT] = { "cut", "h%h IS CUT OFF from the network" },
	[MOVE_FENCE_FAIL] = { "fence-fail", "h%h's fence helper cannot reach the device of h%a" },
	[MOVE_START_FAIL] = { "start-fail", "h%h: the start of vm%a FAILS in libvirt" },
	[MOVE_START_TIMEOUT] = { "start-timeout", "h%h: the start helper of vm%a gives up, and libvirt goes on" },
	[MOVE_WAIT] = { "wait", "helpers are at work: time passes to the next deadline" },
	[MOVE_HAND] = { "hand", "h%h: vm%a is started past hamon" },
	[MOVE_SHUT] = { "shut", "h%h: vm%a is stopped by hand" },
	[MOVE_EARLY] = { "early", "h%h's next timer comes before what is under way" },
	[MOVE_LATE_FENCE] = { "late-fence", "h%h: a fence helper that was ended tells all the same that h%a is off" },
	[MOVE_LATE_START] = { "late-start", "h%h: a start helper of vm%a that was ended answers all the same" },
	[MOVE_LATE_INSPECT] = { "late-inspect", "h%h: a helper that looked after vm%a and was ended answers all the same" },
};

static const char *const channel_names[CHANNELS] = {
	"messages", "the quorum service", "disk", "libvirt", "fencing",
};

static const char *const fault_names[FAULTS] = {
	[FAULT_CRASH] = "crashes", [FAULT_RETURN] = "returns", [FAULT_KILL] = "kills", [FAULT_CUT] = "cuts",
	[FAULT_FENCE] = "fence-failures", [FAULT_START] = "start-failures", [FAULT_EARLY] = "early", [FAULT_LATE] = "late",
	[FAULT_HAND] = "by-hand", [FAULT_STOP] = "stops", [FAULT_WAIT] = "waits", [FAULT_SLOW] = "slow",
};

const char *fault_name(size_t fault)
{
	return fault_names[fault];
}

static void text_print(FILE *out, const char *text, const struct move *move)
{
	for (; *text; text++) {
		if (*text != '%')
			fputc(*text, out);
		else if (*++text == 'h')
			fprintf(out, "%u", move->host + 1u);
		else
			fprintf(out, "%u", move->about + 1u);
	}
}

static void message_print(FILE *out, uint32_t number)
{
	static struct core_message msg;

	if (number >> 31) {
		fprintf(out, " the group's members:");
		for (unsigned int h = 0; h < HOSTS; h++)
			if (marker_mask(number) & 1u << h)
				fprintf(out, " h%u", h + 1);
		return;
	}
	message_get(number, &msg);
	fprintf(out, " %s of h%u", message_type_name(msg.type), msg.from);
	if (msg.term)
		fprintf(out, ", term %llu", (unsigned long long)(msg.term >> 16));
	if (msg.seq)
		fprintf(out, ", record %llu", (unsigned long long)msg.seq);
	if (msg.generation)
		fprintf(out, ", generation %llu%s", (unsigned long long)msg.generation, msg.ok ? ", ok" : "");
}

void tell_move(const struct model *m, const struct move *move)
{
	FILE *out = tell_out;
	char line[64];

	snprintf(line, sizeof(line), "%s %u %u %u", names[move->kind].name, move->host + 1u, move->about, move->more);
	fprintf(out, "%-20s # ", line);
	text_print(out, names[move->kind].text, move);
	if (move->kind == MOVE_DELIVER)
		message_print(out, m->hosts[move->host].inbox[0]);
	if (move->kind == MOVE_VIEW) {
		fprintf(out, ":");
		for (unsigned int h = 0; h < HOSTS; h++)
			if (m->hosts[move->host].views[0] & 1u << h)
				fprintf(out, " h%u", h + 1);
	}
	if (move->kind == MOVE_SLOW || move->kind == MOVE_QUICK)
		fprintf(out, " (%s)", channel_names[move->about / HOSTS]);
	if (move->kind == MOVE_CRASH && move->about)
		fprintf(out, ", its last %u messages are lost", move->about);
	if ((move->kind == MOVE_CRASH || move->kind == MOVE_KILL) && m->hosts[move->host].n_writes)
		fprintf(out, ", %u of %u writes are on disk", move->more, m->hosts[move->host].n_writes);
	fputc('\n', out);
}

bool move_parse(const char *line, struct move *ret)
{
	unsigned int host, about, more;
	char name[32];

	if (sscanf(line, "%31s %u %u %u", name, &host, &about, &more) != 4 || host < 1 || host > HOSTS)
		return false;
	for (size_t i = 0; i < MOVE_KINDS; i++)
		if (!strcmp(names[i].name, name)) {
			*ret = (struct move){ .kind = (uint8_t)i, .host = (uint8_t)(host - 1),
				.about = (uint8_t)about, .more = (uint8_t)more };
			return true;
		}
	return false;
}

void tell_note(size_t host, const char *text)
{
	fprintf(tell_out, "%-20s #     h%zu writes: %s\n", "", host + 1, text);
}

static void options_print(FILE *out)
{
	fprintf(out, "options --hosts %zu --fence-delay %u --instances %zu --owner %zu --lag %zu", HOSTS,
		fence_delay_ms, options.guests, options.owner + 1, options.lag);
	for (size_t i = 0; i < FAULTS; i++)
		fprintf(out, " --%s %u", fault_names[i], options.faults[i]);
	fprintf(out, "%s%s%s%s\n", options.reduce ? "" : " --no-reduce", options.batch ? " --batch" : "",
		options.all_orders ? " --all-orders" : "", hand_over ? " --hand-over" : "");
}

void tell_path(const struct model *start, const struct search_result *result)
{
	struct model m = *start;
	FILE *out = tell_out;
	char violated[sizeof(model_wrong)];

	snprintf(violated, sizeof(violated), "%s", model_wrong);
	model_wrong[0] = '\0';
	fprintf(out, "# violated: %s\n# after %zu moves%s; replay with: tests/explore --replay THIS-FILE\n", violated,
		result->n_path, result->in_quiet ? ", in the run without faults that follows" : "");
	options_print(out);
	model_note = tell_note;
	for (size_t i = 0; i < result->n_path; i++) {
		tell_move(&m, &result->path[i]);
		model_apply(&m, &result->path[i]);
	}
	if (result->in_quiet && !model_wrong[0]) {
		fprintf(out, "quiet 1 0 0          # from here nothing fails any more\n");
		search_quiet(&m, 400, tell_move);
	}
	model_note = NULL;
	fprintf(out, "# violated: %s\n", violated);
	snprintf(model_wrong, sizeof(model_wrong), "%s", violated);
}
