/* The core's own state: included by the files of hamon/core only. */
#ifndef HAMON_CORE_STATE_H
#define HAMON_CORE_STATE_H

#include "hamon/core/core.h"

#define NEVER UINT64_MAX
#define UNCOMMITTED UINT64_MAX /* as a place_seq: whatever record is committed, this is not */
#define TERM_ALONE 0x8000 /* in a facts_term: above its term, and below the next one */

enum role {
	ROLE_FOLLOWER,
	ROLE_CANDIDATE, /* asked for a term, collects promises */
	ROLE_OPENING,   /* the opening record is not committed yet */
	ROLE_ACTIVE,    /* decides */
};

/* What is known of one host beyond its fact; all of it is lost with the process, and found again. */
struct host {
	bool configured;
	bool of_two;                     /* each of the two may act alone, by facts of its own */
	struct core_host_config config;
	struct host_fact fact;           /* nodeid 0: no fact yet */
	uint64_t fact_seq;               /* record of this term that changed it last */

	bool present;
	bool ever_present;               /* since this process started */
	uint64_t absent_since_ms;
	bool daemon;
	uint32_t pid;
	uint64_t joined_ms;
	uint64_t daemon_gone_ms;
	uint64_t heard_ms;

	bool beat_known;
	bool beat_synced;
	bool beat_store_ok;
	bool beat_blank;
	bool beat_since_empty;           /* it has beaten, with a store of its own, since the last empty store turned up */
	uint64_t beat_term;
	uint64_t beat_promised;
	bool report_known;
	struct host_report report;
	bool instances_known;            /* a full list from this daemon's run */
	bool boot_listed;                /* a full list of the boot that report names has come */
	uint64_t listed_ms;              /* when the last full list came */
	bool said_leave;                 /* its daemon left in order */
	bool left_guests;                /* and guests of it still ran */

	uint64_t acked;                  /* highest record of this term on its disk */
	bool promised;                   /* in the election under way */
	bool promised_blank;             /* from a store that remembers nothing */
	uint64_t snapshot_ms;            /* when the last snapshot went to it */
	bool blank_told;                 /* that its empty store has no vote yet */
	uint64_t late_until_ms;          /* an off may still arrive until then */

	uint64_t failed_ms;              /* when this member heard of its loss; 0: not lost, or that is unknown */
	uint64_t failed_epoch;           /* the epoch that was lost then */
	uint64_t fence_op;               /* under way, else 0 */
	uint64_t fence_epoch;            /* that fence_op is for */
	uint32_t fence_level;            /* of fence_op, or the next one to try */
	uint64_t fence_again_ms;
	uint64_t fence_backoff_ms;
	bool fence_begun;                /* this coordinator has sent an off in this epoch */
	bool fence_asked;                /* own beats name it as about to be fenced */
	bool fence_heard;                /* and one of them came back from the group */
	uint64_t reserved_mib;           /* assigned since its last report */
	uint64_t doubted_ms;             /* since when it is certified dead and a member all the same */
	bool attested;
	struct watchdog_attestation attestation;
	uint64_t attested_ms;
	char reason[CORE_TEXT_SIZE];
};

enum job_state {
	JOB_NONE,
	JOB_STARTING,
	JOB_DONE,        /* verified */
	JOB_FAILED,
};

struct backing {
	enum verdict verdict;
	bool held;
	char reason[CORE_TEXT_SIZE];
};

/*
 * What every step looks at lies together, before what is read seldom: there are many instances, and each is large. The
 * definition's fact begins with its name and ends with its disks.
 */
struct instance {
	bool has_place;
	bool kept;                       /* two-node: it was committed when this member stood for the term */
	bool defined_here;
	bool managed_save_here;
	uint64_t place_seq;
	uint8_t state[CORE_HOSTS_MAX];   /* enum instance_state, by host slot */

