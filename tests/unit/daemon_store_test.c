/*
 * hamon/daemon/store.c: what hamond asks of the store's writer, and what it makes of the answers. The test stands in for the
 * writer's process and for the rest of hamond: a word too much to the core, and a promise is forgotten or a record lost.
 */
#include <errno.h>
#include <stdarg.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/trace.h"
#include "tests/unit/test.h"

static struct daemon d;
static struct helper_spec writer;
static struct hamon_config config;
static unsigned int started, killed;
static int send_fails;
static struct json_object *request; /* the last one that was sent */
static struct core_event told[8];
static size_t n_told;
static bool notes_alert;

/* --- what stands in --- */

struct helper *helper_start(struct helper_pool *pool, const struct helper_spec *spec)
{
	writer = *spec;
	started++;
	return (struct helper *)&writer;
}

int helper_send_json(struct helper *helper, struct json_object *obj)
{
	json_object_put(request);
	request = send_fails ? NULL : json_object_get(obj);
	return send_fails;
}

void helper_kill(struct helper *helper)
{
	killed++;
}

void daemon_event(struct daemon *daemon, const struct core_event *event)
{
	CHECK(n_told < sizeof(told) / sizeof(told[0]));
	told[n_told++] = *event;
}

void daemon_defer(struct daemon *daemon, const struct core_event *event)
{
	daemon_event(daemon, event);
}

void daemon_log(struct daemon *daemon, const char *format, ...)
{
}

void daemon_note(struct daemon *daemon, const char *kind, enum note_severity severity, const char *format, ...)
{
	notes_alert |= severity == NOTE_ALERT;
}

void alert_remember(struct daemon *daemon, struct json_object *row)
{
}

void daemon_on_stderr(void *user, struct helper *helper, const char *line)
{
}

const char *daemon_host_name(struct daemon *daemon, uint32_t nodeid)
{
	return "h1";
}

int def_add(struct daemon *daemon, const char *hash, const char *xml)
{
	return 0;
}

void trace_add(const char *what, const char *format, ...)
{
}

/* --- helpers of the tests --- */

static void says(const char *text)
{
	struct json_object *obj;

	CHECK(!json_parse(text, strlen(text), &obj));
	n_told = 0;
	writer.on_line(writer.user, (struct helper *)&writer, obj);
	json_object_put(obj);
}

static void begin(void)
{
	struct core_settings settings = { .self = 1, .beat_ms = 1000 };

	memset(&d, 0, sizeof(d));
	d.config = &config;
	d.core = core_new(&settings);
	CHECK(d.core);
	n_told = started = killed = 0;
	send_fails = 0;
	notes_alert = false;
	store_start(&d);
	CHECK_INT(started, 1);
}

static void begin_loaded(void)
{
	begin();
	says("{\"type\":\"loaded\",\"ok\":true,\"meta\":{\"promised\":131073,\"facts_term\":65537},\"facts\":[],\"defs\":[]}");
	CHECK_INT(n_told, 1);
	CHECK_INT(told[0].type, EV_LOADED);
	CHECK(told[0].loaded.ok);
	CHECK_INT(told[0].loaded.promised, 131073);
	CHECK_INT(told[0].loaded.facts_term, 65537);
	n_told = 0;
}

static void end(void)
{
	char text[64];

	/* Whoever still waits for the history hears that there is none. */
	for (uint64_t id = 1; id <= d.next_query; id++) {
		snprintf(text, sizeof(text), "{\"type\":\"history\",\"id\":%llu,\"rows\":[]}", (unsigned long long)id);
		says(text);
	}
	json_object_put(request);
	request = NULL;
	json_object_put(d.loading);
	core_free(d.core);
}

static uint64_t persist(uint64_t id, uint64_t promised)
{
	struct core_action act = { .type = ACT_PERSIST, .persist = { .id = id, .promised = promised, .facts_term = 65537,
		.replace = true } };

	store_persist(&d, &act);
	return request ? json_u64_or(request, "seq", 0) : 0;
}

/* --- tests --- */

static void what_is_asked_is_whole(void)
{
	struct json_object *meta;

	begin_loaded();
	CHECK(persist(7, 196609));
	CHECK(!json_get_object(request, "meta", &meta));
	CHECK_INT(json_u64_or(meta, "promised", 0), 196609);
	CHECK_INT(json_u64_or(meta, "facts_term", 0), 65537);
	CHECK(json_bool_or(request, "replace", false));
	end();
}

static void only_what_is_durable_is_acknowledged(void)
{
	struct json_object *row = json_object_new_object();
	uint64_t first, second;
	char line[128];

	begin_loaded();
	first = persist(7, 196609);
	/* A note of this host alone has a number between two of the core's writes. */
	store_note(&d, row);
	json_object_put(row);
	CHECK(json_u64_or(request, "seq", 0) > first);
	snprintf(line, sizeof(line), "{\"type\":\"persisted\",\"seq\":%llu}",
		 (unsigned long long)json_u64_or(request, "seq", 0));
	second = persist(8, 196609);
	CHECK(second > json_u64_or(request, "seq", 0) - 1 && second > first);
	says(line);
	CHECK_INT(n_told, 1);
	CHECK_INT(told[0].type, EV_PERSISTED);
	CHECK_INT(told[0].persisted.persist_id, 7);
	snprintf(line, sizeof(line), "{\"type\":\"persisted\",\"seq\":%llu}", (unsigned long long)second);
	says(line);
	CHECK_INT(told[0].persisted.persist_id, 8);
	end();
}

