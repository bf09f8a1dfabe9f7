/*
 * What of an instance is on this host: asked before anything of it may start elsewhere, so what cannot be excluded is
 * reported as being there. libvirt is asked in a child, /proc by this process.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>

#include "evacuate/bounded.h"
#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/libvirt.h"
#include "evacuate/procscan.h"
#include "evacuate/report.h"
#include "hamon/common/json.h"

#define INSPECT_TIMEOUT_MS 5000
#define LIBVIRT_TIMEOUT_MS 3500
#define LOOK_AGAIN_MS 100
#define ANSWER_MAX 4096

struct look {
	const char *state; /* static */
	bool job;
};

/*
 * One look. A start is under way while the domain is paused for "starting-up", or has any job. None of these calls
 * waits for a job: the state and the control information are read under the domain's short lock.
 */
static int domain_look(virConnectPtr conn, const char *uuid, struct look *ret)
{
	virDomainPtr dom = virDomainLookupByUUIDString(conn, uuid);
	virDomainControlInfo control;
	int state, reason, rc = 0;

	ret->job = false;
	ret->state = "none";
	if (!dom)
		return connection_no_domain() ? 0 : -EIO;
	if (virDomainGetState(dom, &state, &reason, 0)) {
		rc = connection_no_domain() ? 0 : -EIO;
		goto out;
	}
	ret->state = domain_state_name(state);
	if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP)
		ret->job = true;
	if (!virDomainGetControlInfo(dom, &control, 0))
		ret->job |= control.state != VIR_DOMAIN_CONTROL_OK;
	else if (virGetLastErrorCode() != VIR_ERR_OPERATION_INVALID) /* "domain is not running" */
		ret->job = true;
	if (!strcmp(ret->state, "crashed") || !strcmp(ret->state, "pmsuspended"))
		ret->state = "paused"; /* its QEMU lives */
out:
	virDomainFree(dom);
	return rc;
}

/*
 * In the child. A start whose helper was killed may still stand in libvirtd's queue of calls: the queue is served in
 * order, so a call of the same (ordinary) priority comes after it. Two looks, as a call that has left the
 * queue needs a moment to begin its job.
 */
static int libvirt_ask(void *arg, int fd)
{
	const struct request *req = arg;
	struct json_object *answer = json_object_new_object();
	struct look first = { 0 }, second = { 0 };
	unsigned int online;
	virConnectPtr conn = connection_open(req->uri);
	int rc = conn ? 0 : -ECONNREFUSED;

	if (!rc && virNodeGetCPUMap(conn, NULL, &online, 0) < 0)
		rc = -EIO;
	if (!rc)
		rc = domain_look(conn, req->uuid, &first);
	if (!rc) {
		poll(NULL, 0, LOOK_AGAIN_MS);
		rc = domain_look(conn, req->uuid, &second);
	}
	if (!rc) {
		json_put_string(answer, "libvirt", second.state);
		json_put_bool(answer, "job", first.job || second.job);
	} else {
		struct connection_error error;

		connection_error(&error);
		json_put_string(answer, "detail", error.text);
	}
	json_write_line(fd, answer);
	json_object_put(answer);
	return rc;
}

/* With no libvirtd at all there is no job of one; a process of that name that does not listen is on its way in or out. */
static bool libvirtd_runs(void)
{
	static const char *const names[] = { "libvirtd", "virtqemud" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (procscan_command_runs("/proc", names[i]))
			return true;
	}
	return false;
}

static void libvirt_look(const struct request *req, struct json_object *result)
{
	struct json_object *answer = NULL;
	char *text;
	size_t len;
	int rc;

	rc = bounded_run(libvirt_ask, (void *)req, LIBVIRT_TIMEOUT_MS, ANSWER_MAX, &text, &len);
	if (text)
		(void)json_parse(text, len, &answer);
	if (!rc && answer) {
		json_put_string(result, "libvirt", json_string_or(answer, "libvirt", "hung"));
		json_put_bool(result, "job", json_bool_or(answer, "job", true));
	} else if (rc == -ECONNREFUSED && !libvirtd_runs()) {
		json_put_string(result, "libvirt", "none");
		json_put_bool(result, "job", false);
		json_put_string(result, "detail", "libvirtd does not run");
	} else {
		json_put_string(result, "libvirt", "hung");
		json_put_bool(result, "job", true);
		json_put_string(result, "detail",
				answer ? json_string_or(answer, "detail", NULL)
				       : "libvirtd does not answer");
	}
	json_object_put(answer);
	free(text);
}

void libvirt_inspect(const struct request *req, const struct plane_paths *paths,
		     struct json_object *result)
{
	struct json_object *expired = json_object_new_object(), *pids = json_object_new_array();
	struct qemu_process *list;
	size_t n;
	int rc;

	json_put_string(expired, "type", "result");
	json_put_string(expired, "op", req->op);
	report_failure(expired, "timeout", "the inspection did not end within %d ms",
		       INSPECT_TIMEOUT_MS);
	report_watch(INSPECT_TIMEOUT_MS, expired);
	json_object_put(expired);

	/* libvirt first: a start that it ends between the two looks is then found as a QEMU. */
	libvirt_look(req, result);
	rc = procscan_list("/proc", req->uuid, &list, &n);
	if (rc) {
		json_object_put(pids);
		report_failure(result, "proc", "cannot read /proc: %s", strerror(-rc));
		return;
	}
	for (size_t i = 0; i < n; i++)
		json_object_array_add(pids, json_object_new_int(list[i].pid));
	free(list);
	json_put_bool(result, "qemu", n > 0);
	json_object_object_add(result, "pids", pids);
	json_put_bool(result, "ok", true);
}
