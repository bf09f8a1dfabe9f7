/*
 * hamonctl watch: a live view on a terminal, drawn again each second; elsewhere each new event as a line.
 * The screen is put back however this ends, Ctrl-C and kill included; SIGKILL excepted.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <sys/signalfd.h>

#include "hamon/common/clock.h"
#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/ctl/command.h"
#include "hamon/ctl/view.h"

#define PERIOD_MS 1000
#define EVENTS_KEPT 200
#define EVENTS_LINES 6		/* of the screen, at least */

struct watch {
	struct arguments *args;
	int signals;		/* signalfd */
	struct json_object *status; /* the last one, or NULL */
	struct json_object *events; /* the last EVENTS_KEPT */
	uint64_t last;		/* the number of the newest record */
	bool primed;		/* last is known: what comes now is new */
	int rc;			/* of the last call to hamond that counts: a store that hangs has no events to tell */
	uint64_t lost_ms;	/* since when hamond has not answered; 0 when it does */
	bool told;		/* that it does not */
};

/* One call that does not print its failure; the reply or NULL. */
static struct json_object *ask(struct watch *w, struct json_object *req, int *ret_rc)
{
	struct json_object *reply = NULL;

	*ret_rc = ctl_call(req, w->args->cli.timeout_ms, &reply);
	json_object_put(req);
	if (reply && ctl_reply_error(reply, NULL)) {
		json_object_put(reply);
		reply = NULL;
	}
	return reply;
}

/* Asks for the records since the last time and keeps the newest; returns the new ones, or NULL. */
static struct json_object *events_fetch(struct watch *w, int *ret_rc)
{
	struct json_object *req = ctl_request("events"), *reply, *events;
	size_t n;

	json_put_u64(req, "since", w->last);
	reply = ask(w, req, ret_rc);
	events = json_object_get(view_array(reply, "events"));
	if (reply) {
		uint64_t last = json_u64_or(reply, "last", w->last);

		/* A hamond that begins anew counts from the start again. */
		w->last = last < w->last ? 0 : last;
	}
	json_object_put(reply);
	for (size_t i = 0; i < view_length(events); i++)
		json_object_array_add(w->events, json_object_get(view_at(events, i)));
	n = view_length(w->events);
	if (n > EVENTS_KEPT)
		json_object_array_del_idx(w->events, 0, n - EVENTS_KEPT);
	return events;
}

