/* The secrets file: what is accepted, what is refused, and that no secret stays in a text. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fencing/secrets.h"
#include "tests/unit/test.h"

static char path[] = "/tmp/hamon-secrets-XXXXXX";
static struct options options;
static struct failure failure;

static void file_write(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
	CHECK(!chmod(path, mode));
}

static int load(const char *text, mode_t mode)
{
	file_write(text, mode);
	options_clear(&options);
	failure = (struct failure){ 0 };
	return secrets_load(&options, path, &failure);
}

static void good_file(void)
{
	CHECK_INT(load("# the BMC of h1\n\n username = admin\n"
		       "passwd= s3cret=with equals \r\nplug=1", 0600), 0);
	CHECK_STR(options_get(&options, "username"), " admin");
	CHECK_STR(options_get(&options, "passwd"), " s3cret=with equals ");
	CHECK_STR(options_get(&options, "plug"), "1");
	CHECK_INT(options.count, 3);
	for (size_t i = 0; i < options.count; i++)
		CHECK(options.items[i].secret);
	CHECK_INT(load("passwd=x", 0400), 0);
	CHECK_INT(load("", 0600), 0);
}

static void secrets_win_over_options(void)
{
	file_write("passwd=new\n", 0600);
	options_clear(&options);
	CHECK_INT(options_set(&options, "passwd", "old", false), 0);
	CHECK_INT(secrets_load(&options, path, &failure), 0);
	CHECK_STR(options_get(&options, "passwd"), "new");
}

static void wrong_modes(void)
{
	static const mode_t modes[] = { 0640, 0604, 0660, 0602, 0601, 0644 };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		CHECK_INT(load("passwd=s3cret\n", modes[i]), -EPERM);
		CHECK_INT(failure.what, FAILURE_SECRETS);
		CHECK(strstr(failure.text, path) && strstr(failure.text, "0600"));
		CHECK_INT(options.count, 0);
	}
}

static void wrong_owner(void)
{
	if (geteuid()) {
		printf("not root: another owner cannot be tried\n");
		return;
	}
	file_write("passwd=s3cret\n", 0600);
	CHECK(!chown(path, 65534, 65534));
	options_clear(&options);
	CHECK_INT(secrets_load(&options, path, &failure), -EPERM);
	CHECK(strstr(failure.text, "65534"));
	CHECK(!chown(path, 0, 0));
}

static void wrong_kinds(void)
{
	char fifo[] = "/tmp/hamon-secrets-XXXXXX";

	CHECK_INT(secrets_load(&options, "/nonexistent/secrets", &failure), -ENOENT);
	CHECK_STR(failure.text, "/nonexistent/secrets: No such file or directory");
	CHECK_INT(secrets_load(&options, "/", &failure), -EINVAL);
	CHECK(mkdtemp(fifo) && !rmdir(fifo) && !mkfifo(fifo, 0600));
	CHECK_INT(secrets_load(&options, fifo, &failure),
		  -EINVAL); /* and does not wait for a writer */
	CHECK(!unlink(fifo));
}

static void wrong_content_is_named_but_never_shown(void)
{
	CHECK_INT(load("passwd=a\ns3cret\n", 0600), -EINVAL);
	CHECK(strstr(failure.text, "line 2: expected KEY=VALUE"));
	CHECK(!strstr(failure.text, "s3cret"));
	CHECK_INT(load("s3 cret=a\n", 0600), -EINVAL);
	CHECK(!strstr(failure.text, "s3 cret"));
	CHECK_INT(load("action=on\n", 0600), -EINVAL);
	CHECK_INT(load("passwd=a\tb\n", 0600), -EINVAL);
}

static void too_long(void)
{
	static char text[SECRETS_FILE_MAX + 2];

	memset(text, '#', sizeof(text) - 1);
	CHECK_INT(load(text, 0600), -E2BIG);
	text[SECRETS_FILE_MAX] = '\0';
	CHECK_INT(load(text, 0600), 0);
}

static void zero_bytes(void)
{
	char text[] = "passwd=a\0b\n";

	CHECK_INT(secrets_parse(&options, "f", text, sizeof(text) - 1, &failure), -EINVAL);
	for (size_t i = 0; i < sizeof(text); i++)
		CHECK_INT(text[i], 0); /* wiped, whatever came of it */
}

/* --- scrubbing --- */

static void secret_set(const char *value)
{
	options_clear(&options);
	CHECK_INT(options_set(&options, "username", "admin", false), 0);
	CHECK_INT(options_set(&options, "passwd", value, true), 0);
}

static void scrubs_to(const char *secret, const char *text, const char *expected)
{
	char buf[512];

	secret_set(secret);
	strcpy(buf, text);
	secrets_scrub(&options, buf, strlen(buf), false);
	CHECK_STR(buf, expected);
}

static void scrubbed_as_it_stands(void)
{
	scrubs_to("s3cret", "login admin/s3cret failed: s3crets3cret",
		  "login admin/****** failed: ************");
	scrubs_to("s3cret", "nothing here: s3cre", "nothing here: s3cre");
	scrubs_to("aXaXa", "aXaXaXa", "*****Xa");
}

static void scrubbed_in_other_forms(void)
{
	scrubs_to("it's", "-P 'it'\"'\"'s'", "-P '********'");
	scrubs_to("a'b\"c", "['a\\'b\\\"c']", "['*******']");
	scrubs_to("a&b<c", "<p>a&amp;b&lt;c</p>", "<p>************</p>");
	scrubs_to("p@ss w/d", "?pw=p%40ss%20w%2Fd&", "?pw=**************&");
	scrubs_to("s3cret", "Basic czNjcmV0", "Basic ********");
	scrubs_to("s3cret!", "czNjcmV0IQ==", "**********==");
	scrubs_to(" \"s3cret\" ", "read s3cret", "read ******");
}

static void short_secrets_only_where_they_stand_alone(void)
{
	scrubs_to("on", "connection: on", "connection: **");
	scrubs_to("1", "h1 10.1.0.1 1", "h1 10.*.0.* *");
}

static void no_partial_secret_at_a_cut(void)
{
	char buf[] = "abc s3cr", same[] = "abc s3cr";

	secret_set("s3cret");
	secrets_scrub(&options, buf, strlen(buf), true);
	CHECK_STR(buf, "abc ****");
	secrets_scrub(&options, same, strlen(same), false);
	CHECK_STR(same, "abc s3cr");
}

static void longer_secrets_first(void)
{
	char buf[] = "s3cret-long s3cret";

	options_clear(&options);
	CHECK_INT(options_set(&options, "a", "s3cret", true), 0);
	CHECK_INT(options_set(&options, "b", "s3cret-long", true), 0);
	secrets_scrub(&options, buf, strlen(buf), false);
	CHECK_STR(buf, "*********** ******");
}

static void file_remove(void)
{
	unlink(path);
}

int main(void)
{
	int fd = mkstemp(path);

	CHECK(fd >= 0 && !close(fd));
	atexit(file_remove);
	RUN(good_file);
	RUN(secrets_win_over_options);
	RUN(wrong_modes);
	RUN(wrong_owner);
	RUN(wrong_kinds);
	RUN(wrong_content_is_named_but_never_shown);
	RUN(too_long);
	RUN(zero_bytes);
	RUN(scrubbed_as_it_stands);
	RUN(scrubbed_in_other_forms);
	RUN(short_secrets_only_where_they_stand_alone);
	RUN(no_partial_secret_at_a_cut);
	RUN(longer_secrets_first);
	options_clear(&options);
	return 0;
}
