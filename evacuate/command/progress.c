/*
 * Follows an evacuation: a line for each change, and on a terminal a bar below them. It asks hamond for its status
 * again and again; hamond goes on whether or not somebody looks.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/signalfd.h>

#include "evacuate/command/command.h"
#include "hamon/common/clock.h"
#include "hamon/common/ctl.h"
#include "hamon/common/json.h"

#define PERIOD_MS 500
#define BAR_COLUMNS 30
#define HELD_MS 3000 /* what was held before is still held until hamond's decision is committed */

enum step { STEP_WAITING, STEP_STARTING, STEP_RUNNING, STEP_STOPPED, STEP_HELD };

static const char *const step_names[] = { "waiting", "starting", "running", "stopped", "held" };

struct followed {
	struct json_object *entry; /* of the plan */
	enum step step;
	char host[256], reason[512];
};

struct progress {
	const struct evacuation *evacuation;
	struct followed *list;
	size_t count;
	uint64_t started_ms;
	int rc;			/* of the last call */
	bool told;		/* that hamond does not answer */
	bool bar;		/* a bar is on the screen */
};

static bool followed_ended(const struct progress *p, const struct followed *f)
{
	if (f->step == STEP_HELD)
		return clock_boot_ms() - p->started_ms > HELD_MS;
	return f->step == STEP_RUNNING || f->step == STEP_STOPPED;
}

static enum step instance_step(struct json_object *instance)
{
	const char *phase = json_string_or(instance, "phase", ""), *state = json_string_or(instance, "state", "");

	if (!strcmp(phase, "held"))
		return STEP_HELD;
	if (!strcmp(state, "starting"))
		return STEP_STARTING;
	if (strcmp(phase, "settled"))
		return STEP_WAITING;
	if (!strcmp(json_string_or(instance, "wish", "running"), "stopped"))
		return STEP_STOPPED;
	return !strcmp(state, "running") ? STEP_RUNNING : STEP_WAITING;
}

/* --- printing --- */

static void bar_clear(struct progress *p)
{
	if (p->bar)
		fputs("\r\033[K", stdout);
	p->bar = false;
}

static void bar_draw(struct progress *p)
{
	const struct term *term = &p->evacuation->cli.term;
	size_t running = 0, ended = 0, held = 0, filled;
	char duration[CLI_DURATION_SIZE];

	if (!term->tty || p->evacuation->cli.json)
		return;
	for (size_t i = 0; i < p->count; i++) {
		running += p->list[i].step == STEP_RUNNING;
		held += p->list[i].step == STEP_HELD;
		ended += followed_ended(p, &p->list[i]);
	}
	filled = p->count ? ended * BAR_COLUMNS / p->count : BAR_COLUMNS;
	fputs("\r[", stdout);
	for (size_t i = 0; i < BAR_COLUMNS; i++)
		fputs(i >= filled ? term->utf8 ? "·" : "-" : term->utf8 ? "█" : "#", stdout);
	printf("] %zu of %zu running", running, p->count);
	if (held)
		printf(", %s%zu held%s", term_on(term, TERM_BAD), held, term_off(term, TERM_BAD));
	printf(", %s\033[K", cli_duration(duration, clock_boot_ms() - p->started_ms));
	fflush(stdout);
	p->bar = true;
}

static void line_print(struct progress *p, const struct followed *f)
{
	static const enum term_style styles[] = { TERM_PLAIN, TERM_PLAIN, TERM_GOOD, TERM_PLAIN, TERM_BAD };
	const struct term *term = &p->evacuation->cli.term;
	char *text, *clean, label[CLI_LABEL_SIZE];

	if (p->evacuation->cli.json)
		return;
	if (asprintf(&text, "%s: %s%s%s%s%s", cli_label(f->entry, "instance", label), step_names[f->step],
		     *f->host ? " on " : "", f->host, *f->reason ? ": " : "", f->reason) < 0)
		abort();
	clean = term_clean(text);
	bar_clear(p);
	term_paragraph(stdout, term, styles[f->step], 0, 4, clean);
	fflush(stdout);
	free(clean);
	free(text);
}

/* --- following --- */

static struct json_object *instance_find(struct json_object *status, struct json_object *entry)
{
	const char *uuid = json_string_or(entry, "uuid", ""), *name = json_string_or(entry, "instance", "");
	struct json_object *instances = NULL, *instance;

	(void)json_get_array(status, "instances", &instances);
	for (size_t i = 0; instances && i < json_object_array_length(instances); i++) {
		instance = json_object_array_get_idx(instances, i);
		if (*uuid ? !strcmp(json_string_or(instance, "uuid", ""), uuid) :
			    !strcmp(json_string_or(instance, "name", ""), name))
			return instance;
	}
	return NULL;
}

