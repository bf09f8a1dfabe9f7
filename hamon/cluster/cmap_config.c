/* Checks of corosync's configuration, see cmap_config.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/cluster/cmap_config.h"

#define NODEID_MAX 65535 /* kronosnet's limit */
#define VOTES_MAX 1000
/* Entries of the node list, unusable ones included. */
#define RAW_NODES_MAX (CLUSTER_NODES_MAX * 2)
#define TOKEN_DEFAULT_MS 3000
#define TOKEN_COEFFICIENT_MS 650

/* nodelist.node.POSITION.* as it was found. */
struct raw_node {
	unsigned int position;
	uint64_t nodeid, votes;
	bool has_nodeid, has_votes, has_name;
	char name[256];
	uint8_t links;
};

struct config_reader {
	void (*on_note)(void *user, const char *text);
	void *user;
	struct cluster_config config;
	size_t n_raw;
	struct raw_node raw[RAW_NODES_MAX];
	bool has_local_position, has_wait_for_all, has_consensus, secauth, is_crowded;
	uint64_t local_position, this_nodeid;
	uint32_t configured_token_ms, coefficient_ms;
};

static void reader_note(struct config_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void reader_note(struct config_reader *reader, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!reader->on_note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	reader->on_note(reader->user, text);
}

struct config_reader *config_reader_new(void (*on_note)(void *user, const char *text), void *user)
{
	struct config_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->on_note = on_note;
	reader->user = user;
	reader->coefficient_ms = TOKEN_COEFFICIENT_MS;
	return reader;
}

void config_reader_free(struct config_reader *reader)
{
	free(reader);
}

/* The entry of a position, made when it is new; NULL when there is no room. */
static struct raw_node *raw_node_get(struct config_reader *reader, unsigned int position)
{
	struct raw_node *raw;

	for (size_t i = 0; i < reader->n_raw; i++)
		if (reader->raw[i].position == position)
			return &reader->raw[i];
	if (reader->n_raw == RAW_NODES_MAX) {
		reader->is_crowded = true;
		return NULL;
	}
	raw = &reader->raw[reader->n_raw++];
	raw->position = position;
	return raw;
}

/* "nodelist.node.12.name" -> entry 12 and "name"; NULL when the key is another one. */
static struct raw_node *raw_node_of_key(struct config_reader *reader, const char *key,
					const char **ret_field)
{
	static const char prefix[] = "nodelist.node.";
	unsigned int position;
	int used = 0;

	if (strncmp(key, prefix, sizeof(prefix) - 1))
		return NULL;
	key += sizeof(prefix) - 1;
	if (sscanf(key, "%5u.%n", &position, &used) != 1 || !used)
		return NULL;
	*ret_field = key + used;
	return raw_node_get(reader, position);
}

static void raw_node_number(struct raw_node *raw, const char *field, uint64_t value)
{
	if (!strcmp(field, "nodeid")) {
		raw->nodeid = value;
		raw->has_nodeid = true;
	} else if (!strcmp(field, "quorum_votes")) {
		raw->votes = value;
		raw->has_votes = true;
	}
}

static void raw_node_text(struct raw_node *raw, const char *field, const char *value)
{
	unsigned int link;
	int used = 0;

	if (!strcmp(field, "name")) {
		snprintf(raw->name, sizeof(raw->name), "%s", value);
		raw->has_name = true;
	} else if (sscanf(field, "ring%1u_addr%n", &link, &used) == 1 && used && !field[used] &&
		   link < CLUSTER_LINKS_MAX && *value) {
		raw->links |= (uint8_t)(1u << link);
	}
}

static uint32_t clamp_u32(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static bool config_flag(struct config_reader *reader, const char *key, uint64_t value)
{
	struct cluster_config *config = &reader->config;

	if (!strcmp(key, "quorum.two_node"))
		config->two_node = value != 0;
	else if (!strcmp(key, "quorum.wait_for_all")) {
		config->wait_for_all = value != 0;
		reader->has_wait_for_all = true;
	} else if (!strcmp(key, "quorum.auto_tie_breaker"))
		config->auto_tie_breaker = value != 0;
	else if (!strcmp(key, "quorum.last_man_standing"))
		config->last_man_standing = value != 0;
	else if (!strcmp(key, "quorum.allow_downscale"))
		config->allow_downscale = value != 0;
	else
		return false;
	return true;
}

void config_reader_number(struct config_reader *reader, const char *key, uint64_t value)
{
	struct cluster_config *config = &reader->config;
	const char *field;
	struct raw_node *raw = raw_node_of_key(reader, key, &field);

	if (raw) {
		raw_node_number(raw, field, value);
	} else if (config_flag(reader, key, value)) {
		return;
	} else if (!strcmp(key, "nodelist.local_node_pos")) {
		reader->local_position = value;
		reader->has_local_position = true;
	} else if (!strcmp(key, "runtime.votequorum.this_node_id")) {
		reader->this_nodeid = value;
	} else if (!strcmp(key, "runtime.config.totem.token")) {
		config->token_ms = clamp_u32(value);
	} else if (!strcmp(key, "runtime.config.totem.consensus")) {
		config->consensus_ms = clamp_u32(value);
	} else if (!strcmp(key, "totem.token")) {
		reader->configured_token_ms = clamp_u32(value);
	} else if (!strcmp(key, "totem.token_coefficient")) {
		reader->coefficient_ms = clamp_u32(value);
	} else if (!strcmp(key, "quorum.expected_votes")) {
		config->expected_votes = clamp_u32(value);
	} else if (!strcmp(key, "quorum.device.votes")) {
		config->qdevice_votes = clamp_u32(value);
	}
}

static bool number_parse(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end)
		return false;
	*ret = value;
	return true;
}

void config_reader_text(struct config_reader *reader, const char *key, const char *value)
{
	struct cluster_config *config = &reader->config;
	const char *field;
	struct raw_node *raw = raw_node_of_key(reader, key, &field);
	uint64_t number;

	if (raw)
		raw_node_text(raw, field, value);
	else if (!strcmp(key, "totem.cluster_name"))
		snprintf(config->name, sizeof(config->name), "%s", value);
	else if (!strcmp(key, "totem.crypto_cipher"))
		snprintf(config->crypto_cipher, sizeof(config->crypto_cipher), "%s", value);
	else if (!strcmp(key, "totem.crypto_hash"))
		snprintf(config->crypto_hash, sizeof(config->crypto_hash), "%s", value);
	else if (!strcmp(key, "totem.secauth"))
		reader->secauth = !strcmp(value, "on");
	else if (!strcmp(key, "quorum.provider"))
		config->votequorum = !strcmp(value, "corosync_votequorum");
	else if (!strcmp(key, "quorum.device.model"))
		config->qdevice = *value != '\0';
	if (number_parse(value, &number))
		config_reader_number(reader, key, number);
}

/* A host name that can stand in a file name, a table and a shell command without being quoted. */
static bool name_is_usable(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= CLUSTER_HOST_SIZE || name[0] == '.' || name[0] == '-')
		return false;
	for (const char *c = name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || *c == '.' || *c == '-' || *c == '_'))
			return false;
	return true;
}

