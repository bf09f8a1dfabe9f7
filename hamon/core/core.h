/*
 * The core decides. It is a state machine without I/O, clock or randomness: events in, actions out, the time an argument.
 * The daemon, the simulator and the fuzzers run these same object files.
 *
 * core_step() takes one event; the actions that it hands out, and everything that they point to, are valid until
 * the next step. Every request carries an id that its completion repeats; late completions of an old id are ignored.
 */
#ifndef HAMON_CORE_CORE_H
#define HAMON_CORE_CORE_H

#include <stddef.h>

#include "hamon/core/facts.h"

struct core;

/* Where what a dead host ran may go; the names and meanings of Masakari's recovery methods. */
enum recovery_method {
	RECOVERY_AUTO,          /* never to a reserved host */
	RECOVERY_RESERVED_HOST, /* to reserved hosts only */
	RECOVERY_AUTO_PRIORITY, /* to a reserved host when no other can take it */
	RECOVERY_RH_PRIORITY,   /* to another host when no reserved one can take it */
};

/* What the core needs to know of hamon.conf; all durations in milliseconds. */
struct core_settings {
	uint32_t self;                   /* own node id */
	char boot_id[CORE_UUID_SIZE];
	uint64_t start_grace_ms;         /* after a cold start, before an unseen host counts as lost */
	uint64_t failure_window_ms;
	uint32_t max_failed_hosts;       /* 0: max(1, max_failed_share_percent of the hosts) */
	uint32_t max_failed_share_percent;
	uint64_t beat_ms;
	uint64_t coordinator_timeout_ms; /* without a beat, or without a persist of its own */
	uint64_t tilt_ms;                /* watch and do not act, after a stall */
	uint32_t parallel_starts;        /* on one host */
	uint32_t attempts;               /* hosts tried for one instance before it waits for retry_delay_ms */
	uint64_t retry_delay_ms;
	uint64_t fence_backoff_ms;
	uint64_t fence_backoff_max_ms;
	bool move_stopped;               /* what is wished stopped leaves a dead host too, and stays stopped */
	bool hand_over;                  /* what is stopped may be started on another host, if its owner consents */
	uint64_t late_effect_ms;         /* how long an `off` may still arrive after its helper was ended */
	enum recovery_method recovery_method;
};

/* A configured host: corosync's node list joined with hamon.conf's host sections. */
struct core_host_config {
	uint32_t nodeid;
	char name[CORE_NAME_SIZE];
	uint32_t votes;
	uint32_t fence_levels;           /* 0: cannot be fenced by a device */
	uint64_t fence_delay_ms;
	int32_t priority;
	bool reserved;                   /* kept free for what dead hosts ran: see recovery_method */
};

enum instance_state {
	INSTANCE_ABSENT,   /* no QEMU: shut off or not defined */
	INSTANCE_RUNNING,
	INSTANCE_PAUSED,   /* a QEMU exists and does not run the guest */
	INSTANCE_INCOMING, /* the target side of a live migration */
};

enum stop_reason {
	STOP_NONE,
	STOP_BY_GUEST,     /* the guest shut itself down */
	STOP_BY_API,       /* destroyed or shut down through libvirt */
	STOP_CRASH,        /* crashed, killed, failed */
	STOP_MIGRATED,
	STOP_SAVED,
};

/* What one host sees of one instance. */
struct instance_report {
	struct spec_fact spec;
	enum instance_state state;
	enum stop_reason stop_reason;
	bool fresh_event;                /* the stop has just happened, before this daemon's eyes */
	bool host_shutting_down;
	bool defined;                    /* a persistent definition is there */
	bool managed_save;
	bool undefined;                  /* the definition was removed while the daemon watched */
};

enum verdict {
	VERDICT_UNKNOWN,
	VERDICT_LOCAL,
	VERDICT_SHARED,
	VERDICT_VOLUME,
};

/* What a host says of itself, in its first message and whenever it changes. */
struct host_report {
	char boot_id[CORE_UUID_SIZE];
	bool gate_loaded;
	bool libvirt_ok;
	bool reported;                   /* its first list of instances is out */
	bool stale_qemu;                 /* runs an instance that it does not own */
	bool shutting_down;              /* in order: nothing is started here any more */
	uint64_t free_mib;
	char nonce[CORE_NONCE_SIZE];     /* in its beacons since now */
	char config_digest[CORE_HASH_SIZE];
};

/* A live watchdog, attested by its host. The device comes later; the event is complete. */
struct watchdog_attestation {
	uint32_t nodeid;
	char boot_id[CORE_UUID_SIZE];
	bool armed;
	uint64_t lease_ms;
	uint64_t watchdog_ms;
};

