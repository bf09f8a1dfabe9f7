/*
 * hamond: the core with its hands. Each file of this folder carries out one kind of action with one kind of helper and turns
 * what comes back into events; none of them decides. Everything runs in the one thread of the loop.
 */
#ifndef HAMON_DAEMON_DAEMON_H
#define HAMON_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json_object.h>
#include <qb/qbdefs.h>
#include <qb/qbloop.h>

#include "hamon/cluster/cmap.h"
#include "hamon/cluster/cpg.h"
#include "hamon/cluster/quorum.h"
#include "hamon/config.h"
#include "hamon/control.h"
#include "hamon/common/clock.h"
#include "hamon/core/core.h"
#include "hamon/daemon/pace.h"
#include "hamon/helper.h"
#include "hamon/service.h"


/* Helpers that a change of term ends, and those that it does not. */
enum helper_tag {
	TAG_STORE = 1 << 0,
	TAG_ALERT = 1 << 1,
	TAG_WATCH = 1 << 2,
	TAG_EFFECT = 1 << 3, /* fencing and starting */
	TAG_PROBE = 1 << 4,  /* reading only */
};

#define DEFERRED_MAX 256
#define DEFS_MAX 2048
#define HEARD_MAX 64

struct definition {
	char hash[CORE_HASH_SIZE];
	char *xml;
	uint64_t asked_ms;
};

struct start_op; /* starts.c */
struct tidy_again; /* domains.c */
struct fence_run; /* fences.c */

/* What the last self-test of a fence device said. */
struct device_state {
	const char *name;
	bool known;
	bool ok;
	uint64_t checked_ms;
	bool running;
	bool off;            /* it read off last: right only while its host is gone */
	uint64_t doubted_ms; /* it read off first then while its host was alive; 0: it did not */
	bool disabled;       /* and again later: it is not that host's device */
	char error[256];
};

/* What storage.c had seen of a host when it last looked. */
struct host_digest {
	uint32_t nodeid;
	uint64_t digest;
};

struct daemon {
	qb_loop_t *loop;
	const char *config_path;
	const char *libexec;
	bool foreground;
	struct hamon_config *config;
	struct core *core;
	struct core_settings settings;
	struct helper_pool *pool;
	struct group *group;
	struct quorum *quorum;
	struct cmap *cmap;
	struct control *control;
	struct service *service;
	uint64_t tick_at_ms;
	qb_loop_timer_handle tick_timer;
	qb_loop_timer_handle second_timer;
	qb_loop_timer_handle end_timer;
	bool ending;
	bool stepping;
	bool ready;
	bool mode_refused;
	char mode_error[CORE_TEXT_SIZE];
	struct cluster_config cluster;
	bool cluster_known;
	uint64_t stalled_ms;

	size_t n_deferred;
	struct core_event deferred[DEFERRED_MAX];

	/* store.c */
	struct helper *store;
	bool store_loaded;
	uint64_t store_seq;
	uint64_t history_last;
	struct json_object *loading;
	char store_error[256];
	uint64_t store_fsync_us;
	uint64_t store_commits;
	uint64_t next_query;
	struct store_query *queries;
	uint64_t gate_list_hash;

	/* alerts.c: records of another coordinator, which it may not have lived to tell */
	struct heard_record {
		struct json_object *row;
		uint64_t at_ms;
	} heard[HEARD_MAX];
	size_t next_heard;
	uint64_t local_notes;

	/* walls.c */
	struct incident_wall {
		char incident[CORE_INCIDENT_SIZE];
		char wall[CLOCK_WALL_SIZE];
	} walls[CORE_INCIDENTS_MAX];
	size_t next_wall;

	/* defs.c */
	size_t n_defs;
	struct definition defs[DEFS_MAX];

	/* watch.c */
	struct helper *watch;
	struct host_report host;
	uint64_t alive_ms;
	bool shutting_down;
	char gate_detail[256];
	bool listing;
	size_t n_listed;
	struct instance_report *listed; /* until "synced" */

	/* beacons.c */
	struct helper *beacon;
	uint64_t beacon_due_ms, beacon_whole_ms; /* the next round, and the next one of all places */
	uint64_t beacon_began_ms, beacon_rest_ms;
	uint64_t nonce_due_ms;
	struct json_object *beacons_lit; /* places that have one with the present nonce: {PATH: true, ..} */

