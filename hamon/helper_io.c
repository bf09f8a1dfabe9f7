/*
 * The pipes of a helper. Nothing here blocks, and nothing that a helper writes, or does not read,
 * costs more than the bounds in helper.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/helper_private.h"

/* Of LINES_READ_MAX bytes, after the end: more than any pipe holds. */
#define HELPER_DRAIN_READS 64

/* The descriptor leaves the loop before it is closed: libqb finds its entries by number. */
void helper_close(struct helper *helper, int which)
{
	if (helper->fds[which] < 0)
		return;
	if (which != HELPER_IN || helper->is_writing)
		qb_loop_poll_del(helper->pool->loop, helper->fds[which]);
	if (which == HELPER_IN)
		helper->is_writing = false;
	close(helper->fds[which]);
	helper->fds[which] = -1;
}

/* stderr, and notes of this file's own */

static bool helper_may_speak(struct helper *helper)
{
	uint64_t second = clock_boot_ms() / 1000;

	if (second != helper->err_second) {
		helper->err_second = second;
		helper->err_count = 0;
	}
	if (helper->err_count >= HELPER_STDERR_PER_S) {
		helper->err_suppressed++;
		helper->pool->stats.stderr_suppressed++;
		return false;
	}
	helper->err_count++;
	return true;
}

static void helper_say_suppressed(struct helper *helper)
{
	char text[80];

	if (!helper->err_suppressed)
		return;
	snprintf(text, sizeof(text), "(%u more lines were suppressed)", helper->err_suppressed);
	helper->err_suppressed = 0;
	helper->on_stderr(helper->user, helper, text);
}

static void helper_say(struct helper *helper, const char *text, size_t len)
{
	char line[HELPER_STDERR_LINE_MAX + 1];

	if (!len || !helper->on_stderr || !helper_may_speak(helper))
		return;
	helper_say_suppressed(helper);
	if (len > HELPER_STDERR_LINE_MAX)
		len = HELPER_STDERR_LINE_MAX;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		line[i] = c == '\t' ? ' ' : (c < ' ' || c == 0x7f) ? '?' : (char)c;
	}
	line[len] = '\0';
	helper->on_stderr(helper->user, helper, line);
}

