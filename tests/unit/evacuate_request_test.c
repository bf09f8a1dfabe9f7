/* What hamon-evacuate takes as a request, and what it says about one that it does not. */
#include <errno.h>

#include "evacuate/request.h"
#include "tests/unit/test.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static void check_wrong(enum request_verb verb, const char *text, const char *expected_error)
{
	struct request req = { .op = "untouched" };
	char error[REQUEST_ERROR_SIZE];

	CHECK_INT(request_parse(verb, text, strlen(text), &req, error, sizeof(error), NULL, 0),
		  -EINVAL);
	CHECK_STR(error, expected_error);
	CHECK_STR(req.op, "untouched");
}

static void start_is_taken_whole(void)
{
	static const char text[] =
		"{\"op\":\"7.1\",\"uri\":\"qemu:///x\",\"uuid\":\"01234567-89AB-cdef-0123-456789abcdef\","
		"\"name\":\"db1\",\"generation\":12,\"xml\":\"<domain/>\",\"start_timeout_ms\":5000,"
		"\"verify_ms\":0,\"lock_retry_ms\":7,\"incident\":\"h1-e3\",\"managed_save\":\"use\"}";
	char error[REQUEST_ERROR_SIZE], op[16];
	struct request req;

	CHECK_INT(request_parse(REQUEST_START, text, sizeof(text) - 1, &req, error, sizeof(error), op,
				sizeof(op)),
		  0);
	CHECK_STR(req.op, "7.1");
	CHECK_STR(op, "7.1");
	CHECK_STR(req.uri, "qemu:///x");
	CHECK_STR(req.uuid, UUID);
	CHECK_STR(req.name, "db1");
	CHECK_STR(req.xml, "<domain/>");
	CHECK_INT(req.xml_len, 9);
	CHECK_INT(req.generation, 12);
	CHECK_INT(req.start_timeout_ms, 5000);
	CHECK_INT(req.verify_ms, 0);
	CHECK_INT(req.lock_retry_ms, 7);
	CHECK(!req.managed_save_aside);
	request_free(&req);
}

static void defaults(void)
{
	static const char text[] = "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"n\",\"xml\":\"x\"}";
	char error[REQUEST_ERROR_SIZE];
	struct request req;

	CHECK_INT(request_parse(REQUEST_START, text, sizeof(text) - 1, &req, error, sizeof(error),
				NULL, 0),
		  0);
	CHECK_STR(req.uri, "qemu:///system");
	CHECK_INT(req.verify_ms, 1000);
	CHECK_INT(req.start_timeout_ms, 90000);
	CHECK_INT(req.lock_retry_ms, 120000);
	CHECK(req.managed_save_aside);
	request_free(&req);
	CHECK_INT(request_parse(REQUEST_TIDY, text, sizeof(text) - 1, &req, error, sizeof(error),
				NULL, 0),
		  0);
	CHECK(!req.managed_save_aside && !req.undefine);
	request_free(&req);
}

static void watch_needs_only_an_op(void)
{
	char error[REQUEST_ERROR_SIZE];
	struct request req;

	CHECK_INT(request_parse(REQUEST_WATCH, "{\"op\":\"w\"}\n", 11, &req, error, sizeof(error),
				NULL, 0),
		  0);
	CHECK_STR(req.uri, "qemu:///system");
	CHECK_STR(req.uuid, "");
	request_free(&req);
	check_wrong(REQUEST_WATCH, "{}", "field \"op\": expected a string");
	check_wrong(REQUEST_WATCH, "{\"op\":\"w\",\"uri\":4}", "field \"uri\": expected a string");
	check_wrong(REQUEST_WATCH, "[]", "the request is not a JSON object");
	check_wrong(REQUEST_WATCH, "{", "the request is not one JSON object");
	check_wrong(REQUEST_WATCH, "{\"op\":\"w\"}{", "the request is not one JSON object");
}

