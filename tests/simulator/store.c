/*
 * A host's store: facts by key, written by one writer in order. What was not acknowledged when its host or daemon ends is on the
 * disk up to some transaction: SQLite loses none from the middle and tears none. Where a history has disks the store's own code does all
 * of that, and what it finds is compared with what is modelled here.
 */
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "hamon/common/json.h"
#include "hamon/wire.h"
#include "tests/simulator/inner.h"

struct stored_fact {
	enum fact_kind kind;
	uint32_t hash;
	void *fact;
};

struct pending_write {
	struct pending_write *next;
	uint64_t id;
	uint64_t promised, facts_term;
	uint64_t record_term, record_seq;
	bool replace;
	size_t n_facts;
	struct stored_fact facts[];
};

size_t fact_size(enum fact_kind kind)
{
	static const size_t sizes[FACT_KINDS] = {
		[FACT_CLUSTER] = sizeof(struct cluster_fact), [FACT_HOST] = sizeof(struct host_fact),
		[FACT_SPEC] = sizeof(struct spec_fact), [FACT_PLACE] = sizeof(struct place_fact),
		[FACT_INCIDENT] = sizeof(struct incident_fact),
	};

	return sizes[kind];
}

const char *fact_key(const struct fact_ref *ref, char buf[CORE_INCIDENT_SIZE])
{
	switch (ref->kind) {
	case FACT_HOST:
		snprintf(buf, CORE_INCIDENT_SIZE, "%u", ((const struct host_fact *)ref->fact)->nodeid);
		return buf;
	case FACT_SPEC:
		return ((const struct spec_fact *)ref->fact)->uuid;
	case FACT_PLACE:
		return ((const struct place_fact *)ref->fact)->uuid;
	case FACT_INCIDENT:
		return ((const struct incident_fact *)ref->fact)->id;
	case FACT_CLUSTER:
	case FACT_KINDS:
		break;
	}
	return "cluster";
}

static uint32_t key_hash(const char *key)
{
	uint32_t hash = 2166136261u;

	while (*key)
		hash = (hash ^ (uint8_t)*key++) * 16777619u;
	return hash;
}

static bool keys_equal(const struct stored_fact *a, const struct stored_fact *b)
{
	struct fact_ref ra = { a->kind, a->fact }, rb = { b->kind, b->fact };
	char ka[CORE_INCIDENT_SIZE], kb[CORE_INCIDENT_SIZE];

	return a->kind == b->kind && a->hash == b->hash && !strcmp(fact_key(&ra, ka), fact_key(&rb, kb));
}

static void store_put(struct store *store, struct stored_fact *fact, bool fresh)
{
	for (size_t i = 0; !fresh && i < store->n_facts; i++)
		if (keys_equal(&store->facts[i], fact)) {
			free(store->facts[i].fact);
			store->facts[i] = *fact;
			return;
		}
	if (store->n_facts == store->room) {
		store->room = store->room ? store->room * 2 : 32;
		store->facts = realloc(store->facts, sizeof(*store->facts) * store->room);
		if (!store->facts)
			abort();
	}
	store->facts[store->n_facts++] = *fact;
}

static void facts_clear_of(struct store *store)
{
	for (size_t i = 0; i < store->n_facts; i++)
		free(store->facts[i].fact);
	store->n_facts = 0;
}

static void pending_free(struct pending_write *write)
{
	for (size_t i = 0; i < write->n_facts; i++)
		free(write->facts[i].fact);
	free(write);
}

static void pending_drop(struct store *store)
{
	while (store->pending) {
		struct pending_write *next = store->pending->next;

		pending_free(store->pending);
		store->pending = next;
	}
	store->pending_end = NULL;
}

void store_clear(struct store *store)
{
	pending_drop(store);
	facts_clear_of(store);
	free(store->facts);
	store->facts = NULL;
	store->room = 0;
	store->record_term = store->record_seq = 0;
}

/* As hamond hands it to the store's writer (hamon/daemon/store.c). */
static char *write_line(const struct pending_write *write, uint64_t row)
{
	struct json_object *obj = json_object_new_object(), *meta = json_object_new_object();
	struct json_object *facts = json_object_new_array(), *history = json_object_new_array();
	struct json_object *note = json_object_new_object();
	char *line;

	json_put_u64(obj, "seq", row);
	json_put_u64(meta, "promised", write->promised);
	json_put_u64(meta, "facts_term", write->facts_term);
	json_object_object_add(obj, "meta", meta);
	json_put_bool(obj, "replace", write->replace);
	for (size_t i = 0; i < write->n_facts; i++) {
		struct fact_ref ref = { write->facts[i].kind, write->facts[i].fact };

		json_object_array_add(facts, wire_fact_encode(&ref));
	}
	json_object_object_add(obj, "facts", facts);
	json_put_u64(note, "seq", row);
	json_put_string(note, "kind", "simulated");
	json_object_array_add(history, note);
	json_object_object_add(obj, "history", history);
	line = strdup(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN));
	json_object_put(obj);
	if (!line)
		abort();
	return line;
}

