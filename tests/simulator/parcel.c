/*
 * Messages on their way. One is copied, or encoded and decoded, once, and shared by all who get it: the cores read it only. Through
 * the codec go those of plain worlds and of some histories; it is slow, and has tests of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "hamon/wire.h"
#include "tests/simulator/inner.h"

static void *part_copy(char **at, const void *from, size_t size)
{
	void *to = *at;

	if (!size)
		return NULL;
	memcpy(to, from, size);
	*at += (size + 15) & ~(size_t)15;
	return to;
}

static size_t part_size(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

static struct parcel *parcel_copy(const struct core_message *msg)
{
	size_t size = part_size(sizeof(struct parcel));
	struct core_message *copy;
	struct fact_ref *facts;
	struct parcel *parcel;
	char *at;

	size += part_size(msg->n_facts * sizeof(*msg->facts)) + part_size(msg->n_notes * sizeof(*msg->notes)) +
		part_size(msg->n_reports * sizeof(*msg->reports)) +
		part_size(msg->n_verdicts * sizeof(*msg->verdicts)) +
		part_size(msg->claim ? sizeof(*msg->claim) : 0) +
		part_size(msg->request ? sizeof(*msg->request) : 0);
	for (size_t i = 0; i < msg->n_facts; i++)
		size += part_size(fact_size(msg->facts[i].kind));
	parcel = malloc(size);
	if (!parcel)
		abort();
	at = (char *)parcel + part_size(sizeof(*parcel));
	parcel->wire = NULL;
	parcel->copy = *msg;
	copy = &parcel->copy;
	parcel->msg = copy;
	facts = part_copy(&at, msg->facts, msg->n_facts * sizeof(*msg->facts));
	for (size_t i = 0; i < msg->n_facts; i++)
		facts[i].fact = part_copy(&at, msg->facts[i].fact, fact_size(msg->facts[i].kind));
	copy->facts = facts;
	copy->notes = part_copy(&at, msg->notes, msg->n_notes * sizeof(*msg->notes));
	copy->reports = part_copy(&at, msg->reports, msg->n_reports * sizeof(*msg->reports));
	copy->verdicts = part_copy(&at, msg->verdicts, msg->n_verdicts * sizeof(*msg->verdicts));
	copy->claim = part_copy(&at, msg->claim, msg->claim ? sizeof(*msg->claim) : 0);
	copy->request = part_copy(&at, msg->request, msg->request ? sizeof(*msg->request) : 0);
	return parcel;
}

static struct parcel *parcel_recode(struct world *w, size_t sender, const struct core_message *msg)
{
	struct parcel *parcel = calloc(1, sizeof(*parcel));
	char *text = wire_message_encode(msg), error[256];

	if (!parcel || !text)
		abort();
	if (wire_message_decode(text, strlen(text), w->hosts[sender].nodeid, &parcel->wire, &parcel->msg, error,
				sizeof(error))) {
		fail(w, "a message of %s is refused by the codec: %s", w->hosts[sender].name, error);
		parcel->msg = &parcel->copy;
	}
	free(text);
	return parcel;
}

struct parcel *parcel_make(struct world *w, size_t sender, const struct core_message *msg)
{
	struct parcel *parcel = w->swarm.binary ? parcel_copy(msg) : parcel_recode(w, sender, msg);

	parcel->next = NULL;
	parcel->refs = 1;
	parcel->number = w->next_event;
	parcel->sender = sender;
	return parcel;
}

void parcel_release(struct parcel *parcel)
{
	if (--parcel->refs)
		return;
	wire_free(parcel->wire);
	free(parcel);
}
