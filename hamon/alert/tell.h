/* What hamon-alert says itself. Nothing here ever waits: what nobody reads is dropped, and counted. */
#ifndef HAMON_ALERT_TELL_H
#define HAMON_ALERT_TELL_H

#include <stdint.h>
#include <json-c/json_object.h>

/* A line for the log, on stderr; control characters become '?', what is too long is cut. Any thread. */
void tell_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line for hamond, on stdout; consumes obj. Any thread. */
void tell_line(struct json_object *obj);

uint64_t tell_dropped(void);

#endif