static void write_commit(struct world *w, struct world_host *host, const struct pending_write *write)
{
	char *line = write_line(write, ++host->store.rows);

	w->disks->commit(w, host_index(w, host), line);
	free(line);
}

/* The oldest write is on the disk now. */
static void pending_apply(struct world *w, struct world_host *host)
{
	struct store *store = &host->store;
	struct pending_write *write = store->pending;

	store->pending = write->next;
	if (!store->pending)
		store->pending_end = NULL;
	if (write->replace)
		facts_clear_of(store);
	for (size_t i = 0; i < write->n_facts; i++)
		store_put(store, &write->facts[i], write->replace);
	write->n_facts = 0;
	store->promised = write->promised;
	store->facts_term = write->facts_term;
	if (write->record_seq) {
		store->record_term = write->record_term;
		store->record_seq = write->record_seq;
		if (w->ledger)
			ledger_persisted(w, host, store->record_term, store->record_seq);
	}
	pending_free(write);
}

/* The first write that was not acknowledged may have been under way: the disk says whether it is on it. */
static void disk_end(struct world *w, struct world_host *host, enum disk_end how)
{
	struct store *store = &host->store;
	char *line = store->pending ? write_line(store->pending, store->rows + 1) : NULL;

	if (w->disks->end(w, host_index(w, host), line, store->rows + 1, how)) {
		store->rows++;
		pending_apply(w, host);
	}
	free(line);
}

void store_crash(struct world *w, struct world_host *host, enum disk_end how)
{
	size_t n = 0, keep;

	for (struct pending_write *write = host->store.pending; write; write = write->next)
		n++;
	keep = n && !host->store.failed ? world_random(w, n + 1) : 0;
	while (keep--) {
		if (w->disks)
			write_commit(w, host, host->store.pending);
		pending_apply(w, host);
	}
	if (w->disks)
		disk_end(w, host, how);
	pending_drop(&host->store);
	host->store.failed = false;
}

void store_apply(struct world *w, struct world_host *host, struct world_event *ev)
{
	struct core_event event = { .type = EV_PERSISTED };

	if (!host->store.pending || host->store.pending->id != ev->id)
		return; /* the store failed in between */
	if (w->disks)
		write_commit(w, host, host->store.pending);
	pending_apply(w, host);
	event.persisted.persist_id = ev->id;
	host_step(w, host, &event);
}

/* What the disk holds is what was acknowledged, and no fact is another than it was. */
static void disk_compare(struct world *w, struct world_host *host, size_t n, const struct fact_ref *refs)
{
	struct store *store = &host->store;

	if (n != store->n_facts)
		fail(w, "I5: the store of %s holds %zu facts, and %zu were acknowledged", host->name, n, store->n_facts);
	for (size_t i = 0; i < n && !w->failed; i++) {
		char key[CORE_INCIDENT_SIZE];
		struct stored_fact fact = { refs[i].kind, key_hash(fact_key(&refs[i], key)), (void *)(uintptr_t)refs[i].fact };
		const struct fact_version *version = refs[i].fact, *expected = NULL;

		for (size_t k = 0; k < store->n_facts && !expected; k++)
			if (keys_equal(&store->facts[k], &fact))
				expected = store->facts[k].fact;
		if (!expected || fact_version_cmp(*version, *expected))
			fail(w, "I5: the store of %s holds %s %s of term %llu, number %llu; %llu, %llu was acknowledged", host->name,
			     fact_kind_name(refs[i].kind), fact_key(&refs[i], key), (unsigned long long)version->term >> 16,
			     (unsigned long long)version->counter, (unsigned long long)(expected ? expected->term : 0) >> 16,
			     (unsigned long long)(expected ? expected->counter : 0));
	}
}

static void disk_load(struct world *w, struct world_host *host)
{
	struct core_event event = { .type = EV_LOADED, .loaded.ok = true };
	struct wire *wire = NULL;
	char error[256];
	struct json_object *facts = w->disks->load(w, host_index(w, host), &event.loaded.promised, &event.loaded.facts_term);

	if (!facts)
		return;
	if (wire_facts_decode(facts, &wire, &event.loaded.n_facts, &event.loaded.facts, error, sizeof(error)))
		fail(w, "%s: its own store is refused: %s", host->name, error);
	else
		disk_compare(w, host, event.loaded.n_facts, event.loaded.facts);
	if (event.loaded.promised != host->store.promised || event.loaded.facts_term != host->store.facts_term)
		fail(w, "I5: the store of %s has forgotten what it promised", host->name);
	if (!w->failed)
		host_step(w, host, &event);
	wire_free(wire);
	json_object_put(facts);
}

