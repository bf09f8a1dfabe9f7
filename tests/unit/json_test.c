/* hamon/common/json.c: what it accepts and what it refuses. */
#include <errno.h>

#include "hamon/common/json.h"
#include "tests/unit/test.h"

static int parse(const char *text, struct json_object **ret)
{
	return json_parse(text, strlen(text), ret);
}

static void parses_one_text_only(void)
{
	struct json_object *obj = NULL;

	CHECK_INT(parse("{\"a\":1}", &obj), 0);
	json_object_put(obj);
	CHECK_INT(parse("{\"a\":1}\n ", &obj), 0);
	json_object_put(obj);
	CHECK_INT(parse("{\"a\":1} x", &obj), -EINVAL);
	CHECK_INT(parse("{\"a\":", &obj), -EINVAL);
	CHECK_INT(parse("", &obj), -EINVAL);
	CHECK_INT(parse("12", &obj), 0);
	json_object_put(obj);
	CHECK_INT(parse("12 13", &obj), -EINVAL);
}

static void fields_are_checked(void)
{
	struct json_object *obj = NULL;
	const char *text = "unset";
	uint64_t number = 7;
	bool flag = true;
	char small[4] = "old";

	CHECK_INT(parse("{\"s\":\"word\",\"n\":5,\"neg\":-1,\"z\":\"a\\u0000b\",\"nil\":null}", &obj), 0);
	CHECK_INT(json_get_string(obj, "n", &text), -EINVAL);
	CHECK_INT(json_get_string(obj, "z", &text), -EINVAL);
	CHECK_INT(json_get_string(obj, "nil", &text), -ENOENT);
	CHECK_STR(text, "unset");
	CHECK_INT(json_get_u64(obj, "neg", 10, &number), -EINVAL);
	CHECK_INT(json_get_u64(obj, "n", 4, &number), -EINVAL);
	CHECK_INT(number, 7);
	CHECK_INT(json_get_u64(obj, "n", 5, &number), 0);
	CHECK_INT(number, 5);
	CHECK_INT(json_get_bool(obj, "n", &flag), -EINVAL);
	CHECK_INT(json_copy_string(obj, "s", small, sizeof(small)), -E2BIG);
	CHECK_STR(small, "old");
	json_object_put(obj);
}

int main(void)
{
	RUN(parses_one_text_only);
	RUN(fields_are_checked);
	return 0;
}