static void followed_update(struct progress *p, struct followed *f, struct json_object *instance)
{
	struct followed before = *f;

	f->step = instance_step(instance);
	snprintf(f->host, sizeof(f->host), "%s", f->step == STEP_RUNNING || f->step == STEP_STARTING ?
		 json_string_or(instance, "host", "") : "");
	snprintf(f->reason, sizeof(f->reason), "%s", json_string_or(instance, "reason", ""));
	if (f->step != before.step || strcmp(f->host, before.host) || strcmp(f->reason, before.reason))
		line_print(p, f);
}

static void unreachable_tell(struct progress *p)
{
	if (p->rc && !p->told) {
		bar_clear(p);
		cli_error(&p->evacuation->cli, "%s (still trying)", ctl_strerror(p->rc));
	}
	p->told = p->rc;
}

/* One look at hamond; true when all have come to an end. */
static bool status_look(struct progress *p)
{
	struct json_object *req = ctl_request("status"), *reply = NULL, *instance;
	bool ended = true;

	p->rc = ctl_call(req, p->evacuation->cli.timeout_ms, &reply);
	json_object_put(req);
	unreachable_tell(p);
	for (size_t i = 0; i < p->count; i++) {
		instance = instance_find(reply, p->list[i].entry);
		if (instance && !followed_ended(p, &p->list[i]))
			followed_update(p, &p->list[i], instance);
		ended &= followed_ended(p, &p->list[i]);
	}
	json_object_put(reply);
	return ended;
}

/* Blocks the signals that end a following; they arrive at the descriptor. */
static int signals_open(sigset_t *ret_before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, ret_before);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int follow(struct progress *p)
{
	uint64_t end_ms = p->started_ms + (uint64_t)p->evacuation->follow_ms, now_ms;
	const struct cli *cli = &p->evacuation->cli;
	sigset_t before;
	struct pollfd pfd = { .fd = signals_open(&before), .events = POLLIN };
	struct signalfd_siginfo info;
	bool ended;
	int rc = CLI_OK;

	while (!(ended = status_look(p)) && (now_ms = clock_boot_ms()) < end_ms) {
		bar_draw(p);
		if (poll(&pfd, 1, end_ms - now_ms < PERIOD_MS ? (int)(end_ms - now_ms) : PERIOD_MS) > 0 &&
		    read(pfd.fd, &info, sizeof(info)) == sizeof(info)) /* read: it would be delivered again */
			break;
	}
	bar_clear(p);
	if (!ended) {
		cli_error(cli, clock_boot_ms() >= end_ms ? "the time is over; hamond goes on. Look at: hamonctl status" :
							   "interrupted; hamond goes on. Look at: hamonctl status");
		rc = CLI_ATTENTION;
	}
	close(pfd.fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void result_add(struct json_object *results, struct json_object *entry, const char *state, const char *host,
		       const char *reason)
{
	struct json_object *result = json_object_new_object();

	json_put_string(result, "instance", json_string_or(entry, "instance", NULL));
	json_put_string(result, "title", json_string_or(entry, "title", NULL));
	json_put_string(result, "uuid", json_string_or(entry, "uuid", NULL));
	json_put_string(result, "state", state);
	json_put_string(result, "host", host && *host ? host : NULL);
	json_put_string(result, "reason", reason && *reason ? reason : NULL);
	json_object_array_add(results, result);
}

static int results_add(struct progress *p, struct json_object *plan, struct json_object *results)
{
	size_t bad = 0, running = 0, refused = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct followed *f = &p->list[i];

		result_add(results, f->entry, step_names[f->step], f->host, f->reason);
		running += f->step == STEP_RUNNING;
		bad += f->step != STEP_RUNNING && f->step != STEP_STOPPED;
	}
	for (size_t i = 0; i < json_object_array_length(plan); i++) {
		struct json_object *entry = json_object_array_get_idx(plan, i);

		if (strcmp(json_string_or(entry, "action", "refuse"), "refuse"))
			continue;
		result_add(results, entry, "refused", NULL, json_string_or(entry, "reason", NULL));
		refused++;
	}
	if (!p->evacuation->cli.json) {
		printf("%zu of %zu instances running", running, p->count);
		if (refused)
			printf(", %zu refused", refused);
		putchar('\n');
	}
	return bad ? CLI_ATTENTION : CLI_OK;
}

int progress_follow(const struct evacuation *evacuation, struct json_object *plan, struct json_object *results)
{
	struct progress p = { .evacuation = evacuation, .started_ms = clock_boot_ms() };
	int rc, bad;

	p.list = calloc(json_object_array_length(plan) + 1, sizeof(*p.list));
	if (!p.list)
		abort();
	for (size_t i = 0; i < json_object_array_length(plan); i++) {
		struct json_object *entry = json_object_array_get_idx(plan, i);

		if (!strcmp(json_string_or(entry, "action", ""), "start") || !strcmp(json_string_or(entry, "action", ""), "move"))
			p.list[p.count++].entry = entry;
	}
	rc = follow(&p);
	bad = results_add(&p, plan, results);
	free(p.list);
	return rc ? rc : bad;
}
