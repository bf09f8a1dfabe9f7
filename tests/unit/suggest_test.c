/* hamon/common/suggest.c: what counts as a near miss. */
#include "hamon/common/suggest.h"
#include "tests/unit/test.h"

static const char *const names[] = { "status", "incidents", "explain", "events", "maintenance", "release", "on", "off" };

static const char *near(const char *word)
{
	const char *found = suggest_near(word, names, sizeof(names) / sizeof(names[0]));

	return found ? found : "";
}

static void slips_are_found(void)
{
	CHECK_STR(near("statsu"), "status");
	CHECK_STR(near("tatus"), "status");
	CHECK_STR(near("Status"), "status");
	CHECK_STR(near("statusx"), "status");
	CHECK_STR(near("incident"), "incidents");
	CHECK_STR(near("maintainance"), "maintenance");
	CHECK_STR(near("evnets"), "events");
}

static void beginnings_are_found(void)
{
	CHECK_STR(near("main"), "maintenance");
	CHECK_STR(near("exp"), "explain");
	CHECK_STR(near("e"), "");
}

static void what_is_far_or_ambiguous_is_not(void)
{
	CHECK_STR(near(""), "");
	CHECK_STR(near("restart"), "");
	CHECK_STR(near("xyz"), "");
	CHECK_STR(near("ofn"), ""); /* one letter from on, and from off */
	CHECK_STR(near("of"), "off"); /* that too, but it begins one of them */
	CHECK_STR(near("sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"), "");
}

int main(void)
{
	RUN(slips_are_found);
	RUN(beginnings_are_found);
	RUN(what_is_far_or_ambiguous_is_not);
	return 0;
}