static size_t lines_count(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* --- the screen --- */

static void head_draw(struct watch *w, FILE *out, const struct term *term)
{
	struct findings findings;
	char duration[CLI_DURATION_SIZE];

	if (w->rc) {
		fprintf(out, "%sNO ANSWER%s for %s: ", term_on(term, TERM_BAD), term_off(term, TERM_BAD),
			cli_duration(duration, clock_boot_ms() - w->lost_ms));
		term_paragraph(out, term, TERM_PLAIN, 24, 0, ctl_strerror(w->rc));
	}
	if (!w->status)
		return;
	findings_collect(w->status, &findings);
	if (!w->rc)
		view_headline(out, term, w->status, &findings);
	findings_free(&findings);
	view_cluster(out, term, w->status);
	fputc('\n', out);
	view_hosts(out, term, w->status, 0);
	fputc('\n', out);
}

/* The newest events at the bottom, each cut to one line. */
static void events_draw(struct watch *w, FILE *out, const struct term *term, size_t lines)
{
	size_t n = view_length(w->events), first = n > lines ? n - lines : 0;
	struct term wide = *term;

	wide.width = 0;
	for (size_t i = first; i < n; i++)
		view_record_line(out, &wide, view_at(w->events, i), true);
}

/* Copies text to the terminal, at most height lines and width columns; escape sequences take no column. */
static void screen_put(const char *text, const struct term *term)
{
	size_t lines = 0, column = 0, bytes;

	fputs("\033[H", stdout);
	while (*text && lines < term->height) {
		if (*text == '\n') {
			if (++lines == term->height)
				break;
			fputs("\033[K\r\n", stdout);
			column = 0;
			text++;
		} else if (*text == '\033') {
			bytes = strcspn(text, "m") + 1;
			fwrite(text, 1, bytes, stdout);
			text += bytes;
		} else {
			bytes = strcspn(text, "\n\033");
			char *piece = strndup(text, bytes);

			if (!piece)
				abort();
			fwrite(text, 1, term_fit(piece, column < term->width ? term->width - column : 0), stdout);
			column += term_columns(piece);
			free(piece);
			text += bytes;
		}
	}
	fputs("\033[0m\033[K\033[J", stdout);
	fflush(stdout);
}

static void screen_draw(struct watch *w)
{
	struct term *term = &w->args->cli.term;
	size_t used, instances, space, size;
	char *text = NULL;
	FILE *out;

	term_detect(1, term);
	term->cut = true; /* a line each: what is cut is in "hamonctl status" */
	out = open_memstream(&text, &size);
	if (!out)
		abort();
	head_draw(w, out, term);
	fflush(out);
	used = lines_count(text) + 2; /* the title of the instances' table, and the empty line after it */
	instances = view_length(view_array(w->status, "instances"));
	space = term->height > used + EVENTS_LINES ? term->height - used - EVENTS_LINES : 1;
	if (instances) {
		/* One line less when some are left out: that is said on a line of its own. */
		view_instances(out, term, w->status, instances <= space ? 0 : space > 1 ? space - 1 : 1);
		fputc('\n', out);
	}
	fflush(out);
	used = lines_count(text);
	events_draw(w, out, term, term->height > used ? term->height - used : 0);
	fclose(out);
	screen_put(text, term);
	free(text);
}

/* --- waiting --- */

/* Waits until the next period; true when a person or a signal ends the view. */
static bool pause_ends(struct watch *w, bool keys, uint64_t until_ms)
{
	struct pollfd pfd[] = { { .fd = w->signals, .events = POLLIN }, { .fd = keys ? 0 : -1, .events = POLLIN } };
	struct signalfd_siginfo info;
	uint64_t now_ms = clock_boot_ms();
	char key;

	if (poll(pfd, 2, until_ms > now_ms ? (int)(until_ms - now_ms) : 0) <= 0)
		return false;
	if (pfd[0].revents && read(w->signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo != SIGWINCH)
		return true;
	if (pfd[1].revents && (read(0, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 3))
		return true;
	return false;
}

static int screen_run(struct watch *w)
{
	struct termios before, raw;
	bool keys = isatty(0) && !tcgetattr(0, &before), ended = false;
	uint64_t next_ms;

	if (keys) {
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tcsetattr(0, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l\033[2J", stdout);
	while (!ended) {
		struct json_object *status = ask(w, ctl_request("status"), &w->rc);
		int rc;

		next_ms = clock_boot_ms() + PERIOD_MS;
		if (!w->rc)
			w->lost_ms = 0;
		else if (!w->lost_ms)
			w->lost_ms = clock_boot_ms();
		if (status) {
			json_object_put(w->status);
			w->status = status;
			json_object_put(events_fetch(w, &rc));
		}
		screen_draw(w);
		while (!ended && clock_boot_ms() < next_ms)
			ended = pause_ends(w, keys, next_ms);
	}
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (keys)
		tcsetattr(0, TCSANOW, &before);
	return CLI_OK;
}

/* --- lines --- */

static void lines_print(struct watch *w, struct json_object *events)
{
	for (size_t i = 0; i < view_length(events); i++) {
		if (w->args->cli.json)
			puts(json_object_to_json_string_ext(view_at(events, i),
					JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		else
			view_record_line(stdout, &w->args->cli.term, view_at(events, i), false);
	}
	fflush(stdout);
}

/* The events from now on; a hamond that does not answer is told once, and waited for. */
static int lines_run(struct watch *w)
{
	struct json_object *events;
	uint64_t next_ms;
	bool ended = false;

	while (!ended) {
		next_ms = clock_boot_ms() + PERIOD_MS;
		events = events_fetch(w, &w->rc);
		if (w->rc && !w->told)
			cli_error(&w->args->cli, "%s", ctl_strerror(w->rc));
		w->told = w->rc;
		if (w->primed)
			lines_print(w, events);
		w->primed |= events != NULL;
		json_object_put(events);
		while (!ended && clock_boot_ms() < next_ms)
			ended = pause_ends(w, false, next_ms);
		ended |= ferror(stdout) != 0;
	}
	return CLI_OK;
}

int command_watch(struct arguments *args)
{
	struct watch w = { .args = args, .events = json_object_new_array() };
	sigset_t set;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w.signals < 0) {
		cli_error(&args->cli, "signalfd: %s", strerror(errno));
		return CLI_UNREACHABLE;
	}
	rc = args->cli.term.tty && !args->cli.json ? screen_run(&w) : lines_run(&w);
	json_object_put(w.status);
	json_object_put(w.events);
	close(w.signals);
	return rc;
}
