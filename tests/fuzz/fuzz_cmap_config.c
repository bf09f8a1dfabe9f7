/* The reader of corosync's configuration. Input: lines "key=text" and "key#number". */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/cluster/cmap_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void config_check(const struct cluster_config *config)
{
	if (config->n_nodes > CLUSTER_NODES_MAX)
		abort();
	for (size_t i = 0; i < config->n_nodes; i++) {
		const struct cluster_node *node = &config->nodes[i];

		if (node->nodeid < 1 || node->nodeid > 65535 || !*node->name)
			abort();
		if (i && node->nodeid <= config->nodes[i - 1].nodeid)
			abort();
		if (cluster_node_by_id(config, node->nodeid) != node ||
		    cluster_node_by_name(config, node->name) != node)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_reader *reader = config_reader_new(NULL, NULL);
	char *text = malloc(size + 1), *line, *rest;
	struct cluster_config config;

	if (!reader || !text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t len = strcspn(line, "=#");
		char mark = line[len];

		line[len] = '\0';
		if (mark == '=')
			config_reader_text(reader, line, line + len + 1);
		else if (mark == '#')
			config_reader_number(reader, line, strtoull(line + len + 1, NULL, 10));
	}
	config_reader_finish(reader, &config);
	config_check(&config);
	config_reader_free(reader);
	free(text);
	return 0;
}