/* "node7" is what node 7 is called when it has no name: no other node may be called so. */
static bool name_is_of_other(const char *name, uint32_t nodeid)
{
	unsigned int number;
	int used = 0;

	return sscanf(name, "node%5u%n", &number, &used) == 1 && used && !name[used] &&
	       number != nodeid;
}

static void node_name(struct config_reader *reader, struct cluster_node *node,
		      const struct raw_node *raw)
{
	const char *wrong = NULL;

	if (raw->has_name) {
		if (!name_is_usable(raw->name))
			wrong = "is not made of letters, digits, '.', '-' and '_' alone, or is "
				"longer than 63";
		else if (name_is_of_other(raw->name, node->nodeid))
			wrong = "is reserved for a node of that number";
		else if (cluster_node_by_name(&reader->config, raw->name))
			wrong = "is the name of another node as well";
	}
	if (raw->has_name && !wrong)
		snprintf(node->name, sizeof(node->name), "%.*s", CLUSTER_HOST_SIZE - 1, raw->name);
	else
		snprintf(node->name, sizeof(node->name), "node%u", node->nodeid);
	if (wrong)
		reader_note(reader, "corosync.conf: the name of node %u %s; it is called %s here",
			    node->nodeid, wrong, node->name);
}

static uint8_t links_count(uint8_t bits)
{
	return (uint8_t)__builtin_popcount(bits);
}

