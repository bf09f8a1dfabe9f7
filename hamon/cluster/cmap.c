/*
 * corosync's configuration and link states, see cmap.h.
 *
 * Two connections, since a cmap handle is bound to one map: the configuration and the statistics.
 * Reading is synchronous and has no timeout in the library, so it is done while connecting, and
 * again only after corosync has just told of a change. Link states come by tracking: corosync looks
 * at its trackers every 1.5 s.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <corosync/cmap.h>

#include "hamon/cluster/cmap.h"
#include "hamon/cluster/cmap_config.h"
#include "hamon/cluster/conn.h"

#define CMAP_REREAD_MS 200 /* a reload of corosync.conf changes many keys, one after the other */
#define LINK_PREFIX "stats.knet.node"
#define LINKS_MAX (CLUSTER_NODES_MAX * CLUSTER_LINKS_MAX)

struct link {
	uint32_t nodeid;
	unsigned int number;
	bool connected, is_seen;
};

struct cmap {
	qb_loop_t *loop;
	struct cmap_callbacks callbacks;
	void *user;
	struct conn conn;
	cmap_handle_t config_handle, stats_handle;
	qb_loop_timer_handle reread_timer;
	bool is_told; /* config was told; it stays valid while corosync is away */
	struct cluster_config config;
	size_t n_links;
	struct link links[LINKS_MAX];
};

static void cmap_note(void *user, const char *text)
{
	struct cmap *cmap = user;

	if (cmap->callbacks.on_note)
		cmap->callbacks.on_note(cmap->user, text);
}

/* Configuration */

/* Hands one key to the reader, which knows no corosync. */
static void key_read(struct cmap *cmap, struct config_reader *reader, const char *key)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
		char text[512];
	} value;
	size_t len = sizeof(value) - 1;
	cmap_value_types_t type;

	/* A key that just went, or a value that is too long to be one of ours, is as good as
	 * absent. */
	if (cmap_get(cmap->config_handle, key, &value, &len, &type) != CS_OK ||
	    len >= sizeof(value))
		return;
	if (type == CMAP_VALUETYPE_STRING) {
		value.text[len] = '\0';
		config_reader_text(reader, key, value.text);
	} else if (type == CMAP_VALUETYPE_UINT8) {
		config_reader_number(reader, key, value.u8);
	} else if (type == CMAP_VALUETYPE_UINT16) {
		config_reader_number(reader, key, value.u16);
	} else if (type == CMAP_VALUETYPE_UINT32) {
		config_reader_number(reader, key, value.u32);
	} else if (type == CMAP_VALUETYPE_UINT64) {
		config_reader_number(reader, key, value.u64);
	}
}

static cs_error_t prefix_read(struct cmap *cmap, struct config_reader *reader, const char *prefix)
{
	char key[CMAP_KEYNAME_MAXLEN + 1];
	cmap_iter_handle_t iter;
	cs_error_t error = cmap_iter_init(cmap->config_handle, prefix, &iter);

	if (error != CS_OK)
		return error;
	while ((error = cmap_iter_next(cmap->config_handle, iter, key, NULL, NULL)) == CS_OK)
		key_read(cmap, reader, key);
	cmap_iter_finalize(cmap->config_handle, iter);
	return error == CS_ERR_NO_SECTIONS ? CS_OK : error;
}

static const char *const config_prefixes[] = {
    "nodelist.", "totem.", "quorum.", "runtime.config.totem.", "runtime.votequorum.",
};

static int config_read(struct cmap *cmap)
{
	struct config_reader *reader = config_reader_new(cmap_note, cmap);
	struct cluster_config config;
	cs_error_t error = CS_OK;

	if (!reader)
		return -ENOMEM;
	for (size_t i = 0; error == CS_OK && i < sizeof(config_prefixes) / sizeof(*config_prefixes);
	     i++)
		error = prefix_read(cmap, reader, config_prefixes[i]);
	if (error != CS_OK)
		goto out;
	memset(&config, 0, sizeof(config));
	config_reader_finish(reader, &config);
	/* All of it comes from one zeroed allocation, padding included. */
	if (cmap->is_told && !memcmp(&config, &cmap->config, sizeof(config)))
		goto out;
	cmap->config = config;
	cmap->is_told = true;
	if (cmap->callbacks.on_config)
		cmap->callbacks.on_config(cmap->user, &cmap->config);
out:
	config_reader_free(reader);
	return corosync_errno(error);
}

