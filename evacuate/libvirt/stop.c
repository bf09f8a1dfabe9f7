/*
 * Ends a stale QEMU of an instance at once: through libvirt while it answers, else by SIGKILL, and confirms that the
 * process has gone with its files closed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <libvirt/virterror.h>

#include "evacuate/bounded.h"
#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/libvirt.h"
#include "evacuate/procscan.h"
#include "evacuate/report.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define STOP_TIMEOUT_MS 15000
#define DESTROY_TIMEOUT_MS 3000
#define EXIT_TIMEOUT_MS 5000
#define ROUNDS 3
#define VICTIMS_MAX 16

/* A QEMU and a descriptor of that very process: no later one with the same number can be meant. */
struct victim {
	pid_t pid;
	int fd;
};

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

/* Opens a descriptor for each QEMU of the instance; one that has ended meanwhile is left out. */
static int victims_find(const char *uuid, struct victim *victims, size_t *ret_n)
{
	struct qemu_process *list, *again;
	size_t n, n_again, found = 0;
	int rc = procscan_list("/proc", uuid, &list, &n);

	if (rc)
		return rc;
	for (size_t i = 0; i < n && found < VICTIMS_MAX; i++) {
		victims[found].pid = list[i].pid;
		victims[found].fd = (int)syscall(SYS_pidfd_open, list[i].pid, 0);
		if (victims[found].fd >= 0)
			found++;
	}
	free(list);
	/* The number may have passed to another process between the look and the descriptor: look again. */
	rc = procscan_list("/proc", uuid, &again, &n_again);
	for (size_t i = 0; i < found;) {
		bool still = false;

		for (size_t j = 0; !rc && j < n_again; j++)
			still |= again[j].pid == victims[i].pid;
		if (still) {
			i++;
			continue;
		}
		close(victims[i].fd);
		victims[i] = victims[--found];
	}
	if (!rc)
		free(again);
	*ret_n = found;
	return rc;
}

static void victims_close(struct victim *victims, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(victims[i].fd);
}

static void victims_kill(struct victim *victims, size_t n)
{
	for (size_t i = 0; i < n; i++)
		syscall(SYS_pidfd_send_signal, victims[i].fd, SIGKILL, NULL, 0);
}

/* True when all have ended: the descriptor tells only when the last thread is gone and all files are closed. */
static bool victims_wait(struct victim *victims, size_t n, uint64_t timeout_ms)
{
	uint64_t end_ms = clock_boot_ms() + timeout_ms;

	for (size_t i = 0; i < n; i++) {
		struct pollfd fd = { .fd = victims[i].fd, .events = POLLIN };
		uint64_t now_ms = clock_boot_ms();

		if (poll(&fd, 1, now_ms < end_ms ? (int)(end_ms - now_ms) : 0) != 1)
			return false;
	}
	return true;
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
