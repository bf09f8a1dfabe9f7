/* The smallest parts of the codec: numbers, times, texts; and facts, kept once each. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/explorer/walk.h"

struct pool strings, facts, messages, cores, writes;
uint8_t codec_poison;
size_t hosts_n = 3;
uint32_t fence_delay_ms;
bool hand_over;

static struct spec_fact specs[GUESTS_MAX];

void num_walk(struct codec *c, uint64_t *value)
{
	uint64_t v = *value;
	unsigned int shift = 0;

	if (c->write) {
		assert(c->at + 10 < sizeof(c->to));
		for (; v >= 128; v >>= 7)
			c->to[c->at++] = (uint8_t)(v | 128);
		c->to[c->at++] = (uint8_t)v;
		return;
	}
	for (v = 0; c->from[c->at] & 128; shift += 7)
		v |= (uint64_t)(c->from[c->at++] & 127) << shift;
	*value = v | (uint64_t)c->from[c->at++] << shift;
}

void time_walk(struct codec *c, uint64_t *at_ms, uint64_t cap_ms)
{
	uint64_t v = 0;

	if (c->write && *at_ms > c->now_ms)
		v = (*at_ms - c->now_ms) * 2;
	else if (c->write && *at_ms)
		v = (c->now_ms - *at_ms > cap_ms ? cap_ms : c->now_ms - *at_ms) * 2 + 1;
	num_walk(c, &v);
	*at_ms = !v ? 0 : v & 1 ? NOW_MS - v / 2 : NOW_MS + v / 2;
}

void end_walk(struct codec *c, uint64_t *at_ms)
{
	uint64_t v = c->write && *at_ms > c->now_ms ? *at_ms - c->now_ms : 0;

	num_walk(c, &v);
	*at_ms = v ? NOW_MS + v : 0;
}

void text_walk(struct codec *c, char *text, size_t size)
{
	uint64_t v = c->write && text[0] ? string_put(text) : 0;

	num_walk(c, &v);
	if (!c->write)
		text_copy(text, size, v ? string_get((uint32_t)v) : "");
}

uint32_t string_put(const char *text)
{
	return pool_put(&strings, text, strlen(text) + 1, NULL);
}

const char *string_get(uint32_t number)
{
	size_t n;

	return (const char *)pool_get(&strings, number, &n);
}

/* --- guests and operations --- */

void codec_init(size_t guests)
{
	for (size_t g = 0; g < guests; g++) {
		struct spec_fact *spec = &specs[g];

		memset(spec, 0, sizeof(*spec));
		snprintf(spec->uuid, sizeof(spec->uuid), "00000000-0000-4000-8000-00000000000%u", (unsigned int)(g + 1) % 10);
		snprintf(spec->name, sizeof(spec->name), "vm%zu", g + 1);
		snprintf(spec->def_hash, sizeof(spec->def_hash), "hash%zu", g + 1);
		spec->protected = true;
		spec->memory_mib = 64;
		spec->n_disks = 1;
		snprintf(spec->disks[0].id, sizeof(spec->disks[0].id), "file:place:%s.img", spec->name);
		spec->disks[0].writable = true;
	}
}

void codec_free(void)
{
	pool_free(&strings);
	pool_free(&facts);
	pool_free(&messages);
	pool_free(&cores);
	pool_free(&writes);
}

void guest_spec(size_t guest, struct spec_fact *spec)
{
	*spec = specs[guest];
}

size_t guest_of(const char *uuid)
{
	return (size_t)(uuid[35] - '1');
}

uint64_t op_fence(size_t target)
{
	return 1 + target;
}

uint64_t op_start(size_t guest)
{
	return 10 + guest;
}

uint64_t op_inspect(size_t guest)
{
	return 20 + guest;
}

uint64_t op_stop(size_t guest)
{
	return 30 + guest;
}

void op_walk(struct codec *c, uint64_t *op, uint64_t canonical)
{
	uint64_t v = *op != 0;

	num_walk(c, &v);
	*op = v ? canonical : 0;
}

void uuid_walk(struct codec *c, char *uuid)
{
	uint64_t v = c->write && uuid[0] ? guest_of(uuid) + 1 : 0;

	num_walk(c, &v);
	if (!c->write)
		text_copy(uuid, CORE_UUID_SIZE, v ? specs[v - 1].uuid : "");
}

/* --- facts --- */

static void version_walk(struct codec *c, struct fact_version *version)
{
	N(version->term);
	N(version->counter);
}

void cluster_walk(struct codec *c, struct cluster_fact *fact)
{
	version_walk(c, &fact->version);
	N(fact->frozen);
	N(fact->brake);
	TEXT(fact->brake_reason);
}

