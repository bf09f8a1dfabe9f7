/*
 * Agents' metadata: what is read of it, what is refused, and what is said about options that do not
 * fit.
 */
#include <errno.h>
#include <stdarg.h>

#include "fencing/metadata.h"
#include "tests/unit/test.h"

static struct metadata metadata;
static struct failure failure;
static struct options options;

static int parse(const char *xml)
{
	failure = (struct failure){ 0 };
	return metadata_parse(&metadata, xml, strlen(xml), &failure);
}

/* The seeds of the fuzzer are metadata as the library prints it, and hostile ones. */
static int parse_seed(const char *name)
{
	static char xml[METADATA_BYTES_MAX + 1];
	const char *srcdir = getenv("HAMON_SRCDIR");
	char path[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/fence_metadata/%s",
		 srcdir ? srcdir : ".", name);
	f = fopen(path, "rb");
	CHECK(f);
	len = fread(xml, 1, sizeof(xml), f);
	fclose(f);
	failure = (struct failure){ 0 };
	return metadata_parse(&metadata, xml, len, &failure);
}

static const struct metadata_parameter *parameter(const char *name)
{
	for (size_t i = 0; i < metadata.parameter_count; i++) {
		if (!strcmp(metadata.parameters[i].name, name))
			return &metadata.parameters[i];
	}
	fprintf(stderr, "no parameter %s\n", name);
	exit(1);
}

static void agent_of_the_library(void)
{
	CHECK_INT(parse_seed("bmc.xml"), 0);
	CHECK_STR(metadata.name, "fence_bmc");
	CHECK_STR(metadata.shortdesc, "A BMC & its power");
	CHECK_STR(parameter("ipport")->value, "623");
	CHECK_STR(parameter("ipport")->type, "integer");
	CHECK(parameter("ipport")->has_default && !parameter("ipport")->required);
	CHECK(!parameter("cipher")->has_default);
	CHECK(parameter("ipaddr")->deprecated && !parameter("ip")->deprecated);
	CHECK_STR(parameter("ip")->obsoletes, "ipaddr");
	CHECK_STR(parameter("auth")->type, "select");
	CHECK(parameter("action")->required);
	CHECK(metadata_has_action(&metadata, "off") && metadata_has_action(&metadata, "status"));
	CHECK(!metadata_has_action(&metadata, "list"));
	CHECK(!metadata.fabric);
	CHECK_INT(metadata_check_agent(&metadata, &failure), 0);
}

static void agent_that_cuts_the_storage(void)
{
	CHECK_INT(parse_seed("fabric.xml"), 0);
	CHECK(metadata.fabric);
}

static void agent_without_status(void)
{
	CHECK_INT(parse_seed("no-status.xml"), 0);
	CHECK_INT(metadata_check_agent(&metadata, &failure), -EINVAL);
	CHECK(strstr(failure.text, "no action `status`"));
}

static void agent_without_off(void)
{
	CHECK_INT(parse("<resource-agent><actions>"
			"<action name=\"status\"/></actions></resource-agent>"), 0);
	CHECK_INT(metadata_check_agent(&metadata, &failure), -EINVAL);
	CHECK(strstr(failure.text, "no action `off`"));
}

static void refused(void)
{
	static char many[METADATA_BYTES_MAX + 1];
	char *end = many;

	CHECK_INT(parse(""), -EINVAL);
	CHECK_INT(parse("usage: fence_x [-h]"), -EINVAL);
	CHECK(strstr(failure.text, "line 1: "));
	CHECK_INT(parse("<resource-agent>"), -EINVAL);
	CHECK_INT(parse("<domain/>"), -EINVAL);
	CHECK(strstr(failure.text, "no <resource-agent>"));
	CHECK_INT(parse("<resource-agent><parameters><parameter/></parameters></resource-agent>"),
		  -EINVAL);
	CHECK_INT(parse("<resource-agent><parameters>"
			"<parameter name=\"a b\"/></parameters></resource-agent>"), -EINVAL);
	CHECK_INT(parse("<resource-agent><actions>"
			"<action name=\"a\nb\"/></actions></resource-agent>"), -EINVAL);
	CHECK_INT(failure.what, FAILURE_AGENT_FAILED);
	end += sprintf(end, "<resource-agent><parameters>");
	for (int i = 0; i <= METADATA_PARAMETERS_MAX; i++)
		end += sprintf(end, "<parameter name=\"p%d\"/>", i);
	strcpy(end, "</parameters></resource-agent>");
	CHECK_INT(parse(many), -E2BIG);
	memset(many, ' ', METADATA_BYTES_MAX);
	CHECK_INT(metadata_parse(&metadata, many, METADATA_BYTES_MAX + 1, &failure), -E2BIG);
}

