/* The world's own parts to each other: included by the files of tests/simulator only. */
#ifndef HAMON_TESTS_SIMULATOR_INNER_H
#define HAMON_TESTS_SIMULATOR_INNER_H

#include "tests/simulator/world.h"

struct json_object;

#define DETECT_MS 1000 /* totem's token: a change of the membership is seen after it */
#define WATCHDOG_LEASE_MS 5000

enum happening {
	HAPPEN_TICK,
	HAPPEN_MESSAGE,
	HAPPEN_RING,
	HAPPEN_VIEW_QUORUM,
	HAPPEN_VIEW_MEMBERS,
	HAPPEN_GROUP_DOWN,
	HAPPEN_PERSISTED,
	HAPPEN_LOADED,
	HAPPEN_FENCE_ACT,
	HAPPEN_FENCE_DONE,
	HAPPEN_START_GATE,
	HAPPEN_QEMU,
	HAPPEN_START_BEGUN,
	HAPPEN_START_DONE,
	HAPPEN_INSPECT,
	HAPPEN_STOP,
	HAPPEN_WATCH_FULL,
	HAPPEN_WATCH_ONE,
	HAPPEN_VERDICTS,
	HAPPEN_MIGRATE_GATE,
	HAPPEN_MIGRATE_QEMU,
	HAPPEN_MIGRATED,
	HAPPEN_MIGRATE_CONFIRM,
	HAPPEN_WATCHDOG_PET,
	HAPPEN_WATCHDOG_BITE,
	HAPPEN_ATTEST,
};

struct world_event {
	struct world_event *next;
	uint64_t at_ms;
	uint64_t order;
	enum happening what;
	size_t host;
	uint32_t run;       /* of the daemon it is for; 0: of no daemon */
	uint32_t boot;
	uint32_t view;
	uint32_t ring;
	uint64_t id;
	uint64_t op;
	size_t guest;
	size_t target;
	uint32_t helpers;
	uint32_t level;
	bool ok;
	bool by_core;
	struct parcel *parcel;
};

/* The stores' own code, where a history has it (disk.c). */
enum disk_end {
	DISK_KILLED, /* its daemon, and with it the store's writer */
	DISK_FAILED, /* it refused a write */
	DISK_POWER,  /* what was not synced is lost, torn or there */
};

struct disk_ops {
	void (*commit)(struct world *w, size_t host, const char *line);
	bool (*end)(struct world *w, size_t host, const char *line, uint64_t row, enum disk_end how);
	/* The facts, NULL when it does not open. The caller's to drop. */
	struct json_object *(*load)(struct world *w, size_t host, uint64_t *ret_promised, uint64_t *ret_facts_term);
	void (*lose)(struct world *w, size_t host);
	void (*free)(struct world *w);
};

