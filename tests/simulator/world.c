/* The simulated world: one generator of random numbers, one list of what will happen; everything follows from the seed. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulator/inner.h"

uint64_t world_random(struct world *w, uint64_t below)
{
	/* xorshift64*: good enough to be random, small enough to be the same everywhere. */
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return below ? (w->random * 2685821657736338717ull >> 16) % below : 0;
}

uint64_t between(struct world *w, uint64_t low, uint64_t high)
{
	return low + world_random(w, high - low + 1);
}

void say(struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->loud)
		return;
	if (!w->untimed)
		fprintf(w->out, "%7llu.%03llu ", (unsigned long long)(w->now_ms / 1000),
			(unsigned long long)(w->now_ms % 1000));
	va_start(args, format);
	vfprintf(w->out, format, args);
	va_end(args);
	fputc('\n', w->out);
}

void fail(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->failed)
		return;
	w->failed = true;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	say(w, "FAILED: %s", w->failure);
}

size_t host_index(struct world *w, struct world_host *host)
{
	return (size_t)(host - w->hosts);
}

size_t host_of_node(struct world *w, uint32_t nodeid)
{
	for (size_t h = 0; h < w->n_hosts; h++)
		if (w->hosts[h].nodeid == nodeid)
			return h;
	return 0;
}

size_t guest_number(const char *uuid)
{
	return (size_t)atoi(uuid + 24) - 1;
}

void guest_spec(struct world *w, size_t guest, struct spec_fact *spec)
{
	memset(spec, 0, sizeof(*spec));
	snprintf(spec->uuid, sizeof(spec->uuid), "00000000-0000-4000-8000-%012zu", guest + 1);
	snprintf(spec->name, sizeof(spec->name), "vm%zu", guest + 1);
	snprintf(spec->def_hash, sizeof(spec->def_hash), "hash%zu", guest + 1);
	spec->protected = true;
	spec->memory_mib = 64;
	spec->n_disks = 1;
	snprintf(spec->disks[0].id, sizeof(spec->disks[0].id), "file:place:%s.img", spec->name);
	spec->disks[0].writable = true;
	if (!w->spec_changed[guest])
		return;
	spec->memory_mib = w->spec_over[guest].memory_mib;
	spec->priority = w->spec_over[guest].priority;
	memcpy(spec->group, w->spec_over[guest].group, sizeof(spec->group));
	memcpy(spec->allow, w->spec_over[guest].allow, sizeof(spec->allow));
	memcpy(spec->deny, w->spec_over[guest].deny, sizeof(spec->deny));
}

size_t world_runs_on(struct world *w, size_t guest)
{
	for (size_t h = 0; h < w->n_hosts; h++)
		if (w->hosts[h].power && w->hosts[h].guests[guest].qemu && w->hosts[h].guests[guest].running)
			return h + 1;
	return 0;
}

struct core *world_coordinator(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++) {
		struct core_view view;

		if (!w->hosts[h].power || !w->hosts[h].daemon || w->hosts[h].frozen || w->hosts[h].paused)
			continue;
		core_view(w->hosts[h].core, &view);
		if (view.coordinating)
			return w->hosts[h].core;
	}
	return NULL;
}

void world_init(struct world *w, uint64_t seed, size_t hosts, size_t guests)
{
	memset(w, 0, sizeof(*w));
	w->out = stdout;
	w->seed = seed;
	w->random = seed * 0x9e3779b97f4a7c15ull + 1;
	for (int i = 0; i < 8; i++)
		world_random(w, 2);
	w->n_hosts = hosts;
	w->n_guests = guests;
	w->two_node = hosts == 2;
	w->max_failed_hosts = 7;
	for (size_t h = 0; h < hosts; h++) {
		snprintf(w->hosts[h].name, sizeof(w->hosts[h].name), "h%zu", h + 1);
		w->hosts[h].nodeid = (uint32_t)h + 1;
		w->hosts[h].free_mib = 4096;
		w->hosts[h].fence_levels = 1;
		for (size_t g = 0; g < guests; g++)
			w->hosts[h].guests[g].verdict = VERDICT_SHARED;
	}
}

void world_free(struct world *w)
{
	if (w->disks)
		w->disks->free(w);
	events_free(w);
	for (size_t h = 0; h < w->n_hosts; h++) {
		outbox_clear(&w->hosts[h]);
		store_clear(&w->hosts[h].store);
		core_give(w->hosts[h].core);
	}
	ledger_free(w->ledger);
	w->ledger = NULL;
}
