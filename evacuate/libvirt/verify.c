/*
 * Sees that a domain runs and goes on running. What starts it does not matter here: libvirt's own call, or Nova's.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/verify.h"
#include "evacuate/procscan.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define POLL_MS 50
#define VERIFY_SLACK_MS 5000
#define NOTICE_MS 1000 /* libvirt sees the end of a QEMU */

struct verify {
	const struct request *req;
	struct json_object *result;
	virDomainPtr dom;
};

/*
 * It has started, and somebody stopped it through libvirt since: a success, for its wish is a person's. hamon itself stops nothing that
 * it starts.
 */
static void stopped_tell(struct verify *verify)
{
	json_put_bool(verify->result, "ok", true);
	json_put_string(verify->result, "state", "shutoff");
	json_put_bool(verify->result, "stopped_by_hand", true);
}

/* Its QEMU has ended: did somebody stop it? libvirt needs a moment to notice. */
static bool was_stopped_by_hand(struct verify *verify)
{
	uint64_t until_ms = clock_boot_ms() + NOTICE_MS;
	int state, reason;

	do {
		if (virDomainGetState(verify->dom, &state, &reason, 0))
			return false;
		if (state == VIR_DOMAIN_SHUTOFF)
			return reason == VIR_DOMAIN_SHUTOFF_DESTROYED;
		poll(NULL, 0, POLL_MS);
	} while (clock_boot_ms() < until_ms);
	return false;
}

/* Waits until the domain runs and returns its QEMU's pid, or 0 with the result filled. */
static pid_t running_wait(struct verify *verify)
{
	struct qemu_process *list;
	int state, reason;
	pid_t pid = 0;
	size_t n;

	for (;; poll(NULL, 0, POLL_MS)) {
		if (virDomainGetState(verify->dom, &state, &reason, 0)) {
			if (connection_no_domain())
				report_failure(verify->result, "exited",
					       "%s ended right after its start", verify->req->name);
			else
				connection_failure(verify->result, "cannot read the domain's state");
			return 0;
		}
		if (state == VIR_DOMAIN_SHUTOFF && reason == VIR_DOMAIN_SHUTOFF_DESTROYED) {
			stopped_tell(verify);
			return 0;
		}
		if (state == VIR_DOMAIN_SHUTOFF || state == VIR_DOMAIN_CRASHED) {
			report_failure(verify->result, "exited",
				       "%s ended right after its start (%s); see "
				       "/var/log/libvirt/qemu/%s.log",
				       verify->req->name, domain_reason_name(state, reason),
				       verify->req->name);
			return 0;
		}
		if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_IOERROR) {
			report_failure(verify->result, "storage",
				       "%s is paused here by an I/O error of its disk",
				       verify->req->name);
			return 0;
		}
		if (state != VIR_DOMAIN_RUNNING && state != VIR_DOMAIN_BLOCKED)
			continue;
		if (procscan_list("/proc", verify->req->uuid, &list, &n))
			continue;
		if (n == 1)
			pid = list[0].pid;
		free(list);
		if (pid)
			return pid;
	}
}

/* Runs, and still runs with the same QEMU after verify_ms. */
static void running_verify(struct verify *verify)
{
	struct pollfd exit_fd = { .fd = -1, .events = POLLIN };
	uint64_t started_ms;
	pid_t pid, again;

	report_limit(verify->req->op, verify->req->start_timeout_ms, "the domain's way to the state running");
	pid = running_wait(verify);
	if (!pid)
		return;
	started_ms = clock_boot_ms();
	report_limit(verify->req->op, verify->req->verify_ms + VERIFY_SLACK_MS, "the verification");
	/* The descriptor is of this very process: a later one with the same number cannot be mistaken. */
	exit_fd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (exit_fd.fd >= 0 && poll(&exit_fd, 1, (int)verify->req->verify_ms) == 1) {
		close(exit_fd.fd);
		if (was_stopped_by_hand(verify)) {
			stopped_tell(verify);
			return;
		}
		report_failure(verify->result, "exited",
			       "the QEMU of %s (pid %d) ended within %llu ms of its start; see "
			       "/var/log/libvirt/qemu/%s.log",
			       verify->req->name, (int)pid, (unsigned long long)verify->req->verify_ms,
			       verify->req->name);
		return;
	}
	again = running_wait(verify);
	if (again == pid && exit_fd.fd >= 0) {
		json_put_bool(verify->result, "ok", true);
		json_put_string(verify->result, "state", "running");
		json_put_u64(verify->result, "pid", (uint64_t)pid);
		json_put_u64(verify->result, "running_ms", started_ms);
		json_put_u64(verify->result, "verified_ms", clock_boot_ms());
		report_progress(verify->req->op, "verified", verify->req->name);
	} else if (again) {
		report_failure(verify->result, "exited", "%s has another QEMU than %llu ms before",
			       verify->req->name, (unsigned long long)verify->req->verify_ms);
	}
	if (exit_fd.fd >= 0)
		close(exit_fd.fd);
}

void libvirt_verify(const struct request *req, virDomainPtr dom, struct json_object *result)
{
	struct verify verify = { .req = req, .result = result, .dom = dom };

	running_verify(&verify);
}

enum libvirt_presence libvirt_verify_here(const struct request *req, bool only_look, struct json_object *result)
{
	enum libvirt_presence presence = LIBVIRT_ABSENT;
	virConnectPtr conn = connection_open(req->uri);
	virDomainPtr dom;
	int active;

	if (!conn) {
		connection_failure(result, "cannot connect to libvirt");
		return LIBVIRT_UNKNOWN;
	}
	dom = virDomainLookupByUUIDString(conn, req->uuid);
	active = dom ? virDomainIsActive(dom) : 0;
	if ((!dom || active < 0) && !connection_no_domain()) {
		connection_failure(result, "cannot look for the domain");
		presence = LIBVIRT_UNKNOWN;
	} else if (active > 0) {
		presence = LIBVIRT_ACTIVE;
		if (!only_look)
			libvirt_verify(req, dom, result);
	}
	if (dom)
		virDomainFree(dom);
	virConnectClose(conn);
	return presence;
}
