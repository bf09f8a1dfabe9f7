/* Contents kept once, and sets of words: plain open addressing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explorer/intern.h"

void *grow(void *old, size_t n, size_t size)
{
	void *new = realloc(old, n * size);

	if (!new) {
		fprintf(stderr, "explore: no memory left\n");
		exit(71);
	}
	return new;
}

/* Of 64 bits, mixed well enough that two of some ten million states share one hash once in many thousand searches. */
uint64_t hash_bytes(const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint64_t hash = 0x9e3779b97f4a7c15ull ^ n * 0xff51afd7ed558ccdull, word;

	for (; n; at += 8) {
		size_t part = n < 8 ? n : 8;

		word = 0;
		memcpy(&word, at, part);
		hash = (hash ^ word) * 0xbf58476d1ce4e5b9ull;
		hash ^= hash >> 29;
		hash *= 0x94d049bb133111ebull;
		hash ^= hash >> 32;
		n -= part;
	}
	return hash ? hash : 1;
}

static void pool_rehash(struct pool *pool)
{
	size_t n = pool->n_table ? pool->n_table * 2 : 1024;

	free(pool->table);
	pool->table = grow(NULL, n, sizeof(pool->table[0]));
	memset(pool->table, 0, n * sizeof(pool->table[0]));
	pool->n_table = n;
	for (uint32_t i = 1; i <= pool->n; i++) {
		size_t at = hash_bytes(pool->bytes + pool->offsets[i], pool->offsets[i + 1] - pool->offsets[i]) & (n - 1);

		while (pool->table[at])
			at = (at + 1) & (n - 1);
		pool->table[at] = i;
	}
}

uint32_t pool_put(struct pool *pool, const void *bytes, size_t n, int *ret_new)
{
	size_t at;

	if ((pool->n + 1) * 2 > pool->n_table)
		pool_rehash(pool);
	if (ret_new)
		*ret_new = 0;
	for (at = hash_bytes(bytes, n) & (pool->n_table - 1); pool->table[at]; at = (at + 1) & (pool->n_table - 1)) {
		uint32_t i = pool->table[at];

		if (pool->offsets[i + 1] - pool->offsets[i] == n &&
		    !memcmp(pool->bytes + pool->offsets[i], bytes, n))
			return i;
	}
	if (pool->used + n > pool->room) {
		pool->room = (pool->used + n) * 2;
		pool->bytes = grow(pool->bytes, pool->room, 1);
	}
	if (pool->n + 3 > pool->n_room) {
		pool->n_room = pool->n_room ? pool->n_room * 2 : 256;
		pool->offsets = grow(pool->offsets, pool->n_room, sizeof(pool->offsets[0]));
	}
	pool->table[at] = ++pool->n;
	pool->offsets[pool->n] = pool->used;
	memcpy(pool->bytes + pool->used, bytes, n);
	pool->used += n;
	pool->offsets[pool->n + 1] = pool->used;
	if (ret_new)
		*ret_new = 1;
	return pool->n;
}

const uint8_t *pool_get(const struct pool *pool, uint32_t number, size_t *ret_n)
{
	*ret_n = pool->offsets[number + 1] - pool->offsets[number];
	return pool->bytes + pool->offsets[number];
}

void pool_free(struct pool *pool)
{
	free(pool->bytes);
	free(pool->offsets);
	free(pool->table);
	memset(pool, 0, sizeof(*pool));
}

static size_t set_slot(const struct set *set, uint64_t key)
{
	size_t at = (key ^ key >> 31) & (set->room - 1);

	while (set->keys[at] && set->keys[at] != key)
		at = (at + 1) & (set->room - 1);
	return at;
}

uint32_t *set_find(const struct set *set, uint64_t key)
{
	size_t at;

	if (!set->room)
		return NULL;
	at = set_slot(set, key);
	return set->keys[at] ? &set->values[at] : NULL;
}

void set_put(struct set *set, uint64_t key, uint32_t value)
{
	size_t at;

	if ((set->n + 1) * 10 > set->room * 7) {
		struct set old = *set;

		set->room = old.room ? old.room * 2 : 4096;
		set->keys = grow(NULL, set->room, sizeof(set->keys[0]));
		set->values = grow(NULL, set->room, sizeof(set->values[0]));
		memset(set->keys, 0, set->room * sizeof(set->keys[0]));
		for (size_t i = 0; i < old.room; i++)
			if (old.keys[i]) {
				at = set_slot(set, old.keys[i]);
				set->keys[at] = old.keys[i];
				set->values[at] = old.values[i];
			}
		free(old.keys);
		free(old.values);
	}
	at = set_slot(set, key);
	set->keys[at] = key;
	set->values[at] = value;
	set->n++;
}

void set_free(struct set *set)
{
	free(set->keys);
	free(set->values);
	memset(set, 0, sizeof(*set));
}
