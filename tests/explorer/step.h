/*
 * One step of one core, computed once: the core is pure, so the same state and the same event have the same end, which is
 * kept. What cannot differ between two histories is not computed twice.
 */
#ifndef HAMON_TESTS_EXPLORER_STEP_H
#define HAMON_TESTS_EXPLORER_STEP_H

#include "tests/explorer/codec.h"

/* The number of the boot that a boot id names: hH-bootN. */
#define BOOT_OF(boot_id) ((uint8_t)((boot_id)[0] ? atoi((boot_id) + 7) : 0))

enum step_kind {
	STEP_START,     /* a new process: arg = host | boot << 8 | run << 16 */
	STEP_LOADED,    /* arg: number of a store */
	STEP_QUORUM,    /* arg: mask of hosts | VIEW_QUORATE */
	STEP_MEMBERS,   /* arg: a marker of the group, see marker_make() */
	STEP_MESSAGE,   /* arg: number of a message */
	STEP_TICK,      /* arg: ms that passed */
	STEP_SHIFT,     /* arg: ms that passed, and nobody woke the core */
	STEP_PERSISTED, /* arg: how many writes */
	STEP_WATCH,     /* the first full list; arg: what each guest is here, 8 bits each */
	STEP_REPORT,    /* arg: guest | what it is here << 8 */
	STEP_FENCED,    /* arg: target | flags */
	STEP_GATE,      /* arg: guest */
	STEP_STARTED,   /* arg: guest | flags */
	STEP_INSPECTED, /* arg: guest | flags */
	STEP_STOPPED,   /* arg: guest | what it is here << 8 | flags */
};

#define VIEW_QUORATE 0x80

#define FLAG_OK UINT64_C(0x10000)
#define FLAG_STALE UINT64_C(0x20000) /* of an operation that nobody waits for any more */
#define FLAG_JOB UINT64_C(0x40000)
#define FLAG_QEMU UINT64_C(0x80000)

/* What a guest is on one host, as its libvirt tells it. */
#define HERE_QEMU 1
#define HERE_DEFINED 2
#define HERE_STOP_SHIFT 2 /* enum stop_reason */

/* One thing that the core wants done. */
struct act {
	uint8_t type;           /* enum action_type */
	uint8_t about;          /* guest, or target of a fencing */
	uint8_t yes;            /* the gate's answer */
	uint32_t number;        /* SEND: message; PERSIST: write, 0 for notes alone; NOTE: text */
};

struct step_result {
	uint32_t core;
	uint32_t first, n;      /* in step_acts */
	uint32_t wrong;         /* text of what was violated within the step, or 0 */
};

/* What the oracle wants to know of a core, without opening it again. */
struct core_info {
	uint64_t promised;
	uint64_t deadline_ms;   /* from now */
	uint8_t opens, leads;   /* its opening record is on its way; it is committed: this core coordinates */
	uint8_t synced;
	uint8_t all_committed, incidents_closed;
	uint8_t host_state[HOSTS_MAX];
	uint8_t dead_boot[HOSTS_MAX]; /* the boot that it holds for proven dead, or 0 */
	struct fact_version host_version[HOSTS_MAX];
	struct {
		uint8_t known, owner, phase, wish, committed, released;
		uint32_t generation;
		struct fact_version version;
	} place[GUESTS_MAX];
};

/* What is durable on one host. */
struct store_info {
	uint64_t promised, facts_term;
	uint8_t admitted_boot[HOSTS_MAX]; /* the boot that is admitted and not to be fenced, or 0 */
	struct fact_version host_version[HOSTS_MAX];
	struct {
		uint8_t known, owner;
		uint32_t generation;
		struct fact_version version;
	} place[GUESTS_MAX];
};

struct message_info {
	uint8_t type;
	uint8_t from;           /* host number from 0 */
	uint8_t to;             /* SNAPSHOT: host number from 0 */
	uint8_t opening;        /* the record that opens a term */
	uint8_t released;       /* RELEASED: the guest, from 1 */
	uint64_t term;
	uint32_t generation[GUESTS_MAX]; /* of the places in it, or of what is released */
};

extern struct act *step_acts;
extern uint64_t steps_computed, steps_asked;

void step_init(size_t guests);
void step_free(void);
const struct step_result *step(uint32_t core, enum step_kind kind, uint64_t arg);
const struct core_info *core_info(uint32_t core);
const struct message_info *message_info(uint32_t message);

/* The group as told to all at one point of the order of messages: who runs a daemon, and which run of it. */
uint32_t marker_make(unsigned int mask, const uint8_t runs[HOSTS_MAX]);
unsigned int marker_mask(uint32_t marker);

/* Stores: 0 is an empty one. */
uint32_t store_apply(uint32_t store, uint32_t write);
const struct store_info *store_info(uint32_t store);

#endif