	/* storage.c */
	struct helper *check;
	uint64_t check_due_ms, check_whole_ms; /* the next one of what is due, and the next one of all instances */
	uint64_t check_began_ms, check_rest_ms; /* when the last one began, and until when instances that change wait */
	struct json_object *checked; /* by uuid: the digest of the question that was asked last */
	bool check_whole;   /* the last one was of all */
	bool check_again;   /* a host changed while a check ran */
	bool check_rested;  /* an instance did */
	bool check_partial; /* the last one left out what had no definition yet */
	struct host_digest host_digests[CORE_HOSTS_MAX];
	size_t n_host_digests;
	uint64_t hosts_digest, instances_digest, folders_digest;
	bool verdicts_resend;
	size_t n_verdicts;
	struct verdict_report *verdicts;
	uint64_t verdicts_ms[CORE_INSTANCES_MAX];
	bool verdicts_new[CORE_INSTANCES_MAX]; /* not told yet */
	uint64_t verdicts_changed_ms;

	/* alerts.c */
	struct helper *alert;
	uint64_t alerts_last;

	/* fences.c */
	struct fence_run *fences;
	struct device_state devices[CONFIG_DEVICES_MAX];

	/* starts.c */
	struct start_op *starts;

	/* domains.c */
	struct tidy_again *tidies; /* what could not be tidied up yet */
	struct pace pace; /* of those by Nova */

	/* nova.c: this host's return to Nova's compute services */
	struct nova_return {
		struct helper *helper;
		bool answered;
		uint64_t epoch;      /* the admission that it is for */
		uint64_t due_ms;
		uint64_t delay_ms;   /* before the next try, 0: the last one succeeded */
		uint64_t failing_ms; /* since when they fail */
		char told[512];
	} nova;

	/* servers.c, nova.c */
	unsigned int listings; /* helpers that ask Nova for people: each is a process, and load on its API */

	/* verbs.c */
	struct waiting_request *waiting;
	uint64_t next_request;

	/* where time goes, for the benchmark: microseconds inside the core and the wire */
	uint64_t core_us;
};

