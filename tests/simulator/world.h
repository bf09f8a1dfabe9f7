/*
 * A world for the core: hosts with power, clocks and disks, a network that splits, fence devices, libvirt and guests; all of
 * it in virtual time, from one seed. The cores in it are the very objects that hamond runs.
 */
#ifndef HAMON_TESTS_SIMULATOR_WORLD_H
#define HAMON_TESTS_SIMULATOR_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hamon/core/core.h"

#define WORLD_HOSTS_MAX 32
#define WORLD_GUESTS_MAX 256

struct world_event;
struct stored_fact;
struct pending_write;
struct ledger;
struct coverage;
struct parcel;
struct disk_ops;

/* What is on a host's disk, and what is on the way to it. */
struct store {
	uint64_t promised;
	uint64_t facts_term;
	struct stored_fact *facts;
	size_t n_facts, room;
	uint64_t record_term, record_seq; /* the newest record on it */
	struct pending_write *pending, **pending_end;
	uint64_t busy_until_ms; /* a slow disk: nothing is durable before */
	bool failed;            /* it refuses writes, until it is opened anew */
	uint64_t rows;          /* of history, with disks: each write adds one */
};

struct guest_here {
	bool qemu;
	bool running;
	bool start_job;     /* libvirt is starting it, whoever asked */
	bool gate_asked;    /* and hamond has not answered yet */
	bool by_core;       /* the start job is hamond's */
	bool only_moved;    /* and the guest stays stopped */
	bool excluded;      /* nothing was started: it is left to its own host */
	bool lock_wait;     /* the server has not let go of a dead writer's locks yet */
	bool incoming;      /* the target side of a live migration */
	bool outgoing;      /* moved away, and paused until that is confirmed */
	bool defined;       /* where definitions are modelled: it has one here */
	bool undefined;     /* and it was removed by a person just now */
	uint64_t told_bad_ms; /* since when hamond is told that its backing cannot be proven here; 0: it can */
	uint64_t op;        /* of hamond's start, while it may still be answered */
	uint32_t op_helpers;
	size_t outgoing_to; /* the host that it was moved to, and its boot */
	uint32_t outgoing_boot;
	enum verdict verdict; /* what this host can prove of its backing */
	enum stop_reason stop_reason;
};

enum device {
	DEVICE_GOOD,
	DEVICE_SLOW,   /* half a minute */
	DEVICE_HANGS,  /* its agent is ended at its deadline; nothing was switched */
	DEVICE_LATE,   /* says off at once, reads on for 20 s, then off */
	DEVICE_EMPTY,  /* switches an outlet with nothing on it, and reads that off: while its host is a member */
	DEVICE_KINDS,
};

struct world_host {
	char name[16];
	uint32_t nodeid;
	bool power;
	bool daemon;
	bool corosync;      /* as long as it has power */
	bool frozen;        /* SIGSTOP of hamond: time passes, nothing is taken in */
	bool paused;        /* all of the host stands still, its guests too */
	uint64_t paused_ms; /* since then */
	uint32_t boots;
	uint32_t runs;      /* of the daemon: late completions of an earlier one are dropped */
	uint32_t side;      /* hosts of one side reach each other */
	uint32_t ring;      /* the membership that its corosync has installed */
	uint64_t clock_ms;  /* its boot clock is the world's plus this */
	int64_t drift;      /* and it goes so many parts in a thousand too fast, since booted_ms */
	uint64_t booted_ms;
	bool quorate_told;
	struct core *core;
	struct store store;
	struct guest_here guests[WORLD_GUESTS_MAX];
	uint64_t tick_event, tick_at_ms;
	uint32_t helpers;   /* grows when effects are ended */
	bool device_broken;
	enum device device;
	bool device_may_lie; /* its host stays a member for long enough to contradict it */
	uint32_t device_lied_boot; /* it said off, and this boot went on */
	bool device_with_host; /* a BMC that loses its power with its host */
	uint64_t off_until_ms; /* a late device: reads on until then */
	uint32_t fence_levels;
	bool shutting_down;
	bool starts_fail;   /* every start that hamond asks for */
	bool stays_off;     /* until the end of the history: its guests must run elsewhere */
	bool other_version; /* its daemon and those of the other version do not understand each other */
	bool gate_missing;  /* libvirtd has not loaded the hook */
	bool libvirt_hung;
	bool told_hung, told_missing; /* as hamond has it */
	bool store_corrupt;
	uint64_t free_mib;
	uint64_t watchdog_ms; /* 0: it has none */
	uint64_t pet_until_ms;
	struct world_event *held, *held_last; /* while it is frozen */
	struct parcel *outbox, *outbox_last; /* until the next membership is installed */
};

