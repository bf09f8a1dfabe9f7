/* What hamon-alert counts; any thread counts, hamond is told of changes. */
#ifndef HAMON_ALERT_STATS_H
#define HAMON_ALERT_STATS_H

#include <stdatomic.h>
#include <stdint.h>
#include <json-c/json_object.h>

enum alert_count {
	COUNT_RECEIVED,        /* records that came in */
	COUNT_BAD,             /* lines that were no record, no configuration */
	COUNT_DROPPED,         /* records that no agent was given, because too many waited */
	COUNT_JOURNALED,
	COUNT_JOURNAL_DROPPED, /* records that the journal did not take in time */
	COUNT_DELIVERED,       /* runs of agents that ended well */
	COUNT_FAILED,          /* runs that did not; timeouts are among them */
	COUNT_TIMEOUTS,
	COUNT_GIVEN_UP,        /* pairs of record and agent after the last attempt */
	COUNT_REDELIVERED,     /* records found in the spool at the start */
	COUNT_UNSPOOLED,       /* records that the spool did not take */
	COUNT_AGENTS,          /* these three are states: pairs of agent and recipient, */
	COUNT_SKIPPED,         /* files that may not be run, */
	COUNT_QUEUED,          /* records that wait for some agent */
	ALERT_COUNTS,
};

void stats_add(enum alert_count count, uint64_t n);
void stats_set(enum alert_count count, uint64_t n);
uint64_t stats_get(enum alert_count count);

/* True when something changed since the last stats_object. */
int stats_changed(void);

/* A line of type "stats"; the caller's. */
struct json_object *stats_object(void);

#endif