	/* coordinator */
	uint32_t tried;                  /* host slots that failed in this incident */
	uint64_t absent_since_ms;        /* its owner reports it absent against its wish */
	uint64_t retry_ms;
	uint64_t joint_since_ms;
	uint64_t granted_ms; /* when this host's gate let it in; 0 once it was seen */
	uint64_t handover_ms;            /* since when its owner is asked to hand it over */
	uint64_t left_ms;                /* its owner said, of this very moment, that it has migrated away */
	uint64_t incoming_until_ms; /* this host granted its migration in; one start of it belongs to that */

	/* as owner */
	enum job_state job;
	uint64_t job_generation;
	uint64_t job_op;
	bool job_begun; /* only verified any more: takes no start's place */
	bool job_deleted;
	bool job_excluded;
	uint64_t told_ms;                /* when its result was sent last */
	uint64_t inspect_op;
	uint64_t inspect_again_ms;
	uint64_t stuck_generation;       /* told to be held up in libvirtd */
	uint64_t stop_op;
	uint64_t stop_again_ms;
	bool tidied_save;
	bool tidied_definition;

	struct place_fact place;
	struct spec_fact spec;           /* uuid "" : free slot */
	char job_text[CORE_TEXT_SIZE];
	struct backing backing[CORE_HOSTS_MAX];
};

/* What this host itself sees; kept to be told again to every new coordinator. */
struct own_report {
	bool used;
	struct instance_report report;
};

struct persist {
	uint64_t id;
	uint64_t since_ms;
	uint64_t term;
	uint64_t seq;                    /* record to acknowledge, or 0 */
	bool promise;                    /* promise term when this is on disk */
};

struct gate_wait {
	bool used;
	bool claimed;
	uint64_t deadline_ms;
	struct gate_query query;
};

struct pending_reply {
	bool used;
	uint64_t id;
	uint32_t origin;
	uint64_t seq;                    /* answered once this record is committed */
	char text[CORE_TEXT_SIZE];
	char incident[CORE_INCIDENT_SIZE];
};

struct core {
	struct core_settings settings;
	uint64_t now_ms;
	uint64_t last_step_ms;
	uint64_t tilt_until_ms;
	bool two_node;
	bool group_up;
	bool quorate;
	bool leaving;

	/* consensus */
	bool loaded;
	bool store_ok;
	enum role role;
	uint64_t promised;               /* highest term promised; the current one */
	uint64_t facts_term;             /* the term whose opening the facts build on */
	uint64_t stored_facts_term;      /* the same for what is on disk: a candidate's merged facts are not */
	char waits_for[CORE_TEXT_SIZE];  /* why this member cannot open a term although it has quorum */
	bool synced;
	bool was_synced;                 /* when the election began */
	bool provisional;                /* two-node: alone, the other host not certified yet */
	uint32_t coordinator;
	uint64_t coordinator_heard_ms;
	uint64_t no_coordinator_since_ms;
	uint64_t quorum_changed_ms;
	uint64_t quorate_since_ms;
	uint64_t election_ms;
	uint64_t active_since_ms;
	uint64_t seq;                    /* last record applied */
	uint64_t commit;
	uint64_t strong_seq;             /* two-node: first uncommitted record that is more than an intent */
	uint64_t alone_seq;              /* two-node: with this record on the disk, what is written alone outranks the other's */
	uint64_t counter;
	uint64_t beat_due_ms;
	bool beat_now;
	bool report_due;                 /* tell the coordinator all own instances */
	uint64_t report_again_ms;        /* told again by then: a message may be lost with its coordinator */
	uint64_t host_report_again_ms;

	uint64_t next_persist;
	struct persist persists[CORE_PERSISTS_MAX];
	size_t persist_head;
	size_t n_persists;
	uint64_t next_op;

