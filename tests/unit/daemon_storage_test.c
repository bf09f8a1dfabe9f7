/*
 * hamon/daemon/storage.c, beacons.c: when storage is checked again, and where beacons are lit. A host without a verdict is no target,
 * so none may wait for long. The test stands in for the helpers, the core and the clock.
 */
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "tests/unit/test.h"

#define SOON_MS 3000
#define SECOND_MS 1000

static struct daemon d;
static struct hamon_config config;
static struct spec_fact spec = { .uuid = "u1", .name = "a1", .def_hash = "1111" };
static struct place_fact place, others_place = { .owner = 3, .home = 3 };
static struct host_fact host, other;
static size_t others_from;  /* servers from this number on are the other host's; 0: none */
static const char *definition;
static unsigned int checks; /* that have begun */
static size_t servers;      /* here, each in a folder of its own; 0: just the one of spec */
static size_t changed;      /* one more than the number of the server that has been changed */
static size_t asked;        /* instances of the last check */
static size_t beacons;      /* folders that the last round of them had */
static size_t told;         /* verdicts in the last event */
static unsigned int events;
static void (*on_line)(void *user, struct helper *helper, struct json_object *obj);
static void (*on_exit_of_check)(void *user, struct helper *helper, int status, enum helper_end end);
static void (*on_line_of_beacon)(void *user, struct helper *helper, struct json_object *obj);
static void (*on_exit_of_beacon)(void *user, struct helper *helper, int status, enum helper_end end);
static uint64_t now_ms;

/* --- what stands in --- */

uint64_t clock_boot_ms(void)
{
	return now_ms;
}

size_t core_instance_count(const struct core *core)
{
	return servers ? servers : 1;
}

bool core_instance(const struct core *core, size_t slot, struct core_instance_view *ret)
{
	static struct spec_fact server = { .n_places = 1, .def_hash = "1111" };

	if (servers) {
		snprintf(server.uuid, sizeof(server.uuid), "u%zu", slot);
		server.version.counter = slot + 1 == changed;
		snprintf(server.places[0], sizeof(server.places[0]), "/instances/%zu", slot);
		*ret = (struct core_instance_view){ .spec = &server,
						    .place = others_from && slot >= others_from ? &others_place : &place };
		return slot < servers;
	}
	*ret = (struct core_instance_view){ .spec = &spec, .place = &place };
	return slot == 0;
}

size_t core_host_count(const struct core *core)
{
	return 2;
}

bool core_host(const struct core *core, size_t slot, struct core_host_view *ret)
{
	*ret = slot ? (struct core_host_view){ .nodeid = 3, .name = "h3", .fact = &other } :
		      (struct core_host_view){ .nodeid = 2, .name = "h2", .fact = &host };
	return slot < 2;
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = { "unknown", "local", "shared", "volume" };

	return names[verdict];
}

struct helper *daemon_helper(struct daemon *daemon, const char *program, const char *verb, struct json_object *input,
			     uint64_t deadline_ms, unsigned int tag,
			     void (*line)(void *user, struct helper *helper, struct json_object *obj),
			     void (*end)(void *user, struct helper *helper, int status, enum helper_end end),
			     void *user)
{
	struct json_object *places;

	if (!strcmp(verb, "beacon")) {
		CHECK(json_object_object_get_ex(input, "places", &places));
		beacons = json_object_array_length(places);
		json_object_put(input);
		on_line_of_beacon = line;
		on_exit_of_beacon = end;
		return (struct helper *)&beacons;
	}
	CHECK_STR(verb, "check");
	CHECK(!daemon->check);
	CHECK(json_object_object_get_ex(input, "instances", &places));
	asked = json_object_array_length(places);
	json_object_put(input);
	on_line = line;
	on_exit_of_check = end;
	checks++;
	return (struct helper *)&checks;
}

void daemon_event(struct daemon *daemon, const struct core_event *event)
{
	told = event->verdicts.n;
	events++;
}

void daemon_log(struct daemon *daemon, const char *format, ...)
{
}

const char *daemon_self_name(struct daemon *daemon)
{
	return "h1";
}

const char *daemon_host_name(struct daemon *daemon, uint32_t nodeid)
{
	return "h2";
}

const char *def_find(struct daemon *daemon, const char *hash)
{
	return definition;
}

bool nova_is_plane(const struct daemon *daemon)
{
	return false;
}

void watch_host_report(struct daemon *daemon)
{
}

/* --- helpers of the tests --- */

static void passes(uint64_t ms)
{
	for (uint64_t end = now_ms + ms; now_ms < end;) {
		now_ms += SECOND_MS;
		storage_tick(&d);
	}
}

static void says_of(const char *uuid, const char *verdict)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "verdict");
	json_put_string(obj, "uuid", uuid);
	json_put_string(obj, "verdict", verdict);
	on_line(&d, d.check, obj);
	json_object_put(obj);
}

