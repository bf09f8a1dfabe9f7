/*
 * The watch: one process, one thread, libvirt's event loop. Only a domain for which something was heard is read
 * again. What is heard goes into a queue; one report at a time is read, its disks are resolved by the resolver
 * process, and it is told in the order of the queue.
 *	watch.c         the loop, the connection, stdin, "alive"
 *	watch_events.c  libvirt's events
 *	watch_hints.c   inotify on libvirt's files: changes that have no event (block jobs, snapshots, managed saves, hooks)
 *	watch_queue.c   the queue and the reports
 */
#ifndef HAMON_EVACUATE_LIBVIRT_WATCH_H
#define HAMON_EVACUATE_LIBVIRT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <libvirt/libvirt.h>

#include "evacuate/libvirt/report_domain.h"
#include "evacuate/plane.h"
#include "hamon/common/sha256.h"

#define WATCH_DOMAINS_MAX 4096
#define WATCH_QUEUE_MAX 65536

/* Why a report is due. */
enum cause {
	CAUSE_LIST, /* at the start */
	CAUSE_EVENT, /* told whether or not anything has changed */
	CAUSE_STOPPED, /* the same, and the domain may be gone already */
	CAUSE_UNDEFINED,
	CAUSE_HINT, /* told only when something has changed */
	CAUSE_SYNCED /* no domain: the end of the first list */
};

struct pending {
	struct pending *next;
	enum cause cause;
	char uuid[37];
	const char *event; /* static */
	const char *reason; /* static, or NULL: the state's own */
};

/* What is remembered of a domain. */
struct tracked {
	struct tracked *next;
	char uuid[37];
	char *name;
	char told_hash[SHA256_HEX_SIZE]; /* of the last report without its event */
	char *last_text; /* the last report: a domain may be gone once it has stopped */
	bool host_shutdown; /* its QEMU was told to end by a signal, not by its guest */
	bool runs; /* it was read as active, or its start was heard, and the event of its end was not heard yet */
	uint64_t held_ms; /* since when its end is not told, as nobody has said whose doing it was; 0 = it is not held back */
	uint64_t reboot_told_ms;
	uint64_t check_ms; /* when its disks are looked at again, 0 = not needed */
	uint64_t check_interval_ms;
};

struct watch {
	const struct request *req;
	const struct plane_paths *paths;
	virConnectPtr conn;
	int resolver_fd;
	bool ended; /* stdin ended: leave */
	bool lost; /* the connection is gone: say so and leave */
	const char *lost_why; /* static */
	struct tracked *tracked;
	size_t n_tracked;
	struct pending *head, **tail;
	size_t n_pending;
	struct pending *current; /* its disks are being resolved */
	struct domain_report report; /* of current */
	int queue_timer;
	int check_timer;
	int gate_timer;
	int hints_fd;
	int hints_handle;
	int hints_timer;
	int hooks_timer;
	const char *gate; /* static: as last told */
	struct watch_folder *folders;
};

/* watch.c */
void watch_lost(struct watch *watch, const char *why);
/* Proves the gate again, and tells when the answer is another one. */
void watch_gate_check(struct watch *watch);

/* watch_events.c: 0, or -EIO with libvirt's last error. */
int watch_events_register(struct watch *watch);

/* watch_hints.c: without inotify the watch goes on, on libvirt's events alone. */
void watch_hints_start(struct watch *watch);

/* watch_queue.c */
int watch_queue_start(struct watch *watch);
void watch_queue_add(struct watch *watch, enum cause cause, const char *uuid, const char *event,
		     const char *reason);
/* The resolver has answered. */
void watch_queue_answered(struct watch *watch);
struct tracked *watch_tracked(struct watch *watch, const char *uuid);
/* Finds it, or makes it, or gives it its new name; NULL when there is no room. */
struct tracked *watch_tracked_take(struct watch *watch, const char *uuid, const char *name);
struct tracked *watch_tracked_by_name(struct watch *watch, const char *name);
void watch_queue_free(struct watch *watch);

#endif
