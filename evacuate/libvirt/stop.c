/*
 * Ends a stale QEMU of an instance at once: through libvirt while it answers, else by SIGKILL, and confirms that the
 * process has gone with its files closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <libvirt/virterror.h>

#include "evacuate/bounded.h"
#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/libvirt.h"
#include "evacuate/report.h"
#include "evacuate/victims.h"
#include "hamon/common/json.h"

#define STOP_TIMEOUT_MS 15000
#define DESTROY_TIMEOUT_MS 3000
#define EXIT_TIMEOUT_MS 5000
#define ROUNDS 3

/* In the child: 0 when libvirt says that the domain does not run (any more). */
static int libvirt_destroy(void *arg, int fd)
{
	const struct request *req = arg;
	virConnectPtr conn = connection_open(req->uri);
	virDomainPtr dom;
	int active;

	if (!conn)
		return -ECONNREFUSED;
	dom = virDomainLookupByUUIDString(conn, req->uuid);
	if (!dom)
		return connection_no_domain() ? 0 : -EIO;
	active = virDomainIsActive(dom);
	if (active == 1 && virDomainDestroyFlags(dom, 0) && virDomainIsActive(dom) == 1)
		return -EIO;
	return active < 0 && !connection_no_domain() ? -EIO : 0;
}

/*
 * One round: 0 when nothing is left, -EAGAIN when there may be more (libvirt was starting one), or with the result
 * filled another error.
 */
static int round_stop(const struct request *req, struct json_object *result, bool *ret_killed)
{
	struct victim victims[VICTIMS_MAX];
	size_t n, n_left;
	char *text;
	size_t len;
	int rc, rc_libvirt;

	rc = victims_find(req->uuid, victims, &n);
	if (rc) {
		report_failure(result, "proc", "cannot read /proc: %s", strerror(-rc));
		return rc;
	}
	rc_libvirt = bounded_run(libvirt_destroy, (void *)req, DESTROY_TIMEOUT_MS, 16, &text, &len);
	free(text);
	if (!victims_wait(victims, n, rc_libvirt ? 0 : 100)) {
		victims_kill(victims, n);
		*ret_killed = true;
	}
	if (!victims_wait(victims, n, EXIT_TIMEOUT_MS)) {
		report_failure(result, "timeout",
			       "QEMU (pid %d) was killed but has not ended after %d ms: the kernel keeps it, "
			       "most likely for storage that does not answer",
			       (int)victims[0].pid, EXIT_TIMEOUT_MS);
		victims_close(victims, n);
		return -ETIMEDOUT;
	}
	victims_close(victims, n);
	rc = victims_find(req->uuid, victims, &n_left);
	victims_close(victims, n_left);
	/* A domain that libvirt could not be asked about counts as ended once its QEMU has. */
	return rc || n_left || (rc_libvirt == -EIO && !n) ? -EAGAIN : 0;
}

void libvirt_stop(const struct request *req, const struct plane_paths *paths,
		  struct json_object *result)
{
	struct json_object *expired = json_object_new_object();
	bool killed = false;
	int rc = -EAGAIN;

	json_put_string(expired, "type", "result");
	json_put_string(expired, "op", req->op);
	report_failure(expired, "timeout", "the stop did not end within %d ms", STOP_TIMEOUT_MS);
	report_watch(STOP_TIMEOUT_MS, expired);
	json_object_put(expired);

	for (int i = 0; i < ROUNDS && rc == -EAGAIN; i++)
		rc = round_stop(req, result, &killed);
	if (!rc) {
		json_put_bool(result, "ok", true);
		json_put_string(result, "method", killed ? "kill" : "libvirt");
	} else if (rc == -EAGAIN) {
		report_failure(result, "libvirt", "%s is still there after %d rounds", req->uuid,
			       ROUNDS);
	}
}