static void says(const char *verdict)
{
	says_of(spec.uuid, verdict);
}

static void says_of_all(const char *verdict)
{
	char uuid[24];

	for (size_t i = 0; i < servers; i++) {
		snprintf(uuid, sizeof(uuid), "u%zu", i);
		says_of(uuid, verdict);
	}
}

/* Of the servers from first to last - 1. */
static void beacons_end(size_t first, size_t last, bool ok)
{
	for (size_t i = first; i < last; i++) {
		struct json_object *obj = json_object_new_object();
		char path[32];

		snprintf(path, sizeof(path), "/instances/%zu", i);
		json_put_string(obj, "type", "place");
		json_put_string(obj, "path", path);
		json_put_bool(obj, "ok", ok);
		on_line_of_beacon(&d, d.beacon, obj);
		json_object_put(obj);
	}
	on_exit_of_beacon(&d, d.beacon, 0, HELPER_EXITED);
	CHECK(!d.beacon);
}

static void ends(void)
{
	on_exit_of_check(&d, d.check, 0, HELPER_EXITED);
	CHECK(!d.check);
}

static void begin(void)
{
	static struct verdict_report verdicts[CORE_INSTANCES_MAX];

	json_object_put(d.checked);
	json_object_put(d.beacons_lit);
	memset(&d, 0, sizeof(d));
	memset(verdicts, 0, sizeof(verdicts));
	d.config = &config;
	d.verdicts = verdicts;
	d.settings.self = 1;
	config.storage.beacon_interval_ms = 3600000;
	place.owner = place.home = 2;
	definition = "<domain/>";
	checks = 0;
	servers = changed = beacons = asked = told = others_from = 0;
	host = other = (struct host_fact){ 0 };
	events = 0;
	now_ms = 1000000;
}

/* --- tests --- */

static void a_change_is_checked_at_once(void)
{
	begin();
	storage_step(&d);
	CHECK_INT(checks, 1);
	says("shared");
	ends();
	storage_step(&d);
	CHECK_INT(checks, 1);
	spec.version.counter++;
	storage_step(&d);
	CHECK_INT(checks, 2);
}

/* Nova has a folder for each server: one without a beacon would not be proven shared. */
static void every_folder_gets_a_beacon(void)
{
	begin();
	place.owner = 1;
	servers = 300;
	storage_tick(&d);
	CHECK_INT(beacons, 300);
}

/* In a recovery one server comes after the other: a round of all for each would take the time that they need. */
static void a_new_folder_gets_its_beacon_alone(void)
{
	begin();
	config.storage.beacon_interval_ms = 60000;
	place.owner = 1;
	servers = 300;
	storage_step(&d);
	passes(SECOND_MS);
	CHECK_INT(beacons, 300);
	beacons_end(0, 300, true);
	servers = 301;
	storage_step(&d);
	passes(SECOND_MS);
	CHECK_INT(beacons, 1);
	beacons_end(300, 301, false);
	/* That one has none yet. */
	servers = 302;
	storage_step(&d);
	passes(SECOND_MS);
	CHECK_INT(beacons, 2);
	beacons_end(300, 302, true);
	/* When another host is lost, and now and then, all of them. */
	host.state = HOST_LOST;
	storage_step(&d);
	passes(SECOND_MS);
	CHECK_INT(beacons, 302);
	host.state = HOST_ADMITTED;
	beacons_end(0, 302, true);
	beacons = 0;
	passes(60 * SECOND_MS);
	CHECK_INT(beacons, 302);
}

static void a_new_nonce_goes_everywhere(void)
{
	char nonce[CORE_NONCE_SIZE];

	begin();
	place.owner = 1;
	servers = 300;
	storage_step(&d);
	passes(SECOND_MS);
	memcpy(nonce, d.host.nonce, sizeof(nonce));
	beacons_end(0, 300, true);
	now_ms += 601 * SECOND_MS;
	servers = 301;
	storage_step(&d);
	passes(SECOND_MS);
	CHECK(strcmp(d.host.nonce, nonce));
	CHECK_INT(beacons, 301);
}

static void what_changes_is_checked_alone(void)
{
	begin();
	servers = 300;
	storage_step(&d);
	CHECK_INT(asked, 300);
	says_of_all("shared");
	CHECK_INT(events, 0);
	ends();
	/* In one message. */
	CHECK_INT(events, 1);
	CHECK_INT(told, 300);
	changed = 7;
	storage_step(&d);
	CHECK_INT(checks, 2);
	CHECK_INT(asked, 1);
	says_of("u6", "unknown");
	ends();
	CHECK_INT(told, 1);
	/* It is not proven: soon again. */
	passes(SOON_MS);
	CHECK_INT(checks, 3);
	CHECK_INT(asked, 1);
	says_of("u6", "shared");
	ends();
	passes(2 * SOON_MS);
	CHECK_INT(checks, 3);
	/* Now and then, all of them. */
	asked = 0;
	passes(31 * SECOND_MS);
	CHECK_INT(asked, 300);
}

