/* The watch's loop. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/libvirt.h"
#include "evacuate/libvirt/probe.h"
#include "evacuate/libvirt/watch.h"
#include "evacuate/report.h"
#include "evacuate/resolver.h"
#include "hamon/common/json.h"

#define ALIVE_MS 5000
#define GATE_RETRY_MS 60000 /* only while the gate is not proven: libvirtd may have been reloaded */
/*
 * For a libvirtd whose machine is away (a remote URI). One that is stopped is not found out by this: libvirt's
 * client does not look at the keepalive while it waits for an answer, so hamond hears nothing, which says it as well.
 */
#define KEEPALIVE_S 5
#define KEEPALIVE_COUNT 3

void watch_lost(struct watch *watch, const char *why)
{
	if (!watch->lost)
		watch->lost_why = why;
	watch->lost = true;
}

static int lost_tell(const char *why)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "lost");
	json_put_string(obj, "error", why);
	report_line(obj);
	json_object_put(obj);
	return 1;
}

static int lost_tell_libvirt(const char *what)
{
	struct connection_error error;
	char text[sizeof(error.text) + 128];

	connection_error(&error);
	snprintf(text, sizeof(text), "%s: %s", what, error.text);
	return lost_tell(text);
}

static void on_close(virConnectPtr conn, int reason, void *user)
{
	struct watch *watch = user;

	switch ((virConnectCloseReason)reason) {
	case VIR_CONNECT_CLOSE_REASON_EOF:
		watch_lost(watch, "libvirtd closed the connection");
		break;
	case VIR_CONNECT_CLOSE_REASON_KEEPALIVE:
		watch_lost(watch, "libvirtd does not answer");
		break;
	case VIR_CONNECT_CLOSE_REASON_ERROR:
	case VIR_CONNECT_CLOSE_REASON_CLIENT:
#ifdef VIR_ENUM_SENTINELS
	case VIR_CONNECT_CLOSE_REASON_LAST:
#endif
	default:
		watch_lost(watch, "the connection to libvirtd broke");
		break;
	}
}

/* hamond says no more on stdin, but its end is the order to leave. */
static void on_stdin(int handle, int fd, int events, void *user)
{
	struct watch *watch = user;
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		watch->ended = true;
}

static void on_resolver(int handle, int fd, int events, void *user)
{
	watch_queue_answered(user);
}

static void meminfo_read(uint64_t *ret_total_mib, uint64_t *ret_free_mib)
{
	unsigned long long total_kib = 0, free_kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "MemTotal: %llu", &total_kib);
		/* What a new guest could have, caches given up: libvirt's own number is without the caches. */
		sscanf(line, "MemAvailable: %llu", &free_kib);
	}
	if (f)
		fclose(f);
	*ret_total_mib = total_kib / 1024;
	*ret_free_mib = free_kib / 1024;
}

/*
 * A sign of life: a cheap call that libvirtd serves with its ordinary workers. One that is answered by its priority
 * workers would still be, when no start is any more.
 */
static void on_alive(int timer, void *user)
{
	struct watch *watch = user;
	uint64_t total_mib, free_mib;
	unsigned int online = 0;
	struct json_object *obj;

	if (virNodeGetCPUMap(watch->conn, NULL, &online, 0) < 0) {
		watch_lost(watch, "libvirtd failed to answer");
		return;
	}
	meminfo_read(&total_mib, &free_mib);
	obj = json_object_new_object();
	json_put_string(obj, "type", "alive");
	json_put_u64(obj, "free_mib", free_mib);
	json_put_u64(obj, "total_mib", total_mib);
	json_put_u64(obj, "cpus", online);
	report_line(obj);
	json_object_put(obj);
	virEventUpdateTimeout(timer, ALIVE_MS);
}

static void gate_add(struct json_object *obj, struct watch *watch,
		     const struct probe_result *probe)
{
	json_put_string(obj, "gate", probe->gate);
	json_put_string(obj, "gate_detail", probe->detail);
	watch->gate = probe->gate;
	virEventUpdateTimeout(watch->gate_timer, strcmp(probe->gate, "ok") ? GATE_RETRY_MS : -1);
}