static void entities_are_refused(void)
{
	CHECK_INT(parse_seed("entity-bomb.xml"), -EINVAL);
	CHECK_INT(parse_seed("entity-file.xml"), -EINVAL);
	CHECK(!strstr(failure.text, "root:"));
	/* A document type alone is harmless: agents of the OCF kind have one. */
	CHECK_INT(parse("<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\"><resource-agent/>"), 0);
}

static void long_texts_are_cut(void)
{
	char xml[2 * METADATA_TEXT_SIZE + 100], text[2 * METADATA_TEXT_SIZE];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	snprintf(xml, sizeof(xml), "<resource-agent shortdesc=\"%s\"/>", text);
	CHECK_INT(parse(xml), 0);
	CHECK_INT(strlen(metadata.shortdesc), METADATA_TEXT_SIZE - 1);
	snprintf(xml, sizeof(xml),
		 "<resource-agent><actions><action name=\"%s\"/></actions></resource-agent>", text);
	CHECK_INT(parse(xml), -EINVAL);
}

/* --- options --- */

static void options_make(const char *first, ...) __attribute__((sentinel));

static void options_make(const char *first, ...)
{
	va_list keys;

	options_clear(&options);
	va_start(keys, first);
	for (const char *key = first; key; key = va_arg(keys, const char *))
		CHECK_INT(options_set(&options, key, "1", false), 0);
	va_end(keys);
}

static void options_that_fit(void)
{
	CHECK_INT(parse_seed("pdu.xml"), 0);
	options_make("ip", "username", "password", "plug", "login-timeout", "nodename", NULL);
	CHECK_INT(metadata_check_options(&metadata, &options, true, &failure), 0);
	options_make("ipaddr", "login", "passwd", "port", NULL); /* the old names */
	CHECK_INT(metadata_check_options(&metadata, &options, true, &failure), 0);
}

static void required_options(void)
{
	CHECK_INT(parse_seed("pdu.xml"), 0);
	options_make("username", "password", "plug", NULL);
	CHECK_INT(metadata_check_options(&metadata, &options, true, &failure), -EINVAL);
	CHECK_STR(failure.text, "required option ip is missing");
	options_make("ip", "password", "plug", NULL);
	CHECK_INT(metadata_check_options(&metadata, &options, true, &failure), -EINVAL);
	CHECK_STR(failure.text, "required option username is missing");
	options_make("ip", "username", NULL);
	CHECK_INT(metadata_check_options(&metadata, &options, true, &failure), -EINVAL);
	CHECK_STR(failure.text, "required option plug is missing");
	CHECK_INT(metadata_check_options(&metadata, &options, false, &failure),
		  0); /* the device alone */
}

static void unknown_option_is(const char *key, const char *expected)
{
	options_make("ip", "username", "plug", key, NULL);
	CHECK_INT(metadata_check_options(&metadata, &options, true, &failure), -EINVAL);
	CHECK_STR(failure.text, expected);
	CHECK_INT(failure.what, FAILURE_BAD_REQUEST);
}

static void unknown_options(void)
{
	CHECK_INT(parse_seed("pdu.xml"), 0);
	unknown_option_is("pasword", "unknown option pasword (did you mean password?)");
	/* passwd is as near, but deprecated. */
	unknown_option_is("passwrd", "unknown option passwrd (did you mean password?)");
	unknown_option_is("ipadr", "unknown option ipadr (did you mean ipaddr?)");
	unknown_option_is("login_timout",
			  "unknown option login_timout (did you mean login_timeout?)");
	unknown_option_is("xyzzy", "unknown option xyzzy");
}

static void replacements(void)
{
	CHECK_INT(parse_seed("pdu.xml"), 0);
	CHECK_STR(metadata_replacement(&metadata, "port")->name, "plug");
	CHECK(!metadata_replacement(&metadata, "plug"));
	CHECK(!metadata_replacement(&metadata, ""));
}

int main(void)
{
	RUN(agent_of_the_library);
	RUN(agent_that_cuts_the_storage);
	RUN(agent_without_status);
	RUN(agent_without_off);
	RUN(refused);
	RUN(entities_are_refused);
	RUN(long_texts_are_cut);
	RUN(options_that_fit);
	RUN(required_options);
	RUN(unknown_options);
	RUN(replacements);
	options_clear(&options);
	return 0;
}
