/*
 * hamon/daemon/watch.c: what hamond makes of what libvirt says, above all of disks that cannot be looked at any more. The test
 * stands in for the watcher's process and for the core, which knows what it was told last.
 */
#include <errno.h>
#include <stdarg.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/trace.h"
#include "tests/unit/test.h"

#define MARKED "\"file:5f0c9a52-6a1f-4a53-9d5e-0d6c4b4d9c11:"

static struct daemon d;
static struct hamon_config config;
static struct helper_spec watcher;
static struct spec_fact known; /* to the core */
static unsigned int n_known, n_reports;

/* --- what stands in --- */

struct helper *helper_start(struct helper_pool *pool, const struct helper_spec *spec)
{
	watcher = *spec;
	return (struct helper *)&watcher;
}

void helper_kill(struct helper *helper)
{
}

int32_t qb_loop_timer_add(struct qb_loop *l, enum qb_loop_priority p, uint64_t nsec_duration, void *data,
			  qb_loop_timer_dispatch_fn dispatch_fn, qb_loop_timer_handle *timer_handle_out)
{
	return -EPERM;
}

size_t core_instance_count(const struct core *core)
{
	return n_known;
}

bool core_instance(const struct core *core, size_t slot, struct core_instance_view *ret)
{
	*ret = (struct core_instance_view){ .spec = &known };
	return slot < n_known;
}

void daemon_event(struct daemon *daemon, const struct core_event *event)
{
	if (event->type != EV_REPORTS)
		return;
	n_reports += (unsigned int)event->reports.n;
	if (event->reports.n) {
		known = event->reports.reports[event->reports.n - 1].spec;
		n_known = 1;
	}
}

void trace_add(const char *what, const char *format, ...)
{
}

void daemon_log(struct daemon *daemon, const char *format, ...)
{
}

void daemon_note(struct daemon *daemon, const char *kind, enum note_severity severity, const char *format, ...)
{
}

void daemon_on_stderr(void *user, struct helper *helper, const char *line)
{
}

const char *daemon_self_name(struct daemon *daemon)
{
	return "h1";
}

int def_add(struct daemon *daemon, const char *hash, const char *xml)
{
	return 0;
}

void def_announce(struct daemon *daemon, const char *hash)
{
}

void store_def(struct daemon *daemon, const char *hash, const char *xml)
{
}

/* --- helpers of the tests --- */

static void says(const char *text)
{
	struct json_object *obj;

	CHECK(!json_parse(text, strlen(text), &obj));
	watcher.on_line(watcher.user, (struct helper *)&watcher, obj);
	json_object_put(obj);
}

/* disks and places as the watcher writes them, without the brackets of their arrays */
static void reports_of(const char *uuid, const char *hash, const char *disks, const char *places)
{
	char text[2048];
	unsigned int before = n_reports;

	CHECK((size_t)snprintf(text, sizeof(text), "{\"type\":\"domain\",\"event\":\"list\",\"uuid\":\"%s\",\"name\":\"a1\","
			       "\"state\":\"running\",\"protected\":true,\"def_hash\":\"%s\",\"disks\":[%s],\"places\":[%s]}",
			       uuid, hash, disks, places) < sizeof(text));
	says(text);
	CHECK_INT(n_reports, before + 1);
}

static void reports(const char *disks, const char *places)
{
	reports_of("u1", "1111", disks, places);
}

static void begin(void)
{
	memset(&d, 0, sizeof(d));
	memset(&known, 0, sizeof(known));
	n_known = n_reports = 0;
	d.config = &config;
	watch_start(&d);
}

/* --- tests --- */

static void a_marked_disk_keeps_its_name_and_place(void)
{
	begin();
	reports("{\"id\":" MARKED "a1.img\",\"writable\":false}", "\"/srv/shared\"");
	CHECK_STR(known.disks[0].id, "file:5f0c9a52-6a1f-4a53-9d5e-0d6c4b4d9c11:a1.img");
	reports("{\"id\":\"path:/srv/shared/a1.img\",\"writable\":true}", "");
	CHECK_STR(known.disks[0].id, "file:5f0c9a52-6a1f-4a53-9d5e-0d6c4b4d9c11:a1.img");
	CHECK(known.disks[0].writable);
	CHECK_INT(known.n_places, 1);
	CHECK_STR(known.places[0], "/srv/shared");
}

