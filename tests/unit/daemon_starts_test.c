/*
 * hamon/daemon/starts.c: in which order, and how many at a time, Nova is asked for servers, and that starts by libvirt are not touched by
 * that. The test stands in for the helpers, for the clock and for the core.
 */
#include <stdarg.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/faultpoint.h"
#include "hamon/daemon/trace.h"
#include "tests/unit/test.h"

#define MAX 4
#define SERVERS 8

static struct daemon d;
static struct hamon_config config;
static uint64_t now_ms;
static struct spec_fact specs[SERVERS];
static struct place_fact places[SERVERS];

/* The helpers that were started: which server each is for, and how to talk to its owner. */
static struct run {
	char program[32];
	char name[CORE_NAME_SIZE];
	void (*on_line)(void *user, struct helper *helper, struct json_object *obj);
	void (*on_exit)(void *user, struct helper *helper, int status, enum helper_end end);
	void *user;
	bool over;
} runs[2 * SERVERS];
static size_t n_runs, n_results, n_looks;
static bool fresh, defined;

/* --- what stands in --- */

uint64_t clock_boot_ms(void)
{
	return now_ms;
}

struct helper *daemon_helper(struct daemon *daemon, const char *program, const char *verb, struct json_object *input,
			     uint64_t deadline_ms, unsigned int tag,
			     void (*on_line)(void *user, struct helper *helper, struct json_object *obj),
			     void (*on_exit)(void *user, struct helper *helper, int status, enum helper_end end),
			     void *user)
{
	struct run *run = &runs[n_runs++];

	CHECK(n_runs <= 2 * SERVERS);
	snprintf(run->program, sizeof(run->program), "%s", program);
	snprintf(run->name, sizeof(run->name), "%s", json_string_or(input, "name", ""));
	run->on_line = on_line;
	run->on_exit = on_exit;
	run->user = user;
	run->over = false;
	json_object_put(input);
	return (struct helper *)run;
}

void daemon_defer(struct daemon *daemon, const struct core_event *event)
{
	n_results += event->type == EV_START_RESULT;
}

void daemon_log(struct daemon *daemon, const char *format, ...)
{
}

void daemon_note(struct daemon *daemon, const char *kind, enum note_severity severity, const char *format, ...)
{
}

const char *daemon_self_name(struct daemon *daemon)
{
	return "h2";
}

const char *def_find(struct daemon *daemon, const char *hash)
{
	return defined ? "<domain/>" : NULL;
}

bool nova_is_plane(const struct daemon *daemon)
{
	return config.cluster.control_plane == CONFIG_PLANE_NOVA;
}

void nova_request_add(struct daemon *daemon, struct json_object *input)
{
}

void nova_look_soon(struct daemon *daemon)
{
	n_looks++;
}

bool storage_is_fresh(struct daemon *daemon, const char *uuid)
{
	return fresh;
}

struct json_object *storage_instance_request(struct daemon *daemon, const struct core_instance_view *view)
{
	return json_object_new_object();
}

const char *spec_label(const struct spec_fact *spec, char buf[CORE_LABEL_SIZE])
{
	return spec->name;
}

void fault_point(const char *where, const char *what)
{
}

void trace_add(const char *what, const char *format, ...)
{
}

/* --- what the core and the helpers do --- */

static void exits(size_t run, int status, enum helper_end end)
{
	runs[run].over = true;
	runs[run].on_exit(runs[run].user, NULL, status, end);
}

/* A term ends, and its helpers with it. */
static void end(void)
{
	starts_drop(&d);
	for (size_t run = 0; run < n_runs; run++)
		if (!runs[run].over)
			exits(run, 9, HELPER_EXITED);
}

static void begin(enum config_control_plane plane)
{
	end();
	memset(&d, 0, sizeof(d));
	config.cluster.control_plane = plane;
	config.evacuation.parallel_starts = MAX;
	d.config = &config;
	d.settings.self = 2; /* the home of none */
	fresh = defined = true;
	n_runs = n_results = 0;
	now_ms = 1000000;
}

static void give(int number)
{
	struct core_action act = { .type = ACT_START };

	snprintf(specs[number].name, sizeof(specs[number].name), "s%d", number);
	snprintf(specs[number].uuid, sizeof(specs[number].uuid), "u%d", number);
	act.instance.op = (uint64_t)number + 1;
	act.instance.spec = &specs[number];
	act.instance.place = &places[number];
	start_begin(&d, &act);
}

static void give_all(void)
{
	for (int i = 0; i < SERVERS; i++)
		give(i);
}

