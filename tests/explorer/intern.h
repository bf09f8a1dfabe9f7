/*
 * Contents kept once: equal bytes have one number, from 1. States of the search are rows of such numbers, so that
 * comparing and keeping them costs little.
 */
#ifndef HAMON_TESTS_EXPLORER_INTERN_H
#define HAMON_TESTS_EXPLORER_INTERN_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	uint8_t *bytes;
	size_t used, room;
	size_t *offsets;        /* of number i at [i]; its end is at [i + 1] */
	uint32_t n, n_room;
	uint32_t *table;        /* open addressing; 0: free */
	size_t n_table;
};

/* A set of 64-bit words, with a 32-bit value each. */
struct set {
	uint64_t *keys;         /* 0: free */
	uint32_t *values;
	size_t n, room;
};

uint64_t hash_bytes(const void *bytes, size_t n);

/* The number of these bytes; *ret_new tells whether they are seen for the first time (may be NULL). */
uint32_t pool_put(struct pool *pool, const void *bytes, size_t n, int *ret_new);
/* Valid until the next pool_put(). */
const uint8_t *pool_get(const struct pool *pool, uint32_t number, size_t *ret_n);
void pool_free(struct pool *pool);

/* The value kept for the key, or NULL. Valid until the next set_put(). */
uint32_t *set_find(const struct set *set, uint64_t key);
/* Adds the key; the caller knows that it is not there. */
void set_put(struct set *set, uint64_t key, uint32_t value);
void set_free(struct set *set);

/* realloc, or the end: a search without memory has nothing to tell. */
void *grow(void *old, size_t n, size_t size);

#endif