enum request_verb {
	REQUEST_MAINTENANCE,
	REQUEST_MAINTENANCE_ALL,
	REQUEST_CONFIRM_FENCED,
	REQUEST_FORGET,
	REQUEST_RELEASE,
	REQUEST_EVACUATE,
};

/* A request of a person, made at any member and decided by the coordinator. */
struct core_request {
	uint64_t id;                     /* of the member that took it */
	uint32_t origin;                 /* its node id */
	enum request_verb verb;
	bool on;                         /* maintenance on; evacuate: on shared storage */
	bool dry_run;
	char host[CORE_NAME_SIZE];
	char instance[CORE_NAME_SIZE];   /* name or uuid; with a host given, empty */
	char target[CORE_NAME_SIZE];
	char accept_loss[CORE_ACCEPT_SIZE]; /* instances, separated by spaces */
	char reason[CORE_TEXT_SIZE];
	char who[CORE_NAME_SIZE];
};

enum message_type {
	MSG_BEAT,       /* every member, every beat: who it takes for coordinator, what it has on disk */
	MSG_HOST,       /* host_report */
	MSG_PREPARE,    /* a candidate asks for a term */
	MSG_PROMISE,    /* a member grants it, with all its facts */
	MSG_RECORD,     /* the coordinator's batch of facts; the first of a term replaces all */
	MSG_SNAPSHOT,   /* all facts, for one newcomer */
	MSG_ACK,        /* a record is on this member's disk */
	MSG_REPORT,     /* instances as one host sees them */
	MSG_VERDICTS,   /* backing of instances as one host proves it */
	MSG_RESULT,     /* a start ended */
	MSG_RELEASED,   /* a revoked generation is given back: no start job, no QEMU */
	MSG_CLAIM,      /* a host asks to own an instance, or to take a live migration in */
	MSG_REQUEST,
	MSG_REPLY,
	MSG_LEAVE,      /* the daemon ends in order */
	MSG_TYPES,
};

struct verdict_report {
	char uuid[CORE_UUID_SIZE];
	enum verdict verdict;
	bool held;                       /* the image must not be started, whatever the verdict */
	char reason[CORE_TEXT_SIZE];
};

struct core_message {
	enum message_type type;
	uint32_t from;                   /* node id; filled from corosync on receipt, never from the text */
	uint64_t term;
	uint64_t seq;
	/* BEAT */
	bool coordinator;                /* the sender acts as coordinator of term */
	bool synced;
	bool store_ok;
	uint64_t promised;
	uint64_t commit;
	/* PROMISE */
	uint64_t facts_term;             /* the term whose opening record these facts build on */
	bool blank;                      /* PROMISE, BEAT: the sender's store has never held a term's facts */
	uint32_t fencing;                /* BEAT: the sender's own slots of hosts that it is about to fence, for itself */
	uint32_t n_late_offs;
	uint32_t late_offs[CORE_HOSTS_MAX]; /* node ids: an off of these may still arrive */
	/* RECORD, SNAPSHOT, PROMISE */
	bool replace;
	uint32_t to;                     /* SNAPSHOT: node id */
	size_t n_facts;
	const struct fact_ref *facts;
	size_t n_notes;
	const struct note *notes;
	/* HOST */
	struct host_report host;
	/* REPORT */
	bool full;                       /* the list is complete: what is not in it is absent */
	size_t n_reports;
	const struct instance_report *reports;
	/* VERDICTS */
	size_t n_verdicts;
	const struct verdict_report *verdicts;
	/* RESULT, RELEASED, CLAIM */
	char uuid[CORE_UUID_SIZE];
	uint64_t generation;
	bool ok;
	bool deleted;                    /* RESULT: not ok, for the control plane says that it has deleted it */
	bool excluded;                   /* RESULT: not ok, for it is not among those that are to be recovered */
	bool migrate;                    /* CLAIM */
	const struct instance_report *claim; /* CLAIM of an unknown instance; NULL: its owner is to hand it over, or it migrates */
	char text[CORE_TEXT_SIZE];
	/* REQUEST, REPLY */
	const struct core_request *request;
	uint64_t request_id;
	uint32_t request_origin;
	char code[CORE_NAME_SIZE];       /* REPLY: "" when ok */
	char hint[CORE_TEXT_SIZE];
	/* LEAVE */
	bool guests_run;
};

struct core_member {
	uint32_t nodeid;
	uint32_t pid;
};

enum gate_op {
	GATE_START,
	GATE_MIGRATE_IN,
};

struct gate_query {
	uint64_t id;
	enum gate_op op;
	bool protected;                  /* by its own XML or by the configuration */
	struct spec_fact spec;           /* uuid, name and disks are enough */
	/* The disks as this host's own paths too: where a folder was marked only now, others know them as these. */
	uint32_t n_paths;
	struct disk_fact paths[CORE_DISKS_MAX];
	bool disks_unknown;              /* of one no identity could be found */
};

