/* Messages as bytes, kept once each. */
#include <assert.h>
#include <string.h>

#include "tests/explorer/walk.h"

static struct codec shared; /* too large for the stack of every call; never used by two walks at once */

void host_report_walk(struct codec *c, struct host_report *report)
{
	TEXT(report->boot_id);
	N(report->gate_loaded);
	N(report->libvirt_ok);
	N(report->reported);
	N(report->stale_qemu);
	N(report->shutting_down);
	N(report->free_mib);
	TEXT(report->nonce);
	TEXT(report->config_digest);
}

void report_walk(struct codec *c, struct instance_report *report)
{
	spec_walk(c, &report->spec);
	N(report->state);
	N(report->stop_reason);
	N(report->fresh_event);
	N(report->host_shutting_down);
	N(report->defined);
	N(report->managed_save);
	N(report->undefined);
}

static void facts_list_walk(struct codec *c, struct core_message *msg)
{
	static struct fact_ref refs[FACTS_MAX];
	static struct fact_store space[FACTS_MAX];

	N(msg->n_facts);
	assert(msg->n_facts <= FACTS_MAX);
	for (size_t i = 0; i < msg->n_facts; i++) {
		uint64_t number = c->write ? fact_put(&msg->facts[i]) : 0;

		num_walk(c, &number);
		if (!c->write)
			fact_get((uint32_t)number, &refs[i], &space[i]);
	}
	if (!c->write)
		msg->facts = refs;
}

static void reports_list_walk(struct codec *c, struct core_message *msg)
{
	static struct instance_report reports[GUESTS_MAX];

	N(msg->full);
	N(msg->n_reports);
	assert(msg->n_reports <= GUESTS_MAX);
	for (size_t i = 0; c->write && i < msg->n_reports; i++)
		reports[i] = msg->reports[i];
	for (size_t i = 0; i < msg->n_reports; i++)
		report_walk(c, &reports[i]);
	msg->reports = reports;
}

static void verdicts_list_walk(struct codec *c, struct core_message *msg)
{
	static struct verdict_report verdicts[GUESTS_MAX];

	N(msg->n_verdicts);
	assert(msg->n_verdicts <= GUESTS_MAX);
	for (size_t i = 0; c->write && i < msg->n_verdicts; i++)
		verdicts[i] = msg->verdicts[i];
	for (size_t i = 0; i < msg->n_verdicts; i++) {
		uuid_walk(c, verdicts[i].uuid);
		N(verdicts[i].verdict);
		N(verdicts[i].held);
		TEXT(verdicts[i].reason);
	}
	msg->verdicts = verdicts;
}

static void beat_walk(struct codec *c, struct core_message *msg)
{
	N(msg->term);
	N(msg->promised);
	N(msg->coordinator);
	N(msg->synced);
	N(msg->store_ok);
	N(msg->facts_term);
	N(msg->blank);
	N(msg->fencing);
	N(msg->seq);
	N(msg->commit);
}

static void promise_walk(struct codec *c, struct core_message *msg)
{
	N(msg->term);
	N(msg->facts_term);
	N(msg->blank);
	N(msg->n_late_offs);
	for (size_t i = 0; i < msg->n_late_offs; i++)
		N(msg->late_offs[i]);
	facts_list_walk(c, msg);
}

static void claim_walk(struct codec *c, struct core_message *msg)
{
	static struct instance_report claim;
	uint64_t has = c->write && msg->claim;

	uuid_walk(c, msg->uuid);
	N(msg->migrate);
	num_walk(c, &has);
	if (c->write && has)
		claim = *msg->claim;
	if (has)
		report_walk(c, &claim);
	msg->claim = has ? &claim : NULL;
}

static void message_walk(struct codec *c, struct core_message *msg)
{
	N(msg->type);
	N(msg->from);
	switch (msg->type) {
	case MSG_BEAT:
		beat_walk(c, msg);
		break;
	case MSG_HOST:
		host_report_walk(c, &msg->host);
		break;
	case MSG_PREPARE:
		N(msg->term);
		break;
	case MSG_PROMISE:
		promise_walk(c, msg);
		break;
	case MSG_RECORD:
	case MSG_SNAPSHOT:
		N(msg->term);
		N(msg->seq);
		N(msg->replace);
		N(msg->to);
		facts_list_walk(c, msg);
		break;
	case MSG_ACK:
		N(msg->term);
		N(msg->seq);
		break;
	case MSG_REPORT:
		reports_list_walk(c, msg);
		break;
	case MSG_VERDICTS:
		verdicts_list_walk(c, msg);
		break;
	case MSG_RESULT:
	case MSG_RELEASED:
		uuid_walk(c, msg->uuid);
		N(msg->generation);
		N(msg->ok);
		N(msg->deleted);
		N(msg->excluded);
		TEXT(msg->text);
		break;
	case MSG_CLAIM:
		claim_walk(c, msg);
		break;
	case MSG_REQUEST:
	case MSG_REPLY:
	case MSG_LEAVE:
	case MSG_TYPES:
		assert(!"a message that this search has");
	}
}

uint32_t message_put(const struct core_message *msg)
{
	static struct core_message copy;
	struct codec *c = &shared;

	copy = *msg;
	c->write = true;
	c->at = 0;
	message_walk(c, &copy);
	return pool_put(&messages, c->to, c->at, NULL);
}

void message_get(uint32_t number, struct core_message *ret)
{
	struct codec *c = &shared;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	c->from = pool_get(&messages, number, &n);
	c->write = false;
	c->at = 0;
	message_walk(c, ret);
}
