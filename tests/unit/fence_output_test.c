/* What agents' exit codes and words are taken for: above all, what is not taken for "off". */
#include "fencing/output.h"
#include "tests/unit/test.h"

static struct agent_output words(int exit_code, const char *out, const char *err)
{
	return (struct agent_output){ exit_code, out, strlen(out), err, strlen(err) };
}

static void power_of_a_status(void)
{
	static const struct {
		int exit_code;
		const char *out, *err;
		enum power power;
	} cases[] = {
		{ 0, "Status: ON\n", "", POWER_ON },
		{ 2, "Status: OFF\n", "", POWER_OFF },
		{ 2, "Status: OFF\n",
		  "/usr/sbin/fence_x:5: DeprecationWarning: 'pipes' is deprecated", POWER_OFF },
		{ 2, "  status:\toff  ", "", POWER_OFF },
		{ 0, "", "", POWER_ON },
		{ 0, "whatever", "warning", POWER_ON },
		/* Agents that are no part of the library may be silent. */
		{ 2, "", "", POWER_OFF },
		{ 2, "\n \n", "\n", POWER_OFF },
		/*
		 * 2 is also the exit code of Python, dash, bash and getopt for "I cannot do that".
		 */
		{ 2, "", "python3: can't open file '/usr/sbin/fence_x': [Errno 2] No such file",
		  POWER_UNKNOWN },
		{ 2, "", "sh: 0: cannot open /usr/sbin/fence_x: No such file", POWER_UNKNOWN },
		{ 2, "usage: fence_x [-h]", "", POWER_UNKNOWN },
		{ 2, "powered off", "", POWER_UNKNOWN },
		{ 2, "Status: OFFLINE", "", POWER_UNKNOWN },
		{ 2, "My Status: OFF", "", POWER_UNKNOWN },
		/* Words against the exit code. */
		{ 2, "Status: ON", "", POWER_UNKNOWN },
		{ 0, "Status: OFF", "", POWER_UNKNOWN },
		{ 2, "Status: ON\nStatus: OFF\n", "", POWER_UNKNOWN },
		{ 2, "Status: OFF\nStatus: ON\n", "", POWER_UNKNOWN },
		/* Failures. */
		{ 1, "Status: OFF", "", POWER_UNKNOWN },
		{ 1, "", "", POWER_UNKNOWN },
		{ 3, "Status: ON", "", POWER_UNKNOWN },
		{ -1, "Status: OFF", "", POWER_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct agent_output output = words(cases[i].exit_code, cases[i].out, cases[i].err);

		if (output_power(&output) != cases[i].power)
			fprintf(stderr, "case %zu\n", i);
		CHECK_INT(output_power(&output), cases[i].power);
	}
}

static void already_off_needs_success(void)
{
	struct agent_output output = words(0, "Success: Already OFF\n", "");

	CHECK(output_already_off(&output));
	output.exit_code = 1;
	CHECK(!output_already_off(&output));
	output = words(0, "Success: Powered OFF\n", "");
	CHECK(!output_already_off(&output));
}

static void excerpt_is(const char *out, const char *err, const char *expected)
{
	struct agent_output output = words(1, out, err);
	char excerpt[OUTPUT_EXCERPT_SIZE];

	output_excerpt(&output, excerpt);
	CHECK_STR(excerpt, expected);
}

static void excerpts(void)
{
	char longer[2 * OUTPUT_EXCERPT_SIZE + 1];
	struct agent_output output;
	char excerpt[OUTPUT_EXCERPT_SIZE];

	excerpt_is("", "2026-01-01 10:00:00,123 ERROR: Failed: Unable to obtain plug status\n\n\n"
		   "2026-01-01 10:00:00,124 ERROR: Please use '-h' for usage\n",
		   "Failed: Unable to obtain plug status");
	excerpt_is("only here\n", "", "only here");
	excerpt_is("", "", "");
	excerpt_is("out", "Traceback\n  File \"x\"\nKeyError: 'plug'\n", "KeyError: 'plug'");
	excerpt_is("", "a\x1b[31m\x07red\xff\xc3\xa4\xc2\x9b\n", "a?[31m?red?\xc3\xa4?");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	output = words(1, "", longer);
	output_excerpt(&output, excerpt);
	CHECK_INT(strlen(excerpt), OUTPUT_EXCERPT_SIZE - 1);
}

static void printable_is_cut_between_characters(void)
{
	char buf[6];

	text_make_printable("abcd\xe2\x82\xac", 7, buf, sizeof(buf));
	CHECK_STR(buf, "abcd");
	text_make_printable("ab\xe2\x82\xac", 5, buf, sizeof(buf));
	CHECK_STR(buf, "ab\xe2\x82\xac");
	text_make_printable("\xed\xa0\x80\xc0\xaf", 5, buf,
			    sizeof(buf)); /* a surrogate, an overlong '/' */
	CHECK_STR(buf, "?????");
	text_make_printable("a\0b", 3, buf, sizeof(buf));
	CHECK_STR(buf, "a?b");
}

static void kinds_of_failure(void)
{
	struct agent_output output = words(1, "", "ERROR: Failed: Unable to obtain correct plug "
					   "status or plug is not available");

	CHECK_INT(output_failure(&output), FAILURE_UNREACHABLE);
	output = words(1, "", "KeyError: 'ip'");
	CHECK_INT(output_failure(&output), FAILURE_AGENT_FAILED);
}

int main(void)
{
	RUN(power_of_a_status);
	RUN(already_off_needs_success);
	RUN(excerpts);
	RUN(printable_is_cut_between_characters);
	RUN(kinds_of_failure);
	return 0;
}
