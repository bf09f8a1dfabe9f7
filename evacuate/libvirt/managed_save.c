/*
 * libvirt keeps a managed save in LIB/save/NAME.save: it restores from there whatever it remembers when the file is
 * there at a start, and its own memory of it (virDomainHasManagedSaveImage) changes only by its own calls. So
 * the file gets a second name first, and libvirt is then told to remove the first one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "evacuate/libvirt/managed_save.h"

#define TRIES 100

/* Makes what links and names this folder holds durable. */
static int folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

/* A second name for the file that nothing else has. */
static int file_link_aside(const char *file, const char *folder, const char *uuid,
			   char ret_path[PATH_MAX])
{
	for (int i = 0; i < TRIES; i++) {
		long long now_s = (long long)time(NULL) + i;
		int n = snprintf(ret_path, PATH_MAX, "%s.hamon-aside-%lld", file, now_s);

		if (n < 0 || n >= PATH_MAX)
			return -ENAMETOOLONG;
		if (!link(file, ret_path))
			return 0;
		if (errno == ENAMETOOLONG) { /* the domain's name is nearly as long as a file's may be */
			n = snprintf(ret_path, PATH_MAX, "%s/%s.hamon-aside-%lld", folder, uuid,
				     now_s);
			if (n < 0 || n >= PATH_MAX)
				return -ENAMETOOLONG;
			if (!link(file, ret_path))
				return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int managed_save_set_aside(virDomainPtr dom, const char *lib_dir, char ret_path[PATH_MAX])
{
	char folder[PATH_MAX], file[PATH_MAX], uuid[VIR_UUID_STRING_BUFLEN];
	int known = virDomainHasManagedSaveImage(dom, 0);
	int rc;

	ret_path[0] = '\0';
	if (known < 0 || virDomainGetUUIDString(dom, uuid))
		return -EIO;
	if ((size_t)snprintf(folder, sizeof(folder), "%s/save", lib_dir) >= sizeof(folder) ||
	    (size_t)snprintf(file, sizeof(file), "%s/%s.save", folder, virDomainGetName(dom)) >=
		    sizeof(file))
		return -ENAMETOOLONG;
	rc = file_link_aside(file, folder, uuid, ret_path);
	if (rc) {
		ret_path[0] = '\0';
		return rc == -ENOENT && !known ? 0 : rc;
	}
	rc = folder_sync(folder);
	if (rc)
		return rc;
	/* Where libvirt does not know the file, it would still restore from it: take the name away ourselves. */
	if (!known || virDomainManagedSaveRemove(dom, 0)) {
		if (unlink(file) && errno != ENOENT)
			return -errno;
	}
	return folder_sync(folder);
}