static void loaded_tell(struct world *w, struct world_host *host, size_t n, const struct fact_ref *facts)
{
	struct core_event event = { .type = EV_LOADED };

	event.loaded.ok = !host->store_corrupt;
	event.loaded.promised = host->store.promised;
	event.loaded.facts_term = host->store.facts_term;
	event.loaded.n_facts = n;
	event.loaded.facts = facts;
	host_step(w, host, &event);
}

void store_load(struct world *w, struct world_host *host)
{
	struct store *store = &host->store;
	struct json_object *array = NULL;
	struct wire *wire = NULL;
	struct fact_ref *refs;
	char error[256];

	pending_drop(store);
	store->failed = false;
	if (w->disks) {
		disk_load(w, host);
		return;
	}
	refs = calloc(store->n_facts + 1, sizeof(*refs));
	if (!refs)
		abort();
	for (size_t i = 0; i < store->n_facts; i++)
		refs[i] = (struct fact_ref){ store->facts[i].kind, store->facts[i].fact };
	if (w->swarm.binary) {
		loaded_tell(w, host, store->n_facts, refs);
	} else {
		const struct fact_ref *decoded = NULL;
		size_t n = 0;

		array = json_object_new_array();
		for (size_t i = 0; i < store->n_facts; i++)
			json_object_array_add(array, wire_fact_encode(&refs[i]));
		if (wire_facts_decode(array, &wire, &n, &decoded, error, sizeof(error)))
			fail(w, "%s: its own store is refused: %s", host->name, error);
		loaded_tell(w, host, n, decoded);
		wire_free(wire);
		json_object_put(array);
	}
	free(refs);
}

static struct pending_write *write_make(const struct core_action *act)
{
	struct pending_write *write = calloc(1, sizeof(*write) + act->persist.n_facts * sizeof(write->facts[0]));
	char buf[CORE_INCIDENT_SIZE];

	if (!write)
		abort();
	write->id = act->persist.id;
	write->promised = act->persist.promised;
	write->facts_term = act->persist.facts_term;
	write->record_term = act->persist.term;
	write->record_seq = act->persist.seq;
	write->replace = act->persist.replace;
	for (size_t i = 0; i < act->persist.n_facts; i++) {
		const struct fact_ref *ref = &act->persist.facts[i];
		struct stored_fact *fact = &write->facts[write->n_facts++];

		fact->kind = ref->kind;
		fact->hash = key_hash(fact_key(ref, buf));
		fact->fact = malloc(fact_size(ref->kind));
		if (!fact->fact)
			abort();
		memcpy(fact->fact, ref->fact, fact_size(ref->kind));
	}
	return write;
}

void persist(struct world *w, struct world_host *host, const struct core_action *act)
{
	struct store *store = &host->store;
	uint64_t in_ms = between(w, 1, 8);
	struct pending_write *write;

	if (store->busy_until_ms > w->now_ms)
		in_ms += store->busy_until_ms - w->now_ms;
	else
		store->busy_until_ms = w->now_ms;
	/* One writer, in order: nothing overtakes. */
	store->busy_until_ms = w->now_ms + in_ms;
	if (store->failed)
		return;
	write = write_make(act);
	if (!store->pending)
		store->pending_end = &store->pending;
	*store->pending_end = write;
	store->pending_end = &write->next;
	event_add(w, HAPPEN_PERSISTED, host_index(w, host), in_ms)->id = act->persist.id;
}

void world_store_hang(struct world *w, size_t number, uint64_t for_ms)
{
	struct store *store = &w->hosts[number - 1].store;

	say(w, "-- the disk of %s hangs for %llu ms", w->hosts[number - 1].name, (unsigned long long)for_ms);
	/* What is on its way already is not overtaken. */
	if (store->busy_until_ms < w->now_ms + for_ms)
		store->busy_until_ms = w->now_ms + for_ms;
}

/* A write fails; the store is opened again later, with what was on the disk. */
void world_store_fail(struct world *w, size_t number, uint64_t for_ms)
{
	struct world_host *host = &w->hosts[number - 1];

	if (!host->power || !host->daemon || host->paused || host->frozen || host->store.failed)
		return;
	say(w, "-- the store of %s refuses to be written", host->name);
	store_crash(w, host, DISK_FAILED);
	host->store.failed = true;
	host_step(w, host, &(struct core_event){ .type = EV_PERSIST_FAILED });
	event_add(w, HAPPEN_LOADED, number - 1, for_ms);
}

void world_store_lose(struct world *w, size_t number)
{
	struct store *store = &w->hosts[number - 1].store;
	uint64_t term = store->record_term, seq = store->record_seq;

	say(w, "-- the store of %s is lost: it begins empty", w->hosts[number - 1].name);
	store_clear(store);
	if (w->disks)
		w->disks->lose(w, number - 1);
	store->rows = 0;
	store->promised = store->facts_term = 0;
	/* What it held was acknowledged, and counts: elections are safe because an empty store has no vote. */
	store->record_term = term;
	store->record_seq = seq;
}
