/* corosync's keys to a checked configuration. */
#include "hamon/cluster/cmap_config.h"
#include "tests/unit/test.h"

static char notes[8192];
static struct cluster_config config;

static void note(void *user, const char *text)
{
	size_t used = strlen(notes);

	snprintf(notes + used, sizeof(notes) - used, "%s\n", text);
}

/* "key=value" texts; "key#value" numbers. The list ends with NULL. */
static void read_keys(const char *const *keys)
{
	struct config_reader *reader = config_reader_new(note, NULL);
	char key[512];

	CHECK(reader);
	notes[0] = '\0';
	memset(&config, 0xff, sizeof(config));
	for (; *keys; keys++) {
		size_t len = strcspn(*keys, "=#");

		memcpy(key, *keys, len);
		key[len] = '\0';
		if ((*keys)[len] == '#')
			config_reader_number(reader, key, strtoull(*keys + len + 1, NULL, 10));
		else
			config_reader_text(reader, key, *keys + len + 1);
	}
	config_reader_finish(reader, &config);
	config_reader_free(reader);
}

#define READ(...) read_keys((const char *const[]){__VA_ARGS__, NULL})

#define TWO_NODES                                                                                  \
	"nodelist.node.0.nodeid#1", "nodelist.node.0.name=h1", "nodelist.node.1.nodeid#2",         \
	    "nodelist.node.1.name=h2", "nodelist.local_node_pos#1"

/* As corosync 3.1 gives it for a plain cluster of three. */
static void usual(void)
{
	READ("nodelist.local_node_pos#2", "nodelist.node.2.nodeid#1", "nodelist.node.2.name=alpha",
	     "nodelist.node.2.ring0_addr=10.0.0.1", "nodelist.node.2.ring1_addr=10.0.1.1",
	     "nodelist.node.0.name=beta", "nodelist.node.0.nodeid#30",
	     "nodelist.node.0.quorum_votes#2", "nodelist.node.0.ring0_addr=10.0.0.2",
	     "nodelist.node.1.nodeid#2", "totem.cluster_name=prod", "totem.crypto_cipher=aes256",
	     "totem.crypto_hash=sha256", "totem.token#1000", "runtime.config.totem.token#1650",
	     "runtime.config.totem.consensus#1980", "quorum.provider=corosync_votequorum",
	     "totem.version#2");
	CHECK_STR(notes, "");
	CHECK_STR(config.name, "prod");
	CHECK_INT(config.local_nodeid, 1);
	CHECK_INT(config.n_nodes, 3);
	CHECK(config.nodes[0].nodeid == 1 && config.nodes[0].votes == 1 &&
	      config.nodes[0].links == 2);
	CHECK_STR(config.nodes[0].name, "alpha");
	CHECK(config.nodes[1].nodeid == 2 && config.nodes[1].links == 0);
	CHECK_STR(config.nodes[1].name, "node2");
	CHECK(config.nodes[2].nodeid == 30 && config.nodes[2].votes == 2);
	CHECK_STR(config.nodes[2].name, "beta");
	CHECK_INT(config.token_ms, 1650);
	CHECK_INT(config.consensus_ms, 1980);
	CHECK(config.votequorum && config.crypto && !config.two_node && !config.wait_for_all &&
	      !config.qdevice);
	CHECK_INT(config.expected_votes, 0);
	CHECK(cluster_node_by_id(&config, 30) == &config.nodes[2]);
	CHECK(cluster_node_by_name(&config, "node2") == &config.nodes[1]);
	CHECK(!cluster_node_by_id(&config, 3) && !cluster_node_by_name(&config, "gamma"));
}

static void quorum_modes(void)
{
	READ(TWO_NODES, "quorum.two_node#1", "quorum.expected_votes#2");
	CHECK(config.two_node && config.wait_for_all);
	CHECK_INT(config.expected_votes, 2);
	READ(TWO_NODES, "quorum.two_node#1", "quorum.wait_for_all#0");
	CHECK(config.two_node && !config.wait_for_all);
	READ(TWO_NODES, "quorum.wait_for_all#1", "quorum.auto_tie_breaker#1",
	     "quorum.last_man_standing#1", "quorum.allow_downscale#1");
	CHECK(config.wait_for_all && config.auto_tie_breaker && config.last_man_standing &&
	      config.allow_downscale);
	CHECK(!config.votequorum);
	READ(TWO_NODES, "quorum.device.model=net");
	CHECK(config.qdevice && config.qdevice_votes == 1);
	READ(TWO_NODES, "quorum.device.model=net", "quorum.device.votes#3");
	CHECK_INT(config.qdevice_votes, 3);
	READ(TWO_NODES, "quorum.device.votes#3");
	CHECK(!config.qdevice);
	READ(TWO_NODES, "quorum.two_node=1"); /* a number that came as text */
	CHECK(config.two_node);
}