/* world.c */
uint64_t between(struct world *w, uint64_t low, uint64_t high);
void say(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t host_index(struct world *w, struct world_host *host);
size_t host_of_node(struct world *w, uint32_t nodeid);
size_t guest_number(const char *uuid);
void guest_spec(struct world *w, size_t guest, struct spec_fact *spec);

/* events.c */
struct world_event *event_add(struct world *w, enum happening what, size_t host, uint64_t in_ms);
void event_insert(struct world *w, struct world_event *ev);
void events_free(struct world *w);

/* parcel.c: a message on its way, shared by all who get it */
struct parcel {
	struct parcel *next; /* in an outbox */
	uint32_t refs;
	uint64_t number;
	size_t sender;
	const struct core_message *msg;
	struct wire *wire;
	struct core_message copy;
};
struct parcel *parcel_make(struct world *w, size_t sender, const struct core_message *msg);
void parcel_release(struct parcel *parcel);

/* network.c */
bool reaches(struct world *w, size_t a, size_t b);
size_t reached_from(struct world *w, size_t host);
void view_change(struct world *w);
void group_change(struct world *w);
void multicast(struct world *w, struct world_host *host, const struct core_message *msg);
void message_take(struct world *w, struct world_host *host, struct world_event *ev);
bool message_is_deliverable(struct world *w, struct world_event *ev);
void ring_install(struct world *w, struct world_host *host, struct world_event *ev);
void quorum_tell(struct world *w, struct world_host *host);
void members_tell(struct world *w, struct world_host *host);
void outbox_clear(struct world_host *host);

/* hosts.c */
uint64_t host_clock(const struct world *w, const struct world_host *host);
void host_step(struct world *w, struct world_host *host, const struct core_event *event);
void host_report(struct world *w, struct world_host *host, bool reported);
uint64_t host_free_mib(struct world *w, const struct world_host *host);
void watch_full(struct world *w, struct world_host *host);
void watch_one(struct world *w, struct world_host *host, size_t guest);

/* store.c */
void store_clear(struct store *store);
void store_crash(struct world *w, struct world_host *host, enum disk_end how);
void store_apply(struct world *w, struct world_host *host, struct world_event *ev);
void store_load(struct world *w, struct world_host *host);
void persist(struct world *w, struct world_host *host, const struct core_action *act);
size_t fact_size(enum fact_kind kind);
const char *fact_key(const struct fact_ref *ref, char buf[CORE_INCIDENT_SIZE]);

/* cores.c */
struct core *core_take(const struct core_settings *settings);
void core_give(struct core *core);

/* fencing.c */
void fence_order(struct world *w, struct world_host *host, const struct core_action *act);
void fence_act(struct world *w, struct world_event *ev);
void fence_done(struct world *w, struct world_host *host, struct world_event *ev);
void watchdog_pet(struct world *w, struct world_host *host);
void watchdog_bite(struct world *w, struct world_host *host);
void watchdog_attest(struct world *w, struct world_host *host, struct world_event *ev);

/* guests.c */
void gate_answered(struct world *w, struct world_host *host, const struct core_action *act);
void start_gate(struct world *w, struct world_host *host, struct world_event *ev);
void qemu_start(struct world *w, struct world_host *host, size_t guest);
void start_begun(struct world *w, struct world_host *host, struct world_event *ev);
void start_done(struct world *w, struct world_host *host, struct world_event *ev);
void inspect_done(struct world *w, struct world_host *host, struct world_event *ev);
void stop_done(struct world *w, struct world_host *host, struct world_event *ev);
void guests_vanish(struct world *w, struct world_host *host);

/* migration.c */
void migrate_gate(struct world *w, struct world_host *host, struct world_event *ev);
void migrate_qemu(struct world *w, struct world_host *host, struct world_event *ev);
void migrate_begin(struct world *w, struct world_host *host, size_t guest);
void migrated(struct world *w, struct world_host *target, struct world_event *ev);
void migrate_confirm(struct world *w, struct world_host *source, struct world_event *ev);

/* storage.c */
void verdicts_tell(struct world *w, struct world_host *host);

/* oracle.c: the truth */
void writers_check(struct world *w, size_t guest);
void oracle_fence(struct world *w, struct world_host *host, const struct core_action *act);
void oracle_start(struct world *w, struct world_host *host, const struct core_action *act);
void oracle_gate(struct world *w, struct world_host *host, size_t guest, bool migrate);

/* ledger.c: what was committed */
struct ledger *ledger_new(void);
void ledger_free(struct ledger *ledger);
void ledger_sent(struct world *w, struct parcel *parcel);
void ledger_persisted(struct world *w, struct world_host *host, uint64_t term, uint64_t seq);
void ledger_intent(struct world *w, size_t guest, enum wish wish);
void ledger_deleting(struct world *w, size_t guest);
void ledger_loose(struct world *w, size_t guest);
bool ledger_wish(struct world *w, size_t guest, enum wish *ret_wish);
uint64_t ledger_commits(struct world *w);
bool ledger_is_deleted(struct world *w, size_t guest);

/* coverage.c */
void coverage_step(struct world *w, const struct core *core, const struct core_event *event);

#endif
