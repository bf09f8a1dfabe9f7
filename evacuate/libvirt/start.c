/*
 * Starts an instance here: takes a stale managed save out of the way, defines, creates, and verifies that it runs
 * and goes on running. What already runs is only verified. Killing this process does not cancel
 * libvirt's job: a repeated start finds the domain active and verifies it.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libvirt/virterror.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/libvirt.h"
#include "evacuate/libvirt/managed_save.h"
#include "evacuate/libvirt/overdue.h"
#include "evacuate/libvirt/verify.h"
#include "evacuate/procscan.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"
#include "hamon/common/domxml.h"
#include "hamon/common/json.h"

#define POLL_MS 50
#define LOCK_DELAY_FIRST_MS 200
#define LOCK_DELAY_MAX_MS 2000
#define LOCK_TELL_MS 5000
#define LOCK_SLACK_MS 5000

struct start {
	const struct request *req;
	const struct plane_paths *paths;
	struct json_object *result;
	virConnectPtr conn;
	virDomainPtr dom;
	unsigned int attempts;
	uint64_t first_lock_ms; /* 0 until a lock error was seen */
	uint64_t told_ms;
	uint64_t delay_ms;
};

enum step {
	STEP_FAILED, /* the result says why */
	STEP_AGAIN,
	STEP_ABSENT, /* not here: define and start it */
	STEP_STARTED, /* libvirt has it active */
};

/* The XML must be of the instance that was asked for: a mix-up would start somebody else's disks. */
static bool definition_check(struct start *start)
{
	const struct request *req = start->req;
	char error[DOMXML_ERROR_SIZE];
	struct domxml *dom;
	int rc;

	rc = domxml_parse(req->xml, req->xml_len, &dom, error, sizeof(error));
	if (rc) {
		report_failure(start->result, "definition", "the definition of %s is unusable: %s",
			       req->name, error);
		return false;
	}
	rc = strcmp(dom->uuid, req->uuid) || strcmp(dom->name, req->name);
	if (rc)
		report_failure(start->result, "definition",
			       "the definition is of %s (%s), asked for was %s (%s)", dom->name,
			       dom->uuid, req->name, req->uuid);
	domxml_free(dom);
	return !rc;
}

/* A QEMU that libvirt does not know as active: it may be one that is just ending, or an orphan. */
static bool orphan_check(struct start *start)
{
	struct qemu_process *list;
	size_t n;
	int rc = procscan_list("/proc", start->req->uuid, &list, &n);

	if (rc) {
		report_failure(start->result, "libvirt", "cannot read /proc: %s", strerror(-rc));
		return false;
	}
	if (n)
		report_failure(start->result, "libvirt",
			       "a QEMU of %s (pid %d) runs here, but libvirt does not know it as "
			       "running: end it first",
			       start->req->name, (int)list[0].pid);
	free(list);
	return !n;
}

/* Another instance that has the name already: neither may replace the other. */
static bool name_check(struct start *start)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	virDomainPtr other = virDomainLookupByName(start->conn, start->req->name);
	bool same = true;

	if (other) {
		same = !virDomainGetUUIDString(other, uuid) && !strcmp(uuid, start->req->uuid);
		if (!same)
			report_failure(start->result, "definition",
				       "another domain here already has the name %s: its UUID is %s, "
				       "not %s",
				       start->req->name, uuid, start->req->uuid);
		virDomainFree(other);
	}
	return same;
}

static void domain_drop(struct start *start)
{
	if (start->dom)
		virDomainFree(start->dom);
	start->dom = NULL;
}

/* What is here already. */
static enum step domain_look(struct start *start)
{
	const struct request *req = start->req;
	int active;

	domain_drop(start);
	start->dom = virDomainLookupByUUIDString(start->conn, req->uuid);
	if (!start->dom && !connection_no_domain()) {
		connection_failure(start->result, "cannot look for the domain");
		return STEP_FAILED;
	}
	active = start->dom ? virDomainIsActive(start->dom) : 0;
	if (active < 0 && connection_no_domain())
		return STEP_AGAIN; /* undefined, or a transient one ended, in this very moment */
	if (active < 0) {
		connection_failure(start->result, "cannot read the domain's state");
		return STEP_FAILED;
	}
	if (active)
		return STEP_STARTED;
	if (start->dom && strcmp(virDomainGetName(start->dom), req->name)) {
		report_failure(start->result, "definition",
			       "the UUID %s is defined here under another name: %s, not %s", req->uuid,
			       virDomainGetName(start->dom), req->name);
		return STEP_FAILED;
	}
	return orphan_check(start) && name_check(start) ? STEP_ABSENT : STEP_FAILED;
}

static enum step save_set_aside(struct start *start)
{
	char path[PATH_MAX];
	int rc = managed_save_set_aside(start->dom, start->paths->libvirt_lib, path);