	struct cluster_fact cluster;
	size_t n_hosts;
	struct host hosts[CORE_HOSTS_MAX];
	int self;                        /* slot, -1 until configured */
	size_t n_instances;
	size_t found_next;               /* where instance_find() begins: any number will do */
	struct instance instances[CORE_INSTANCES_MAX];
	size_t n_incidents;
	struct incident_fact incidents[CORE_INCIDENTS_MAX];
	size_t n_own;                    /* entries of own that were ever used; what lies behind is not touched */
	struct own_report own[CORE_INSTANCES_MAX];
	struct host_report own_host;
	bool own_host_known;
	bool own_reported;
	bool host_report_due;

	size_t n_gates;                  /* of gates that are used: mostly none, and each is large */
	struct gate_wait gates[CORE_GATE_WAITS_MAX];
	size_t n_replies;
	struct pending_reply replies[CORE_REQUESTS_MAX];
	uint32_t own_late_offs;          /* slots whose off was in flight when helpers were ended */

	/* the record being written by this step */
	size_t n_staged;
	struct fact_ref staged[CORE_REFS_MAX];
	bool staged_strong;
	size_t n_staged_notes;
	struct note *staged_notes;       /* in notes[] */

	/* what this step hands out */
	size_t n_actions;
	struct core_action actions[CORE_ACTIONS_MAX];
	size_t n_messages;
	struct core_message messages[256];
	size_t n_notes;
	struct note notes[CORE_NOTES_MAX];
	size_t n_refs;
	struct fact_ref refs[2 * CORE_REFS_MAX];
	size_t n_reports;
	struct instance_report reports[CORE_INSTANCES_MAX];
	size_t n_claims;
	struct instance_report claims[CORE_GATE_WAITS_MAX];
	size_t n_verdicts;
	struct verdict_report verdicts[CORE_INSTANCES_MAX];
	struct core_request request_out[4];
	size_t n_request_out;
};