static void a_store_that_cannot_be_read_is_none(void)
{
	static const char *const bad[] = {
		"{\"type\":\"loaded\",\"ok\":false,\"error\":\"damaged\",\"error_class\":\"corrupt\"}",
		"{\"type\":\"loaded\",\"ok\":true,\"meta\":{\"promised\":1},\"facts\":[{\"kind\":\"nonsense\"}],\"defs\":[]}",
	};

	for (size_t i = 0; i < 2; i++) {
		begin();
		says(bad[i]);
		CHECK_INT(n_told, 1);
		CHECK_INT(told[0].type, EV_LOADED);
		CHECK(!told[0].loaded.ok);
		CHECK(notes_alert);
		CHECK(d.store_error[0]);
		/* Nothing is written to it. */
		CHECK_INT(persist(7, 1), 0);
		end();
	}
}

static void the_core_hears_of_each_failure(void)
{
	begin_loaded();
	persist(7, 1);
	says("{\"type\":\"error\",\"seq\":7340032,\"error\":\"no space\",\"error_class\":\"full\",\"retrying\":true}");
	CHECK_INT(n_told, 1);
	CHECK_INT(told[0].type, EV_PERSIST_FAILED);
	end();
	/* The writer ends: what was on its way is lost, and a new one is started. */
	begin_loaded();
	persist(7, 1);
	writer.on_exit(writer.user, (struct helper *)&writer, 9, HELPER_SIGNALED);
	CHECK_INT(n_told, 1);
	CHECK_INT(told[0].type, EV_PERSIST_FAILED);
	n_told = 0;
	CHECK(!d.store);
	store_tick(&d);
	CHECK_INT(started, 2);
	CHECK(!d.store_loaded);
	end();
	/* It takes nothing more. */
	begin_loaded();
	send_fails = -EAGAIN;
	persist(7, 1);
	CHECK_INT(n_told, 1);
	CHECK_INT(told[0].type, EV_PERSIST_FAILED);
	end();
}

static void a_large_store_comes_in_parts(void)
{
	begin();
	says("{\"type\":\"loading\",\"facts\":[{\"kind\":\"cluster\",\"key\":\"cluster\",\"term\":65537,\"counter\":1,\"value\":{}}]}");
	CHECK_INT(n_told, 0);
	says("{\"type\":\"loaded\",\"ok\":true,\"meta\":{\"promised\":65537},\"facts\":[],\"defs\":[]}");
	CHECK_INT(n_told, 1);
	CHECK_INT(told[0].type, EV_LOADED);
	CHECK(told[0].loaded.ok);
	CHECK_INT(told[0].loaded.n_facts, 1);
	end();
}

/* A disk that was full and is not any more: nobody has to restart the daemon. */
static void a_store_that_can_write_again_is_read_again(void)
{
	begin_loaded();
	says("{\"type\":\"persisted\",\"seq\":1}");
	CHECK_INT(killed, 0);
	says("{\"type\":\"error\",\"seq\":2,\"error_class\":\"full\",\"error\":\"disk is full\"}");
	CHECK(!d.store_loaded);
	says("{\"type\":\"persisted\",\"seq\":2}");
	CHECK_INT(killed, 1);
	writer.on_exit(writer.user, (struct helper *)&writer, 0, HELPER_EXITED);
	store_tick(&d);
	CHECK_INT(started, 2);
	says("{\"type\":\"loaded\",\"ok\":true,\"meta\":{\"promised\":131073,\"facts_term\":65537},\"facts\":[],\"defs\":[]}");
	CHECK(d.store_loaded);
	CHECK(!d.store_error[0]);
	end();
}

/* A daemon that is started again at once meets the writer of the one before it. */
static void a_locked_store_is_tried_again(void)
{
	begin();
	for (unsigned int i = 1; i <= 2; i++) {
		says("{\"type\":\"loaded\",\"ok\":false,\"error_class\":\"locked\",\"error\":\"another process writes it\"}");
		CHECK_INT(n_told, i == 1 ? 1 : 0);
		CHECK_INT(killed, i);
		writer.on_exit(writer.user, (struct helper *)&writer, 0, HELPER_EXITED);
		store_tick(&d);
		CHECK_INT(started, i + 1);
	}
	says("{\"type\":\"loaded\",\"ok\":false,\"error_class\":\"corrupt\",\"error\":\"damaged\"}");
	CHECK_INT(killed, 2);
	says("{\"type\":\"loaded\",\"ok\":true,\"meta\":{\"promised\":131073,\"facts_term\":65537},\"facts\":[],\"defs\":[]}");
	CHECK(d.store_loaded);
	end();
}

/* libvirt told of a guest before the store was read: its definition is written then, for nobody tells of it again. */
static void a_definition_waits_for_the_store(void)
{
	struct json_object *defs;

	begin();
	d.n_defs = 1;
	strcpy(d.defs[0].hash, "0123");
	d.defs[0].xml = "<domain/>";
	store_def(&d, d.defs[0].hash, d.defs[0].xml);
	CHECK(!request);
	says("{\"type\":\"loaded\",\"ok\":true,\"meta\":{\"promised\":131073,\"facts_term\":65537},\"facts\":[],\"defs\":[]}");
	CHECK(request && !json_get_array(request, "defs", &defs));
	CHECK_STR(json_string_or(json_object_array_get_idx(defs, 0), "xml", ""), "<domain/>");
	end();
}

int main(void)
{
	RUN(a_locked_store_is_tried_again);
	RUN(a_store_that_can_write_again_is_read_again);
	RUN(what_is_asked_is_whole);
	RUN(only_what_is_durable_is_acknowledged);
	RUN(a_store_that_cannot_be_read_is_none);
	RUN(the_core_hears_of_each_failure);
	RUN(a_large_store_comes_in_parts);
	RUN(a_definition_waits_for_the_store);
	return 0;
}