/* It began to hang before anybody had marked its folder: all that is known of it is where it is, and that must not go. */
static void an_unmarked_disk_keeps_its_place(void)
{
	begin();
	reports("{\"id\":\"path:/srv/slow/a1.img\"}", "\"/srv/slow\"");
	for (int i = 0; i < 2; i++) {
		reports("{\"id\":\"path:/srv/slow/a1.img\"}", "");
		CHECK_INT(known.n_disks, 1);
		CHECK_STR(known.disks[0].id, "path:/srv/slow/a1.img");
		CHECK_INT(known.n_places, 1);
		CHECK_STR(known.places[0], "/srv/slow");
	}
}

static void one_that_hangs_beside_one_that_does_not(void)
{
	begin();
	reports("{\"id\":" MARKED "a1.img\"},{\"id\":\"path:/srv/slow/b1.img\"}", "\"/srv/shared\",\"/srv/slow\"");
	reports("{\"id\":" MARKED "a1.img\"},{\"id\":\"path:/srv/slow/b1.img\"}", "\"/srv/shared\"");
	CHECK_INT(known.n_places, 2);
	CHECK_STR(known.places[1], "/srv/slow");
}

/* What was looked at is the truth, also where it says less than before. */
static void what_was_looked_at_stands(void)
{
	begin();
	reports("{\"id\":\"path:/srv/slow/a1.img\"}", "\"/srv/slow\",\"/srv/base\"");
	reports("{\"id\":" MARKED "a1.img\"}", "\"/srv/slow\"");
	CHECK_STR(known.disks[0].id, "file:5f0c9a52-6a1f-4a53-9d5e-0d6c4b4d9c11:a1.img");
	CHECK_INT(known.n_places, 1);
}

/* Another definition, other disks or another instance: nothing is known of those. */
static void another_definition_is_not_remembered(void)
{
	static const char disks[] = "{\"id\":\"path:/srv/slow/a1.img\"}";

	begin();
	reports(disks, "\"/srv/slow\"");
	reports_of("u1", "2222", disks, "");
	CHECK_INT(known.n_places, 0);
	reports(disks, "\"/srv/slow\"");
	reports("{\"id\":\"path:/srv/slow/a1.img\"},{\"id\":\"path:/srv/slow/b1.img\"}", "");
	CHECK_INT(known.n_places, 0);
	reports(disks, "\"/srv/slow\"");
	reports_of("u2", "1111", disks, "");
	CHECK_INT(known.n_places, 0);
}

/* A list is told as one, and what it names is remembered like the rest. */
static void a_list_is_told_when_it_is_whole(void)
{
	begin();
	reports("{\"id\":\"path:/srv/slow/a1.img\"}", "\"/srv/slow\"");
	says("{\"type\":\"hello\",\"gate\":\"ok\"}");
	says("{\"type\":\"domain\",\"event\":\"list\",\"uuid\":\"u1\",\"name\":\"a1\",\"state\":\"running\",\"protected\":true,"
	     "\"def_hash\":\"1111\",\"disks\":[{\"id\":\"path:/srv/slow/a1.img\"}],\"places\":[]}");
	CHECK_INT(n_reports, 1);
	says("{\"type\":\"synced\"}");
	CHECK_INT(n_reports, 2);
	CHECK_INT(known.n_places, 1);
}

int main(void)
{
	RUN(a_marked_disk_keeps_its_name_and_place);
	RUN(an_unmarked_disk_keeps_its_place);
	RUN(one_that_hangs_beside_one_that_does_not);
	RUN(what_was_looked_at_stands);
	RUN(another_definition_is_not_remembered);
	RUN(a_list_is_told_when_it_is_whole);
	return 0;
}