static void says(size_t run, const char *text)
{
	struct json_object *obj;

	CHECK_INT(json_parse(text, strlen(text), &obj), 0);
	runs[run].on_line(runs[run].user, NULL, obj);
	json_object_put(obj);
}

static void is_up(size_t run)
{
	says(run, "{\"type\":\"progress\",\"phase\":\"started\"}");
}

static void ends(size_t run)
{
	exits(run, 0, HELPER_EXITED);
}

/* --- the tests --- */

/* Nova was too slow at the end of a start: the lock on the server that runs here is taken off by the next look. */
static void a_lock_that_is_left_is_looked_after(void)
{
	n_looks = 0;
	begin(CONFIG_PLANE_NOVA);
	give(0);
	is_up(0);
	says(0, "{\"type\":\"progress\",\"phase\":\"unlocked\",\"detail\":\"u0\"}");
	CHECK_INT(n_looks, 0);
	says(0, "{\"type\":\"progress\",\"phase\":\"not-unlocked\",\"detail\":\"Nova does not answer\"}");
	CHECK_INT(n_looks, 1);
	CHECK_INT(n_results, 0);
	ends(0);
}

static void dies(size_t run, enum helper_end end)
{
	exits(run, 9, end);
}

/* Killed, or crashed: another one looks at what is there, three times; a deadline is an answer. */
static void a_helper_that_died_is_followed_by_another(void)
{
	for (int plane = 0; plane < 2; plane++) {
		begin(plane ? CONFIG_PLANE_NOVA : CONFIG_PLANE_LIBVIRT);
		give(0);
		CHECK_INT(n_runs, 1);
		is_up(0);
		for (size_t i = 0; i < 3; i++) {
			dies(i, HELPER_SIGNALED);
			CHECK_INT(n_runs, i + 2);
			CHECK_STR(runs[i + 1].name, "s0");
		}
		CHECK_INT(n_results, 0);
		dies(3, HELPER_SIGNALED);
		CHECK_INT(n_runs, 4);
		CHECK_INT(n_results, 1);
		give(1);
		dies(4, HELPER_DEADLINE);
		CHECK_INT(n_runs, 5);
		CHECK_INT(n_results, 2);
		/* Its term is over: whoever coordinates now says what becomes of it. */
		give(2);
		starts_drop(&d);
		dies(5, HELPER_SIGNALED);
		CHECK_INT(n_runs, 6);
		CHECK(!d.starts);
	}
}

/* hamond has just read its store, and its definitions follow; or none has it. */
static void a_start_waits_for_its_definition(void)
{
	strcpy(specs[0].def_hash, "hash");
	for (int plane = 0; plane < 2; plane++) {
		begin(plane ? CONFIG_PLANE_NOVA : CONFIG_PLANE_LIBVIRT);
		fresh = defined = false;
		give(0);
		starts_tick(&d);
		CHECK_INT(n_runs, 0);
		CHECK_INT(n_results, 0);
		defined = true;
		starts_tick(&d);
		CHECK_INT(n_runs, 1);
		CHECK_STR(runs[0].program, "hamon-storage");
		starts_tick(&d);
		CHECK_INT(n_runs, 1);

		begin(plane ? CONFIG_PLANE_NOVA : CONFIG_PLANE_LIBVIRT);
		fresh = defined = false;
		give(0);
		now_ms += 9999;
		starts_tick(&d);
		CHECK_INT(n_results, 0);
		now_ms++;
		starts_tick(&d);
		CHECK_INT(n_results, 1);
		CHECK_INT(n_runs, 0);
		CHECK(!d.starts);

		begin(plane ? CONFIG_PLANE_NOVA : CONFIG_PLANE_LIBVIRT);
		defined = false;
		give(0);
		starts_drop(&d);
		CHECK(!d.starts);
	}
	specs[0].def_hash[0] = '\0';
}

static void libvirt_starts_all_at_once(void)
{
	begin(CONFIG_PLANE_LIBVIRT);
	give_all();
	CHECK_INT(n_runs, SERVERS);
	for (size_t i = 0; i < SERVERS; i++)
		ends(i);
	CHECK_INT(n_results, SERVERS);
	CHECK(!d.starts);
}

static void nova_is_asked_for_a_canary_and_then_for_more(void)
{
	begin(CONFIG_PLANE_NOVA);
	give_all();
	CHECK_INT(n_runs, 1);
	says(0, "{\"type\":\"progress\",\"phase\":\"token\"}");
	starts_tick(&d);
	CHECK_INT(n_runs, 1);
	is_up(0);
	CHECK_INT(n_runs, 3);
	is_up(1);
	CHECK_INT(n_runs, 5);
	is_up(2);
	CHECK_INT(n_runs, 7);
	is_up(3);
	CHECK_INT(n_runs, 8);
	for (size_t i = 0; i < SERVERS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "s%zu", i);
		CHECK_STR(runs[i].name, name);
	}
	for (size_t i = 0; i < SERVERS; i++) {
		says(i, "{\"type\":\"result\",\"ok\":true}");
		ends(i);
	}
	CHECK_INT(n_results, SERVERS);
	CHECK_INT(d.pace.running, 0);
	CHECK(!d.starts);
}

