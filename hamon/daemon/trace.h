/*
 * Where hamond's time goes, for tests/bench: with $HAMON_TRACE=FILE one line "BOOT_US WHAT DETAIL" for each step of the way
 * from a lost membership to the last start. Off by default, and then one comparison a call.
 */
#ifndef HAMON_DAEMON_TRACE_H
#define HAMON_DAEMON_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* Opens the file that $HAMON_TRACE names, to append; without it, or when that fails, nothing is traced. */
void trace_open(void);
bool trace_is_on(void);

/* CLOCK_BOOTTIME in microseconds. */
uint64_t trace_now_us(void);

/* Adds a line. Kept in memory: whatever the file is on, it costs nothing on the way that is measured. */
void trace_add(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes out what was added; called once a second. Lines that find no room before it are lost, and counted in a line. */
void trace_flush(void);

#endif
