/*
 * The alert agents: executable files of a folder and those named in the configuration. Beside an agent of the folder
 * may lie its options, NAME.conf: lines "KEY = VALUE" that it gets in its environment, as Pacemaker's agents get
 * their instance attributes; "recipient" (repeatable), "timestamp-format" and "timeout" are meant for hamon.
 */
#ifndef HAMON_ALERT_AGENTS_H
#define HAMON_ALERT_AGENTS_H

#include <stddef.h>
#include <stdint.h>

#include "hamon/alert/config.h"

#define ALERT_AGENTS_MAX 32 /* pairs of agent and recipient */
#define ALERT_OPTIONS_MAX 64
#define ALERT_OPTIONS_BYTES 65536

/* One agent with one recipient. */
struct alert_agent {
	char *path;
	char *recipient;        /* "" when there is none */
	char *timestamp_format; /* of strftime, with %N as in date(1) */
	char **options;         /* NULL-terminated "KEY=VALUE" */
	uint64_t timeout_ms;
};

struct alert_agents {
	struct alert_agent agents[ALERT_AGENTS_MAX];
	size_t n;
	size_t skipped; /* files that are no agents, or may not be run */
};

/*
 * Looks what is there now; files in the order of their names, those of the configuration first. warn is called with a
 * sentence for each file that is skipped. Never fails: what cannot be read is warned of and skipped.
 */
void alert_agents_find(const struct alert_config *config, struct alert_agents *ret_agents,
		       void (*warn)(void *user, const char *path, const char *sentence), void *user);

void alert_agents_free(struct alert_agents *agents);

/* Options of one file, its text given. Pure. 0, or -EINVAL (-ENOMEM) with a sentence in error. */
struct alert_options {
	char *recipients[ALERT_AGENTS_MAX];
	size_t n_recipients;
	char *timestamp_format; /* NULL when not given */
	uint64_t timeout_ms;    /* 0 when not given */
	char *options[ALERT_OPTIONS_MAX + 1];
	size_t n_options;
};

int alert_options_parse(const char *text, size_t len, struct alert_options *ret_options, char *error,
			size_t error_size);
void alert_options_free(struct alert_options *options);

#endif
