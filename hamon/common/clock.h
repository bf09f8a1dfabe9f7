/* The two clocks: boot time for every decision, wall time only to show to people. */
#ifndef HAMON_COMMON_CLOCK_H
#define HAMON_COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_BOOTTIME in milliseconds: goes on during suspend, never steps. */
uint64_t clock_boot_ms(void);

#define CLOCK_WALL_SIZE sizeof("2026-01-01T00:00:00.000Z")

/* The wall clock in microseconds since 1970. */
uint64_t clock_wall_us(void);

/* The wall clock as RFC 3339 in UTC with milliseconds; buf holds at least CLOCK_WALL_SIZE bytes. */
void clock_wall_text(char *buf, size_t size);

#endif
