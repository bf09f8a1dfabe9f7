/* What hamond tells hamon-alert of the configuration. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/alert/config.h"
#include "hamon/common/json.h"

#define AGENTS_MAX 32
#define NODES_MAX 1024

struct complaint {
	char *text;
	size_t size;
};

__attribute__((format(printf, 2, 3)))
static int complain(struct complaint *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->text, c->size, format, args);
	va_end(args);
	return -EINVAL;
}

static int text_take(struct json_object *obj, const char *key, char **ret, struct complaint *c)
{
	const char *text = "";
	int rc = json_get_string(obj, key, &text);

	if ((rc && rc != -ENOENT) || strlen(text) >= ALERT_PATH_MAX)
		return complain(c, "\"%s\" must be a string of less than %d bytes", key, ALERT_PATH_MAX);
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int path_take(struct json_object *obj, const char *key, char **ret, struct complaint *c)
{
	int rc = text_take(obj, key, ret, c);

	if (!rc && **ret && **ret != '/')
		rc = complain(c, "\"%s\" must be an absolute path", key);
	return rc;
}

static int number_take(struct json_object *obj, const char *key, uint64_t min, uint64_t max, uint64_t *ret,
		       struct complaint *c)
{
	int rc = json_get_u64(obj, key, max, ret);

	if ((rc && rc != -ENOENT) || *ret < min)
		return complain(c, "\"%s\" must be an integer from %llu to %llu", key, (unsigned long long)min,
				(unsigned long long)max);
	return 0;
}

static int agents_take(struct alert_config *config, struct json_object *obj, struct complaint *c)
{
	struct json_object *list;
	int rc = json_get_array(obj, "agents", &list);
	size_t n;

	if (rc == -ENOENT)
		return 0;
	n = rc ? 0 : json_object_array_length(list);
	if (rc || n > AGENTS_MAX)
		return complain(c, "\"agents\" must be a list of at most %d", AGENTS_MAX);
	config->agents = calloc(n + 1, sizeof(*config->agents));
	if (!config->agents)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct alert_agent_config *agent = &config->agents[config->n_agents++];
		struct json_object *item = json_object_array_get_idx(list, i);

		rc = path_take(item, "path", &agent->path, c);
		if (!rc && !*agent->path)
			rc = complain(c, "an agent needs a \"path\"");
		if (!rc)
			rc = text_take(item, "recipient", &agent->recipient, c);
		if (rc)
			return rc;
	}
	return 0;
}

static int nodes_take(struct alert_config *config, struct json_object *obj, struct complaint *c)
{
	struct json_object *nodes;
	int rc = json_get_object(obj, "nodes", &nodes);

	if (rc == -ENOENT)
		return 0;
	if (rc || json_object_object_length(nodes) > NODES_MAX)
		return complain(c, "\"nodes\" must be an object of at most %d", NODES_MAX);
	config->nodes = calloc((size_t)json_object_object_length(nodes) + 1, sizeof(*config->nodes));
	if (!config->nodes)
		return -ENOMEM;
	json_object_object_foreach(nodes, name, value) {
		struct alert_node *node = &config->nodes[config->n_nodes];

		if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
		    json_object_get_int64(value) > UINT32_MAX)
			return complain(c, "\"nodes\" must give each host its number");
		node->id = json_object_get_uint64(value);
		node->name = strdup(name);
		if (!node->name)
			return -ENOMEM;
		config->n_nodes++;
	}
	return 0;
}

static int severity_take(struct alert_config *config, struct json_object *obj, struct complaint *c)
{
	const char *name;
	int rc = json_get_string(obj, "severity", &name);

	if (rc == -ENOENT)
		return 0;
	if (rc || alert_severity_parse(name, &config->severity))
		return complain(c, "\"severity\" must be \"info\", \"notice\", \"warning\" or \"alert\"");
	return 0;
}

static int config_fill(struct alert_config *config, struct json_object *obj, struct complaint *c)
{
	static const uint64_t day_ms = 86400000;
	int rc = path_take(obj, "dir", &config->dir, c);

	config->timeout_ms = 30000;
	config->retry_ms = 2000;
	config->grace_ms = 3000;
	config->parallel = 4;
	config->attempts = 3;
	config->max_records = 10000;
	config->max_bytes = 16 << 20;
	if (!rc)
		rc = path_take(obj, "spool", &config->spool, c);
	if (!rc)
		rc = text_take(obj, "node", &config->node, c);
	if (!rc)
		rc = text_take(obj, "cluster", &config->cluster, c);
	if (!rc)
		rc = agents_take(config, obj, c);
	if (!rc)
		rc = nodes_take(config, obj, c);
	if (rc)
		return rc;
	if (severity_take(config, obj, c) ||
	    number_take(obj, "nodeid", 0, UINT32_MAX, &config->nodeid, c) ||
	    number_take(obj, "timeout_ms", 100, day_ms, &config->timeout_ms, c) ||
	    number_take(obj, "retry_ms", 1, day_ms, &config->retry_ms, c) ||
	    number_take(obj, "grace_ms", 0, day_ms, &config->grace_ms, c) ||
	    number_take(obj, "parallel", 1, 32, &config->parallel, c) ||
	    number_take(obj, "attempts", 1, 100, &config->attempts, c) ||
	    number_take(obj, "max_records", 10, 1000000, &config->max_records, c) ||
	    number_take(obj, "max_bytes", ALERT_RECORD_MAX, 1 << 30, &config->max_bytes, c))
		return -EINVAL;
	return 0;
}

int alert_config_take(struct json_object *obj, struct alert_config **ret_config, char *error, size_t error_size)
{
	struct complaint c = { error, error_size };
	struct alert_config *config = calloc(1, sizeof(*config));
	int rc = config ? config_fill(config, obj, &c) : -ENOMEM;

	if (!rc) {
		*ret_config = config;
		return 0;
	}
	if (rc == -ENOMEM)
		complain(&c, "out of memory");
	alert_config_free(config);
	return rc;
}

void alert_config_free(struct alert_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_agents; i++) {
		free(config->agents[i].path);
		free(config->agents[i].recipient);
	}
	for (size_t i = 0; i < config->n_nodes; i++)
		free(config->nodes[i].name);
	free(config->agents);
	free(config->nodes);
	free(config->dir);
	free(config->spool);
	free(config->node);
	free(config->cluster);
	free(config);
}

uint64_t alert_config_nodeid(const struct alert_config *config, const char *host)
{
	for (size_t i = 0; i < config->n_nodes; i++)
		if (!strcmp(config->nodes[i].name, host))
			return config->nodes[i].id;
	return strcmp(config->node, host) ? 0 : config->nodeid;
}