/* Its certificate waits for the proofs of its own instances alone, however many the cluster has. */
static void those_of_a_lost_host_are_checked_at_once(void)
{
	begin();
	servers = 300;
	others_from = 290;
	storage_step(&d);
	CHECK_INT(asked, 300);
	says_of_all("shared");
	ends();
	other.state = HOST_LOST;
	storage_step(&d);
	CHECK_INT(checks, 2);
	CHECK_INT(asked, 10);
	ends();
	strcpy(host.nonce, "0123");
	storage_step(&d);
	CHECK_INT(checks, 3);
	CHECK_INT(asked, 290);
	/* And a host that is lost meanwhile, right after that. */
	other.state = HOST_ADMITTED;
	storage_step(&d);
	CHECK_INT(checks, 3);
	ends();
	passes(SECOND_MS);
	CHECK_INT(checks, 4);
	CHECK_INT(asked, 10);
}

/* Many instances take their time, on each host: all the time is not theirs. */
static void all_are_checked_the_more_seldom_the_longer_it_takes(void)
{
	unsigned int before;

	begin();
	servers = 300;
	storage_step(&d);
	now_ms += 20 * SECOND_MS;
	says_of_all("shared");
	ends();
	passes(379 * SECOND_MS);
	CHECK_INT(checks, 1);
	passes(SECOND_MS);
	CHECK_INT(checks, 2);
	CHECK_INT(asked, 300);
	now_ms += 20 * SECOND_MS;
	says_of("u9", "unknown");
	ends();
	/* What is not proven is asked again soon, and later after the usual time. */
	while (checks < 23) {
		passes(SOON_MS);
		CHECK_INT(asked, 1);
		ends();
	}
	before = checks;
	passes(29 * SECOND_MS);
	CHECK_INT(checks, before);
	passes(SECOND_MS);
	CHECK_INT(checks, before + 1);
	CHECK_INT(asked, 1);
}

static void a_change_during_a_check_is_checked_after_it(void)
{
	begin();
	storage_step(&d);
	spec.version.counter++;
	storage_step(&d);
	CHECK_INT(checks, 1);
	says("shared");
	ends();
	passes(SECOND_MS);
	CHECK_INT(checks, 2);
	/* Once: not for ever. */
	says("shared");
	ends();
	passes(2 * SOON_MS);
	CHECK_INT(checks, 2);
}

/* In a recovery one instance changes after the other, and to check all takes its time; a lost host is no matter of patience. */
static void what_changes_again_and_again_is_checked_seldom(void)
{
	begin();
	storage_step(&d);
	now_ms += SECOND_MS;
	says("shared");
	ends();
	spec.version.counter++;
	storage_step(&d);
	passes(8 * SECOND_MS);
	CHECK_INT(checks, 1);
	passes(SECOND_MS);
	CHECK_INT(checks, 2);
	now_ms += SECOND_MS;
	spec.version.counter++;
	storage_step(&d);
	says("shared");
	ends();
	passes(8 * SECOND_MS);
	CHECK_INT(checks, 2);
	host.state = HOST_LOST;
	storage_step(&d);
	CHECK_INT(checks, 3);
	host.state = HOST_ADMITTED;
}

static void one_without_its_definition_is_checked_soon(void)
{
	begin();
	definition = NULL;
	storage_step(&d);
	CHECK_INT(checks, 0);
	passes(SOON_MS);
	CHECK_INT(checks, 0);
	definition = "<domain/>";
	passes(SOON_MS);
	CHECK_INT(checks, 1);
}

static void a_bad_verdict_is_looked_at_again_soon(void)
{
	begin();
	storage_step(&d);
	says("unknown");
	ends();
	passes(SOON_MS);
	CHECK_INT(checks, 2);
	says("shared");
	ends();
	passes(2 * SOON_MS);
	CHECK_INT(checks, 2);
}

int main(void)
{
	RUN(a_change_is_checked_at_once);
	RUN(every_folder_gets_a_beacon);
	RUN(a_new_folder_gets_its_beacon_alone);
	RUN(a_new_nonce_goes_everywhere);
	RUN(what_changes_is_checked_alone);
	RUN(those_of_a_lost_host_are_checked_at_once);
	RUN(all_are_checked_the_more_seldom_the_longer_it_takes);
	RUN(what_changes_again_and_again_is_checked_seldom);
	RUN(a_change_during_a_check_is_checked_after_it);
	RUN(one_without_its_definition_is_checked_soon);
	RUN(a_bad_verdict_is_looked_at_again_soon);
	begin(); /* leaves nothing behind */
	return 0;
}