static void helper_note(struct helper *helper, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void helper_note(struct helper *helper, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	helper_say(helper, text, strlen(text));
}

/* stdout */

static bool line_is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

static void helper_take_line(struct helper *helper, const char *line, size_t len)
{
	struct json_object *obj = NULL;

	if (line_is_blank(line, len))
		return;
	if (json_parse(line, len, &obj) || !json_object_is_type(obj, json_type_object)) {
		json_object_put(obj);
		helper->pool->stats.lines_dropped++;
		helper_note(helper, "dropped a line of %zu bytes on stdout that is no JSON object",
			    len);
		return;
	}
	helper->pool->stats.lines++;
	if (helper->on_line)
		helper->on_line(helper->user, helper, obj);
	json_object_put(obj);
}

static void helper_deliver(struct helper *helper, int which, bool at_end)
{
	struct lines *lines = which == HELPER_OUT ? &helper->out : &helper->err;
	const char *line;
	size_t len;

	while (lines_next(lines, at_end, &line, &len)) {
		if (which == HELPER_ERR)
			helper_say(helper, line, len);
		else if (!helper->is_silent)
			helper_take_line(helper, line, len);
	}
	if (helper->out.dropped == helper->out_dropped_told)
		return;
	helper->pool->stats.lines_dropped += helper->out.dropped - helper->out_dropped_told;
	helper->out_dropped_told = helper->out.dropped;
	helper_note(helper, "dropped a line on stdout that is longer than %d bytes",
		    HELPER_LINE_MAX);
}

/* One read; false when there is nothing more to come, now or at all. */
static bool helper_read(struct helper *helper, int which)
{
	long got =
	    lines_read(which == HELPER_OUT ? &helper->out : &helper->err, helper->fds[which]);

	if (got == -EAGAIN)
		return false;
	helper_deliver(helper, which, got <= 0);
	if (got > 0)
		return true;
	helper_close(helper, which);
	return false;
}

/* Poll callbacks return 0 always: -1 would leave a dead entry that costs a sleep at every later
 * wake. */
static int32_t helper_readable(int32_t fd, int32_t revents, void *data)
{
	struct helper *helper = data;

	/* One read a wake: a helper that floods leaves room for everything else in the loop. */
	helper_read(helper, fd == helper->fds[HELPER_OUT] ? HELPER_OUT : HELPER_ERR);
	return 0;
}

/* What a dead helper has left in its pipes; a stuck one could go on writing, hence the bound. */
static void helper_drain(struct helper *helper, int which)
{
	for (int i = 0; i < HELPER_DRAIN_READS && helper->fds[which] >= 0; i++)
		if (!helper_read(helper, which))
			break;
	if (helper->fds[which] < 0)
		return;
	helper_deliver(helper, which, true);
	helper_close(helper, which);
}

int helper_io_start(struct helper *helper)
{
	qb_loop_t *loop = helper->pool->loop;
	int rc = qb_loop_poll_add(loop, QB_LOOP_MED, helper->fds[HELPER_OUT], POLLIN, helper,
				  helper_readable);

	if (!rc)
		rc = qb_loop_poll_add(loop, QB_LOOP_MED, helper->fds[HELPER_ERR], POLLIN, helper,
				      helper_readable);
	return rc;
}

/* stdin */

static int32_t helper_writable(int32_t fd, int32_t revents, void *data);

static void helper_drop_input(struct helper *helper)
{
	free(helper->input);
	helper->input = NULL;
	helper->input_start = helper->input_end = helper->input_size = 0;
}

/* Writes what fits; afterwards stdin waits in the loop, rests, or is closed. */
void helper_write(struct helper *helper)
{
	while (helper->fds[HELPER_IN] >= 0 && helper->input_start < helper->input_end) {
		ssize_t put = write(helper->fds[HELPER_IN], helper->input + helper->input_start,
				    helper->input_end - helper->input_start);

		if (put >= 0) {
			helper->input_start += (size_t)put;
		} else if (errno == EAGAIN) {
			if (!helper->is_writing &&
			    !qb_loop_poll_add(helper->pool->loop, QB_LOOP_MED,
					      helper->fds[HELPER_IN], POLLOUT, helper,
					      helper_writable))
				helper->is_writing = true;
			return;
		} else if (errno != EINTR) {
			/* It has closed its stdin, or it is dying: no failure in itself, its result
			 * will tell. */
			helper_drop_input(helper);
			helper_close(helper, HELPER_IN);
		}
	}
	helper_drop_input(helper);
	if (!helper->keep_stdin) {
		helper_close(helper, HELPER_IN);
	} else if (helper->is_writing) {
		qb_loop_poll_del(helper->pool->loop, helper->fds[HELPER_IN]);
		helper->is_writing = false;
	}
}

static int32_t helper_writable(int32_t fd, int32_t revents, void *data)
{
	helper_write(data);
	return 0;
}

int helper_queue(struct helper *helper, const char *text, size_t len)
{
	size_t waiting = helper->input_end - helper->input_start, size = helper->input_size;
	bool add_newline = !len || text[len - 1] != '\n';

	if (len + add_newline > HELPER_INPUT_MAX || waiting + len + add_newline > HELPER_INPUT_MAX)
		return -EAGAIN;
	if (helper->input_start && waiting)
		memmove(helper->input, helper->input + helper->input_start, waiting);
	helper->input_start = 0;
	helper->input_end = waiting;
	while (size < waiting + len + add_newline)
		size = size ? size * 2 : 4096;
	if (size != helper->input_size) {
		char *input = realloc(helper->input, size);

		if (!input)
			return -ENOMEM;
		helper->input = input;
		helper->input_size = size;
	}
	memcpy(helper->input + helper->input_end, text, len);
	helper->input_end += len;
	if (add_newline)
		helper->input[helper->input_end++] = '\n';
	return 0;
}

int helper_send(struct helper *helper, const char *line)
{
	int rc;

	if (strchr(line, '\n'))
		return -EINVAL;
	if (helper->fds[HELPER_IN] < 0 || !helper->keep_stdin)
		return -EPIPE;
	rc = helper_queue(helper, line, strlen(line));
	if (!rc && !helper->is_writing)
		helper_write(helper);
	return rc;
}

int helper_send_json(struct helper *helper, struct json_object *obj)
{
	return helper_send(helper,
			   json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
}

size_t helper_unsent_bytes(const struct helper *helper)
{
	return helper->input_end - helper->input_start;
}

void helper_close_stdin(struct helper *helper)
{
	helper->keep_stdin = false;
	if (helper->fds[HELPER_IN] >= 0 && !helper->is_writing)
		helper_write(helper);
}

/* Together */

void helper_io_finish(struct helper *helper)
{
	helper_drop_input(helper);
	helper_close(helper, HELPER_IN);
	helper_drain(helper, HELPER_ERR);
	helper_drain(helper, HELPER_OUT);
	if (helper->on_stderr)
		helper_say_suppressed(helper);
}

void helper_io_free(struct helper *helper)
{
	for (int i = HELPER_IN; i <= HELPER_ERR; i++)
		helper_close(helper, i);
	helper_drop_input(helper);
	lines_free(&helper->out);
	lines_free(&helper->err);
}
