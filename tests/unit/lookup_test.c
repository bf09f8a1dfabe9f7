/* hamon/daemon/lookup.c: whom a person means; and words.c. */
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "tests/unit/core_alone.h"
#include "tests/unit/test.h"

#define UUID(n) "0000000a-0000-4000-8000-00000000000" #n

static struct config_host hosts[] = { { .name = "h1", .nova_host = "h1.example.org" }, { .name = "h2" },
				      { .name = "h3", .nova_host = "h2" } };
static struct hamon_config config = { .hosts = hosts, .hosts_count = 3 };
static struct daemon daemon_ = { .config = &config };
static bool nova = true;

/* Of the daemon, what lookup.c asks. */
bool nova_is_plane(const struct daemon *d)
{
	return nova;
}

const char *daemon_host_name(struct daemon *d, uint32_t nodeid)
{
	struct core_host_view host;

	for (size_t i = 0; i < core_host_count(d->core); i++)
		if (core_host(d->core, i, &host) && host.nodeid == nodeid)
			return host.name;
	return "?";
}

static void begin(void)
{
	static const char *const names[][3] = {
		{ UUID(1), "instance-00000001", "web" }, { UUID(2), "instance-00000002", "web" },
		{ UUID(3), "instance-00000003", "my db" }, { UUID(4), "instance-00000004", "instance-00000003" },
		{ UUID(5), "instance-00000005", "" },
	};
	static struct spec_fact specs[5];
	static struct place_fact places[5];
	struct core_host_config hosts_known[] = { { .nodeid = 1, .name = "h1", .votes = 1 }, { .nodeid = 2, .name = "h2", .votes = 1 },
						  { .nodeid = 3, .name = "h3", .votes = 1 } };
	struct core_settings settings = { .self = 1, .boot_id = "b" };
	struct fact_ref refs[10];

	for (size_t i = 0; i < 5; i++) {
		strcpy(specs[i].uuid, names[i][0]);
		strcpy(specs[i].name, names[i][1]);
		strcpy(specs[i].title, names[i][2]);
		strcpy(places[i].uuid, names[i][0]);
		specs[i].version.term = places[i].version.term = 1;
		places[i].owner = 1 + (uint32_t)i % 2;
		refs[2 * i] = (struct fact_ref){ FACT_SPEC, &specs[i] };
		refs[2 * i + 1] = (struct fact_ref){ FACT_PLACE, &places[i] };
	}
	core = daemon_.core = core_new(&settings);
	CHECK(core);
	step(&(struct core_event){ .type = EV_CONFIG, .config = { .n = 3, .hosts = hosts_known } });
	step(&(struct core_event){ .type = EV_LOADED, .loaded = { .ok = true, .n_facts = 10, .facts = refs } });
	CHECK_INT(core_instance_count(core), 5);
}

static const char *found(const char *what)
{
	struct core_instance_view view;
	size_t slot;

	return instance_lookup(&daemon_, what, &slot, &view, NULL) ? view.spec->uuid : "";
}

/* The code of the error that a word leads to; its message has all these words. */
static void refused(const char *what, const char *code, const char *a, const char *b)
{
	struct core_instance_view view;
	struct json_object *reply = NULL, *error;
	size_t slot;

	CHECK(!instance_lookup(&daemon_, what, &slot, &view, &reply));
	CHECK(!json_get_object(reply, "error", &error));
	CHECK_STR(json_string_or(error, "code", ""), code);
	CHECK(strstr(json_string_or(error, "message", ""), a) && strstr(json_string_or(error, "message", ""), b));
	json_object_put(reply);
}

static void an_instance_has_three_names(void)
{
	CHECK_STR(found(UUID(3)), UUID(3));
	CHECK_STR(found("0000000A-0000-4000-8000-000000000003"), UUID(3));
	CHECK_STR(found("my db"), UUID(3));
	CHECK_STR(found("instance-00000005"), UUID(5));
	refused("my", "no-such-instance", "there is no", "my");
	refused("", "no-such-instance", "there is no", "");
}

static void what_fits_several_is_refused(void)
{
	refused("web", "ambiguous", UUID(1) " (instance-00000001, of h1)", UUID(2) " (instance-00000002, of h2)");
	/* A tenant calls its server as another one's domain is called. */
	refused("instance-00000003", "ambiguous", UUID(3), UUID(4));
}

static void a_host_has_two_names(void)
{
	struct json_object *error = NULL;

	CHECK_STR(host_lookup(&daemon_, "h1", NULL), "h1");
	CHECK_STR(host_lookup(&daemon_, "h1.example.org", NULL), "h1");
	CHECK(!host_lookup(&daemon_, "h2", &error)); /* h3 is h2 in Nova */
	CHECK_STR(json_string_or(json_object_object_get(error, "error"), "code", ""), "ambiguous");
	json_object_put(error);
	CHECK(!host_lookup(&daemon_, "h9", NULL));
	nova = false;
	CHECK_STR(host_lookup(&daemon_, "h2", NULL), "h2");
	CHECK(!host_lookup(&daemon_, "h1.example.org", NULL));
	nova = true;
}

static struct json_object *request_of(const char *text)
{
	struct json_object *obj = NULL;

	CHECK_INT(json_parse(text, strlen(text), &obj), 0);
	return obj;
}

static void a_request_is_made_clear(void)
{
	struct json_object *obj, *error = NULL;

	obj = request_of("{\"host\":\"h1.example.org\",\"target\":\"h3\",\"accept_data_loss\":[\"my db\",\"none\"]}");
	CHECK(names_resolve(&daemon_, obj, &error));
	CHECK_STR(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN),
		  "{\"host\":\"h1\",\"target\":\"h3\",\"accept_data_loss\":[\"" UUID(3) "\"]}");
	json_object_put(obj);
	obj = request_of("{\"instance\":\"my db\",\"accept_data_loss\":[\"web\"]}");
	CHECK(!names_resolve(&daemon_, obj, &error));
	CHECK_STR(json_string_or(json_object_object_get(error, "error"), "code", ""), "ambiguous");
	json_object_put(error);
	json_object_put(obj);
}

static void an_answer_keeps_its_request_id(void)
{
	static const char long_text[] = "Nova answered 500 to POST /servers/x/action: Unexpected API Error, and much more (req-12345)";
	char to[64];

	words_fit(to, sizeof(to), "Nova answered 404 (req-1)");
	CHECK_STR(to, "Nova answered 404 (req-1)");
	words_fit(to, sizeof(to), long_text);
	CHECK_STR(to, "Nova answered 500 to POST /servers/x/action: Une... (req-12345)");
	words_fit(to, 20, long_text);
	CHECK_STR(to, "Nova... (req-12345)");
	/* Brackets in the middle are none at the end. */
	words_fit(to, 32, "libvirt: (no such thing) and so on and so on and so on");
	CHECK_STR(to, "libvirt: (no such thing) and so");
}

int main(void)
{
	begin();
	RUN(an_instance_has_three_names);
	RUN(what_fits_several_is_refused);
	RUN(a_host_has_two_names);
	RUN(a_request_is_made_clear);
	RUN(an_answer_keeps_its_request_id);
	core_free(core);
	return 0;
}