/* Links */

static bool link_key_parse(const char *key, uint32_t *ret_nodeid, unsigned int *ret_link)
{
	int used = 0;

	return sscanf(key, LINK_PREFIX "%5u.link%2u.connected%n", ret_nodeid, ret_link, &used) ==
		   2 &&
	       used && !key[used] && *ret_link < CLUSTER_LINKS_MAX;
}

static struct link *link_find(struct cmap *cmap, uint32_t nodeid, unsigned int number)
{
	for (size_t i = 0; i < cmap->n_links; i++)
		if (cmap->links[i].nodeid == nodeid && cmap->links[i].number == number)
			return &cmap->links[i];
	return NULL;
}

static void link_tell(struct cmap *cmap, const struct link *link)
{
	if (cmap->callbacks.on_link)
		cmap->callbacks.on_link(cmap->user, link->nodeid, link->number, link->connected);
}

static void link_notify(cmap_handle_t handle, cmap_track_handle_t track, int32_t event,
			const char *key, struct cmap_notify_value value,
			struct cmap_notify_value old, void *user)
{
	struct cmap *cmap = user;
	unsigned int number;
	uint32_t nodeid;
	struct link *link;
	bool connected;

	if (event != CMAP_TRACK_MODIFY || value.len < 1 || !link_key_parse(key, &nodeid, &number))
		return;
	link = link_find(cmap, nodeid, number);
	connected = *(const uint8_t *)value.data != 0;
	if (!link || link->connected == connected)
		return;
	link->connected = connected;
	link_tell(cmap, link);
}

/* A link that is new here: its state, and a tracker of its own (corosync tells no changes below a
 * prefix). */
static cs_error_t link_add(struct cmap *cmap, const char *key, uint32_t nodeid, unsigned int number)
{
	struct link *link;
	cmap_track_handle_t track;
	cs_error_t error;
	uint8_t connected;

	if (cmap->n_links == LINKS_MAX)
		return CS_OK;
	error = cmap_get_uint8(cmap->stats_handle, key, &connected);
	if (error != CS_OK)
		return error == CS_ERR_NOT_EXIST ? CS_OK : error;
	error =
	    cmap_track_add(cmap->stats_handle, key, CMAP_TRACK_MODIFY, link_notify, cmap, &track);
	if (error != CS_OK)
		return error;
	link = &cmap->links[cmap->n_links++];
	link->nodeid = nodeid;
	link->number = number;
	link->connected = connected != 0;
	link->is_seen = true;
	link_tell(cmap, link);
	return CS_OK;
}

/* Drops the links that corosync no longer has. */
static void links_sweep(struct cmap *cmap)
{
	for (size_t i = cmap->n_links; i-- > 0;) {
		struct link *link = &cmap->links[i];

		if (link->is_seen)
			continue;
		if (link->connected) {
			link->connected = false;
			link_tell(cmap, link);
		}
		*link = cmap->links[--cmap->n_links];
	}
}

static int links_read(struct cmap *cmap)
{
	char key[CMAP_KEYNAME_MAXLEN + 1];
	cmap_iter_handle_t iter;
	unsigned int number;
	uint32_t nodeid;
	cs_error_t error = cmap_iter_init(cmap->stats_handle, LINK_PREFIX, &iter);

	if (error != CS_OK)
		return corosync_errno(error);
	for (size_t i = 0; i < cmap->n_links; i++)
		cmap->links[i].is_seen = false;
	while ((error = cmap_iter_next(cmap->stats_handle, iter, key, NULL, NULL)) == CS_OK) {
		struct link *link;

		if (!link_key_parse(key, &nodeid, &number) || nodeid == cmap->config.local_nodeid)
			continue;
		link = link_find(cmap, nodeid, number);
		if (link)
			link->is_seen = true;
		else
			error = link_add(cmap, key, nodeid, number);
		if (error != CS_OK)
			break;
	}
	cmap_iter_finalize(cmap->stats_handle, iter);
	if (error != CS_ERR_NO_SECTIONS)
		return corosync_errno(error);
	links_sweep(cmap);
	return 0;
}

/* Changes */

static void cmap_reread(void *data)
{
	struct cmap *cmap = data;

	cmap->reread_timer = 0;
	if (config_read(cmap) || links_read(cmap))
		conn_lost(&cmap->conn);
}

