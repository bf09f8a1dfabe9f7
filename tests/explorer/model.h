/*
 * The world of the search: three hosts, or two, and what may happen to them next. It has no clock of its own and draws nothing: every
 * thing that may happen is a move, and the search takes all of them. Contents (cores, messages, stores) are numbers.
 */
#ifndef HAMON_TESTS_EXPLORER_MODEL_H
#define HAMON_TESTS_EXPLORER_MODEL_H

#include "tests/explorer/step.h"

#define INBOX_MAX 64
#define WRITES_MAX 16
#define VIEWS_MAX 6
#define MOVES_MAX 256
#define ALONE_PASSES_MAX 12
#define DOWN_PASSES_MAX 3 /* a service manager starts a dead daemon again within so many deadlines of the others */

enum job {
	JOB_OF_NONE,
	JOB_OF_ASKED,   /* libvirt was asked to start it, the hook has not been reached */
	JOB_OF_WAITING, /* the gate has not answered */
	JOB_OF_GRANTED, /* a QEMU will come */
};

enum fencing {
	FENCING_NONE,
	FENCING_SENT,
	FENCING_READS_OFF, /* the power is off, the helper has not told it */
};

enum helper {
	HELPER_NONE,
	HELPER_LIVE,
};

struct guest_here {
	uint8_t qemu, job, defined, stop_reason;
	uint8_t told;           /* libvirt's event is on its way to the daemon */
	uint8_t starting, inspecting, stopping; /* helpers */
	uint8_t starting_late, inspecting_late; /* ended with a term, and it answers all the same: 1 + what it had seen by then */
};

struct host_here {
	uint32_t core, store, group; /* group: the last marker in its order of messages */
	uint8_t power, cut, boot, run;
	uint8_t loaded, watched;     /* its store was read, its first list of guests is out */
	uint8_t met;                 /* of two: its corosync has seen the other since it booted (wait_for_all) */
	uint8_t view;                /* the last one on its way from the quorum service */
	uint8_t n_views, views[VIEWS_MAX];
	uint8_t fencing[HOSTS_MAX], fencing_late[HOSTS_MAX];
	uint8_t fencing_term[HOSTS_MAX]; /* of two: in which term it was ordered */
	struct guest_here guests[GUESTS_MAX];
	uint8_t n_inbox, n_writes;
	/* Only so many of these mean something. */
	uint32_t inbox[INBOX_MAX];
	uint32_t writes[WRITES_MAX];
};

/* What goes on in its own time at each host. */
enum channel {
	CHANNEL_INBOX,
	CHANNEL_VIEWS,
	CHANNEL_DISK,
	CHANNEL_LIBVIRT,
	CHANNEL_FENCING,
	CHANNELS,
};

enum fault {
	FAULT_CRASH,    /* a host loses its power */
	FAULT_RETURN,   /* and comes back; what a fence device has switched off may too */
	FAULT_KILL,     /* a daemon dies; it is always started again, at any time */
	FAULT_CUT,      /* a host is alone in the network; this always ends, at any time */
	FAULT_FENCE,    /* a fence device fails */
	FAULT_START,    /* a start fails, or its helper gives up and libvirt goes on with it */
	FAULT_EARLY,    /* a host's clock goes on while things are under way: its timers overtake them */
	FAULT_LATE,     /* a helper that was ended answers all the same */
	FAULT_HAND,     /* a person, or autostart, starts an instance where it does not belong */
	FAULT_STOP,     /* a person, or the control plane, stops an instance */
	FAULT_WAIT,     /* time passes for all while helpers, and nothing else, are at work */
	FAULT_SLOW,     /* a channel of a host is slow for a while, of any length */
	FAULTS,
};

struct model {
	struct host_here hosts[HOSTS_MAX];
	uint32_t slow;               /* channels that are: bit channel * HOSTS + host */
	uint8_t alone_passes;        /* of two: how often time has passed while one waits for the other */
	uint8_t down_passes;         /* how often time has passed since a daemon died that was not started again */
	uint16_t orphan_ms[HOSTS_MAX];   /* since whoever sent an `off` to this host is gone; it may still arrive. 0: none */
	uint8_t orphan_term[HOSTS_MAX];
	uint8_t faults[FAULTS];      /* how many of each so far */
	/* The truth of the past, for the oracle. */
	uint8_t lasting[GUESTS_MAX]; /* the highest generation that was ever durable on a majority */
	uint8_t granted[GUESTS_MAX]; /* the highest generation that a gate let through, and whose */
	uint8_t granted_to[GUESTS_MAX];
	uint8_t common_term;         /* of two: the last one that both had promised when it was opened */
};

