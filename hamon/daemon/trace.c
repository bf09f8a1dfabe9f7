/* Lines in memory, written out once a second. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hamon/daemon/trace.h"

#define BUFFER_SIZE (1024 * 1024)
#define LINE_SIZE 512

static int trace_fd = -1;
static char *buffer; /* only there while tracing */
static size_t used;
static uint64_t lost;

bool trace_is_on(void)
{
	return trace_fd >= 0;
}

uint64_t trace_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void trace_open(void)
{
	const char *path = secure_getenv("HAMON_TRACE");

	if (!path || !*path)
		return;
	buffer = malloc(BUFFER_SIZE);
	if (!buffer)
		return;
	trace_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (trace_fd >= 0)
		return;
	fprintf(stderr, "hamond: HAMON_TRACE: %s cannot be opened: %s\n", path, strerror(errno));
	free(buffer);
	buffer = NULL;
}

void trace_add(const char *what, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	size_t length;
	int begun;

	if (!trace_is_on())
		return;
	begun = snprintf(line, sizeof(line), "%" PRIu64 " %s ", trace_now_us(), what);
	va_start(args, format);
	vsnprintf(line + begun, sizeof(line) - (size_t)begun, format, args);
	va_end(args);
	length = strlen(line);
	if (used + length + 1 > BUFFER_SIZE) {
		lost++;
		return;
	}
	memcpy(buffer + used, line, length);
	used += length;
	buffer[used++] = '\n';
}

void trace_flush(void)
{
	ssize_t written;

	if (!trace_is_on())
		return;
	if (lost) {
		uint64_t count = lost;

		lost = 0;
		trace_add("lost", "%" PRIu64, count);
	}
	if (!used)
		return;
	written = write(trace_fd, buffer, used);
	if (written <= 0)
		return; /* the next second tries again */
	used -= (size_t)written;
	memmove(buffer, buffer + written, used);
}
