/*
 * The identity of a disk: a string that is equal on two hosts only if they would open the same
 * bytes.
 *   file:PLACE-ID:NAME        a file in a folder that hamon has marked (DIR/.hamon/place-id)
 *   path:/real/path           a file in a folder without a mark, or a device without an identity: the
 *                             path of this host, proof of nothing elsewhere
 *   wwn:..  serial:..  lv:VG-UUID/LV-UUID   block devices ("-partN" behind it for a partition)
 *   nbd:HOST:PORT/EXPORT  iscsi:HOST:PORT/IQN/LUN  rbd:POOL/IMAGE  gluster:HOST/VOLUME/PATH  nfs:HOST/PATH
 *   PROTOCOL:HOST:PORT/NAME                 network disks, from the XML alone; one whose server is a
 *                             socket or the loopback of this host is a path:
 *
 * Everything here but diskid_network touches file systems, and a dead mount blocks it in the kernel
 * for good: call it only in a process of its own that has a deadline, or under an alarm whose
 * handler may lose the whole process. A signal alone does not end a caller in D state.
 */
#ifndef HAMON_COMMON_DISKID_H
#define HAMON_COMMON_DISKID_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define DISKID_SIZE (PATH_MAX + 64)
#define DISKID_UUID_SIZE 37
#define DISKID_FOLDER ".hamon"

struct domxml_disk;

struct diskid {
	char id[DISKID_SIZE];
	char place[PATH_MAX]; /* real path of the folder of a file disk, else "" */
};

/*
 * The identity of one disk of a domain. 0 and *ret, -ENODATA for an empty drive, -EOPNOTSUPP for a
 * kind that has none, -ENAMETOOLONG, -EINVAL, or another -errno of the file system. A file that
 * does not exist still has an identity when its folder does.
 */
int diskid_of(const struct domxml_disk *disk, struct diskid *ret);

/* The same for a plain path of a file or block device. */
int diskid_file(const char *path, struct diskid *ret);
int diskid_block(const char *path, char *id, size_t size);

/*
 * The identity of device major:minor from sysfs ("/sys") and the udev database ("/run/udev/data"),
 * so that a test can bring its own. 0, -ENODATA when there is none that holds on other hosts, other
 * -errno.
 */
int diskid_device(const char *sysfs, const char *udev, unsigned int major, unsigned int minor,
		  char *id, size_t size);

/* Whether an identity holds on other hosts too: all but path:. */
bool diskid_is_global(const char *id);

/* From the XML alone, touches nothing: -EINVAL without a source or server, -ENAMETOOLONG. */
int diskid_network(const struct domxml_disk *disk, char *id, size_t size);

/*
 * The real path of the folder that holds path (symbolic links followed, the file itself need not
 * exist), and the name in it. name may be NULL. 0, -ENOENT when the folder is missing,
 * -ENAMETOOLONG, other -errno.
 */
int diskid_place(const char *path, char place[PATH_MAX], char name[NAME_MAX + 1]);

/*
 * Reads DIR/.hamon/place-id. 0, -ENOENT when the folder is not marked, -EBADMSG when the mark is no
 * uuid, other -errno.
 */
int diskid_place_id(const char *place, char id[DISKID_UUID_SIZE]);

#endif
