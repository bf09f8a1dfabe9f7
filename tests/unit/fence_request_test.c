/* What hamon-fence takes as a request, and the input it makes of it for an agent. */
#include <errno.h>

#include "fencing/request.h"
#include "tests/unit/test.h"

#define AGENT_EXPECTED \
	"agent: expected the name of a program in /usr/sbin, as fence_ipmilan, or an absolute path"
#define OPTION_EXPECTED \
	"expected a name of letters, digits, '_' and '-', and a value without control characters"

static struct fence_request request;
static struct failure failure;

static int parse(const char *text)
{
	request_clear(&request);
	failure = (struct failure){ 0 };
	return request_parse(&request, text, strlen(text), &failure);
}

static void whole_request(void)
{
	char *input;
	size_t len;

	CHECK_INT(parse("{\"op\":\"7.3\",\"host\":\"h1\",\"device\":\"ipmi1\","
			"\"agent\":\"fence_ipmilan\","
			"\"options\":{\"ip\":\"10.77.0.101\",\"passwd\":\"x y\"},"
			"\"secrets_file\":\"/etc/hamon/secrets/ipmi1\","
			"\"timeout_ms\":30000,\"retries\":3,\"status_timeout_ms\":5000}"), 0);
	CHECK_STR(request.op, "7.3");
	CHECK_STR(request.host, "h1");
	CHECK_STR(request.device, "ipmi1");
	CHECK_STR(request.agent, "/usr/sbin/fence_ipmilan");
	CHECK_STR(request.agent_name, "fence_ipmilan");
	CHECK_STR(request.secrets_file, "/etc/hamon/secrets/ipmi1");
	CHECK_INT(request.timeout_ms, 30000);
	CHECK_INT(request.status_timeout_ms, 5000);
	CHECK_INT(request.retries, 3);
	CHECK(request.has_options);
	CHECK(request.options.items[1].secret); /* by its name */
	CHECK(!request.options.items[0].secret);
	CHECK_INT(options_input(&request.options, "off", &input, &len), 0);
	CHECK_STR(input, "action=off\nip=10.77.0.101\npasswd=x y\nnodename=h1\n");
	CHECK_INT(strlen(input), len);
	options_input_free(input, len);
}

static void smallest_request(void)
{
	CHECK_INT(parse("{\"agent\":\"/opt/agents/fence_x\",\"secrets_file\":null}"), 0);
	CHECK_STR(request.agent, "/opt/agents/fence_x");
	CHECK_STR(request.agent_name, "fence_x");
	CHECK_INT(request.timeout_ms, 60000);
	CHECK_INT(request.status_timeout_ms, 20000);
	CHECK_INT(request.retries, 1);
	CHECK(!request.has_options && request.options.count == 0);
}

static void a_given_nodename_stays(void)
{
	CHECK_INT(parse("{\"agent\":\"a\",\"host\":\"h1\",\"options\":{\"nodename\":\"node-1\"}}"),
		  0);
	CHECK_STR(options_get(&request.options, "nodename"), "node-1");
}

static void no_json(void)
{
	static const char *const texts[] = { "", "{", "[]", "1", "{} {}", "off" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CHECK_INT(parse(texts[i]), -EBADMSG);
		CHECK_INT(failure.what, FAILURE_BAD_REQUEST);
	}
}