static void one_server_goes_at_once(void)
{
	begin(CONFIG_PLANE_NOVA);
	give(0);
	CHECK_INT(n_runs, 1);
	is_up(0);
	ends(0);
	CHECK_INT(d.pace.running, 0);
}

static void a_canary_whose_qemu_is_there(void)
{
	begin(CONFIG_PLANE_NOVA);
	give_all();
	says(0, "{\"type\":\"progress\",\"phase\":\"begun\"}");
	CHECK_INT(n_runs, 2);
	says(1, "{\"type\":\"progress\",\"phase\":\"begun\"}");
	CHECK_INT(n_runs, 2);
	is_up(0);
	CHECK_INT(n_runs, 4);
}

static void a_canary_that_takes_long(void)
{
	begin(CONFIG_PLANE_NOVA);
	give_all();
	now_ms += PACE_CANARY_MS;
	starts_tick(&d);
	CHECK_INT(n_runs, 2);
}

static void the_width_halves_when_nova_is_slow(void)
{
	begin(CONFIG_PLANE_NOVA);
	give_all();
	is_up(0);
	is_up(1);
	is_up(2);
	CHECK_INT(n_runs, 7);
	CHECK_INT(d.pace.width, MAX);
	says(3, "{\"type\":\"progress\",\"phase\":\"api-wait\",\"detail\":\"503\"}");
	CHECK_INT(d.pace.width, MAX / 2);
	is_up(3); /* 3 of 4 are still under way */
	CHECK_INT(n_runs, 7);
}

static void what_fails_makes_room(void)
{
	begin(CONFIG_PLANE_NOVA);
	give_all();
	is_up(0);
	CHECK_INT(n_runs, 3);
	says(1, "{\"type\":\"result\",\"ok\":false,\"error_class\":\"api\",\"error\":\"no\"}");
	CHECK_INT(d.pace.width, 1);
	says(2, "{\"type\":\"result\",\"ok\":false,\"error_class\":\"deleted\",\"error\":\"no\"}");
	CHECK_INT(n_runs, 4);
	ends(3); /* its helper died */
	CHECK_INT(n_runs, 5);
	CHECK_INT(n_results, 3);
	for (size_t i = 0; i < 3; i++)
		ends(i);
	CHECK_INT(n_results, 4);
	CHECK_INT(d.pace.running, 1);
}

static void a_proof_of_storage_counts_too(void)
{
	begin(CONFIG_PLANE_NOVA);
	fresh = false;
	give_all();
	CHECK_INT(n_runs, 1);
	CHECK_STR(runs[0].program, "hamon-storage");
	says(0, "{\"type\":\"verdict\",\"verdict\":\"local\"}");
	ends(0);
	CHECK_INT(n_runs, 2);
	says(1, "{\"type\":\"verdict\",\"verdict\":\"shared\"}");
	ends(1);
	CHECK_INT(n_runs, 3);
	CHECK_STR(runs[2].program, "hamon-evacuate");
	is_up(2);
	CHECK_INT(n_runs, 5);
}

static void a_term_that_is_over_asks_for_nothing_more(void)
{
	begin(CONFIG_PLANE_NOVA);
	give_all();
	starts_drop(&d);
	ends(0);
	CHECK_INT(n_runs, 1);
	CHECK_INT(n_results, 0);
	CHECK_INT(d.pace.running, 0);
	CHECK(!d.starts);
	give(1); /* the new term's */
	CHECK_INT(n_runs, 2);
}

int main(void)
{
	RUN(a_lock_that_is_left_is_looked_after);
	RUN(a_helper_that_died_is_followed_by_another);
	RUN(a_start_waits_for_its_definition);
	RUN(libvirt_starts_all_at_once);
	RUN(nova_is_asked_for_a_canary_and_then_for_more);
	RUN(one_server_goes_at_once);
	RUN(a_canary_whose_qemu_is_there);
	RUN(a_canary_that_takes_long);
	RUN(the_width_halves_when_nova_is_slow);
	RUN(what_fails_makes_room);
	RUN(a_proof_of_storage_counts_too);
	RUN(a_term_that_is_over_asks_for_nothing_more);
	end();
	return 0;
}