static void crypto(void)
{
	READ(TWO_NODES);
	CHECK(!config.crypto);
	CHECK_STR(config.crypto_cipher, "none");
	READ(TWO_NODES, "totem.secauth=on");
	CHECK(config.crypto);
	CHECK_STR(config.crypto_cipher, "aes256");
	CHECK_STR(config.crypto_hash, "sha256");
	READ(TWO_NODES, "totem.secauth=on", "totem.crypto_cipher=none", "totem.crypto_hash=none");
	CHECK(!config.crypto);
	READ(TWO_NODES, "totem.crypto_cipher=aes256");
	CHECK(!config.crypto);
	READ(TWO_NODES, "totem.crypto_hash=sha256");
	CHECK(!config.crypto);
}

/* Without corosync's own answer: its defaults. */
static void times(void)
{
	READ(TWO_NODES);
	CHECK_INT(config.token_ms, 3000);
	CHECK_INT(config.consensus_ms, 3600);
	READ(TWO_NODES, "nodelist.node.2.nodeid#3", "nodelist.node.3.nodeid#4", "totem.token#1000");
	CHECK_INT(config.token_ms, 2300);
	READ(TWO_NODES, "nodelist.node.2.nodeid#3", "totem.token#1000",
	     "totem.token_coefficient#0");
	CHECK_INT(config.token_ms, 1000);
	CHECK_INT(config.consensus_ms, 1200);
	READ(TWO_NODES, "runtime.config.totem.token#99999999999");
	CHECK_INT(config.token_ms, UINT32_MAX);
}

static void wrong_nodes(void)
{
	READ("nodelist.node.0.nodeid#0", "nodelist.node.1.nodeid#65536",
	     "nodelist.node.2.name=only", "nodelist.node.3.nodeid#7", "nodelist.node.4.nodeid#7",
	     "nodelist.node.4.name=twice", "nodelist.node.5.nodeid#8",
	     "nodelist.node.5.quorum_votes#4000000000", "nodelist.node.x.nodeid#9",
	     "nodelist.node.6nodeid#9", "nodelist.node.99999999999.nodeid#9",
	     "nodelist.local_node_pos#3");
	CHECK_INT(config.n_nodes, 2);
	CHECK_STR(config.nodes[0].name, "node7");
	CHECK_INT(config.nodes[1].votes, 1);
	CHECK(strstr(notes, "entry 0 of the node list has no nodeid from 1 to 65535"));
	CHECK(strstr(notes, "entry 1 of the node list has no nodeid"));
	CHECK(strstr(notes, "entry 2 of the node list has no nodeid"));
	CHECK(strstr(notes, "nodeid 7 is given twice; entry 4 is ignored"));
	CHECK(strstr(notes, "node 8 has more than"));
	CHECK_INT(config.local_nodeid, 7);
	READ("totem.version#2");
	CHECK_INT(config.n_nodes, 0);
	CHECK_INT(config.local_nodeid, 0);
	CHECK(strstr(notes, "no usable node list"));
	CHECK(strstr(notes, "does not say which entry"));
}

static void wrong_names(void)
{
	static const char *const bad[] = {
	    "",
	    "a b",
	    "../x",
	    ".hidden",
	    "-x",
	    "a/b",
	    "a\nb",
	    "a;b",
	    "\xc3\xa4",
	    "node7",
	    "x123456789012345678901234567890123456789012345678901234567890123", /* 64 */
	};
	char name[128];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(name, sizeof(name), "nodelist.node.0.name=%s", bad[i]);
		READ("nodelist.node.0.nodeid#5", name, "nodelist.local_node_pos#0");
		CHECK_STR(config.nodes[0].name, "node5");
		CHECK(strstr(notes, "it is called node5 here"));
	}
	snprintf(name, sizeof(name), "nodelist.node.0.name=%s",
		 "x12345678901234567890123456789012345678901234567890123456789012"); /* 63 */
	READ("nodelist.node.0.nodeid#5", name, "nodelist.local_node_pos#0");
	CHECK_STR(notes, "");
	READ("nodelist.node.0.nodeid#5", "nodelist.node.0.name=node5", "nodelist.local_node_pos#0");
	CHECK_STR(notes, "");
	READ("nodelist.node.0.nodeid#5", "nodelist.node.0.name=same", "nodelist.node.1.nodeid#4",
	     "nodelist.node.1.name=same", "nodelist.local_node_pos#0");
	CHECK_STR(cluster_node_by_id(&config, 5)->name, "same");
	CHECK_STR(cluster_node_by_id(&config, 4)->name, "node4");
	CHECK(strstr(notes, "the name of node 4 is the name of another node as well"));
}

static void crowd(void)
{
	struct config_reader *reader = config_reader_new(note, NULL);
	char key[64];

	notes[0] = '\0';
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "nodelist.node.%u.nodeid", i);
		config_reader_number(reader, key, i + 1);
	}
	config_reader_finish(reader, &config);
	config_reader_free(reader);
	CHECK_INT(config.n_nodes, CLUSTER_NODES_MAX);
	CHECK_INT(config.nodes[CLUSTER_NODES_MAX - 1].nodeid, CLUSTER_NODES_MAX);
	CHECK(strstr(notes, "more than 64 nodes"));
}

int main(void)
{
	RUN(usual);
	RUN(quorum_modes);
	RUN(crypto);
	RUN(times);
	RUN(wrong_nodes);
	RUN(wrong_names);
	RUN(crowd);
	return 0;
}
