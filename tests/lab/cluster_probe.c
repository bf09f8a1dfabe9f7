/*
 * cluster_probe GROUP FIFO: hamond's cluster modules alone, for the lab. Prints what they tell as
 * JSON lines and takes commands, one a line, from a FIFO: send SIZE SEED COUNT   multicast COUNT
 * messages of SIZE bytes whose content follows from SEED, SEED+1.. status TOKEN           answer at
 * once: that the loop turns, and what it knows quit                   leave in good order
 * cluster_probe --garbage GROUP: join the group with the bare library, multicast what no hamond
 * sends, and end.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/uio.h>
#include <corosync/cpg.h>

#include "hamon/cluster/cmap.h"
#include "hamon/cluster/cpg.h"
#include "hamon/cluster/frame.h"
#include "hamon/cluster/quorum.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

static qb_loop_t *loop;
static struct group *group;
static struct quorum *quorum;
static struct cmap *cmap;

static struct json_object *event_new(const char *name)
{
	struct json_object *event = json_object_new_object();

	json_put_string(event, "event", name);
	json_put_u64(event, "t_ms", clock_boot_ms());
	return event;
}

static void event_put(struct json_object *event)
{
	json_write_line(STDOUT_FILENO, event);
	json_object_put(event);
}

static struct json_object *nodeids_json(const uint32_t *nodeids, size_t n)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_int64(nodeids[i]));
	return list;
}

/* "nodeid.seq" */
static void ring_put(struct json_object *event, struct cluster_ring ring)
{
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu32 ".%" PRIx64, ring.nodeid, ring.seq);
	json_put_string(event, "ring", text);
}

/* The group */

static const char *const reasons[] = {"none", "join", "leave", "nodedown", "nodeup", "procdown"};

static struct json_object *members_json(const struct group_member *members, size_t n)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *member = json_object_new_object();

		json_put_u64(member, "nodeid", members[i].nodeid);
		json_put_u64(member, "pid", members[i].pid);
		json_put_string(member, "reason", reasons[members[i].reason]);
		json_object_array_add(list, member);
	}
	return list;
}

static void group_up(void *user, uint32_t nodeid)
{
	struct json_object *event = event_new("up");

	json_put_u64(event, "nodeid", nodeid);
	event_put(event);
}

static void group_down(void *user)
{
	event_put(event_new("down"));
}

static void group_members(void *user, const struct group_view *view)
{
	struct json_object *event = event_new("members");

	json_object_object_add(event, "members", members_json(view->members, view->n_members));
	json_object_object_add(event, "left", members_json(view->left, view->n_left));
	json_object_object_add(event, "joined", members_json(view->joined, view->n_joined));
	event_put(event);
}

static void group_ring(void *user, struct cluster_ring ring, const uint32_t *nodeids, size_t n)
{
	struct json_object *event = event_new("ring");

	ring_put(event, ring);
	json_object_object_add(event, "nodes", nodeids_json(nodeids, n));
	event_put(event);
}

static void message_fill(uint8_t *data, size_t size, uint32_t seed)
{
	uint32_t state = seed * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		data[i] = (uint8_t)(state >> 24);
	}
	if (size >= sizeof(seed))
		memcpy(data, &seed, sizeof(seed));
}

static void group_message(void *user, uint32_t nodeid, uint32_t pid, const void *data, size_t len)
{
	struct json_object *event = event_new("message");
	uint8_t *expected = malloc(len);
	uint32_t seed = 0;

	if (len >= sizeof(seed))
		memcpy(&seed, data, sizeof(seed));
	message_fill(expected, len, seed);
	json_put_u64(event, "nodeid", nodeid);
	json_put_u64(event, "pid", pid);
	json_put_u64(event, "size", len);
	json_put_u64(event, "seed", seed);
	json_put_bool(event, "intact", !memcmp(expected, data, len));
	free(expected);
	event_put(event);
}

/* Quorum */