static void wrong_fields_are_named(void)
{
#define HEAD "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"n\",\"xml\":\"x\","
	check_wrong(REQUEST_STOP, "{\"op\":\"a\",\"uuid\":\"0123\"}",
		    "field \"uuid\": expected a UUID like 01234567-89ab-cdef-0123-456789abcdef");
	check_wrong(REQUEST_STOP, "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"why\":[]}",
		    "field \"why\": expected a string");
	check_wrong(REQUEST_START, "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"a/b\"}",
		    "field \"name\": expected a domain's name, at most 255 bytes, no slash");
	check_wrong(REQUEST_START, "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"ab\"}",
		    "field \"xml\": expected a string");
	check_wrong(REQUEST_START, HEAD "\"verify_ms\":-1}",
		    "field \"verify_ms\": expected milliseconds, at most 86400000");
	check_wrong(REQUEST_START, HEAD "\"verify_ms\":86400001}",
		    "field \"verify_ms\": expected milliseconds, at most 86400000");
	check_wrong(REQUEST_START, HEAD "\"generation\":\"3\"}", "field \"generation\": expected a number");
	check_wrong(REQUEST_START, HEAD "\"managed_save\":\"drop\"}",
		    "field \"managed_save\": expected \"aside\" or \"use\"");
	check_wrong(REQUEST_TIDY, HEAD "\"managed_save\":\"use\"}",
		    "field \"managed_save\": expected \"aside\" or null");
	check_wrong(REQUEST_TIDY, HEAD "\"undefine\":1}",
		    "field \"undefine\": expected true or false");
}

static void a_wrong_request_still_tells_its_op(void)
{
	char error[REQUEST_ERROR_SIZE], op[16];
	struct request req;

	CHECK_INT(request_parse(REQUEST_STOP, "{\"op\":\"9\"}", 10, &req, error, sizeof(error), op,
				sizeof(op)),
		  -EINVAL);
	CHECK_STR(op, "9");
}

static void too_long_is_refused_unread(void)
{
	static char text[REQUEST_BYTES_MAX + 1];
	char error[REQUEST_ERROR_SIZE];
	struct request req;

	memset(text, ' ', sizeof(text));
	CHECK_INT(request_parse(REQUEST_WATCH, text, sizeof(text), &req, error, sizeof(error), NULL, 0),
		  -E2BIG);
}

#define NOVA_START "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"n\",\"plane\":\"nova\",\"nova\":"

static void nova_is_taken(void)
{
	static const char text[] = NOVA_START
		"{\"cloud\":\"c\",\"clouds_file\":\"/f\",\"region\":null,\"interface\":\"admin\",\"timeout_ms\":5,"
		"\"microversion\":\"2.79\",\"self\":\"h2\",\"dead\":[\"h1\",\"h3\"],\"environment\":{\"OS_X\":\"y\"}}}";
	static const char by_hand[] =
		"{\"op\":\"a\",\"by_hand\":true,\"plane\":\"nova\",\"nova\":{\"self\":\"h2\",\"automatic_return\":false}}";
	static const char least[] = "{\"op\":\"a\",\"plane\":\"nova\",\"nova\":{\"self\":\"h2\"}}";
	char error[REQUEST_ERROR_SIZE];
	struct request req;

	CHECK_INT(request_parse(REQUEST_START, text, sizeof(text) - 1, &req, error, sizeof(error), NULL, 0), 0);
	CHECK(req.has_nova);
	CHECK_STR(req.xml, "");
	CHECK_STR(req.nova.cloud, "c");
	CHECK_STR(req.nova.clouds_file, "/f");
	CHECK_STR(req.nova.region, "");
	CHECK_STR(req.nova.interface, "admin");
	CHECK_INT(req.nova.timeout_ms, 5);
	CHECK_STR(req.nova.microversion, "2.79");
	CHECK_STR(req.nova.self, "h2");
	CHECK_INT(req.nova.n_dead, 2);
	CHECK_STR(req.nova.dead[1], "h3");
	CHECK(req.nova.environment);
	CHECK_INT(req.nova.select, SELECT_ALL);
	CHECK(!req.by_hand);
	request_free(&req);
	CHECK_INT(request_parse(REQUEST_ENABLE, least, sizeof(least) - 1, &req, error, sizeof(error), NULL, 0), 0);
	CHECK_INT(req.nova.timeout_ms, 30000);
	CHECK_STR(req.nova.microversion, "2.93");
	CHECK_INT(req.nova.n_dead, 0);
	CHECK(!req.nova.environment);
	CHECK(req.nova.automatic_return && !req.by_hand);
	request_free(&req);
	CHECK_INT(request_parse(REQUEST_ENABLE, by_hand, sizeof(by_hand) - 1, &req, error, sizeof(error), NULL, 0), 0);
	CHECK(!req.nova.automatic_return && req.by_hand);
	request_free(&req);
}