static void node_take(struct config_reader *reader, const struct raw_node *raw)
{
	struct cluster_config *config = &reader->config;
	struct cluster_node *node;

	if (!raw->has_nodeid || raw->nodeid < 1 || raw->nodeid > NODEID_MAX) {
		reader_note(
		    reader,
		    "corosync.conf: entry %u of the node list has no nodeid from 1 to %d; ignored",
		    raw->position, NODEID_MAX);
		return;
	}
	if (cluster_node_by_id(config, (uint32_t)raw->nodeid)) {
		reader_note(reader, "corosync.conf: nodeid %u is given twice; entry %u is ignored",
			    (unsigned int)raw->nodeid, raw->position);
		return;
	}
	if (config->n_nodes == CLUSTER_NODES_MAX) {
		reader->is_crowded = true;
		return;
	}
	node = &config->nodes[config->n_nodes];
	node->nodeid = (uint32_t)raw->nodeid;
	node->votes = raw->has_votes && raw->votes <= VOTES_MAX ? (uint32_t)raw->votes : 1;
	if (raw->has_votes && raw->votes > VOTES_MAX)
		reader_note(reader, "corosync.conf: node %u has more than %d votes; taken as 1",
			    node->nodeid, VOTES_MAX);
	node->links = links_count(raw->links);
	node_name(reader, node, raw);
	config->n_nodes++;
}

static int raw_compare(const void *a, const void *b)
{
	const struct raw_node *x = a, *y = b;

	return x->position < y->position ? -1 : x->position > y->position;
}

static int node_compare(const void *a, const void *b)
{
	const struct cluster_node *x = a, *y = b;

	return x->nodeid < y->nodeid ? -1 : x->nodeid > y->nodeid;
}

static void config_local(struct config_reader *reader)
{
	struct cluster_config *config = &reader->config;
	uint64_t nodeid = reader->this_nodeid;

	if (reader->has_local_position)
		for (size_t i = 0; i < reader->n_raw; i++)
			if (reader->raw[i].position == reader->local_position &&
			    reader->raw[i].has_nodeid)
				nodeid = reader->raw[i].nodeid;
	if (nodeid >= 1 && nodeid <= NODEID_MAX)
		config->local_nodeid = (uint32_t)nodeid;
	else
		reader_note(reader,
			    "corosync does not say which entry of its node list this host is");
}

/* corosync.conf(5): secauth sets both, the two newer keys win, and "none" is the default of each.
 */
static void config_crypto(struct config_reader *reader)
{
	struct cluster_config *config = &reader->config;

	if (!*config->crypto_cipher)
		snprintf(config->crypto_cipher, sizeof(config->crypto_cipher), "%s",
			 reader->secauth ? "aes256" : "none");
	if (!*config->crypto_hash)
		snprintf(config->crypto_hash, sizeof(config->crypto_hash), "%s",
			 reader->secauth ? "sha256" : "none");
	config->crypto =
	    strcmp(config->crypto_cipher, "none") && strcmp(config->crypto_hash, "none");
}

static void config_times(struct config_reader *reader)
{
	struct cluster_config *config = &reader->config;
	uint64_t token = config->token_ms, more = config->n_nodes > 2 ? config->n_nodes - 2 : 0;

	if (!token) {
		token =
		    reader->configured_token_ms ? reader->configured_token_ms : TOKEN_DEFAULT_MS;
		token += more * reader->coefficient_ms;
	}
	config->token_ms = clamp_u32(token);
	if (!config->consensus_ms)
		config->consensus_ms = clamp_u32(token * 12 / 10);
}

void config_reader_finish(struct config_reader *reader, struct cluster_config *ret_config)
{
	struct cluster_config *config = &reader->config;

	qsort(reader->raw, reader->n_raw, sizeof(reader->raw[0]), raw_compare);
	for (size_t i = 0; i < reader->n_raw; i++)
		node_take(reader, &reader->raw[i]);
	if (reader->is_crowded)
		reader_note(reader, "corosync.conf: more than %d nodes; those above are ignored",
			    CLUSTER_NODES_MAX);
	if (!config->n_nodes)
		reader_note(reader, "corosync.conf has no usable node list; hamon needs one");
	qsort(config->nodes, config->n_nodes, sizeof(config->nodes[0]), node_compare);
	config_local(reader);
	if (!reader->has_wait_for_all)
		config->wait_for_all = config->two_node;
	if (config->qdevice && !config->qdevice_votes)
		config->qdevice_votes = 1;
	config_crypto(reader);
	config_times(reader);
	*ret_config = *config;
}

const struct cluster_node *cluster_node_by_id(const struct cluster_config *config, uint32_t nodeid)
{
	for (size_t i = 0; i < config->n_nodes; i++)
		if (config->nodes[i].nodeid == nodeid)
			return &config->nodes[i];
	return NULL;
}

const struct cluster_node *cluster_node_by_name(const struct cluster_config *config,
						const char *name)
{
	for (size_t i = 0; i < config->n_nodes; i++)
		if (!strcmp(config->nodes[i].name, name))
			return &config->nodes[i];
	return NULL;
}
