/*
 * Clears what a former owner has left: sets a managed save aside, and undefines a stale definition. Nothing is thrown
 * away: nvram and TPM state stay, the definition and the metadata of snapshots and checkpoints are copied first.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <libvirt/virterror.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/libvirt.h"
#include "evacuate/libvirt/managed_save.h"
#include "evacuate/report.h"
#include "hamon/common/json.h"

#define TIDY_TIMEOUT_MS 30000
#define FOLDER_TRIES 100

/* Before 8.9 libvirt removes the TPM state of whatever is undefined, and knows no way to keep it. */
#if LIBVIR_VERSION_NUMBER >= 8009000
#define KEEP_TPM VIR_DOMAIN_UNDEFINE_KEEP_TPM
#else
#define KEEP_TPM (1 << 6)
#endif

struct tidy {
	const struct request *req;
	const struct plane_paths *paths;
	struct json_object *result;
	virDomainPtr dom;
	char folder[PATH_MAX]; /* copies */
	int folder_fd;
};

static int tidy_failed(struct tidy *tidy, const char *what)
{
	connection_failure(tidy->result, what);
	return -EIO;
}

/* Writes one file of a new folder, durably. XML may hold passwords: 0600. */
static int copy_write(struct tidy *tidy, const char *name, const char *text)
{
	int fd = openat(tidy->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t len = strlen(text);
	int rc = 0;

	if (fd < 0)
		return -errno;
	while (len && !rc) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			rc = errno == EINTR ? 0 : -errno;
		else {
			text += n;
			len -= (size_t)n;
		}
	}
	if (!rc && fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

/* STATE/aside/UUID-SECONDS, new. */
static int copy_folder_make(struct tidy *tidy)
{
	char parent[PATH_MAX];
	int rc = -EEXIST;

	if ((size_t)snprintf(parent, sizeof(parent), "%s/aside", tidy->paths->state_dir) >=
	    sizeof(parent))
		return -ENAMETOOLONG;
	if (mkdir(parent, 0700) && errno != EEXIST)
		return -errno;
	for (int i = 0; i < FOLDER_TRIES && rc == -EEXIST; i++) {
		int n = snprintf(tidy->folder, sizeof(tidy->folder), "%s/%s-%lld", parent,
				 tidy->req->uuid, (long long)time(NULL) + i);

		if (n < 0 || n >= (int)sizeof(tidy->folder))
			return -ENAMETOOLONG;
		rc = mkdir(tidy->folder, 0700) ? -errno : 0;
	}
	if (rc)
		return rc;
	tidy->folder_fd = open(tidy->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return tidy->folder_fd < 0 ? -errno : 0;
}

/* Takes the XML (freed here) of the number-th thing of a kind; 0, or the result is filled. */
static int copy_keep(struct tidy *tidy, const char *kind, int number, char *xml)
{
	char name[64];
	int rc;

	if (!xml)
		return tidy_failed(tidy, "cannot read what is to be undefined");
	if (number < 0)
		snprintf(name, sizeof(name), "%s.xml", kind);
	else
		snprintf(name, sizeof(name), "%s-%d.xml", kind, number);
	rc = copy_write(tidy, name, xml);
	free(xml);
	if (rc)
		report_failure(tidy->result, "io", "cannot write %s/%s: %s", tidy->folder, name,
			       strerror(-rc));
	return rc;
}

static int snapshots_copy(struct tidy *tidy)
{
	virDomainSnapshotPtr *snapshots = NULL;
	/* Parents come before their children, as they must when they are defined again. */
	int n = virDomainListAllSnapshots(tidy->dom, &snapshots,
					  VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL);
	int rc = n < 0 ? tidy_failed(tidy, "cannot list the snapshots") : 0;

	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = copy_keep(tidy, "snapshot", i,
				       virDomainSnapshotGetXMLDesc(snapshots[i],
								   VIR_DOMAIN_SNAPSHOT_XML_SECURE));
		virDomainSnapshotFree(snapshots[i]);
	}
	free(snapshots);
	return rc;
}

static int checkpoints_copy(struct tidy *tidy)
{
	virDomainCheckpointPtr *checkpoints = NULL;
	int n = virDomainListAllCheckpoints(tidy->dom, &checkpoints,
					    VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL);
	int rc = n < 0 ? tidy_failed(tidy, "cannot list the checkpoints") : 0;

	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = copy_keep(tidy, "checkpoint", i,
				       virDomainCheckpointGetXMLDesc(
					       checkpoints[i], VIR_DOMAIN_CHECKPOINT_XML_SECURE));
		virDomainCheckpointFree(checkpoints[i]);
	}
	free(checkpoints);
	return rc;
}

static int domain_copy(struct tidy *tidy)
{
	int rc = copy_folder_make(tidy);

	if (rc) {
		report_failure(tidy->result, "io", "cannot make a folder below %s/aside: %s",
			       tidy->paths->state_dir, strerror(-rc));
		return rc;
	}
	rc = copy_keep(tidy, "domain", -1,
		       virDomainGetXMLDesc(tidy->dom,
					   VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE));
	if (!rc)
		rc = snapshots_copy(tidy);
	if (!rc)
		rc = checkpoints_copy(tidy);
	if (!rc && fsync(tidy->folder_fd)) {
		rc = -errno;
		report_failure(tidy->result, "io", "cannot sync %s: %s", tidy->folder, strerror(errno));
	}
	if (!rc)
		json_put_string(tidy->result, "copies", tidy->folder);
	return rc;
}

static int domain_undefine(struct tidy *tidy)
{
	unsigned int flags = VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | KEEP_TPM |
			     VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
			     VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;
	int rc = domain_copy(tidy);

	if (rc)
		return rc;
	/*
	 * An older libvirtd refuses the flag that it does not know, and so keeps the definition: visible, and better
	 * than a lost TPM. One started meanwhile would go on as a transient domain; the start gate stands before that.
	 */
	if (virDomainUndefineFlags(tidy->dom, flags) && !connection_no_domain())
		return tidy_failed(tidy, "cannot undefine the domain");
	json_put_bool(tidy->result, "undefined", true);
	return 0;
}

static int save_set_aside(struct tidy *tidy)
{
	char path[PATH_MAX];
	int rc = managed_save_set_aside(tidy->dom, tidy->paths->libvirt_lib, path);

	if (rc) {
		report_failure(tidy->result, "io",
			       "cannot set the managed save below %s aside: %s",
			       tidy->paths->libvirt_lib, strerror(-rc));
		return rc;
	}
	if (path[0])
		json_put_string(tidy->result, "managed_save_aside", path);
	return 0;
}

static int domain_tidy(struct tidy *tidy)
{
	int active = virDomainIsActive(tidy->dom);
	int rc = 0;

	if (active < 0)
		return tidy_failed(tidy, "cannot read the domain's state");
	if (active) {
		report_failure(tidy->result, "running", "%s runs here: not touched",
			       virDomainGetName(tidy->dom));
		return -EBUSY;
	}
	if (tidy->req->managed_save_aside)
		rc = save_set_aside(tidy);
	if (!rc && tidy->req->undefine)
		rc = domain_undefine(tidy);
	return rc;
}

void libvirt_tidy(const struct request *req, const struct plane_paths *paths,
		  struct json_object *result)
{
	struct json_object *expired = json_object_new_object();
	struct tidy tidy = { .req = req, .paths = paths, .result = result, .folder_fd = -1 };
	virConnectPtr conn;
	int rc = 0;

	json_put_string(expired, "type", "result");
	json_put_string(expired, "op", req->op);
	report_failure(expired, "timeout", "the tidying did not end within %d ms", TIDY_TIMEOUT_MS);
	report_watch(TIDY_TIMEOUT_MS, expired);
	json_object_put(expired);

	conn = connection_open(req->uri);
	if (!conn) {
		connection_failure(result, "cannot connect to libvirt");
		return;
	}
	tidy.dom = virDomainLookupByUUIDString(conn, req->uuid);
	if (tidy.dom) {
		rc = domain_tidy(&tidy);
		virDomainFree(tidy.dom);
	} else if (!connection_no_domain()) {
		rc = tidy_failed(&tidy, "cannot look for the domain");
	}
	if (!rc)
		json_put_bool(result, "ok", true);
	if (tidy.folder_fd >= 0)
		close(tidy.folder_fd);
	virConnectClose(conn);
}