enum event_type {
	EV_TICK,          /* core_deadline() has come */
	EV_CONFIG,        /* hosts as configured */
	EV_SETTINGS,      /* a reload: settings replaced (self and boot_id unchanged) */
	EV_LOADED,        /* the store's content, or that it is unusable */
	EV_PERSISTED,     /* everything up to persist_id is on disk */
	EV_PERSIST_FAILED,/* the store is unusable now */
	EV_QUORUM,        /* the quorum service's word */
	EV_MEMBERS,       /* daemons in the group */
	EV_GROUP_DOWN,    /* no corosync */
	EV_MESSAGE,       /* delivered by the group, own ones too */
	EV_HOST_REPORT,   /* this host's own state changed */
	EV_REPORTS,       /* this host's instances, all or some */
	EV_VERDICTS,      /* this host's backing verdicts */
	EV_FENCE_RESULT,
	EV_START_BEGUN,   /* libvirt has started it, what is left is to see that it goes on running */
	EV_START_RESULT,
	EV_INSPECT_RESULT,
	EV_STOP_RESULT,
	EV_GATE,
	EV_GATE_CANCEL,
	EV_REQUEST,
	EV_WATCHDOG,      /* an attestation, received now */
	EV_LEAVE,         /* SIGTERM */
};

struct core_event {
	enum event_type type;
	union {
		struct {
			size_t n;
			const struct core_host_config *hosts;
			bool two_node;   /* with wait_for_all */
		} config;
		const struct core_settings *settings;
		struct {
			bool ok;
			uint64_t promised;
			uint64_t facts_term;
			size_t n_facts;
			const struct fact_ref *facts;
		} loaded;
		struct {
			uint64_t persist_id;
		} persisted;
		struct {
			bool quorate;
			size_t n;
			const uint32_t *nodeids;
		} quorum;
		struct {
			size_t n;
			const struct core_member *members;
		} members;
		const struct core_message *message;
		const struct host_report *host_report;
		struct {
			bool full;
			size_t n;
			const struct instance_report *reports;
		} reports;
		struct {
			size_t n;
			const struct verdict_report *verdicts;
		} verdicts;
		struct {
			uint64_t op;
			bool off;        /* every device of the level reads off */
			char device[CORE_NAME_SIZE];
			char detail[CORE_TEXT_SIZE];
		} fence;
		struct {
			uint64_t op;
			bool ok;
			bool stopped;            /* ok, and stopped by hand before it was verified */
			bool deleted;            /* not ok, and the control plane says that it has deleted it */
			bool excluded;           /* not ok: it is not among those that are to be recovered; nothing was done */
			char detail[CORE_TEXT_SIZE];
		} start;
		struct {
			uint64_t op;
			bool known;      /* libvirt answered or /proc is conclusive */
			bool job;
			bool qemu;
			bool running;
		} inspect;
		struct {
			uint64_t op;
			bool gone;
		} stop;
		const struct gate_query *gate;
		struct {
			uint64_t id;
		} gate_cancel;
		const struct core_request *request;
		struct watchdog_attestation watchdog;
	};
};

enum action_type {
	ACT_SEND,         /* multicast to the group */
	ACT_PERSIST,      /* write to the store; answer EV_PERSISTED */
	ACT_FENCE,        /* run one level; answer EV_FENCE_RESULT */
	ACT_START,        /* check storage, define, start, verify; answer EV_START_RESULT */
	ACT_INSPECT,      /* is there a start job or a QEMU? answer EV_INSPECT_RESULT */
	ACT_STOP,         /* end a stale QEMU; answer EV_STOP_RESULT */
	ACT_TIDY,         /* set aside what a returning host still holds of an instance that runs elsewhere */
	ACT_END_HELPERS,  /* kill the process groups of fencing and starting helpers */
	ACT_GATE_REPLY,
	ACT_REPLY,        /* to a person's request */
	ACT_NOTE,         /* tell: journal, alerts, local history (records' notes arrive here too, once committed) */
};

struct core_action {
	enum action_type type;
	union {
		const struct core_message *send;
		struct {
			uint64_t id;
			uint64_t promised;
			uint64_t facts_term;
			bool replace;
			size_t n_facts;
			const struct fact_ref *facts;
			size_t n_notes;
			const struct note *notes;
			uint64_t term;   /* of the record that the notes belong to; 0: local */
			uint64_t seq;
		} persist;
		struct {
			uint64_t op;
			const struct host_fact *host;
			uint32_t level;  /* from 1 */
		} fence;
		struct {
			uint64_t op;
			const struct spec_fact *spec;
			const struct place_fact *place;
		} instance;      /* START, INSPECT, STOP, TIDY */
		struct {
			uint64_t id;
			bool allow;
			char reason[CORE_TEXT_SIZE];
		} gate;
		struct {
			uint64_t id;
			char code[CORE_NAME_SIZE]; /* "" when done */
			char text[CORE_TEXT_SIZE];
			char hint[CORE_TEXT_SIZE];
			char incident[CORE_INCIDENT_SIZE];
		} reply;
		const struct note *note;
	};
};

