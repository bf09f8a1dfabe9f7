/*
 * One core alone, for the unit tests of what it says to whom and when: the test is its disk, its clock and all other hosts.
 * Host N has node id N, the name hN and the boot bN-1; vm1 is the one instance.
 */
#ifndef HAMON_TESTS_UNIT_CORE_ALONE_H
#define HAMON_TESTS_UNIT_CORE_ALONE_H

#include "hamon/core/core.h"

#define TERM(n, nodeid) ((uint64_t)(n) << 16 | (nodeid))
#define ALONE_HOSTS_MAX 5
#define VM1 "00000000-0000-4000-8000-000000000001"

extern struct core *core;
extern uint64_t now_ms;

/* The facts that a peer tells; changed by the test before it sends them. */
struct alone_facts {
	struct host_fact hosts[ALONE_HOSTS_MAX];
	struct spec_fact spec;
	struct place_fact place;
	struct fact_ref refs[ALONE_HOSTS_MAX + 2];
	size_t n;
};

/* A core of host self among hosts, all of them here, with an empty store; nobody coordinates. */
void alone_begin(uint32_t self, uint32_t hosts);
/* The same for two hosts in corosync's two_node mode: each is quorate alone. */
void alone_begin_two(uint32_t self);
void alone_end(void);
/* Whether the control plane moves stopped instances itself. */
void alone_hand_over(bool on);
/* Whether its own messages come back to it from the group (from the start they do). */
void alone_deaf(bool deaf);

/* The members that corosync names from now on, in both of its services. */
void alone_present(bool quorate, size_t n, const uint32_t *nodeids);

void step(const struct core_event *event);
void elapse(uint64_t ms);
void hear(const struct core_message *msg);
void hear_beat(uint32_t from, bool synced, uint64_t term);
void hear_ack(uint32_t from, uint64_t term, uint64_t seq);
void hear_report(uint32_t from, const char *boot_id, bool stale_qemu, enum instance_state vm1);
void persisted(void); /* everything up to now is on the disk */

/* Of the last step; NULL for none. */
const struct core_message *sent(enum message_type type);
const struct core_action *done(enum action_type type);
/* Since the beginning: how often, and the operation of the last one. */
unsigned int count(enum action_type type);
uint64_t last_op(enum action_type type);

/* All hosts admitted in epoch 1; vm1 settled with host owner, generation 1, wished running. */
void facts_make(struct alone_facts *facts, uint64_t term, uint32_t hosts, uint32_t owner);

/* As a member: promises term to its candidate, takes these facts as the opening record, which is committed. */
void follow(uint64_t term, const struct alone_facts *facts);
/* As host 1: stands, gets the promises of host 2 (with these facts) and of host 3, opens and decides. Returns the term. */
uint64_t lead(const struct alone_facts *facts);
/* What the coordinator has written is written here and at host 2. */
void commit_all(uint64_t term);

struct core_view view(void);
struct place_fact place_now(void);
struct host_fact host_now(uint32_t nodeid);

#endif
