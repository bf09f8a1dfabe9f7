/*
 * What an alert agent finds in its environment: CRM_alert_* (and CRM_notify_*, the older names) as Pacemaker 2.1.5
 * gives them, HAMON_* for those who know of hamon. Source: Pacemaker Administration, "Writing an Alert Agent", and for
 * what that leaves open Pacemaker 2.1.5's behaviour, as told in doc/hamon-alerts.7. Pure.
 */
#ifndef HAMON_ALERT_ENVIRONMENT_H
#define HAMON_ALERT_ENVIRONMENT_H

#include <stdint.h>

#include "hamon/alert/agents.h"
#include "hamon/alert/config.h"
#include "hamon/alert/record.h"

/*
 * sequence counts the alerts that this process has issued. NULL when out of memory; free with
 * alert_environment_free.
 */
char **alert_environment_make(const struct alert_record *record, const struct alert_config *config,
			      const struct alert_agent *agent, uint32_t sequence);

void alert_environment_free(char **environment);

/*
 * strftime in local time, with %N for the fraction of a second: %3N or %03N are milliseconds, %N nanoseconds. Always
 * ends the text; "" when it does not fit.
 */
void alert_time_format(const char *format, uint64_t wall_us, char *text, size_t size);

#endif
