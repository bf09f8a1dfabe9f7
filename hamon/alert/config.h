/* What hamond tells hamon-alert of the configuration. Pure. */
#ifndef HAMON_ALERT_CONFIG_H
#define HAMON_ALERT_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <json-c/json_object.h>

#include "hamon/alert/record.h"

#define ALERT_PATH_MAX 4096

/* An agent named in the configuration, beside those in the folder. */
struct alert_agent_config {
	char *path, *recipient; /* recipient "" when there is none */
};

struct alert_node {
	char *name;
	uint64_t id;
};

struct alert_config {
	char *dir, *spool, *node, *cluster; /* dir and spool absolute, or "" for none */
	uint64_t nodeid;
	struct alert_node *nodes; /* ids of other hosts, as far as they were told */
	size_t n_nodes;
	struct alert_agent_config *agents;
	size_t n_agents;
	enum alert_severity severity; /* agents are run for this and above */
	uint64_t timeout_ms, retry_ms, grace_ms;
	uint64_t parallel, attempts;
	uint64_t max_records, max_bytes; /* that wait for their delivery */
};

/* 0, or -EINVAL (-ENOMEM) with a sentence in error. */
int alert_config_take(struct json_object *obj, struct alert_config **ret_config, char *error, size_t error_size);

void alert_config_free(struct alert_config *config);

/* Corosync's number of a host, 0 when unknown. */
uint64_t alert_config_nodeid(const struct alert_config *config, const char *host);

#endif
