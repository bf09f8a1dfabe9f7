/*
 * hamon/daemon/domains.c: what is left of an instance on a host that does not own it is tidied up until it is. The test stands in for the
 * helpers, the core and the clock.
 */
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "tests/unit/test.h"

#define SECOND_MS 1000

static struct daemon d;
static struct hamon_config config;
static struct spec_fact spec = { .uuid = "u1", .name = "a1" };
static struct place_fact place;
static unsigned int tidies, logs;
static bool undefine, no_helpers;
static void (*on_line)(void *user, struct helper *helper, struct json_object *obj);
static void (*on_exit_of_tidy)(void *user, struct helper *helper, int status, enum helper_end end);
static void *user_of_tidy;
static uint64_t now_ms;

/* --- what stands in --- */

uint64_t clock_boot_ms(void)
{
	return now_ms;
}

size_t core_instance_count(const struct core *core)
{
	return 1;
}

bool core_instance(const struct core *core, size_t slot, struct core_instance_view *ret)
{
	*ret = (struct core_instance_view){ .spec = &spec, .place = &place };
	return slot == 0;
}

const char *spec_label(const struct spec_fact *fact, char label[CORE_LABEL_SIZE])
{
	return fact->name;
}

struct helper *daemon_helper(struct daemon *daemon, const char *program, const char *verb, struct json_object *input,
			     uint64_t deadline_ms, unsigned int tag,
			     void (*line)(void *user, struct helper *helper, struct json_object *obj),
			     void (*end)(void *user, struct helper *helper, int status, enum helper_end end),
			     void *user)
{
	CHECK_STR(verb, "tidy");
	CHECK_STR(json_string_or(input, "uuid", ""), "u1");
	undefine = json_bool_or(input, "undefine", false);
	json_object_put(input);
	on_line = line;
	on_exit_of_tidy = end;
	user_of_tidy = user;
	tidies++;
	return no_helpers ? NULL : (struct helper *)&tidies;
}

void daemon_defer(struct daemon *daemon, const struct core_event *event)
{
	CHECK(!"an answer to the core");
}

void daemon_log(struct daemon *daemon, const char *format, ...)
{
	logs++;
}

bool nova_is_plane(const struct daemon *daemon)
{
	return false;
}

/* --- helpers of the tests --- */

static void passes(uint64_t ms)
{
	for (uint64_t end = now_ms + ms; now_ms < end;) {
		now_ms += SECOND_MS;
		domains_tick(&d);
	}
}

static void ends(bool ok)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "result");
	json_put_bool(obj, "ok", ok);
	on_line(user_of_tidy, (struct helper *)&tidies, obj);
	json_object_put(obj);
	on_exit_of_tidy(user_of_tidy, (struct helper *)&tidies, 0, HELPER_EXITED);
}

static void begin(void)
{
	const struct core_action act = { .type = ACT_TIDY, .instance = { .spec = &spec, .place = &place } };

	d.config = &config;
	d.settings.self = 1;
	place = (struct place_fact){ .owner = 2, .phase = PHASE_SETTLED };
	tidies = logs = 0;
	no_helpers = false;
	now_ms = 1000000;
	tidy_begin(&d, &act);
	CHECK_INT(tidies, 1);
	CHECK(undefine);
}

/* --- tests --- */

static void what_was_tidied_up_is_left_alone(void)
{
	begin();
	ends(true);
	passes(3600 * SECOND_MS);
	CHECK_INT(tidies, 1);
	CHECK_INT(logs, 0);
}

static void what_failed_is_tried_again_ever_more_seldom(void)
{
	begin();
	ends(false);
	CHECK_INT(logs, 1);
	passes(9 * SECOND_MS);
	CHECK_INT(tidies, 1);
	passes(SECOND_MS);
	CHECK_INT(tidies, 2);
	CHECK(undefine);
	/* Nobody tells how that one ended. */
	on_exit_of_tidy(user_of_tidy, (struct helper *)&tidies, 0, HELPER_SIGNALED);
	passes(19 * SECOND_MS);
	CHECK_INT(tidies, 2);
	passes(SECOND_MS);
	CHECK_INT(tidies, 3);
	ends(true);
	passes(3600 * SECOND_MS);
	CHECK_INT(tidies, 3);
	CHECK_INT(logs, 2);
}

/* It may be given to this host meanwhile: that is not the moment to undefine it. */
static void what_has_become_ours_is_not_tidied_up(void)
{
	begin();
	ends(false);
	place.owner = 1;
	passes(3600 * SECOND_MS);
	CHECK_INT(tidies, 1);
	begin();
	ends(false);
	place.joint = 1;
	passes(3600 * SECOND_MS);
	CHECK_INT(tidies, 1);
}

static void a_helper_that_cannot_be_started_is_tried_again(void)
{
	begin();
	ends(false);
	no_helpers = true;
	passes(10 * SECOND_MS);
	CHECK_INT(tidies, 2);
	no_helpers = false;
	passes(20 * SECOND_MS);
	CHECK_INT(tidies, 3);
	ends(false);
	domains_free(&d);
	passes(3600 * SECOND_MS);
	CHECK_INT(tidies, 3);
}

int main(void)
{
	RUN(what_was_tidied_up_is_left_alone);
	RUN(what_failed_is_tried_again_ever_more_seldom);
	RUN(what_has_become_ours_is_not_tidied_up);
	RUN(a_helper_that_cannot_be_started_is_tried_again);
	return 0;
}