	if (rc) {
		report_failure(start->result, "libvirt",
			       "cannot set the managed save of %s below %s aside: %s",
			       start->req->name, start->paths->libvirt_lib, strerror(-rc));
		return STEP_FAILED;
	}
	if (path[0])
		json_put_string(start->result, "managed_save_aside", path);
	return STEP_ABSENT;
}

/* Defines what is to be started. libvirt keeps nvram, snapshots and autostart of an older definition. */
static enum step domain_define(struct start *start)
{
	enum step step = STEP_ABSENT;
	virDomainPtr dom;

	if (start->dom && start->req->managed_save_aside)
		step = save_set_aside(start);
	if (step != STEP_ABSENT)
		return step;
	dom = virDomainDefineXMLFlags(start->conn, start->req->xml, 0);
	if (!dom) {
		struct connection_error error;

		connection_error(&error);
		report_failure(start->result,
			       !strcmp(error.error_class, "libvirt") ? "definition" : error.error_class,
			       "cannot define %s: %s", start->req->name, error.text);
		return STEP_FAILED;
	}
	domain_drop(start);
	start->dom = dom;
	/* A name that was not defined can still have left a managed save: libvirt would resume from it. */
	if (start->req->managed_save_aside)
		step = save_set_aside(start);
	if (step == STEP_ABSENT)
		report_progress(start->req->op, "defined", start->req->name);
	return step;
}

/* A lock error is met with patience: a file server can hold a dead host's locks for its lease time. */
static bool lock_wait(struct start *start, const struct connection_error *error)
{
	uint64_t now_ms = clock_boot_ms();

	if (!start->first_lock_ms) {
		start->first_lock_ms = now_ms;
		start->delay_ms = LOCK_DELAY_FIRST_MS;
	}
	if (now_ms - start->first_lock_ms + start->delay_ms > start->req->lock_retry_ms)
		return false;
	if (!start->told_ms || now_ms - start->told_ms >= LOCK_TELL_MS) {
		report_progress(start->req->op, "lock-wait", error->text);
		start->told_ms = now_ms;
	}
	poll(NULL, 0, (int)start->delay_ms);
	start->delay_ms = start->delay_ms * 3 / 2;
	if (start->delay_ms > LOCK_DELAY_MAX_MS)
		start->delay_ms = LOCK_DELAY_MAX_MS;
	return true;
}

static enum step domain_create(struct start *start)
{
	const uint64_t timeout_ms = start->req->start_timeout_ms;
	struct connection_error error;
	struct overdue overdue;
	bool failed, ended;
	int active;

	report_progress(start->req->op, "starting", start->req->name);
	start->attempts++;
	json_put_u64(start->result, "attempts", start->attempts);
	report_limit(start->req->op, timeout_ms + OVERDUE_MS, "the start");
	overdue_begin(&overdue, start->req, timeout_ms);
	failed = virDomainCreateWithFlags(start->dom, 0);
	ended = overdue_end(&overdue);
	if (!failed) {
		report_progress(start->req->op, "started", start->req->name);
		return STEP_STARTED;
	}
	connection_error(&error);
	/* An earlier attempt whose helper was killed may have come first. */
	active = virDomainIsActive(start->dom);
	if (active == 1)
		return STEP_STARTED;
	if (ended) {
		report_failure(start->result, "timeout", "the QEMU of %s did not come up within %llu ms, most likely for storage that does "
			       "not answer, and was ended: %s", start->req->name, (unsigned long long)timeout_ms, error.text);
		return STEP_FAILED;
	}
	if (!strcmp(error.error_class, "lock")) {
		report_limit(start->req->op, start->delay_ms + LOCK_SLACK_MS, "waiting for a lock");
		if (lock_wait(start, &error))
			return STEP_AGAIN;
	}
	report_failure(start->result, error.error_class, "cannot start %s: %s", start->req->name,
		       error.text);
	return STEP_FAILED;
}

static enum step attempt(struct start *start)
{
	enum step step;

	report_limit(start->req->op, start->req->start_timeout_ms, "the start");
	step = domain_look(start);
	if (step == STEP_STARTED)
		json_put_bool(start->result, "already", !start->attempts);
	if (step == STEP_ABSENT)
		step = domain_define(start);
	if (step == STEP_ABSENT)
		step = domain_create(start);
	return step;
}

void libvirt_start(const struct request *req, const struct plane_paths *paths,
		   struct json_object *result)
{
	struct start start = { .req = req, .paths = paths, .result = result };
	enum step step = STEP_AGAIN;

	if (!definition_check(&start))
		return;
	report_limit(req->op, req->start_timeout_ms, "connecting to libvirt");
	json_put_u64(result, "connecting_ms", clock_boot_ms());
	start.conn = connection_open(req->uri);
	if (!start.conn) {
		connection_failure(result, "cannot connect to libvirt");
		return;
	}
	while (step == STEP_AGAIN)
		step = attempt(&start);
	if (step == STEP_STARTED)
		libvirt_verify(req, start.dom, result);
	domain_drop(&start);
	virConnectClose(start.conn);
}
