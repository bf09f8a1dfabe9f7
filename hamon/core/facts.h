/*
 * Facts: what must never be wrong, as registers with a version. Facts of a higher version win; a fact is committed
 * when it is on the disks of hosts that hold a strict majority of the configured votes. Times are milliseconds of the
 * boot clock of the coordinator that wrote them: only differences within one incident mean something to others.
 */
#ifndef HAMON_CORE_FACTS_H
#define HAMON_CORE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "hamon/core/limits.h"

struct fact_version {
	uint64_t term;
	uint64_t counter;
};

enum fact_kind {
	FACT_CLUSTER,
	FACT_HOST,
	FACT_SPEC,
	FACT_PLACE,
	FACT_INCIDENT,
	FACT_KINDS,
};

/* Cluster-wide switches. */
struct cluster_fact {
	struct fact_version version;
	bool frozen;                 /* maintenance --all: nothing is fenced or moved */
	bool brake;                  /* too many hosts failed in the window: a person must release */
	char brake_reason[CORE_TEXT_SIZE];
};

enum host_state {
	HOST_UNKNOWN,     /* configured, never admitted */
	HOST_ADMITTED,    /* its epoch may run the instances that it owns */
	HOST_LEFT,        /* left in order, its guests stopped: its absence is no failure */
	HOST_LOST,        /* gone from the membership; nothing is proven about its guests */
	HOST_DEAD,        /* its epoch is certified dead */
	HOST_QUARANTINED, /* back after that, and not admitted yet */
};

enum proof_method {
	PROOF_NONE,
	PROOF_FENCE_DEVICE, /* the device's own readback says that the power is off */
	PROOF_WATCHDOG,     /* an attested watchdog's whole bound has passed */
	PROOF_NEW_BOOT,     /* the host itself came back in another boot */
	PROOF_PERSON,       /* hamonctl confirm-fenced */
};

/* The recorded proof that an epoch of a host can no longer write. */
struct certificate {
	enum proof_method method;
	uint64_t epoch;
	uint64_t confirmed_ms;
	char device[CORE_NAME_SIZE]; /* fence device, or who confirmed */
	char boot_id[CORE_UUID_SIZE]; /* of the boot that is proven dead */
	char detail[CORE_TEXT_SIZE];  /* the readback, or the person's reason */
};

struct host_fact {
	struct fact_version version;
	uint32_t nodeid;
	char name[CORE_NAME_SIZE];
	enum host_state state;
	uint64_t epoch;                  /* grows when the host is admitted with another boot */
	char boot_id[CORE_UUID_SIZE];    /* of the epoch */
	bool maintenance;
	bool forgotten;                  /* removed for good by a person */
	bool released;                   /* a person lets this failure pass the brake */
	bool fence_intent;               /* a fencing of this epoch is wanted; or, once it is proven dead, may still arrive */
	char incident[CORE_INCIDENT_SIZE];
	char nonce[CORE_NONCE_SIZE];     /* in the beacons that the host writes now */
	char nonce_before[CORE_NONCE_SIZE];
	struct certificate certificate;
};

struct disk_fact {
	char id[CORE_DISK_ID_SIZE];
	bool writable;
};

/* What an instance is: reported by its owner, from its definition. */
struct spec_fact {
	struct fact_version version;
	char uuid[CORE_UUID_SIZE];
	char name[CORE_NAME_SIZE];
	char title[CORE_TITLE_SIZE];     /* Nova's display name, or the domain's title; "" without one */
	bool deleted;
	bool protected;
	bool block_job;                  /* its disk chain is changing right now */
	uint32_t memory_mib;
	uint32_t vcpus;
	uint32_t priority;               /* higher goes first */
	char group[CORE_NAME_SIZE];      /* instances of one group must not share a host */
	char allow[CORE_LIST_SIZE];
	char deny[CORE_LIST_SIZE];
	char def_hash[CORE_HASH_SIZE];
	uint32_t n_disks;
	struct disk_fact disks[CORE_DISKS_MAX];
	uint32_t n_places;
	char places[CORE_PLACES_MAX][CORE_PATH_SIZE];
};

