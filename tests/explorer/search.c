/* Breadth first over all moves, states kept as hashes, and a fault-free run from each of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/explorer/search.h"

#define QUIET_MOVES_MAX 4000

struct node {
	uint32_t parent;
	struct move move;
};

/* Packed states, one after the other. */
struct level {
	uint8_t *bytes;
	size_t used, room;
};

struct search {
	struct set seen;        /* hash of a state: its node */
	struct set good;        /* hash of a state without faults left: its fault-free run ends well */
	struct node *nodes;
	size_t n_nodes, nodes_room;
	struct level now, next;
	uint64_t *trail;
	const struct search_bounds *bounds;
	struct search_result *result;
	struct timespec began;
};

static double elapsed(const struct search *s)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - s->began.tv_sec) + (double)(now.tv_nsec - s->began.tv_nsec) / 1e9;
}

static void level_add(struct level *level, const uint8_t *bytes, size_t n)
{
	if (level->used + n + sizeof(uint16_t) > level->room) {
		level->room = (level->used + n) * 2 + 4096;
		level->bytes = grow(level->bytes, level->room, 1);
	}
	memcpy(level->bytes + level->used, &(uint16_t){ (uint16_t)n }, sizeof(uint16_t));
	memcpy(level->bytes + level->used + sizeof(uint16_t), bytes, n);
	level->used += n + sizeof(uint16_t);
}

static void node_add(struct search *s, uint32_t parent, const struct move *move)
{
	if (s->n_nodes == s->nodes_room) {
		s->nodes_room = s->nodes_room ? s->nodes_room * 2 : 65536;
		s->nodes = grow(s->nodes, s->nodes_room, sizeof(s->nodes[0]));
	}
	s->nodes[s->n_nodes].parent = parent;
	s->nodes[s->n_nodes++].move = *move;
}

static void path_make(struct search *s, uint32_t node, const struct move *last)
{
	size_t n = last ? 1 : 0, at;

	for (uint32_t i = node; i; i = s->nodes[i].parent)
		n++;
	s->result->path = grow(NULL, n ? n : 1, sizeof(struct move));
	s->result->n_path = at = n;
	if (last)
		s->result->path[--at] = *last;
	for (uint32_t i = node; i; i = s->nodes[i].parent)
		s->result->path[--at] = s->nodes[i].move;
	s->result->found = true;
}

/* --- runs without faults --- */

/* From here nothing fails any more. */
static void faults_end(struct model *m)
{
	memcpy(m->faults, options.faults, sizeof(m->faults));
	m->slow = 0;
	for (size_t h = 0; h < HOSTS; h++) {
		memset(m->hosts[h].fencing_late, 0, sizeof(m->hosts[h].fencing_late));
		for (size_t g = 0; g < GUESTS_MAX; g++)
			m->hosts[h].guests[g].starting_late = m->hosts[h].guests[g].inspecting_late = false;
	}
}

static bool quiet_stuck(const struct model *m)
{
	char why[256];

	model_is_settled(m, why, sizeof(why));
	violation("a run without faults does not end: %s", why);
	return false;
}

bool search_quiet(struct model *m, size_t moves_max, void (*told)(const struct model *m, const struct move *move))
{
	struct move move;

	faults_end(m);
	for (size_t i = 0; i < moves_max; i++) {
		if (!model_quiet_move(m, &move))
			return true;
		if (told)
			told(m, &move);
		model_apply(m, &move);
		if (model_wrong[0])
			return false;
	}
	return quiet_stuck(m);
}

/* The same, as far as a state from which it is known to end well. */
static bool quiet_check(struct search *s, const struct model *state)
{
	struct model m = *state;
	uint8_t bytes[MODEL_BYTES_MAX];
	struct move move;
	size_t n = 0;

	faults_end(&m);
	for (;;) {
		uint64_t hash = hash_bytes(bytes, model_pack(&m, bytes));

		if (set_find(&s->good, hash))
			break;
		if (n == QUIET_MOVES_MAX)
			return quiet_stuck(&m);
		s->trail[n++] = hash;
		if (!model_quiet_move(&m, &move))
			break;
		model_apply(&m, &move);
		if (model_wrong[0])
			return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!set_find(&s->good, s->trail[i]))
			set_put(&s->good, s->trail[i], 0);
	return true;
}

/* --- breadth first --- */

static bool faults_all_used(const struct model *m)
{
	return !memcmp(m->faults, options.faults, sizeof(m->faults));
}