/* daemon.c */
void daemon_event(struct daemon *d, const struct core_event *event);
/* The same from inside an action: taken once the step under way is done. */
void daemon_defer(struct daemon *d, const struct core_event *event);
void daemon_log(struct daemon *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A record of this host alone: history, journal, alerts. */
void daemon_note(struct daemon *d, const char *kind, enum note_severity severity, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The core's settings from the configuration. */
void daemon_settings_take(struct daemon *d);
void daemon_hosts_configure(struct daemon *d);
void daemon_end(struct daemon *d);
/* A disk's identity; one that is too long for the core keeps its beginning and a hash of the whole. False for none. */
bool disk_id_read(struct json_object *disk, const char *key, char id[CORE_DISK_ID_SIZE]);
/* Keeps the helpers of a recovery's first steps ready, as the configuration says. */
void daemon_spares(struct daemon *d);
struct helper *daemon_helper(struct daemon *d, const char *program, const char *verb, struct json_object *input,
			     uint64_t deadline_ms, unsigned int tag,
			     void (*on_line)(void *user, struct helper *helper, struct json_object *obj),
			     void (*on_exit)(void *user, struct helper *helper, int status, enum helper_end end),
			     void *user);
void daemon_on_stderr(void *user, struct helper *helper, const char *line);
const char *daemon_host_name(struct daemon *d, uint32_t nodeid);
const char *daemon_self_name(struct daemon *d);

/* store.c */
void store_start(struct daemon *d);
void store_persist(struct daemon *d, const struct core_action *act);
void store_note(struct daemon *d, struct json_object *row);
void store_def(struct daemon *d, const char *hash, const char *xml);
void store_gate_list(struct daemon *d);
/* Asks for history rows; done is called once, with NULL when the store does not answer in time. */
/* When an incident began by the wall clock: taken from its record, told for people (NULL: not known here). */
void wall_take(struct daemon *d, const char *kind, const char *incident, const char *wall);
const char *wall_of(struct daemon *d, const char *incident);
void walls_load(struct daemon *d);
int store_history(struct daemon *d, struct json_object *query,
		  void (*done)(void *user, struct json_object *rows), void *user);
void store_tick(struct daemon *d);

/* defs.c */
const char *def_find(struct daemon *d, const char *hash);
int def_add(struct daemon *d, const char *hash, const char *xml);
void def_announce(struct daemon *d, const char *hash);
void def_message(struct daemon *d, uint32_t from, const char *text, size_t len);
void defs_tick(struct daemon *d);

/* watch.c */
void watch_start(struct daemon *d);
void watch_tick(struct daemon *d);
void watch_host_report(struct daemon *d);

/* starts.c */
void start_begin(struct daemon *d, const struct core_action *act);
void starts_drop(struct daemon *d);
void starts_tick(struct daemon *d);

/* domains.c */
void inspect_begin(struct daemon *d, const struct core_action *act);
void stop_begin(struct daemon *d, const struct core_action *act);
void tidy_begin(struct daemon *d, const struct core_action *act);
void domains_tick(struct daemon *d);
void domains_free(struct daemon *d);

/* nova.c */
/* How many helpers may ask Nova for people at a time. */
#define LISTINGS_MAX 4

bool nova_is_plane(const struct daemon *d);
/* What Nova's plane adds to a request of hamon-evacuate; nothing where libvirt is the plane. */
void nova_request_add(struct daemon *d, struct json_object *input);
void nova_tick(struct daemon *d);
/* Something was left in Nova on a server of this host, which the next look mends. */
void nova_look_soon(struct daemon *d);
/* `hamonctl return`: Nova may give this host instances again. who: as records say it. */
void return_request(struct daemon *d, struct control_request *req, struct json_object *obj, const char *who);

/* fences.c */
void fence_begin(struct daemon *d, const struct core_action *act);
void fences_drop(struct daemon *d);
void fences_tick(struct daemon *d);
uint32_t fence_levels(struct daemon *d, const char *host);

/* beacons.c */
void beacons_tick(struct daemon *d);
/* There are new places; or, whole: others may look into all of them now. */
void beacons_soon(struct daemon *d, bool whole);

/* storage.c */
/* What began then and may come again and again, comes next: it takes a tenth of the time at most. In ms of clock_boot_ms. */
uint64_t storage_rest_until_ms(uint64_t began_ms);
void storage_tick(struct daemon *d);
void storage_step(struct daemon *d);
struct json_object *storage_instance_request(struct daemon *d, const struct core_instance_view *view);
bool storage_is_fresh(struct daemon *d, const char *uuid);

/* alerts.c */
void alert_start(struct daemon *d);
/*
 * The coordinator tells each record, once. One that dies may not get to it: the next tells again what the members heard of
 * it in the last half minute, marked as repeated.
 */
void alert_remember(struct daemon *d, struct json_object *row);
void alert_catch_up(struct daemon *d);
void alert_record(struct daemon *d, struct json_object *row);
void alert_configure(struct daemon *d);

/*
 * lookup.c. Where these fail, and ret_error is not NULL, it is a new reply that says why. In a whole request the names of instances
 * become UUIDs, and those of hosts the ones in corosync.conf.
 */
bool instance_lookup(struct daemon *d, const char *what, size_t *ret_slot, struct core_instance_view *ret_view,
		     struct json_object **ret_error);
const char *host_lookup(struct daemon *d, const char *what, struct json_object **ret_error);
bool names_resolve(struct daemon *d, struct json_object *obj, struct json_object **ret_error);
struct json_object *error_reply(const char *code, const char *text, const char *hint);

/* words.c: a copy of text that fits; where it must be cut, what stands in brackets at its end is kept. */
void words_fit(char *to, size_t size, const char *text);

/* verbs.c, status.c, explain.c, plan.c */
void verb_request(void *user, struct control_request *req, struct json_object *obj,
		  const struct control_peer *peer);
void verb_gate_reply(struct daemon *d, const struct core_action *act);
void verb_reply(struct daemon *d, const struct core_action *act);
struct json_object *status_reply(struct daemon *d);
struct json_object *incidents_reply(struct daemon *d);
struct json_object *incident_json(struct daemon *d, const struct incident_fact *incident);
struct json_object *instance_json(struct daemon *d, size_t slot, const struct core_instance_view *view);
void explain_request(struct daemon *d, struct control_request *req, struct json_object *obj);
struct json_object *plan_reply(struct daemon *d, const struct core_request *request);
struct json_object *storage_reply(struct daemon *d, struct json_object *obj);
void servers_request(struct daemon *d, struct control_request *req, struct json_object *obj);

#endif