static void certificate_walk(struct codec *c, struct certificate *cert)
{
	N(cert->method);
	if (cert->method == PROOF_NONE && !c->write)
		memset(cert, 0, sizeof(*cert));
	if (cert->method == PROOF_NONE)
		return;
	N(cert->epoch);
	TEXT(cert->device);
	TEXT(cert->boot_id);
	TEXT(cert->detail);
	/* Elsewhere it is a number of another host's clock, and long ago at the best. */
	ONLY(c->in_core && cert->method == PROOF_NEW_BOOT, cert->confirmed_ms, AGE(cert->confirmed_ms, 5000));
}

void host_fact_walk(struct codec *c, struct host_fact *fact)
{
	version_walk(c, &fact->version);
	N(fact->nodeid);
	if (!c->write)
		text_format(fact->name, sizeof(fact->name), "h%u", fact->nodeid);
	if (!fact->nodeid)
		fact->name[0] = '\0';
	N(fact->state);
	N(fact->epoch);
	TEXT(fact->boot_id);
	N(fact->maintenance);
	N(fact->forgotten);
	N(fact->released);
	N(fact->fence_intent);
	TEXT(fact->incident);
	TEXT(fact->nonce);
	TEXT(fact->nonce_before);
	certificate_walk(c, &fact->certificate);
}

/* What an instance is never changes here: either it is known, or no more than its uuid. */
void spec_walk(struct codec *c, struct spec_fact *spec)
{
	uint64_t known = c->write && spec->def_hash[0];
	char uuid[CORE_UUID_SIZE] = "";

	if (c->write)
		text_copy(uuid, sizeof(uuid), spec->uuid);
	uuid_walk(c, uuid);
	num_walk(c, &known);
	if (!c->write && known)
		*spec = specs[guest_of(uuid)];
	else if (!c->write)
		memset(spec, 0, sizeof(*spec));
	text_copy(spec->uuid, sizeof(spec->uuid), uuid);
	version_walk(c, &spec->version);
	N(spec->deleted);
}

void place_walk(struct codec *c, struct place_fact *place)
{
	version_walk(c, &place->version);
	uuid_walk(c, place->uuid);
	N(place->owner);
	N(place->joint);
	N(place->heir);
	N(place->home);
	N(place->released);
	N(place->generation);
	N(place->wish);
	N(place->phase);
	N(place->owner_epoch);
	N(place->attempts);
	N(place->accept_loss);
	N(place->by_hand);
	N(place->excluded);
	TEXT(place->incident);
	TEXT(place->reason);
	TEXT(place->failure);
}

/* Its times are for people only. */
void incident_walk(struct codec *c, struct incident_fact *incident)
{
	if (!c->write)
		memset(incident, 0, sizeof(*incident));
	version_walk(c, &incident->version);
	TEXT(incident->id);
	N(incident->host);
	N(incident->epoch);
	N(incident->state);
	N(incident->proof);
	N(incident->total);
	N(incident->running);
	N(incident->held);
	TEXT(incident->reason);
}

static void fact_walk(struct codec *c, enum fact_kind kind, struct fact_store *fact)
{
	switch (kind) {
	case FACT_CLUSTER:
		cluster_walk(c, &fact->as.cluster);
		break;
	case FACT_HOST:
		host_fact_walk(c, &fact->as.host);
		break;
	case FACT_SPEC:
		spec_walk(c, &fact->as.spec);
		break;
	case FACT_PLACE:
		place_walk(c, &fact->as.place);
		break;
	case FACT_INCIDENT:
		incident_walk(c, &fact->as.incident);
		break;
	case FACT_KINDS:
		break;
	}
}

static size_t fact_size(enum fact_kind kind)
{
	static const size_t sizes[] = {
		[FACT_CLUSTER] = sizeof(struct cluster_fact), [FACT_HOST] = sizeof(struct host_fact),
		[FACT_SPEC] = sizeof(struct spec_fact), [FACT_PLACE] = sizeof(struct place_fact),
		[FACT_INCIDENT] = sizeof(struct incident_fact),
	};

	return sizes[kind];
}

uint32_t fact_put(const struct fact_ref *ref)
{
	static struct codec own;
	struct codec *c = &own;
	struct fact_store copy;
	uint64_t kind = ref->kind;

	/* The walk may tidy what it walks over: never the core's own table. */
	memcpy(&copy, ref->fact, fact_size(ref->kind));
	c->write = true;
	c->at = 0;
	num_walk(c, &kind);
	fact_walk(c, ref->kind, &copy);
	return pool_put(&facts, c->to, c->at, NULL);
}

void fact_get(uint32_t number, struct fact_ref *ret, struct fact_store *space)
{
	static struct codec own;
	struct codec *c = &own;
	uint64_t kind;
	size_t n;

	c->from = pool_get(&facts, number, &n);
	c->at = 0;
	num_walk(c, &kind);
	ret->kind = (enum fact_kind)kind;
	ret->fact = space;
	memset(space, codec_poison, sizeof(*space));
	fact_walk(c, ret->kind, space);
}