/* What every history of the simulator may vary; all zero is a plain world. */
struct swarm {
	bool rings;              /* messages belong to a membership, as totem's do */
	bool binary;             /* messages and stores are copied, and pass through no codec */
	bool definitions;        /* definitions stay on hosts that lost an instance, and libvirt starts them at boot */
	bool memory;             /* guests take memory of their host */
	bool confirm;            /* a migration ends in two steps: the target runs, then the source's QEMU ends */
	bool move_stopped;       /* the control plane moves what is stopped too: it is started for a moment, and ended */
	bool hand_over;          /* what is stopped may be started on another host: cold migrations */
	bool excluded;           /* the settings leave vm1 to its own host: a start elsewhere says so, and does nothing */
	bool takes_along;        /* a migration takes the definition along: it is undefined on the source */
	bool asks_twice;         /* the gate is asked for a migration, and then for the QEMU that waits for it */
	bool real_store;         /* the store's own code, on a disk that tears */
	enum recovery_method recovery_method; /* not auto: the last host is a reserved one */
	bool versions;           /* daemons begin in either of two versions of the protocol */
	uint32_t lock_percent;   /* of starts wait for locks */
	uint32_t helper_death_percent;
	uint64_t order_ms;       /* quorum and group are told so far apart */
};

struct world {
	uint64_t now_ms;
	uint64_t seed;
	uint64_t random;
	bool loud;
	bool untimed;                   /* what is told has no times */
	FILE *out;
	struct swarm swarm;
	size_t n_hosts;
	struct world_host hosts[WORLD_HOSTS_MAX];
	size_t n_guests;
	bool spec_changed[WORLD_GUESTS_MAX]; /* memory, group, allow and deny are those of spec_over */
	struct spec_fact spec_over[WORLD_GUESTS_MAX];
	struct world_event **heap;
	size_t n_heap, heap_room;
	struct world_event *unused;
	uint64_t next_event;
	uint64_t next_gate;
	uint64_t last_message_ms;
	uint32_t view;                  /* grows with each change of who reaches whom */
	uint64_t view_changed_ms;
	size_t reserved;                /* number of a reserved host, 0 for none */
	bool two_node;
	bool failed;
	char failure[512];
	uint64_t steps;
	uint64_t digest;                /* of every step: when, whose, and what it led to */
	uint64_t fences, starts, refusals;
	uint32_t start_failures_percent;
	uint32_t max_failed_hosts;      /* the brake of every daemon that starts from now on */
	uint32_t max_failed_share_percent;
	uint64_t fence_delay_ms;        /* of every host */
	uint64_t migrate_ms;            /* of the migration that was begun last */
	size_t migrate_from;
	uint64_t grant_ms;              /* how long libvirtd takes from the gate's yes to a QEMU; 0: drawn */
	uint32_t stores_lost;
	struct ledger *ledger;          /* what the oracle knows; NULL: only who runs where is checked */
	struct coverage *coverage;
	const struct disk_ops *disks;   /* NULL: stores are modelled only */
};

extern bool cores_always_fresh; /* each daemon has a core in new memory: slow, and nothing may come of it */

void world_init(struct world *w, uint64_t seed, size_t hosts, size_t guests);
void world_free(struct world *w);
void world_run(struct world *w, uint64_t for_ms);

uint64_t world_random(struct world *w, uint64_t below);

/* Faults, and their ends. Host numbers are from 1. */
void world_power_off(struct world *w, size_t host);
void world_power_on(struct world *w, size_t host);
void world_daemon_kill(struct world *w, size_t host);
void world_daemon_start(struct world *w, size_t host);
void world_freeze(struct world *w, size_t host, bool frozen);
/* All of the host stands still; with its clock, or without. */
void world_pause(struct world *w, size_t host);
void world_resume(struct world *w, size_t host, bool clock_stood);
void world_corosync(struct world *w, size_t host, bool runs);
void world_side(struct world *w, size_t host, uint32_t side);
void world_heal(struct world *w);
void world_store_hang(struct world *w, size_t host, uint64_t for_ms);
void world_store_fail(struct world *w, size_t host, uint64_t for_ms);
void world_guest_start(struct world *w, size_t host, size_t guest);
void world_guest_stop(struct world *w, size_t host, size_t guest, enum stop_reason reason);
void world_guest_undefine(struct world *w, size_t host, size_t guest);
void world_guest_migrate(struct world *w, size_t from, size_t to, size_t guest, uint64_t takes_ms);
/* Starts, beside the guest, another domain with the same disk: the gate's answer is told. */
void world_clone_start(struct world *w, size_t host, size_t guest);
void world_verdict(struct world *w, size_t host, size_t guest, enum verdict verdict);
void world_libvirt_hang(struct world *w, size_t host, bool hung);
void world_host_tell(struct world *w, size_t host); /* the daemon looks at its host again */
void world_look(struct world *w, size_t host); /* and at its guests */
void world_daemon_leave(struct world *w, size_t host);
void world_shutdown(struct world *w, size_t host);
void world_store_lose(struct world *w, size_t host);
void world_attest(struct world *w, size_t host, uint64_t lease_ms, uint64_t watchdog_ms);
void world_request(struct world *w, size_t host, const struct core_request *request);

/* The host that runs the guest, 0 for none; more than one fails the world at once. */
size_t world_runs_on(struct world *w, size_t guest);
/* The core of some powered host that coordinates, or NULL. */
struct core *world_coordinator(struct world *w);
/* Every guest that is wished running runs once, or is held with a reason; no incident is open without one. */
bool world_is_settled(struct world *w, char *why, size_t size);

#endif
