/*
 * A world for the core: hosts with power, clocks and disks, a network that splits, fence devices, libvirt and guests; all of
 * it in virtual time, from one seed. The cores in it are the very objects that hamond runs, their messages pass through hamond's codec.
 */
#ifndef HAMON_TESTS_SIMULATOR_WORLD_H
#define HAMON_TESTS_SIMULATOR_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hamon/core/core.h"

#define WORLD_HOSTS_MAX 7
#define WORLD_GUESTS_MAX 16

struct world_event;

struct stored_fact {
	struct stored_fact *next;
	char key[160];
	char *text;
};

/* What is on a host's disk, and what is on the way to it. */
struct store {
	uint64_t promised;
	uint64_t facts_term;
	struct stored_fact *facts;
	uint64_t busy_until_ms; /* a slow disk: nothing is durable before */
};

struct guest_here {
	bool qemu;
	bool running;
	bool start_job;     /* libvirt is starting it, whoever asked */
	bool gate_asked;    /* and hamond has not answered yet */
	bool incoming;      /* the target side of a live migration */
	enum verdict verdict; /* what this host can prove of its backing */
	enum stop_reason stop_reason;
};

struct world_host {
	char name[16];
	uint32_t nodeid;
	bool power;
	bool daemon;
	bool frozen;        /* SIGSTOP: time passes, nothing is taken in */
	uint32_t boots;
	uint32_t runs;      /* of the daemon: late completions of an earlier one are dropped */
	uint32_t side;      /* hosts of one side reach each other */
	uint64_t clock_ms;  /* its boot clock is the world's plus this */
	bool quorate_told;
	struct core *core;
	struct store store;
	struct guest_here guests[WORLD_GUESTS_MAX];
	uint64_t tick_event;
	uint32_t helpers;   /* grows when effects are ended */
	bool device_broken;
	bool shutting_down;
	bool starts_fail;   /* every start that hamond asks for */
	bool gate_missing;  /* libvirtd has not loaded the hook */
	bool store_corrupt;
	uint64_t free_mib;
	struct world_event *held; /* while it is frozen */
};


struct world {
	uint64_t now_ms;
	uint64_t seed;
	uint64_t random;
	bool loud;
	bool untimed;                   /* what is told has no times */
	FILE *out;
	size_t n_hosts;
	struct world_host hosts[WORLD_HOSTS_MAX];
	size_t n_guests;
	bool spec_changed[WORLD_GUESTS_MAX]; /* memory, group, allow and deny are those of spec_over */
	struct spec_fact spec_over[WORLD_GUESTS_MAX];
	bool wish[WORLD_GUESTS_MAX];    /* what the operator wants at last */
	struct world_event *events;
	uint64_t next_event;
	uint64_t next_gate;
	uint64_t last_message_ms;
	uint32_t view;                  /* grows with each change of who reaches whom */
	bool two_node;
	bool failed;
	char failure[512];
	uint64_t steps;
	uint64_t fences, starts, refusals;
	uint32_t start_failures_percent;
	uint32_t max_failed_hosts;      /* the brake of every daemon that starts from now on */
	uint64_t fence_delay_ms;        /* of every host */
	uint64_t migrate_ms;            /* of the migration that was begun last */
	size_t migrate_from;
	uint64_t grant_ms;              /* how long libvirtd takes from the gate's yes to a QEMU; 0: drawn */
};

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
void world_side(struct world *w, size_t host, uint32_t side);
void world_heal(struct world *w);
void world_store_hang(struct world *w, size_t host, uint64_t for_ms);
void world_guest_start(struct world *w, size_t host, size_t guest);
void world_guest_stop(struct world *w, size_t host, size_t guest, enum stop_reason reason);
void world_guest_migrate(struct world *w, size_t from, size_t to, size_t guest, uint64_t takes_ms);
/* Starts, beside the guest, another domain with the same disk: the gate's answer is told. */
void world_clone_start(struct world *w, size_t host, size_t guest);
void world_verdict(struct world *w, size_t host, size_t guest, enum verdict verdict);
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