/* Takes one move of one state; false when it violates something. */
static bool successor(struct search *s, const struct model *from, uint32_t node, const struct move *move)
{
	struct model m = *from;
	uint8_t bytes[MODEL_BYTES_MAX];
	uint64_t hash;
	size_t n;

	s->result->transitions++;
	if (!model_apply(&m, move) && !model_wrong[0]) {
		s->result->too_far++;
		return true;
	}
	if (model_wrong[0]) {
		path_make(s, node, move);
		return false;
	}
	n = model_pack(&m, bytes);
	hash = hash_bytes(bytes, n);
	if (set_find(&s->seen, hash))
		return true;
	set_put(&s->seen, hash, (uint32_t)s->n_nodes);
	node_add(s, node, move);
	level_add(&s->next, bytes, n);
	if (model_rests(&m) && model_is_settled(&m, NULL, 0)) {
		s->result->settled++;
		s->result->whole += faults_all_used(&m);
	}
	if (quiet_check(s, &m))
		return true;
	s->result->in_quiet = true;
	path_make(s, (uint32_t)s->n_nodes - 1, NULL);
	return false;
}

static bool expand(struct search *s, const struct model *m, uint32_t node)
{
	struct move moves[MOVES_MAX];
	size_t n = model_moves(m, moves);

	for (size_t i = 0; i < n; i++)
		if (!successor(s, m, node, &moves[i]))
			return false;
	return true;
}

static bool out_of_bounds(const struct search *s)
{
	if (s->bounds->states && s->n_nodes >= s->bounds->states)
		return true;
	return s->bounds->seconds > 0 && elapsed(s) >= s->bounds->seconds;
}

/* All states of one depth; false when the search is over. */
static bool level_expand(struct search *s, uint32_t first)
{
	uint32_t node = first;

	for (size_t at = 0; at < s->now.used; node++) {
		struct model m;
		uint16_t n;

		memcpy(&n, s->now.bytes + at, sizeof(n));
		model_unpack(&m, s->now.bytes + at + sizeof(n));
		at += n + sizeof(n);
		if (!expand(s, &m, node))
			return false;
		if (!(node & 1023) && out_of_bounds(s)) {
			for (; at < s->now.used; at += n + sizeof(n)) {
				memcpy(&n, s->now.bytes + at, sizeof(n));
				s->result->open++;
			}
			return false;
		}
	}
	return true;
}

static void search_free(struct search *s)
{
	set_free(&s->seen);
	set_free(&s->good);
	free(s->nodes);
	free(s->now.bytes);
	free(s->next.bytes);
	free(s->trail);
}

void search_run(const struct model *start, const struct search_bounds *bounds, bool verbose, struct search_result *ret)
{
	struct search s = { .bounds = bounds, .result = ret };
	uint8_t bytes[MODEL_BYTES_MAX];
	size_t n = model_pack(start, bytes), depth = 0;
	bool go_on = true;

	memset(ret, 0, sizeof(*ret));
	clock_gettime(CLOCK_MONOTONIC, &s.began);
	s.trail = grow(NULL, QUIET_MOVES_MAX, sizeof(s.trail[0]));
	set_put(&s.seen, hash_bytes(bytes, n), 0);
	node_add(&s, 0, &(struct move){ 0 });
	level_add(&s.next, bytes, n);
	while (go_on && s.next.used) {
		struct level spent = s.now;
		uint32_t first;

		s.now = s.next;
		s.next = spent;
		s.next.used = 0;
		first = depth ? (uint32_t)ret->states : 0;
		ret->states = s.n_nodes;
		if (verbose)
			fprintf(stderr, "depth %zu: %zu states, %zu transitions, %.1f s\n", depth, s.n_nodes,
				ret->transitions, elapsed(&s));
		if (depth == bounds->depth) {
			ret->open += s.n_nodes - first;
			break;
		}
		go_on = level_expand(&s, first);
		depth += s.next.used != 0;
	}
	if (!go_on && !ret->found)
		ret->open += s.n_nodes - ret->states;
	if (!ret->found && bounds->tell_deepest) {
		path_make(&s, (uint32_t)s.n_nodes - 1, NULL);
		ret->found = false;
	}
	ret->states = s.n_nodes;
	ret->depth = depth;
	ret->quiet_states = s.good.n;
	ret->seconds = elapsed(&s);
	search_free(&s);
}

bool search_start(struct model *ret)
{
	size_t guests = options.guests;
	bool ok;

	options.guests = 0;
	model_init(ret);
	ok = search_quiet(ret, QUIET_MOVES_MAX, NULL);
	options.guests = guests;
	if (!ok)
		return false;
	model_start_guests(ret);
	ok = search_quiet(ret, QUIET_MOVES_MAX, NULL);
	memset(ret->faults, 0, sizeof(ret->faults));
	return ok;
}