static void quorum_told(void *user, const struct quorum_view *view)
{
	struct json_object *event = event_new("quorum");

	json_put_bool(event, "quorate", view->quorate);
	ring_put(event, view->ring);
	json_object_object_add(event, "nodes", nodeids_json(view->nodes, view->n_nodes));
	json_object_object_add(event, "left", nodeids_json(view->left, view->n_left));
	event_put(event);
}

static void quorum_lost(void *user)
{
	event_put(event_new("quorum-down"));
}

/* Configuration and links */

static void config_told(void *user, const struct cluster_config *config)
{
	struct json_object *event = event_new("config"), *nodes = json_object_new_array();

	json_put_string(event, "name", config->name);
	json_put_u64(event, "local_nodeid", config->local_nodeid);
	json_put_u64(event, "token_ms", config->token_ms);
	json_put_u64(event, "consensus_ms", config->consensus_ms);
	json_put_u64(event, "expected_votes", config->expected_votes);
	json_put_bool(event, "votequorum", config->votequorum);
	json_put_bool(event, "two_node", config->two_node);
	json_put_bool(event, "wait_for_all", config->wait_for_all);
	json_put_bool(event, "crypto", config->crypto);
	for (size_t i = 0; i < config->n_nodes; i++) {
		struct json_object *node = json_object_new_object();

		json_put_u64(node, "nodeid", config->nodes[i].nodeid);
		json_put_string(node, "name", config->nodes[i].name);
		json_put_u64(node, "votes", config->nodes[i].votes);
		json_put_u64(node, "links", config->nodes[i].links);
		json_object_array_add(nodes, node);
	}
	json_object_object_add(event, "nodes", nodes);
	event_put(event);
}

static void link_told(void *user, uint32_t nodeid, unsigned int link, bool connected)
{
	struct json_object *event = event_new("link");

	json_put_u64(event, "nodeid", nodeid);
	json_put_u64(event, "link", link);
	json_put_bool(event, "connected", connected);
	event_put(event);
}

static void cmap_lost(void *user)
{
	event_put(event_new("cmap-down"));
}

static void note_told(void *user, const char *text)
{
	struct json_object *event = event_new("note");

	json_put_string(event, "text", text);
	event_put(event);
}

/* Commands */

static void command_send(size_t size, uint32_t seed, unsigned int count)
{
	struct json_object *event = event_new("sent");
	unsigned int sent = 0;
	uint8_t *data = malloc(size + 1);
	int rc = 0;

	while (sent < count) {
		message_fill(data, size, seed + sent);
		rc = group_send(group, data, size);
		if (rc)
			break;
		sent++;
	}
	free(data);
	json_put_u64(event, "count", sent);
	json_object_object_add(event, "rc", json_object_new_int(rc));
	event_put(event);
}

static void command_status(const char *token)
{
	struct json_object *event = event_new("status");
	struct group_stats stats;

	group_get_stats(group, &stats);
	json_put_string(event, "token", token);
	json_put_bool(event, "up", group_is_up(group, NULL));
	json_put_u64(event, "unsent", group_unsent(group));
	json_put_u64(event, "sent", stats.sent);
	json_put_u64(event, "received", stats.received);
	json_put_u64(event, "malformed", stats.malformed);
	json_put_u64(event, "retries", stats.retries);
	json_put_u64(event, "reconnects", stats.reconnects);
	event_put(event);
}

static void command_run(const char *line)
{
	unsigned int count;
	char token[64];
	uint32_t seed;
	size_t size;

	if (sscanf(line, "send %zu %" SCNu32 " %u", &size, &seed, &count) == 3)
		command_send(size, seed, count);
	else if (sscanf(line, "status %63s", token) == 1)
		command_status(token);
	else if (!strcmp(line, "quit"))
		qb_loop_stop(loop);
}