enum move_kind {
	/* What goes on by itself; a run without faults takes the first that there is. */
	MOVE_LOADED,
	MOVE_VIEW,
	MOVE_WATCH,
	MOVE_DELIVER,
	MOVE_WRITTEN,
	MOVE_REPORT,
	MOVE_FENCE_OFF,
	MOVE_FENCE_TOLD,
	MOVE_START_ASK,
	MOVE_START_QEMU,
	MOVE_START_TOLD,
	MOVE_INSPECT,
	MOVE_STOP,
	MOVE_RESTART,
	MOVE_ORPHAN_NEVER,
	MOVE_HEAL,
	MOVE_PASS,
	/* Faults, and what only they bring about. */
	MOVE_SLOW,
	MOVE_QUICK,
	MOVE_ORPHAN_OFF,
	MOVE_CRASH,
	MOVE_RETURN,
	MOVE_KILL,
	MOVE_CUT,
	MOVE_FENCE_FAIL,
	MOVE_START_FAIL,
	MOVE_START_TIMEOUT,
	MOVE_HAND,
	MOVE_SHUT,
	MOVE_WAIT,
	MOVE_EARLY,
	MOVE_LATE_FENCE,
	MOVE_LATE_START,
	MOVE_LATE_INSPECT,
	MOVE_KINDS,
};

struct move {
	uint8_t kind;
	uint8_t host;
	uint8_t about;          /* guest, target of a fencing, or how many messages are lost */
	uint8_t more;           /* how many writes of those under way are durable; CUT: how many the host itself misses */
};

struct model_options {
	size_t guests;
	size_t owner;           /* host that runs the guests at first, from 0 */
	uint8_t faults[FAULTS]; /* bounds */
	size_t lag;             /* messages that a host may be behind */
	bool all_orders;        /* whatever is under way may come next; else the usual order, but for slow channels */
	bool reduce;            /* messages that change nothing are taken at once */
	bool batch;             /* a write completes with all that are queued behind it */
};

extern struct model_options options;
/* Set when a move violated something; the first one stays. */
extern char model_wrong[1024];
/* Told of every sentence that a core writes to its journal, if not NULL. */
extern void (*model_note)(size_t host, const char *text);

void model_init(struct model *m);
/* The moves that are possible, those of a run without faults first. */
size_t model_moves(const struct model *m, struct move moves[MOVES_MAX]);
/* The one that a run without faults takes; false when it has come to its end. */
bool model_quiet_move(const struct model *m, struct move *ret);
/* False when the move is beyond a bound (a host is too far behind). */
bool model_apply(struct model *m, const struct move *move);
/* Of two hosts that do not reach each other one cannot decide alone. */
bool model_one_waits(const struct model *m);
/* Nothing is under way. */
bool model_rests(const struct model *m);
/* Every instance runs once, where it belongs, and every incident is closed; or why not. */
bool model_is_settled(const struct model *m, char *why, size_t size);
/* As bytes, equal for equal states; returns their number. */
size_t model_pack(const struct model *m, uint8_t *to);
void model_unpack(struct model *m, const uint8_t *from);
#define MODEL_BYTES_MAX sizeof(struct model)
/* Begins with guests shut off everywhere: libvirt is asked to start them on their owner. */
void model_start_guests(struct model *m);

/* oracle.c: after a move, and before an effect. They set model_wrong. */
void oracle_check(struct model *m);
void oracle_fence(const struct model *m, size_t host, size_t target);
void oracle_off(const struct model *m, size_t target, uint64_t term);
void oracle_start(struct model *m, size_t host, size_t guest);
void oracle_gate(struct model *m, size_t host, size_t guest);
void oracle_send(struct model *m, size_t host, uint32_t message);
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How many messages of a host are in the order and taken by nobody but, perhaps, itself: a crash may lose them. */
size_t model_untaken(const struct model *m, size_t from);

bool host_runs(const struct model *m, size_t host); /* a daemon */
bool host_reaches(const struct model *m, size_t a, size_t b);

#endif
