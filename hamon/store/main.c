/*
 * hamon-store: the one process that writes the store. It may block on its disk as long as the disk likes; hamond goes
 * on and just hears nothing of it. Requests come on stdin, one JSON object a line; all that are waiting go into
 * one transaction, and one line tells how far everything is durable. See hamon-store(8).
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/lines.h"
#include "hamon/store/answer.h"
#include "hamon/store/batch.h"

#define DEFAULT_PATH LOCALSTATEDIR "/lib/hamon"
#define DEFAULT_HISTORY 10000
#define RETRY_MS 1000
#define PAUSE_MS 20 /* without a request before the gate's list is written */
#define QUIET_MS 200 /* without a request before the log is written back */
#define POSTPONED_MS 10000 /* when that did not come to an end: somebody reads, the disk is full, there is much to do */

static int usage(FILE *out, int code)
{
	fputs("usage: hamon-store [--path FOLDER] [--history ROWS]\n"
	      "       hamon-store [--path FOLDER] --reset\n"
	      "Keeps hamon's store; started by hamond, speaks JSON on stdin and stdout.\n"
	      "  --path FOLDER   where the store is (" DEFAULT_PATH ")\n"
	      "  --history ROWS  how much history is kept (10000)\n"
	      "  --reset         sets the store aside and exits; see hamon-store(8) first\n"
	      "  --help          prints this\n", out);
	return code;
}

static int reset(const char *path)
{
	struct store_fault fault;
	struct place place;
	char aside[PATH_MAX];
	int rc = place_open(path, &place, &fault);

	if (!rc)
		rc = place_set_aside(&place, aside, &fault);
	place_close(&place);
	if (rc) {
		fprintf(stderr, "hamon-store: %s\n", fault.text);
		return 1;
	}
	printf("The old store is in %s. The next start makes a new, empty one.\n", aside);
	return 0;
}

/* 1 when stdin can be read now (or has ended), 0 after timeout_ms (-1: never). */
static int input_wait(int timeout_ms)
{
	struct pollfd pfd = { .fd = STDIN_FILENO, .events = POLLIN };
	int rc = poll(&pfd, 1, timeout_ms);

	return rc > 0;
}

/* How long to wait for more: what failed is tried again, quiet moments are for what is not urgent. */
static int patience_ms(const struct batch *batch, struct store_db *db, int quiet_ms)
{
	if (batch_waiting(batch) || batch->gate_failed)
		return RETRY_MS;
	if (db && batch_gate_waiting(batch))
		return PAUSE_MS;
	return db && db_maintenance_due(db, false) ? quiet_ms : -1;
}

/* Returns how long the next quiet moment must be. */
static int maintain(struct store_db *db)
{
	struct store_fault fault;

	if (db_maintain(db, &fault))
		fprintf(stderr, "maintenance: %s\n", fault.text);
	return db_maintenance_due(db, false) ? POSTPONED_MS : QUIET_MS;
}

/*
 * Takes everything that is there to be read, up to a bound; false at the end of the input. A last line without its
 * newline is not taken: its sender died in the middle of it.
 */
static bool input_drain(struct lines *lines, struct batch *batch)
{
	const char *line;
	size_t len;
	long n;

	do {
		n = lines_read(lines, STDIN_FILENO);
		while (lines_next(lines, false, &line, &len))
			batch_add(batch, line, len);
		for (; lines->dropped; lines->dropped--)
			batch_add(batch, NULL, 0);
	} while (n > 0 && !batch_full(batch) && input_wait(0));
	return n > 0;
}

/* Nothing came for a while. -EPIPE as for batch_run. */
static int quiet_run(struct batch *batch, struct store_db *db, int *quiet_ms)
{
	if (batch_waiting(batch))
		return 0;
	if (batch_gate_waiting(batch))
		return batch_gate_run(batch, db, true);
	*quiet_ms = maintain(db);
	return 0;
}

static int run(struct store_db *db, const struct store_fault *dead)
{
	struct lines lines = { .max = STORE_LINE_MAX };
	struct batch batch = { 0 };
	int quiet_ms = QUIET_MS, rc = 0;
	bool open = true;

	while (open && rc != -EPIPE) { /* -EPIPE: nobody is there any more to hear it */
		if (batch_full(&batch)) /* what is too much stays in the pipe, where its sender sees it */
			poll(NULL, 0, RETRY_MS);
		else if (input_wait(patience_ms(&batch, db, quiet_ms)))
			open = input_drain(&lines, &batch);
		else
			rc = quiet_run(&batch, db, &quiet_ms);
		if (rc != -EPIPE)
			rc = batch_run(&batch, db, dead);
		if (rc != -EPIPE)
			rc = batch_gate_run(&batch, db, !open);
		if (db && db_maintenance_due(db, true))
			maintain(db);
	}
	rc = batch_waiting(&batch) ? 1 : 0;
	batch_drop(&batch);
	lines_free(&lines);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "path", required_argument, NULL, 'p' }, { "history", required_argument, NULL, 'n' },
		{ "reset", no_argument, NULL, 'r' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	unsigned long long history = DEFAULT_HISTORY;
	const char *path = DEFAULT_PATH;
	struct store_fault fault = { 0 };
	struct db_content content;
	struct store_db *db = NULL;
	struct place place;
	bool want_reset = false;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		char *end = NULL;

		if (c == 'p')
			path = optarg;
		else if (c == 'r')
			want_reset = true;
		else if (c == 'h')
			return usage(stdout, 0);
		else if (c != 'n' || (history = strtoull(optarg, &end, 10)) < 100 || history > 10000000 || *end)
			return usage(stderr, 2);
	}
	if (optind < argc)
		return usage(stderr, 2);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (want_reset)
		return reset(path);
	rc = place_open(path, &place, &fault);
	if (!rc)
		rc = db_open(&place, history, &db, &content, &fault);
	rc = rc ? answer_not_loaded(&fault) : answer_loaded(&content);
	if (!rc) /* a store that cannot be used answers every request so, until a person has seen to it */
		rc = run(db, &fault);
	db_close(db);
	place_close(&place);
	return rc ? 1 : 0;
}