static void nova_is_refused(void)
{
	check_wrong(REQUEST_START, "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"n\",\"plane\":\"xen\"}",
		    "field \"plane\": expected \"libvirt\" or \"nova\"");
	check_wrong(REQUEST_START, "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"n\",\"plane\":\"nova\"}",
		    "field \"nova\": expected an object");
	check_wrong(REQUEST_START, NOVA_START "{}}", "field \"self\": expected a string");
	check_wrong(REQUEST_START, NOVA_START "{\"self\":\"h 2\"}}", "field \"self\": expected this host's name in Nova");
	check_wrong(REQUEST_START, NOVA_START "{\"self\":\"h2\",\"dead\":\"h1\"}}",
		    "field \"dead\": expected a list of at most 64 hosts");
	check_wrong(REQUEST_START, NOVA_START "{\"self\":\"h2\",\"dead\":[7]}}", "field \"dead\": expected names of hosts");
	check_wrong(REQUEST_START, NOVA_START "{\"self\":\"h2\",\"select\":\"some\"}}",
		    "field \"select\": expected \"all\" or what tells the servers");
	check_wrong(REQUEST_START, NOVA_START "{\"self\":\"h2\",\"select\":\"tag\"}}",
		    "field \"select_key\": expected a name");
	/* Whoever is told that it is dead itself must not act. */
	check_wrong(REQUEST_START, NOVA_START "{\"self\":\"h2\",\"dead\":[\"h1\",\"h2\"]}}",
		    "field \"dead\": h2 is this host itself");
	check_wrong(REQUEST_ENABLE, "{\"op\":\"a\"}", "field \"plane\": enable is Nova's");
	check_wrong(REQUEST_ENABLE, "{\"op\":\"a\",\"by_hand\":1,\"plane\":\"nova\",\"nova\":{\"self\":\"h2\"}}",
		    "field \"by_hand\": expected true or false");
	check_wrong(REQUEST_ENABLE, "{\"op\":\"a\",\"plane\":\"nova\",\"nova\":{\"self\":\"h2\",\"automatic_return\":\"no\"}}",
		    "field \"automatic_return\": expected true or false");
	check_wrong(REQUEST_SERVERS, "{\"op\":\"a\"}", "field \"plane\": servers is Nova's");
	check_wrong(REQUEST_SERVERS, "{\"op\":\"a\",\"plane\":\"nova\",\"nova\":{\"self\":\"h1\"},\"hosts\":[\"a&b/\"]}",
		    "field \"hosts\": expected names of hosts");
	check_wrong(REQUEST_START, "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"n\",\"wish\":\"stopped\"}",
		    "field \"wish\": only Nova moves what is stopped");
	/* libvirt's own start still needs the definition. */
	check_wrong(REQUEST_START, "{\"op\":\"a\",\"uuid\":\"" UUID "\",\"name\":\"n\"}",
		    "field \"xml\": expected a string");
}

int main(void)
{
	RUN(start_is_taken_whole);
	RUN(defaults);
	RUN(watch_needs_only_an_op);
	RUN(wrong_fields_are_named);
	RUN(a_wrong_request_still_tells_its_op);
	RUN(too_long_is_refused_unread);
	RUN(nova_is_taken);
	RUN(nova_is_refused);
	return 0;
}