/* core.c */
void text_copy(char *to, size_t size, const char *from);
void text_format(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
struct core_action *action_add(struct core *core, enum action_type type);
struct core_message *message_send(struct core *core, enum message_type type);
void deadline_min(const struct core *core, uint64_t *deadline_ms, uint64_t at_ms);
bool core_tilted(const struct core *core);

/* tables.c: finding and making */
int host_slot(const struct core *core, uint32_t nodeid);
int host_slot_by_name(const struct core *core, const char *name);
const char *host_name(const struct core *core, uint32_t nodeid);
bool host_is_alive(const struct host *host);
struct instance *instance_find(struct core *core, const char *uuid);
struct instance *instance_find_any(struct core *core, const char *name_or_uuid);
struct instance *instance_make(struct core *core, const char *uuid);
struct instance *instance_seen(struct core *core, const char *uuid);
struct incident_fact *incident_find(struct core *core, const char *id);
struct incident_fact *incident_make(struct core *core, const char *id);
/* Another protected instance that uses one of these disks, one of the two writing to it; or NULL. */
struct instance *disk_user_find(struct core *core, const char *uuid, const struct disk_fact *disks, uint32_t n);
bool list_has(const char *list, const char *word);
void fact_apply(struct core *core, const struct fact_ref *ref, uint64_t seq);
bool fact_is_newer(struct core *core, const struct fact_ref *ref);
void facts_clear(struct core *core);
size_t facts_all(struct core *core, bool deletions, const struct fact_ref **ret);

/* records.c: writing facts, acknowledging, committing */
void stage_cluster(struct core *core);
void stage_host(struct core *core, struct host *host);
void stage_spec(struct core *core, struct instance *inst);
void stage_place(struct core *core, struct instance *inst);
void stage_incident(struct core *core, struct incident_fact *incident);
struct note *note_stage(struct core *core, const char *kind, enum note_severity severity,
			const char *incident, const struct host *host, const struct instance *inst,
			const char *format, ...) __attribute__((format(printf, 7, 8)));
void note_local(struct core *core, const char *kind, enum note_severity severity,
		const struct host *host, const struct instance *inst,
		const char *format, ...) __attribute__((format(printf, 6, 7)));
void record_flush(struct core *core);
uint64_t persist_begin(struct core *core, uint64_t seq, bool promise, bool replace,
		       size_t n_facts, const struct fact_ref *facts,
		       size_t n_notes, const struct note *notes);
void persist_done(struct core *core, uint64_t id);
void record_receive(struct core *core, const struct core_message *msg);
void ack_receive(struct core *core, const struct core_message *msg);
bool commit_advance(struct core *core);
bool host_committed(const struct core *core, const struct host *host);
bool intent_committed(const struct core *core, const struct host *host);
bool place_committed(const struct core *core, const struct instance *inst);

/* terms.c: who coordinates */
void member_unsync(struct core *core, const char *why);
void helpers_end(struct core *core);
void term_elect(struct core *core);
void term_prepare_receive(struct core *core, const struct core_message *msg);
void term_promise_receive(struct core *core, const struct core_message *msg);
void term_promise_send(struct core *core);
void term_beat_receive(struct core *core, const struct core_message *msg);
void term_beat_send(struct core *core);
void term_opened(struct core *core);
void term_snapshots_send(struct core *core);
uint64_t term_deadline(const struct core *core);
bool candidate_can_open(struct core *core);

/* events.c */
void event_take(struct core *core, const struct core_event *event);

/* hosts.c: who is here, who is lost */
void hosts_evaluate(struct core *core);
void host_lose(struct core *core, struct host *host);
uint64_t hosts_deadline(const struct core *core);

/* fence.c: brake, intent, devices */
void host_evaluate_lost(struct core *core, struct host *host);
void host_fence_result(struct core *core, const struct core_event *event);
uint32_t fencing_mask(const struct core *core);
void fencing_heard(struct core *core, const struct core_message *own_beat);
void host_reason_note(struct core *core, struct host *host, enum note_severity severity, const char *kind,
		      const char *reason);

/* admission.c: who may run instances, and the way back */
bool host_may_be_admitted(struct core *core, struct host *host);
void host_admit(struct core *core, struct host *host);
bool host_runs_foreign(const struct core *core, const struct host *host);
void host_evaluate_dead(struct core *core, struct host *host);
void host_evaluate_quarantined(struct core *core, struct host *host);

/* proofs.c: what certifies a host, and what that is worth */
#define DOUBT_PATIENCE_MS 5000 /* a host that was just powered off is a member for a token longer */
void host_certify(struct core *core, struct host *host, enum proof_method method,
		  const char *device, const char *detail);
bool new_boot_certify(struct core *core, struct host *host);
bool host_epoch_is_dead(const struct host *host, uint64_t epoch);
bool host_cannot_decide(const struct host *host);
bool watchdog_expired(struct core *core, struct host *host, uint64_t *ret_at_ms);
bool certificate_is_doubted(const struct host *host);
bool new_boot_is_open(const struct host *host);
bool certificate_is_refuted(const struct core *core, const struct host *host);
void certificate_void(struct core *core, struct host *host);
void alone_outrank(struct core *core);

/* incidents.c */
struct incident_fact *incident_open(struct core *core, struct host *host);
void incident_end(struct core *core, struct host *host, const char *why);
/* Whether instances of it are being started; *ret_hopeful: on a host that is here and may. */
bool incident_under_way(const struct core *core, const char *id, bool *ret_hopeful);
void incidents_evaluate(struct core *core);

/* reports.c: what hosts report of instances */
void instance_report_receive(struct core *core, int slot, const struct instance_report *report, bool news);
void instance_claim_receive(struct core *core, const struct core_message *msg);

/* instances.c: what becomes of each instance */
#define JOINT_SETTLE_MS 15000     /* a live migration that left nothing on its target by then is over */
int instance_order(const struct instance *a, const struct instance *b);
void instances_evaluate(struct core *core);
struct host *owner_of(struct core *core, const struct instance *inst);
bool owner_is_over(const struct core *core, const struct instance *inst);
/* A host that has it in this moment, by its own word, or NULL: whatever the facts say, no second one is started. */
const struct host *instance_holder(const struct core *core, const struct instance *inst);
/* The certificate of the host was wrong: what waited only because of it runs there, or is started there. */
void instances_stay(struct core *core, const struct host *host);
void instances_mend(struct core *core);
void instance_assign_by_hand(struct core *core, struct instance *inst, int slot);
uint64_t instances_deadline(const struct core *core);

void phase_set(struct core *core, struct instance *inst, enum phase phase);

/* results.c: what a start's host says of it */
void instance_result_receive(struct core *core, const struct core_message *msg);
void instance_released_receive(struct core *core, const struct core_message *msg);

/* migration.c */
void migration_evaluate(struct core *core, struct instance *inst);

/* handover.c: a stopped instance changes its owner by that owner's consent */
bool handover_is_asked(const struct core *core, const struct instance *inst);
void handover_begin(struct core *core, struct instance *inst, const struct host *heir);
void handover_evaluate(struct core *core, struct instance *inst);
void handover_released(struct core *core, struct instance *inst);
bool handover_is_free(const struct core *core, const struct instance *inst);
uint64_t handover_deadline(const struct instance *inst);

/* placement.c */
enum placement {
	PLACEMENT_FOUND,
	PLACEMENT_WAIT, /* no host now */
	PLACEMENT_HELD, /* no proof of its disks anywhere */
};
/* What a dry run has put on hosts already, by slot. */
struct placement_plan {
	uint8_t slot[CORE_INSTANCES_MAX];   /* of the host that an instance is put on, + 1; 0 for none */
	uint64_t reserved_mib[CORE_HOSTS_MAX];
	uint32_t starting[CORE_HOSTS_MAX];
};
struct placement_terms {
	uint32_t wanted;                    /* node id of the only host that will do, or 0 */
	uint32_t tried;                     /* host slots that will not */
	bool accept_loss;                   /* whatever its storage */
	const struct placement_plan *planned; /* NULL outside of a dry run */
};
enum placement placement_choose(const struct core *core, const struct instance *inst, uint32_t wanted,
				int *ret_slot, char why[CORE_TEXT_SIZE]);
enum placement placement_choose_by(const struct core *core, const struct instance *inst, const struct placement_terms *terms,
				   int *ret_slot, char why[CORE_TEXT_SIZE]);
bool placement_is_movable(const struct core *core, const struct instance *inst);

/* member.c: what this host does for itself */
void member_execute(struct core *core);
void member_reports_take(struct core *core, const struct core_event *event);
void member_reports_send(struct core *core);
void member_start_begun(struct core *core, const struct core_event *event);
void member_start_result(struct core *core, const struct core_event *event);
void member_inspect_result(struct core *core, const struct core_event *event);
void member_stop_result(struct core *core, const struct core_event *event);
uint64_t member_deadline(const struct core *core);
bool self_is_admitted(const struct core *core);

/* gate.c */
bool grant_is_open(const struct core *core, const struct instance *inst);
void gate_take(struct core *core, const struct gate_query *query);
void gate_cancel(struct core *core, uint64_t id);
void gates_evaluate(struct core *core);
uint64_t gates_deadline(const struct core *core);

/* requests.c */
void request_refuse(struct core *core, const struct core_request *request, const char *code, const char *text,
		    const char *hint);
void request_accept(struct core *core, const struct core_request *request, const char *text, const char *incident);
void request_take(struct core *core, const struct core_request *request);
void request_receive(struct core *core, const struct core_message *msg);
void reply_receive(struct core *core, const struct core_message *msg);
void replies_evaluate(struct core *core);

/* evacuations.c */
void evacuate_by_hand(struct core *core, const struct core_request *request);

#endif