enum wish {
	WISH_STOPPED,
	WISH_RUNNING,
};

enum phase {
	PHASE_SETTLED,   /* with its owner, as wished */
	PHASE_WAITING,   /* must be started, and no host has it yet: the reason says why */
	PHASE_ASSIGNED,  /* the owner is to start this generation */
	PHASE_REVOKING,  /* the owner is to give this generation back; nobody may start it */
	PHASE_HELD,      /* a person, or the return of its host, must decide */
};

/* Where an instance belongs. */
struct place_fact {
	struct fact_version version;
	char uuid[CORE_UUID_SIZE];
	uint32_t owner;                  /* node id */
	uint32_t joint;                  /* node id of the target of a live migration, or 0 */
	uint32_t heir;                   /* node id: the owner, which has it stopped, is asked to hand it over to that host; or 0 */
	uint32_t home;                   /* node id where it ran last: its local disks are there */
	bool released;                   /* the owner gave this generation back: no start job, no QEMU */
	uint64_t generation;
	enum wish wish;
	enum phase phase;
	uint64_t owner_epoch;            /* the owner's epoch when it was given the instance */
	uint32_t attempts;
	bool accept_loss;                /* a person accepts that its disks are not proven shared */
	bool by_hand;                    /* a person asked for this evacuation */
	bool excluded;                   /* the settings leave it to its home: it goes nowhere else by itself */
	char incident[CORE_INCIDENT_SIZE];
	char reason[CORE_TEXT_SIZE];
	char failure[CORE_TEXT_SIZE];    /* of the last start that failed: "h2: what it said"; until one succeeds */
};

enum incident_state {
	INCIDENT_OPEN,
	INCIDENT_HELD,
	INCIDENT_CLOSED,
};

struct incident_fact {
	struct fact_version version;
	char id[CORE_INCIDENT_SIZE];
	uint32_t host;                   /* node id */
	uint64_t epoch;
	enum incident_state state;
	enum proof_method proof;
	uint64_t heard_ms;               /* the host's last message */
	uint64_t lost_ms;
	uint64_t intent_ms;
	uint64_t certified_ms;
	uint64_t closed_ms;
	uint32_t total;                  /* instances that had to be started */
	uint32_t running;
	uint32_t held;
	char reason[CORE_TEXT_SIZE];
};

/* One fact of a record: fact points to the struct that kind names. */
struct fact_ref {
	enum fact_kind kind;
	const void *fact;
};

/* What happened or was decided, in words: history, alert, and a line of the incident's report. */
enum note_severity {
	NOTE_INFO,
	NOTE_NOTICE,
	NOTE_WARNING,
	NOTE_ALERT,
};

struct note {
	const char *kind;                /* a stable word such as "host-lost" */
	/* Where it stands: the same on every host, not sent with it. A note of one host alone has no term. */
	uint64_t term;
	uint64_t seq;
	uint32_t n;                      /* within its record */
	enum note_severity severity;
	uint64_t at_ms;
	char incident[CORE_INCIDENT_SIZE];
	char host[CORE_NAME_SIZE];
	char instance[CORE_NAME_SIZE];
	char uuid[CORE_UUID_SIZE];
	char text[CORE_TEXT_SIZE];
};

/* -1, 0 or 1, as memcmp orders. */
int fact_version_cmp(struct fact_version a, struct fact_version b);

/*
 * What an instance is called where people read it: "TITLE (NAME)" when it has a title of its own, else its name. buf is the room for
 * it; LABEL() is for a call's argument.
 */
const char *spec_label(const struct spec_fact *spec, char buf[CORE_LABEL_SIZE]);
#define LABEL(inst) spec_label(&(inst)->spec, (char[CORE_LABEL_SIZE]){ 0 })

const char *host_state_name(enum host_state state);
const char *proof_method_name(enum proof_method method);
const char *wish_name(enum wish wish);
const char *phase_name(enum phase phase);
const char *incident_state_name(enum incident_state state);
const char *note_severity_name(enum note_severity severity);
const char *fact_kind_name(enum fact_kind kind);

#endif
