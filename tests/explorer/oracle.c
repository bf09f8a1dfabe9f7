/*
 * The oracle: what must hold of the truth, whatever the cores believe. The truth is which QEMU is alive where, which host
 * has power in which boot, and what is durable on which disk.
 */
#include <stdarg.h>
#include <stdio.h>

#include "tests/explorer/model.h"

void violation(const char *format, ...)
{
	va_list args;

	if (model_wrong[0])
		return;
	va_start(args, format);
	vsnprintf(model_wrong, sizeof(model_wrong), format, args);
	va_end(args);
}

static bool at_least(struct fact_version a, struct fact_version b)
{
	return fact_version_cmp(a, b) >= 0;
}

/* --- at every state --- */

static void writers_check(const struct model *m)
{
	for (size_t g = 0; g < options.guests; g++) {
		size_t first = 0;

		for (size_t h = 0; h < HOSTS; h++) {
			if (!m->hosts[h].guests[g].qemu)
				continue;
			if (first)
				violation("vm%zu runs twice: on h%zu and on h%zu", g + 1, first, h + 1);
			first = h + 1;
		}
	}
}

/* What a core holds for proven dead is not the boot that runs. */
static void proofs_check(const struct model *m)
{
	for (size_t h = 0; h < HOSTS; h++) {
		const struct core_info *info = core_info(m->hosts[h].core);

		for (size_t d = 0; host_runs(m, h) && d < HOSTS; d++)
			if (info->dead_boot[d] && m->hosts[d].power && m->hosts[d].boot == info->dead_boot[d])
				violation("h%zu holds boot %u of h%zu for proven dead, and it runs", h + 1,
					  info->dead_boot[d], d + 1);
	}
}

static void pair_check(const struct model *m, size_t a, size_t b)
{
	const struct core_info *one = core_info(m->hosts[a].core), *two = core_info(m->hosts[b].core);

	if ((one->opens || one->leads) && (two->opens || two->leads) && one->promised == two->promised)
		violation("h%zu and h%zu coordinate one term", a + 1, b + 1);
	for (size_t g = 0; g < options.guests; g++)
		if (one->place[g].committed && two->place[g].committed && one->place[g].generation &&
		    one->place[g].generation == two->place[g].generation && one->place[g].owner != two->place[g].owner)
			violation("generation %u of vm%zu belongs to h%u on h%zu, to h%u on h%zu, committed on both",
				  one->place[g].generation, g + 1, one->place[g].owner, a + 1, two->place[g].owner, b + 1);
}

/* What was durable on a majority once is never forgotten. */
static void lasting_update(struct model *m)
{
	for (size_t g = 0; g < options.guests; g++)
		for (size_t h = 0; h < HOSTS; h++) {
			uint32_t generation = store_info(m->hosts[h].store)->place[g].generation;
			size_t n = 0;

			for (size_t i = 0; i < HOSTS; i++)
				n += store_info(m->hosts[i].store)->place[g].generation >= generation;
			if (n * 2 > HOSTS && generation > m->lasting[g])
				m->lasting[g] = (uint8_t)generation;
		}
}

/* Who asks to be woken in the next millisecond has found nothing to do just now, and spins. */
static void spin_check(const struct model *m)
{
	for (size_t h = 0; h < HOSTS; h++)
		if (host_runs(m, h) && core_info(m->hosts[h].core)->deadline_ms <= 1)
			violation("h%zu wants to be woken again and again for what is past", h + 1);
}

void oracle_check(struct model *m)
{
	spin_check(m);
	writers_check(m);
	proofs_check(m);
	for (size_t a = 0; a < HOSTS; a++)
		for (size_t b = a + 1; b < HOSTS; b++)
			if (host_runs(m, a) && host_runs(m, b))
				pair_check(m, a, b);
	lasting_update(m);
}

/* --- before an effect --- */

/* On enough disks: of two hosts each may act by what is on its own, for more than an intent once the other is proven dead. */
static bool suffices(size_t n, bool own)
{
	return HOSTS == 2 ? own : n * 2 > HOSTS;
}

static bool place_is_on(const struct model *m, size_t host, size_t guest, struct fact_version version)
{
	return store_info(m->hosts[host].store)->place[guest].known &&
		at_least(store_info(m->hosts[host].store)->place[guest].version, version);
}

static size_t places_durable(const struct model *m, size_t guest, struct fact_version version)
{
	size_t n = 0;

	for (size_t h = 0; h < HOSTS; h++)
		n += place_is_on(m, h, guest, version);
	return n;
}

void oracle_fence(const struct model *m, size_t host, size_t target)
{
	struct fact_version version = core_info(m->hosts[host].core)->host_version[target];
	size_t n = 0;

	for (size_t h = 0; h < HOSTS; h++)
		n += at_least(store_info(m->hosts[h].store)->host_version[target], version);
	if (!suffices(n, at_least(store_info(m->hosts[host].store)->host_version[target], version)))
		violation("h%zu fences h%zu, and its intent is on the disks of %zu of %zu hosts", host + 1, target + 1, n, HOSTS);
}

