/* What hamon-alert says itself. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hamon/alert/tell.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t dropped;

/*
 * A pipe that poll calls writable takes PIPE_BUF bytes at once without waiting; with one writer at a time that stays
 * true until the write. Its descriptor is not made non-blocking: others may share it.
 */
static void line_write(int fd, const char *line, size_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	bool told;

	pthread_mutex_lock(&mutex);
	told = len <= PIPE_BUF && poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT) &&
		write(fd, line, len) == (ssize_t)len;
	dropped += !told;
	pthread_mutex_unlock(&mutex);
}

void tell_log(const char *format, ...)
{
	char line[1024];
	va_list args;
	size_t len;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	len = n < 0 ? 0 : n < (int)sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	line_write(STDERR_FILENO, line, len);
}

void tell_line(struct json_object *obj)
{
	const char *text = json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE);
	char line[PIPE_BUF];
	size_t len = text ? strlen(text) : 0;

	if (len && len < sizeof(line)) {
		memcpy(line, text, len);
		line[len++] = '\n';
		line_write(STDOUT_FILENO, line, len);
	}
	json_object_put(obj);
}

uint64_t tell_dropped(void)
{
	uint64_t n;

	pthread_mutex_lock(&mutex);
	n = dropped;
	pthread_mutex_unlock(&mutex);
	return n;
}
