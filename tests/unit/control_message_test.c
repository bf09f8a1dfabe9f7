/* hamon/control_message.c: what a request must look like, byte by byte. */
#include <errno.h>
#include <qb/qbipc_common.h>

#include "hamon/common/ctl.h"
#include "hamon/control_message.h"
#include "tests/unit/test.h"

static const char good[] = "{\"v\":1,\"verb\":\"status\"}";

/* Parses text with its NUL behind a header that says header_size (0: the truth), cut to cut bytes (0: whole). */
static int parse(const char *text, int header_size, size_t cut, struct control_message *ret, const char **ret_code)
{
	struct qb_ipc_request_header header = { .id = 42 };
	struct control_message_error error = { 0 };
	size_t size = sizeof(header) + strlen(text) + 1;
	char *data = malloc(size + 1), *exact;
	int rc;

	header.size = header_size ? header_size : (int)size;
	memcpy(data + 1, &header, sizeof(header)); /* not aligned: as bytes they come */
	memcpy(data + 1 + sizeof(header), text, strlen(text) + 1);
	if (cut)
		size = cut;
	exact = realloc(data, size + 1); /* a read past the end is seen by the sanitizer */
	memset(ret, 0, sizeof(*ret));
	rc = control_message_parse(exact + 1, size, ret, &error);
	*ret_code = rc ? error.code : "";
	free(exact);
	return rc;
}

static void a_good_one_is_taken(void)
{
	struct control_message message;
	const char *code;

	CHECK_INT(parse(good, 0, 0, &message, &code), 0);
	CHECK_INT(message.id, 42);
	CHECK_STR(message.verb, "status");
	json_object_put(message.obj);
}

static void lengths_must_agree(void)
{
	const int size = (int)(sizeof(struct qb_ipc_request_header) + sizeof(good));
	const int wrong[] = { size - 1, size + 1, 1, -1, INT32_MIN, INT32_MAX };
	struct control_message message;
	const char *code;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK_INT(parse(good, wrong[i], 0, &message, &code), -EINVAL);
		CHECK_STR(code, "bad-length");
		CHECK_INT(message.id, 42);
		CHECK(!message.obj);
	}
}

static void short_ones_are_refused(void)
{
	const size_t header = sizeof(struct qb_ipc_request_header);
	struct control_message message;
	const char *code;

	for (size_t cut = 1; cut < header; cut++) {
		CHECK_INT(parse(good, 0, cut, &message, &code), -EINVAL);
		CHECK_STR(code, "bad-length");
		CHECK_INT(message.id, 0); /* nothing of a header that is not whole is believed */
	}
	CHECK_INT(parse(good, (int)header, header, &message, &code), -EINVAL);
	CHECK_STR(code, "bad-text");
	CHECK_INT(parse(good, (int)header + 5, header + 5, &message, &code), -EINVAL);
	CHECK_STR(code, "bad-text");
}

static void long_ones_are_refused(void)
{
	static char text[CTL_MESSAGE_MAX_BYTES];
	struct control_message message;
	const char *code;

	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, good, strlen(good));
	CHECK_INT(parse(text, 0, 0, &message, &code), -E2BIG);
	CHECK_STR(code, "too-long");
	text[CTL_MESSAGE_MAX_BYTES - sizeof(struct qb_ipc_request_header) - 1] = '\0';
	CHECK_INT(parse(text, 0, 0, &message, &code), 0);
	json_object_put(message.obj);
}

static void verbs_have_their_users(void)
{
	CHECK_INT(control_access("status"), CONTROL_ACCESS_ADMIN);
	CHECK_INT(control_access("confirm-fenced"), CONTROL_ACCESS_ADMIN);
	CHECK_INT(control_access("gate"), CONTROL_ACCESS_ROOT);
	CHECK_INT(control_access("shutting-down"), CONTROL_ACCESS_ROOT);
	CHECK_INT(control_access("continue"), CONTROL_ACCESS_NONE);
	CHECK_INT(control_access("Status"), CONTROL_ACCESS_NONE);
	CHECK_STR(control_verb_suggest("confirm-fence"), "confirm-fenced");
	CHECK(!control_verb_suggest("reboot"));
}

int main(void)
{
	RUN(a_good_one_is_taken);
	RUN(lengths_must_agree);
	RUN(short_ones_are_refused);
	RUN(long_ones_are_refused);
	RUN(verbs_have_their_users);
	return 0;
}