static int32_t command_read(int32_t fd, int32_t revents, void *data)
{
	static char buf[4096];
	static size_t used;
	ssize_t got = read(fd, buf + used, sizeof(buf) - 1 - used);
	char *newline;

	if (got <= 0)
		return 0;
	used += (size_t)got;
	buf[used] = '\0';
	while ((newline = strchr(buf, '\n'))) {
		*newline = '\0';
		command_run(buf);
		used -= (size_t)(newline + 1 - buf);
		memmove(buf, newline + 1, used + 1);
	}
	return 0;
}

static int probe_main(const char *name, const char *fifo)
{
	static const struct group_callbacks group_callbacks = {
	    .on_up = group_up,
	    .on_down = group_down,
	    .on_members = group_members,
	    .on_message = group_message,
	    .on_ring = group_ring,
	    .on_note = note_told,
	};
	static const struct quorum_callbacks quorum_callbacks = {
	    .on_quorum = quorum_told,
	    .on_down = quorum_lost,
	    .on_note = note_told,
	};
	static const struct cmap_callbacks cmap_callbacks = {
	    .on_config = config_told,
	    .on_link = link_told,
	    .on_down = cmap_lost,
	    .on_note = note_told,
	};
	int fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct json_object *event = event_new("started");

	loop = qb_loop_create();
	if (fd < 0 || !loop ||
	    qb_loop_poll_add(loop, QB_LOOP_MED, fd, POLLIN, NULL, command_read) ||
	    group_start(loop, name, &group_callbacks, NULL, &group) ||
	    quorum_start(loop, &quorum_callbacks, NULL, &quorum) ||
	    cmap_start(loop, &cmap_callbacks, NULL, &cmap)) {
		perror(fifo);
		return 1;
	}
	json_put_u64(event, "pid", (uint64_t)getpid());
	event_put(event);
	qb_loop_run(loop);
	group_stop(group);
	quorum_stop(quorum);
	cmap_stop(cmap);
	qb_loop_destroy(loop);
	event_put(event_new("ended"));
	return 0;
}

/* Garbage */

static void garbage_send(cpg_handle_t handle, const void *data, size_t len)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};

	while (cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1) == CS_ERR_TRY_AGAIN)
		usleep(10000);
}

static void garbage_deliver(cpg_handle_t handle, const struct cpg_name *name, uint32_t nodeid,
			    uint32_t pid, void *msg, size_t len)
{
}

static void garbage_confchg(cpg_handle_t handle, const struct cpg_name *name,
			    const struct cpg_address *members, size_t n_members,
			    const struct cpg_address *left, size_t n_left,
			    const struct cpg_address *joined, size_t n_joined)
{
}

static int garbage_main(const char *group_name)
{
	cpg_callbacks_t callbacks = {.cpg_deliver_fn = garbage_deliver,
				     .cpg_confchg_fn = garbage_confchg};
	struct frame_header header = {.msg_id = 1, .frag = 0, .frags = 3};
	static uint8_t data[3000000];
	struct cpg_name name;
	cpg_handle_t handle;

	name.length = (uint32_t)snprintf(name.value, sizeof(name.value), "%s", group_name);
	if (cpg_initialize(&handle, &callbacks) != CS_OK || cpg_join(handle, &name) != CS_OK)
		return 1;
	/* The join takes a moment; a multicast before it would go nowhere. */
	while (cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING) == CS_ERR_TRY_AGAIN)
		usleep(10000);
	garbage_send(handle, "x", 1);
	for (size_t len = 1; len < 40; len++) {
		frame_pack(data, &header);
		data[len % FRAME_HEADER_SIZE] ^= 0x55;
		garbage_send(handle, data, len);
	}
	frame_pack(data, &header);
	garbage_send(handle, data,
		     FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX); /* a message that never goes on */
	garbage_send(handle, data, 100000);
	garbage_send(handle, data, sizeof(data)); /* the library's own fragments */
	cpg_leave(handle, &name);
	cpg_finalize(handle);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--garbage"))
		return garbage_main(argv[2]);
	if (argc == 3)
		return probe_main(argv[1], argv[2]);
	fprintf(stderr, "usage: cluster_probe GROUP FIFO | --garbage GROUP\n");
	return 64;
}