static void wrong_fields(void)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "{}", AGENT_EXPECTED },
		{ "{\"agent\":\"../fence_x\"}", AGENT_EXPECTED },
		{ "{\"agent\":\"/usr/sbin/\"}", AGENT_EXPECTED },
		{ "{\"agent\":\"a\",\"op\":7}", "op: expected a text shorter than 256 bytes" },
		{ "{\"agent\":\"a\",\"secrets_file\":\"x\"}",
		  "secrets_file: expected an absolute path" },
		{ "{\"agent\":\"a\",\"timeout_ms\":0}",
		  "timeout_ms: expected a number from 1 to 3600000" },
		{ "{\"agent\":\"a\",\"timeout_ms\":\"60\"}",
		  "timeout_ms: expected a number from 1 to 3600000" },
		{ "{\"agent\":\"a\",\"retries\":-1}", "retries: expected a number from 0 to 10" },
		{ "{\"agent\":\"a\",\"options\":[]}", "options: expected an object of texts" },
		{ "{\"agent\":\"a\",\"options\":{\"plug\":1}}", "option plug: expected a text" },
		{ "{\"agent\":\"a\",\"options\":{\"plug\":\"1\\u00002\"}}",
		  "option plug: expected a text" },
		{ "{\"agent\":\"a\",\"options\":{\"action\":\"on\"}}",
		  "option action: the action is not for the options to say" },
		{ "{\"agent\":\"a\",\"options\":{\"plug\":\"1\\naction=on\"}}",
		  "option plug: " OPTION_EXPECTED },
		{ "{\"agent\":\"a\",\"options\":{\"a=b\":\"1\"}}",
		  "option a=b: " OPTION_EXPECTED },
		{ "{\"agent\":\"a\",\"host\":\"h\\n1\"}",
		  "host: expected a name without control characters" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK_INT(parse(cases[i].text), -EINVAL);
		CHECK_STR(failure.text, cases[i].error);
		CHECK_INT(failure.what, FAILURE_BAD_REQUEST);
	}
}

static void a_wrong_field_leaves_the_names(void)
{
	CHECK_INT(parse("{\"op\":\"7\",\"host\":\"h1\",\"device\":\"d\",\"agent\":\"a\","
			"\"retries\":99}"), -EINVAL);
	CHECK_STR(request.op, "7");
	CHECK_STR(request.device, "d");
}

static void limits(void)
{
	static char text[REQUEST_BYTES_MAX + 2];
	struct options options = { 0 };
	char key[OPTION_KEY_SIZE + 1], value[OPTION_VALUE_SIZE + 1], *input;
	size_t len;

	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, "{\"agent\":\"a\"}", 13);
	CHECK_INT(parse(text), -EBADMSG);
	text[REQUEST_BYTES_MAX] = '\0';
	CHECK_INT(parse(text), 0);
	memset(key, 'k', OPTION_KEY_SIZE);
	key[OPTION_KEY_SIZE] = '\0';
	CHECK_INT(options_set(&options, key, "1", false), -E2BIG);
	memset(value, 'v', OPTION_VALUE_SIZE);
	value[OPTION_VALUE_SIZE] = '\0';
	CHECK_INT(options_set(&options, "k", value, false), -E2BIG);
	value[OPTION_VALUE_SIZE - 1] = '\0';
	for (int i = 0; i < OPTIONS_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		CHECK_INT(options_set(&options, key, value, false), 0);
	}
	CHECK_INT(options_set(&options, "one_more", "1", false), -E2BIG);
	CHECK_INT(options_set(&options, "k7", "1", false), 0);
	CHECK_STR(options_get(&options, "k7"), "1");
	CHECK_INT(options_input(&options, "off", &input, &len),
		  -E2BIG); /* it would not fit a pipe */
	options_clear(&options);
}

static void names_with_dash_or_underscore_are_one(void)
{
	struct options options = { 0 };

	CHECK_INT(options_set(&options, "login-timeout", "5", false), 0);
	CHECK_INT(options_set(&options, "login_timeout", "6", true), 0);
	CHECK_INT(options.count, 1);
	CHECK_STR(options_get(&options, "login_timeout"), "6");
	CHECK(options.items[0].secret);
	CHECK_INT(options_set(&options, "login-timeout", "7", false), 0);
	CHECK(options.items[0].secret); /* for ever */
	options_clear(&options);
}

int main(void)
{
	RUN(whole_request);
	RUN(smallest_request);
	RUN(a_given_nodename_stays);
	RUN(no_json);
	RUN(wrong_fields);
	RUN(a_wrong_field_leaves_the_names);
	RUN(limits);
	RUN(names_with_dash_or_underscore_are_one);
	request_clear(&request);
	return 0;
}
