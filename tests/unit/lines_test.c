/* A stream cut into lines, however it arrives. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hamon/lines.h"
#include "tests/unit/test.h"

static char told[4096];

/* Writes text in pieces of so many bytes and notes each line as "[line]". */
static void cut(struct lines *lines, const char *text, size_t piece)
{
	size_t len = strlen(text), line_len;
	const char *line;
	int fds[2];

	CHECK(!pipe2(fds, O_NONBLOCK));
	told[0] = '\0';
	CHECK_INT(lines_read(lines, fds[0]), -EAGAIN);
	for (size_t at = 0; at < len; at += piece) {
		size_t now = len - at < piece ? len - at : piece;

		CHECK_INT(write(fds[1], text + at, now), now);
		CHECK_INT(lines_read(lines, fds[0]), now);
		while (lines_next(lines, false, &line, &line_len))
			snprintf(told + strlen(told), sizeof(told) - strlen(told), "[%.*s]",
				 (int)line_len, line);
	}
	close(fds[1]);
	CHECK_INT(lines_read(lines, fds[0]), 0);
	while (lines_next(lines, true, &line, &line_len))
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "[%.*s]", (int)line_len,
			 line);
	close(fds[0]);
	CHECK(!lines->data);
	lines_free(lines);
}

static void pieces(void)
{
	for (size_t piece = 1; piece < 20; piece++) {
		struct lines lines = {.max = 5};

		cut(&lines, "one\n\ntwo\n12345\n123456\n1234567890123\nend", piece);
		CHECK_STR(told, "[one][][two][12345][end]");
		CHECK_INT(lines.dropped, 2);
	}
}

static void split(void)
{
	for (size_t piece = 1; piece < 20; piece++) {
		struct lines lines = {.max = 5, .split = true};

		cut(&lines, "12345\n1234567890123\nend123", piece);
		CHECK_STR(told, "[12345][12345][67890][123][end12][3]");
		CHECK_INT(lines.dropped, 0);
	}
}

static void too_long_at_the_end(void)
{
	struct lines lines = {.max = 5};

	cut(&lines, "a\n1234567", 3);
	CHECK_STR(told, "[a]");
	CHECK_INT(lines.dropped, 1);
}

/* A line of the full length is held, and not more than about twice that. */
static void memory_is_bounded(void)
{
	struct lines lines = {.max = 1000000};
	static char block[LINES_READ_MAX];
	const char *line;
	size_t len, most = 0;
	int fds[2];

	CHECK(!pipe2(fds, O_NONBLOCK));
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 1000; i++) {
		CHECK_INT(write(fds[1], block, 32768), 32768);
		CHECK_INT(lines_read(&lines, fds[0]), 32768);
		CHECK(!lines_next(&lines, false, &line, &len));
		if (lines.size > most)
			most = lines.size;
	}
	CHECK(most < 4000000);
	CHECK_INT(lines.dropped, 1);
	close(fds[0]);
	close(fds[1]);
	lines_free(&lines);
}

int main(void)
{
	RUN(pieces);
	RUN(split);
	RUN(too_long_at_the_end);
	RUN(memory_is_bounded);
	return 0;
}