/*
 * An `off` is for a boot that is lost: one that was admitted since is not to be hit by it, however late it comes. Of two hosts the facts
 * of the one that ordered it may have lost to the other's, by which that was never lost: only what was decided since they met counts.
 */
void oracle_off(const struct model *m, size_t target, uint64_t term)
{
	size_t n = 0;

	for (size_t h = 0; h < HOSTS; h++) {
		const struct store_info *info = store_info(m->hosts[h].store);

		n += info->admitted_boot[target] == m->hosts[target].boot &&
			(HOSTS != 2 || (m->common_term > term && info->host_version[target].term >> 16 >= m->common_term));
	}
	if (n * 2 > HOSTS)
		violation("an off hits h%zu in boot %u, which is admitted on the disks of %zu of %zu hosts", target + 1,
			  m->hosts[target].boot, n, HOSTS);
}

void oracle_start(struct model *m, size_t host, size_t guest)
{
	struct fact_version version = core_info(m->hosts[host].core)->place[guest].version;
	size_t n = places_durable(m, guest, version);

	if (!suffices(n, place_is_on(m, host, guest, version)))
		violation("h%zu begins to start vm%zu, and its assignment is on the disks of %zu of %zu hosts", host + 1,
			  guest + 1, n, HOSTS);
}

/* The gate's yes is the point of no return of a generation. */
void oracle_gate(struct model *m, size_t host, size_t guest)
{
	const struct core_info *info = core_info(m->hosts[host].core);
	uint32_t generation = info->place[guest].generation;
	size_t n = places_durable(m, guest, info->place[guest].version);

	if (!suffices(n, place_is_on(m, host, guest, info->place[guest].version)))
		violation("the gate of h%zu lets vm%zu start, and that is on the disks of %zu of %zu hosts", host + 1, guest + 1,
			  n, HOSTS);
	if (info->place[guest].owner != host + 1)
		violation("the gate of h%zu lets vm%zu start, which belongs to h%u", host + 1, guest + 1,
			  info->place[guest].owner);
	if (generation < m->granted[guest])
		violation("the gate of h%zu lets generation %u of vm%zu start after generation %u", host + 1, generation,
			  guest + 1, m->granted[guest]);
	if (generation == m->granted[guest] && m->granted_to[guest] != host + 1)
		violation("generation %u of vm%zu was started by h%u, and is by h%zu", generation, guest + 1,
			  m->granted_to[guest], host + 1);
	m->granted[guest] = (uint8_t)generation;
	m->granted_to[guest] = (uint8_t)(host + 1);
}

/*
 * Who gives an instance back has it no more. Who opens a term has been promised it by a majority, on their disks, and forgets
 * nothing that was durable on one.
 */
void oracle_send(struct model *m, size_t host, uint32_t message)
{
	const struct message_info *info = message_info(message);
	size_t n = 0, above = 0;

	if (info->released) {
		const struct guest_here *here = &m->hosts[host].guests[info->released - 1];

		if (here->qemu || here->job != JOB_OF_NONE)
			violation("h%zu gives vm%u back, and %s", host + 1, info->released,
				  here->qemu ? "it runs there" : "libvirt still starts it there");
	}
	if (!info->opening)
		return;
	for (size_t h = 0; h < HOSTS; h++) {
		n += store_info(m->hosts[h].store)->promised >= info->term;
		above += store_info(m->hosts[h].store)->promised > info->term;
	}
	if (HOSTS == 2 && n == HOSTS)
		m->common_term = (uint8_t)(info->term >> 16);
	if (!suffices(n, store_info(m->hosts[host].store)->promised >= info->term))
		violation("h%zu opens term %llu, and %zu of %zu hosts have promised it on their disks", host + 1,
			  (unsigned long long)(info->term >> 16), n, HOSTS);
	/* A term that a majority has left behind may be opened late: nobody will acknowledge it. */
	for (size_t g = 0; g < options.guests && above * 2 <= HOSTS; g++)
		if (info->generation[g] < m->lasting[g])
			violation("h%zu opens term %llu with generation %u of vm%zu, and generation %u was durable on a majority",
				  host + 1, (unsigned long long)(info->term >> 16), info->generation[g], g + 1, m->lasting[g]);
	/* What one of two let start was committed, by both or by itself alone. */
	for (size_t g = 0; HOSTS == 2 && g < options.guests && !above; g++)
		if (info->generation[g] < m->granted[g])
			violation("h%zu opens term %llu with generation %u of vm%zu, and generation %u was started by h%u",
				  host + 1, (unsigned long long)(info->term >> 16), info->generation[g], g + 1, m->granted[g],
				  m->granted_to[g]);
}
