/* The journal, in a thread of its own: journald may hang as long as it likes. Wraps libsystemd's sd-journal. */
#ifndef HAMON_ALERT_JOURNAL_H
#define HAMON_ALERT_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "hamon/alert/record.h"

/* 0 or -errno. */
int journal_start(void);

/* Never waits; takes a reference of its own. A record that does not fit in any more is counted. */
void journal_post(struct alert_record *record);

/* Waits until everything was written, at most timeout_ms. */
void journal_flush(uint64_t timeout_ms);

#endif
