/* What is durable: rows of facts, one of each kind and key; a write gives the row that follows. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explorer/step.h"

#define HEAD 5  /* promised and facts_term in two halves each, and whether all facts are replaced */

static struct pool applied;     /* store and write: what was asked */
static uint32_t *after;         /* the store that came of it, by that number */
static size_t after_room;
static struct store_info *infos;
static size_t infos_room;
static struct set known;        /* stores that have their info */

static const uint32_t *row_get(uint32_t number, size_t *ret_n)
{
	const uint32_t *row;
	size_t n;

	*ret_n = 0;
	if (!number)
		return NULL;
	row = (const uint32_t *)(const void *)pool_get(&writes, number, &n);
	*ret_n = n / sizeof(row[0]) - HEAD;
	return row;
}

/* Where a fact belongs in the row: equal for two versions of one fact. */
static uint64_t fact_key(uint32_t number)
{
	struct fact_store space;
	struct fact_ref ref;
	uint64_t key = 0;

	fact_get(number, &ref, &space);
	switch (ref.kind) {
	case FACT_HOST:
		key = space.as.host.nodeid;
		break;
	case FACT_SPEC:
		key = guest_of(space.as.spec.uuid);
		break;
	case FACT_PLACE:
		key = guest_of(space.as.place.uuid);
		break;
	case FACT_INCIDENT:
		key = string_put(space.as.incident.id);
		break;
	case FACT_CLUSTER:
	case FACT_KINDS:
		break;
	}
	return (uint64_t)ref.kind << 32 | key;
}

static uint32_t compute(uint32_t store, uint32_t write)
{
	uint32_t row[HEAD + 2 * FACTS_MAX];
	uint64_t row_keys[2 * FACTS_MAX];
	const uint32_t *old, *new;
	size_t n_old, n_new, n = 0;

	old = row_get(store, &n_old);
	new = row_get(write, &n_new);
	for (size_t i = 0; i < n_old && !new[4]; i++) {
		row_keys[n] = fact_key(old[HEAD + i]);
		row[HEAD + n++] = old[HEAD + i];
	}
	for (size_t i = 0; i < n_new; i++) {
		uint64_t key = fact_key(new[HEAD + i]);
		size_t at = 0;

		while (at < n && row_keys[at] < key)
			at++;
		if (at == n || row_keys[at] != key) {
			assert(n < 2 * FACTS_MAX);
			memmove(&row_keys[at + 1], &row_keys[at], (n - at) * sizeof(row_keys[0]));
			memmove(&row[HEAD + at + 1], &row[HEAD + at], (n - at) * sizeof(row[0]));
			n++;
		}
		row_keys[at] = key;
		row[HEAD + at] = new[HEAD + i];
	}
	memcpy(row, new, 4 * sizeof(row[0]));
	row[4] = 0;
	return pool_put(&writes, row, (HEAD + n) * sizeof(row[0]), NULL);
}

uint32_t store_apply(uint32_t store, uint32_t write)
{
	uint32_t key[2] = { store, write }, number;
	int is_new;

	if (!write)
		return store;
	number = pool_put(&applied, key, sizeof(key), &is_new);
	if (number >= after_room) {
		after_room = after_room ? after_room * 2 : 1024;
		after = grow(after, after_room, sizeof(after[0]));
	}
	if (is_new)
		after[number] = compute(store, write);
	return after[number];
}

static void info_fill(uint32_t store, struct store_info *info)
{
	size_t n;
	const uint32_t *row = row_get(store, &n);

	memset(info, 0, sizeof(*info));
	if (!row)
		return;
	info->promised = row[0] | (uint64_t)row[1] << 32;
	info->facts_term = row[2] | (uint64_t)row[3] << 32;
	for (size_t i = 0; i < n; i++) {
		struct fact_store space;
		struct fact_ref ref;

		fact_get(row[HEAD + i], &ref, &space);
		if (ref.kind == FACT_HOST) {
			if (space.as.host.state == HOST_ADMITTED && !space.as.host.fence_intent)
				info->admitted_boot[space.as.host.nodeid - 1] = BOOT_OF(space.as.host.boot_id);
			info->host_version[space.as.host.nodeid - 1] = space.as.host.version;
		} else if (ref.kind == FACT_PLACE) {
			size_t g = guest_of(space.as.place.uuid);

			info->place[g].known = true;
			info->place[g].owner = (uint8_t)space.as.place.owner;
			info->place[g].generation = (uint32_t)space.as.place.generation;
			info->place[g].version = space.as.place.version;
		}
	}
}

const struct store_info *store_info(uint32_t store)
{
	if (store >= infos_room) {
		infos_room = store * 2 + 1024;
		infos = grow(infos, infos_room, sizeof(infos[0]));
	}
	if (!set_find(&known, (uint64_t)store + 1)) {
		set_put(&known, (uint64_t)store + 1, 0);
		info_fill(store, &infos[store]);
	}
	return &infos[store];
}
