/* The thread that hands records to the agents. */
#ifndef HAMON_ALERT_DISPATCH_H
#define HAMON_ALERT_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "hamon/alert/config.h"
#include "hamon/alert/record.h"

/* 0 or -errno. */
int dispatch_start(void);

/* Takes over the configuration; may come again at any time. False when it is so far behind that it takes nothing. */
bool dispatch_configure(struct alert_config *config);

/* Never waits; takes a reference of its own. A record that does not fit in any more is counted. */
void dispatch_post(struct alert_record *record);

/*
 * No more records: delivers what can be delivered within the configured grace, kills what is still running, and writes
 * down the rest. Returns when that is done, or after the grace and a bit.
 */
void dispatch_end(void);

#endif
