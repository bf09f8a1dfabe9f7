/* libvirt's events, in hamon's words. */
#include <errno.h>
#include <string.h>

#include "evacuate/libvirt/probe.h"
#include "evacuate/libvirt/watch.h"
#include "hamon/common/clock.h"

/* A guest in a boot loop reboots many times a second. */
#define REBOOT_TELL_MS 5000

static bool uuid_of(virDomainPtr dom, char uuid[VIR_UUID_STRING_BUFLEN])
{
	return virDomainGetUUIDString(dom, uuid) == 0;
}

/*
 * A QEMU that ends by SIGTERM, as at a host's shutdown, tells libvirt of a "shutdown" like a guest that powered itself
 * off. Only the SHUTDOWN event before it says who began, and only the guest's own is anybody's wish.
 */
static const char *stop_reason(const struct tracked *tracked, int detail)
{
	switch (detail) {
	case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
		return tracked && tracked->host_shutdown ? "killed" : "shutdown";
	case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
		return "destroyed";
	case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
		return "crashed";
	case VIR_DOMAIN_EVENT_STOPPED_MIGRATED:
		return "migrated";
	case VIR_DOMAIN_EVENT_STOPPED_SAVED:
		return "saved";
	case VIR_DOMAIN_EVENT_STOPPED_FAILED:
		return "crashed"; /* also a QEMU that was killed with SIGKILL; libvirt's state says "crashed" */
	case VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT:
		return "from-snapshot";
	default:
		return "unknown";
	}
}

static void lifecycle_started(struct watch *watch, struct tracked *tracked, const char *uuid)
{
	if (tracked) {
		tracked->host_shutdown = false;
		tracked->runs = true;
	}
	watch_queue_add(watch, CAUSE_EVENT, uuid, "started", NULL);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *user)
{
	struct watch *watch = user;
	struct tracked *tracked;
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (!uuid_of(dom, uuid))
		return 0;
	tracked = watch_tracked(watch, uuid);
	switch ((virDomainEventType)event) {
	case VIR_DOMAIN_EVENT_DEFINED:
		watch_queue_add(watch, CAUSE_EVENT, uuid, "defined", NULL);
		break;
	case VIR_DOMAIN_EVENT_UNDEFINED:
		/* A renamed domain is undefined and defined again; nobody wished it away. */
		if (detail != VIR_DOMAIN_EVENT_UNDEFINED_RENAMED)
			watch_queue_add(watch, CAUSE_UNDEFINED, uuid, "undefined", NULL);
		break;
	case VIR_DOMAIN_EVENT_STARTED:
		lifecycle_started(watch, tracked, uuid);
		break;
	case VIR_DOMAIN_EVENT_SUSPENDED:
	case VIR_DOMAIN_EVENT_PMSUSPENDED:
		watch_queue_add(watch, CAUSE_EVENT, uuid, "suspended", NULL);
		break;
	case VIR_DOMAIN_EVENT_RESUMED:
		watch_queue_add(watch, CAUSE_EVENT, uuid,
				detail == VIR_DOMAIN_EVENT_RESUMED_MIGRATED ? "migrated-in"
									    : "resumed",
				NULL);
		break;
	case VIR_DOMAIN_EVENT_STOPPED:
		if (tracked)
			tracked->runs = false;
		watch_queue_add(watch, CAUSE_STOPPED, uuid,
				detail == VIR_DOMAIN_EVENT_STOPPED_MIGRATED ? "migrated-out"
									    : "stopped",
				stop_reason(tracked, detail));
		break;
	case VIR_DOMAIN_EVENT_SHUTDOWN:
		/* Remembered even when its start waits in the queue still; but a probe is never tracked. */
		if (!tracked && strncmp(virDomainGetName(dom), PROBE_NAME_PREFIX,
					strlen(PROBE_NAME_PREFIX)))
			tracked = watch_tracked_take(watch, uuid, virDomainGetName(dom));
		if (tracked)
			tracked->host_shutdown = detail == VIR_DOMAIN_EVENT_SHUTDOWN_HOST;
		break;
	case VIR_DOMAIN_EVENT_CRASHED:
		watch_queue_add(watch, CAUSE_EVENT, uuid, "crashed", NULL);
		break;
#ifdef VIR_ENUM_SENTINELS
	case VIR_DOMAIN_EVENT_LAST:
#endif
	default:
		watch_queue_add(watch, CAUSE_HINT, uuid, "updated", NULL);
		break;
	}
	return 0;
}

static void on_reboot(virConnectPtr conn, virDomainPtr dom, void *user)
{
	struct watch *watch = user;
	uint64_t now_ms = clock_boot_ms();
	struct tracked *tracked;
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (!uuid_of(dom, uuid))
		return;
	tracked = watch_tracked(watch, uuid);
	if (!tracked || now_ms - tracked->reboot_told_ms < REBOOT_TELL_MS)
		return;
	tracked->reboot_told_ms = now_ms;
	watch_queue_add(watch, CAUSE_EVENT, uuid, "rebooted", NULL);
}

static void domain_hint(struct watch *watch, virDomainPtr dom)
{
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (uuid_of(dom, uuid))
		watch_queue_add(watch, CAUSE_HINT, uuid, "updated", NULL);
}

static void on_block_job(virConnectPtr conn, virDomainPtr dom, const char *disk, int type,
			 int status, void *user)
{
	domain_hint(user, dom);
}

static void on_job_completed(virConnectPtr conn, virDomainPtr dom, virTypedParameterPtr params,
			     int n_params, void *user)
{
	domain_hint(user, dom);
}

static void on_metadata(virConnectPtr conn, virDomainPtr dom, int type, const char *uri, void *user)
{
	domain_hint(user, dom);
}

static void on_device(virConnectPtr conn, virDomainPtr dom, const char *alias, void *user)
{
	domain_hint(user, dom);
}

static void on_disk_change(virConnectPtr conn, virDomainPtr dom, const char *old_source,
			   const char *new_source, const char *alias, int reason, void *user)
{
	domain_hint(user, dom);
}

int watch_events_register(struct watch *watch)
{
	const struct {
		int id;
		virConnectDomainEventGenericCallback callback;
	} events[] = {
		{ VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle) },
		{ VIR_DOMAIN_EVENT_ID_REBOOT, on_reboot },
		{ VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, VIR_DOMAIN_EVENT_CALLBACK(on_block_job) },
		{ VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(on_job_completed) },
		{ VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata) },
		{ VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_device) },
		{ VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device) },
		{ VIR_DOMAIN_EVENT_ID_DISK_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_disk_change) },
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (virConnectDomainEventRegisterAny(watch->conn, NULL, events[i].id,
						     events[i].callback, watch, NULL) < 0)
			return -EIO;
	}
	return 0;
}
