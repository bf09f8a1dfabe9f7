/* The list that libvirt's hook goes by while no hamond answers: written here, because the disk may hang. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hamon/common/json.h"
#include "hamon/store/db_internal.h"

#define GATE_LIST_NAME "gate.list"
#define GATE_LIST_NEW "gate.list.new"

int db_gate_list(struct store_db *db, struct json_object *list, struct store_fault *fault)
{
	int dir = db->place->dir_fd;
	int fd = openat(dir, GATE_LIST_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc = fd < 0 ? -errno : json_write_line(fd, list);

	if (!rc && fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (!rc && renameat(dir, GATE_LIST_NEW, dir, GATE_LIST_NAME))
		rc = -errno;
	if (!rc)
		return place_sync(db->place, fault);
	store_fault_set(fault, rc == -ENOSPC || rc == -EDQUOT ? "full" : "io", "%s/%s cannot be written: %s",
			db->place->path, GATE_LIST_NAME, strerror(-rc));
	return -EIO;
}
