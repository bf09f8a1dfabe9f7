/*
 * corosync's configuration and link states (cmap_overview(3), cmap_keys(7)), read-only. Everything
 * is checked before it is handed out: it comes from a file that people edit. Reconnects by itself;
 * corosync may be absent at start. One thread: the loop's.
 */
#ifndef HAMON_CLUSTER_CMAP_H
#define HAMON_CLUSTER_CMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <qb/qbloop.h>

#define CLUSTER_NODES_MAX 64
#define CLUSTER_LINKS_MAX 8
#define CLUSTER_NAME_SIZE 256
#define CLUSTER_HOST_SIZE 64

struct cluster_node {
	uint32_t nodeid;	      /* 1 to 65535 */
	uint32_t votes;		      /* quorum_votes, 1 when not given */
	/* Letters, digits, '.', '-', '_', and unique; "nodeN" when not given or not usable. */
	char name[CLUSTER_HOST_SIZE];
	uint8_t links; /* how many ringX_addr it has */
};

struct cluster_config {
	char name[CLUSTER_NAME_SIZE]; /* totem.cluster_name, may be empty */
	uint32_t local_nodeid;
	uint32_t token_ms; /* the effective one */
	uint32_t consensus_ms;
	uint32_t expected_votes; /* quorum.expected_votes; 0 when it follows from the node list */
	bool votequorum;	 /* corosync_votequorum provides; otherwise quorate means nothing */
	bool two_node;
	bool wait_for_all; /* said, or implied by two_node; the effective value */
	bool auto_tie_breaker;
	bool last_man_standing;
	bool allow_downscale;
	bool qdevice;
	uint32_t qdevice_votes;
	bool crypto; /* both a cipher and a hash other than "none" */
	char crypto_cipher[32], crypto_hash[32];
	size_t n_nodes;
	struct cluster_node nodes[CLUSTER_NODES_MAX]; /* sorted by node id, no duplicates */
};

struct cmap_callbacks {
	/* The configuration after connecting, and whenever it differs from the last one told. */
	void (*on_config)(void *user, const struct cluster_config *config);
	/*
	 * A link to another node came up or went down; after connecting, once for each. A link that
	 * is taken out of the configuration is told as down. knet notices a cut after about two
	 * seconds, and corosync tells it up to 1.5 s later.
	 */
	void (*on_link)(void *user, uint32_t nodeid, unsigned int link, bool connected);
	void (*on_down)(void *user);
	/*
	 * One sentence for the log: what was wrong in the configuration and what was taken instead.
	 */
	void (*on_note)(void *user, const char *text);
};

struct cmap;

/* The callbacks are copied, the loop is borrowed. 0 or -ENOMEM; an absent corosync is no error. */
int cmap_start(qb_loop_t *loop, const struct cmap_callbacks *callbacks, void *user,
	       struct cmap **ret_cmap);

/* Not from inside a callback; calls nothing back. NULL is fine. */
void cmap_stop(struct cmap *cmap);

/* The last configuration that was told, or NULL before the first; borrowed until the next
 * on_config. */
const struct cluster_config *cmap_config(const struct cmap *cmap);

/* The node of that id or name, or NULL. */
const struct cluster_node *cluster_node_by_id(const struct cluster_config *config, uint32_t nodeid);
const struct cluster_node *cluster_node_by_name(const struct cluster_config *config,
						const char *name);

#endif