void watch_gate_check(struct watch *watch)
{
	const char *told = watch->gate;
	struct probe_result probe;
	struct json_object *obj;

	probe_run(watch->conn, &probe);
	obj = json_object_new_object();
	json_put_string(obj, "type", "gate");
	gate_add(obj, watch, &probe);
	if (strcmp(told, probe.gate))
		report_line(obj);
	json_object_put(obj);
}

static void on_gate(int timer, void *user)
{
	watch_gate_check(user);
}

static int hello_tell(struct watch *watch)
{
	struct probe_result probe;
	unsigned long version;
	const char *hypervisor = virConnectGetType(watch->conn);
	struct json_object *obj;
	char text[64];

	if (!hypervisor || virConnectGetLibVersion(watch->conn, &version))
		return -EIO;
	probe_run(watch->conn, &probe);
	snprintf(text, sizeof(text), "%lu.%lu.%lu", version / 1000000, version / 1000 % 1000,
		 version % 1000);
	obj = json_object_new_object();
	json_put_string(obj, "type", "hello");
	json_put_string(obj, "hypervisor", hypervisor);
	json_put_string(obj, "libvirt_version", text);
	gate_add(obj, watch, &probe);
	report_line(obj);
	json_object_put(obj);
	return 0;
}

/* Events are registered before: what changes meanwhile is told after the list. */
static int list_queue(struct watch *watch)
{
	virDomainPtr *domains;
	int n = virConnectListAllDomains(watch->conn, &domains, 0);

	if (n < 0)
		return -EIO;
	for (int i = 0; i < n; i++) {
		char uuid[VIR_UUID_STRING_BUFLEN];

		if (!virDomainGetUUIDString(domains[i], uuid))
			watch_queue_add(watch, CAUSE_LIST, uuid, "list", NULL);
		virDomainFree(domains[i]);
	}
	free(domains);
	watch_queue_add(watch, CAUSE_SYNCED, NULL, NULL, NULL);
	return 0;
}

static int watch_start(struct watch *watch)
{
	if (virConnectRegisterCloseCallback(watch->conn, on_close, watch, NULL) ||
	    virConnectSetKeepAlive(watch->conn, KEEPALIVE_S, KEEPALIVE_COUNT) < 0)
		return -EIO;
	watch->gate_timer = virEventAddTimeout(-1, on_gate, watch, NULL);
	if (watch->gate_timer < 0 || watch_queue_start(watch) ||
	    virEventAddHandle(watch->resolver_fd, VIR_EVENT_HANDLE_READABLE, on_resolver, watch,
			      NULL) < 0 ||
	    virEventAddHandle(STDIN_FILENO, VIR_EVENT_HANDLE_READABLE, on_stdin, watch, NULL) < 0)
		return -ENOMEM;
	/* Whatever is proven or listed is watched before, so that no change falls between the two. */
	watch_hints_start(watch);
	if (watch_events_register(watch) || hello_tell(watch) || list_queue(watch))
		return -EIO;
	return virEventAddTimeout(0, on_alive, watch, NULL) < 0 ? -ENOMEM : 0;
}

int libvirt_watch(const struct request *req, const struct plane_paths *paths)
{
	struct watch watch = { .req = req, .paths = paths, .resolver_fd = -1, .hints_fd = -1 };
	int rc;

	rc = resolver_start(&watch.resolver_fd);
	if (rc)
		return lost_tell("cannot start the resolver of disks");
	if (virEventRegisterDefaultImpl())
		return lost_tell_libvirt("no event loop");
	watch.conn = connection_open(req->uri);
	if (!watch.conn)
		return lost_tell_libvirt("cannot connect to libvirt");
	rc = watch_start(&watch);
	if (rc)
		return lost_tell_libvirt("cannot watch libvirt");
	while (!watch.ended && !watch.lost) {
		if (virEventRunDefaultImpl())
			watch_lost(&watch, "libvirt's event loop failed");
	}
	watch_queue_free(&watch);
	free(watch.folders);
	return watch.lost ? lost_tell(watch.lost_why) : 0;
}