/* NULL without memory; core_free(NULL) is nothing. */
struct core *core_new(const struct core_settings *settings);
void core_free(struct core *core);

/* Takes one event. *ret_actions is owned by the core and valid until the next step. Returns their number. */
size_t core_step(struct core *core, uint64_t now_ms, const struct core_event *event,
		 const struct core_action **ret_actions);

/* When the next EV_TICK is due, in milliseconds of the same clock. */
uint64_t core_deadline(const struct core *core);

/* Asserts what must hold between any two steps; called by core_step itself. */
void core_check(const struct core *core);

/* --- looking in, for status and for the simulator --- */

struct core_view {
	bool quorate;
	bool synced;
	bool store_ok;
	bool coordinating;               /* this member is the coordinator and has opened its term */
	uint64_t term;
	uint64_t seq;
	uint64_t commit;
	uint32_t coordinator;            /* node id or 0 */
	bool tilt;
	uint32_t votes_configured;
	uint32_t votes_present;
	const char *waits_for;           /* why no term can be opened although there is quorum, or "" */
};

struct core_host_view {
	const struct host_fact *fact;
	const char *name;
	uint32_t nodeid;
	bool configured;
	bool present;                    /* in the quorum service's list */
	bool dead;                       /* its epoch is certified dead, and nothing speaks against that */
	bool daemon;                     /* in the group */
	bool gate_loaded;
	bool libvirt_ok;
	bool reported;
	bool instances_known;            /* this member has heard all its instances */
	uint64_t free_mib;
	uint64_t heard_ms;
	uint32_t fence_levels;
	char config_digest[CORE_HASH_SIZE];
	char reason[CORE_TEXT_SIZE];     /* why it is not admitted, or what its fencing waits for */
};

struct core_instance_view {
	const struct spec_fact *spec;
	const struct place_fact *place;
	bool committed;
	uint32_t running_on;             /* mask of host slots, as reported */
};

/*
 * Whether an evacuation of the host nodeid by hand includes the instance of this place: it is that host's, or it ran
 * there last and waits for another, which a target that failed to start it is not.
 */
bool core_place_concerns(const struct place_fact *place, uint32_t nodeid);

enum core_plan_action {
	PLAN_NONE,    /* it is under way already */
	PLAN_REFUSE,
	PLAN_STOPPED, /* it was stopped, and stays where and as it is */
	PLAN_START,
	PLAN_MOVE,    /* it was stopped, and is moved as it is */
};

/* What an evacuation by hand would do with one instance. */
struct core_plan {
	size_t instance;                 /* slot, as for core_instance() */
	enum core_plan_action action;
	uint32_t target;                 /* node id, of START and MOVE */
	char code[CORE_NAME_SIZE];       /* REFUSE: why, in a word; "unproven" and "data-loss" where a person's word would help */
	char text[CORE_TEXT_SIZE];
	char hint[CORE_TEXT_SIZE];
};

/*
 * What the coordinator would do in this moment with this request (REQUEST_EVACUATE), by what this member sees: one entry for each
 * instance that it concerns, at most max. It is the same function that decides when the request is carried out.
 */
size_t core_evacuation_plan(const struct core *core, const struct core_request *request, size_t max, struct core_plan *ret);

/* Whether nobody could take a request in this moment, and then why. */
bool core_is_headless(const struct core *core, const char **ret_code, const char **ret_text, const char **ret_hint);

void core_view(const struct core *core, struct core_view *ret);
const struct cluster_fact *core_cluster(const struct core *core);
size_t core_host_count(const struct core *core);
bool core_host(const struct core *core, size_t slot, struct core_host_view *ret);
size_t core_instance_count(const struct core *core);
bool core_instance(const struct core *core, size_t slot, struct core_instance_view *ret);
size_t core_incident_count(const struct core *core);
const struct incident_fact *core_incident(const struct core *core, size_t slot);
/* The verdict of a host for an instance, and its reason (never NULL). */
enum verdict core_verdict(const struct core *core, size_t instance, size_t host, const char **ret_reason);
const char *verdict_name(enum verdict verdict);
const char *message_type_name(enum message_type type);
const char *request_verb_name(enum request_verb verb);

#endif
