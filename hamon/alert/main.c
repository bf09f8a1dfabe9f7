/*
 * hamon-alert: what hamon records goes to the journal and to alert agents. This thread only reads: whatever hangs, an
 * agent, the disk of the spool, journald, hangs in a thread of its own, and hamond never finds its pipe full. See
 * hamon-alerts(7).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/alert/dispatch.h"
#include "hamon/alert/journal.h"
#include "hamon/alert/kinds.h"
#include "hamon/alert/spool.h"
#include "hamon/alert/stats.h"
#include "hamon/alert/tell.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/lines.h"

#define LINE_MAX_BYTES (1u << 20)
#define STATS_EVERY_MS 1000
#define STATS_PATIENCE 5 /* times without a change, then nothing is under way any more */
#define FLUSH_MS 2000
#define BAD_TOLD_MAX 20 /* lines that are answered one by one; all are counted */

static void refuse(const char *why)
{
	struct json_object *obj;

	stats_add(COUNT_BAD, 1);
	if (stats_get(COUNT_BAD) > BAD_TOLD_MAX)
		return;
	obj = json_object_new_object();
	json_put_string(obj, "type", "error");
	json_put_string(obj, "error_class", "bad-request");
	json_put_string(obj, "error", why);
	tell_line(obj);
	tell_log("refused a line: %s", why);
}

static void record_take(struct json_object *obj)
{
	struct alert_record *record;
	char why[256];

	if (alert_record_take(obj, clock_wall_us(), &record, why, sizeof(why))) {
		refuse(why);
		return;
	}
	stats_add(COUNT_RECEIVED, 1);
	journal_post(record);
	dispatch_post(record);
	alert_record_unref(record);
}

static void config_take(struct json_object *obj)
{
	struct alert_config *config;
	char why[256];

	if (alert_config_take(obj, &config, why, sizeof(why))) {
		refuse(why);
	} else if (!dispatch_configure(config)) {
		alert_config_free(config);
		refuse("too much is waiting for another configuration");
	}
}

static void line_take(const char *line, size_t len)
{
	struct json_object *obj;
	const char *type;

	if (json_parse(line, len, &obj)) {
		refuse("the line is not JSON");
		return;
	}
	type = json_string_or(obj, "type", "");
	if (!strcmp(type, "record"))
		record_take(obj);
	else if (!strcmp(type, "config"))
		config_take(obj);
	else if (!strcmp(type, "stats"))
		tell_line(stats_object());
	else
		refuse("\"type\" must be \"config\", \"record\" or \"stats\"");
	json_object_put(obj);
}

/* False at the end of the input. */
static bool input_read(struct lines *lines)
{
	const char *line;
	size_t len;
	long n = lines_read(lines, STDIN_FILENO);

	while (lines_next(lines, false, &line, &len))
		line_take(line, len);
	for (; lines->dropped; lines->dropped--)
		refuse("a line has more than 1 MiB");
	return n > 0;
}

/* Tells what changed; at rest nothing wakes us. Returns for how long to wait. */
static int stats_tell(uint64_t *told_ms, unsigned int *unchanged)
{
	uint64_t now_ms = clock_boot_ms();

	if (now_ms < *told_ms + STATS_EVERY_MS)
		return (int)(*told_ms + STATS_EVERY_MS - now_ms);
	*unchanged = stats_changed() ? 0 : *unchanged + 1;
	if (*unchanged && !stats_get(COUNT_QUEUED))
		return *unchanged > STATS_PATIENCE ? -1 : STATS_EVERY_MS;
	if (!*unchanged)
		tell_line(stats_object());
	*told_ms = now_ms;
	return STATS_EVERY_MS;
}

static void run(void)
{
	struct lines lines = { .max = LINE_MAX_BYTES };
	struct pollfd pfd = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned int unchanged = 0;
	uint64_t told_ms = 0;
	bool open = true;

	while (open)
		if (poll(&pfd, 1, stats_tell(&told_ms, &unchanged)) > 0)
			open = input_read(&lines);
	lines_free(&lines);
}

static int kinds_print(void)
{
	for (size_t i = 0; alert_kind_at(i); i++)
		printf("%s %s %s\n", alert_kind_at(i)->name, alert_kind_at(i)->message_id,
		       alert_class_name(alert_kind_at(i)->class));
	return 0;
}

int main(int argc, char **argv)
{
	int rc;

	if (argc == 2 && !strcmp(argv[1], "--kinds"))
		return kinds_print();
	if (argc > 1) {
		fputs("usage: hamon-alert [--kinds]\n"
		      "Delivers hamon's alerts; started by hamond, speaks JSON on stdin. See hamon-alerts(7).\n"
		      "  --kinds   lists the kinds of records with their message ids\n", stderr);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	tzset();
	rc = journal_start();
	if (!rc)
		rc = dispatch_start();
	if (rc) {
		tell_log("cannot start: %s", strerror(-rc));
		return 1;
	}
	run();
	dispatch_end();
	spool_flush(FLUSH_MS);
	journal_flush(FLUSH_MS);
	tell_line(stats_object());
	_exit(0); /* threads that hang are not waited for */
}