static void config_notify(cmap_handle_t handle, cmap_track_handle_t track, int32_t event,
			  const char *key, struct cmap_notify_value value,
			  struct cmap_notify_value old, void *user)
{
	struct cmap *cmap = user;

	if (!cmap->reread_timer)
		conn_timer_set(cmap->loop, &cmap->reread_timer, CMAP_REREAD_MS, cmap, cmap_reread);
}

static cs_error_t cmap_track(struct cmap *cmap)
{
	const int32_t all =
	    CMAP_TRACK_ADD | CMAP_TRACK_DELETE | CMAP_TRACK_MODIFY | CMAP_TRACK_PREFIX;
	/* Of what corosync computes itself only the token matters; the rest of runtime.* changes
	 * all the time. */
	static const char *const prefixes[] = {"nodelist.", "totem.", "quorum.",
					       "runtime.config.totem.token"};
	cmap_track_handle_t track;
	cs_error_t error = CS_OK;

	for (size_t i = 0; error == CS_OK && i < sizeof(prefixes) / sizeof(*prefixes); i++)
		error = cmap_track_add(cmap->config_handle, prefixes[i], all, config_notify, cmap,
				       &track);
	if (error == CS_OK)
		error = cmap_track_add(cmap->stats_handle, "stats.knet.",
				       CMAP_TRACK_ADD | CMAP_TRACK_DELETE | CMAP_TRACK_PREFIX,
				       config_notify, cmap, &track);
	return error;
}

/* The connection */

static void cmap_close(void *user)
{
	struct cmap *cmap = user;

	conn_timer_clear(cmap->loop, &cmap->reread_timer);
	cmap_finalize(cmap->config_handle);
	cmap_finalize(cmap->stats_handle);
	cmap->n_links = 0;
}

static int cmap_open(void *user, int fds[CONN_FDS_MAX])
{
	struct cmap *cmap = user;
	cs_error_t error;
	int rc;

	cmap->config_handle = cmap->stats_handle = 0;
	error = cmap_initialize_map(&cmap->config_handle, CMAP_MAP_ICMAP);
	if (error == CS_OK)
		error = cmap_initialize_map(&cmap->stats_handle, CMAP_MAP_STATS);
	if (error == CS_OK)
		error = cmap_fd_get(cmap->config_handle, &fds[0]);
	if (error == CS_OK)
		error = cmap_fd_get(cmap->stats_handle, &fds[1]);
	/* Trackers first: what changes while it is being read is read again. */
	if (error == CS_OK)
		error = cmap_track(cmap);
	rc = corosync_errno(error);
	if (!rc)
		rc = config_read(cmap);
	if (!rc)
		rc = links_read(cmap);
	if (rc) {
		cmap_close(cmap);
		return rc;
	}
	return 2;
}

static cs_error_t cmap_dispatch_one(void *user, unsigned int which)
{
	struct cmap *cmap = user;

	return cmap_dispatch(which ? cmap->stats_handle : cmap->config_handle,
			     CS_DISPATCH_ONE_NONBLOCKING);
}

static void cmap_down(void *user)
{
	struct cmap *cmap = user;

	if (cmap->callbacks.on_down)
		cmap->callbacks.on_down(cmap->user);
}

static const struct conn_ops cmap_ops = {
    .open = cmap_open,
    .dispatch = cmap_dispatch_one,
    .close = cmap_close,
    .down = cmap_down,
};

int cmap_start(qb_loop_t *loop, const struct cmap_callbacks *callbacks, void *user,
	       struct cmap **ret_cmap)
{
	struct cmap *cmap = calloc(1, sizeof(*cmap));
	int rc;

	if (!cmap)
		return -ENOMEM;
	cmap->loop = loop;
	cmap->callbacks = *callbacks;
	cmap->user = user;
	rc = conn_start(&cmap->conn, loop, &cmap_ops, cmap);
	if (rc) {
		free(cmap);
		return rc;
	}
	*ret_cmap = cmap;
	return 0;
}

void cmap_stop(struct cmap *cmap)
{
	if (!cmap)
		return;
	conn_stop(&cmap->conn);
	free(cmap);
}

const struct cluster_config *cmap_config(const struct cmap *cmap)
{
	return cmap->is_told ? &cmap->config : NULL;
}
