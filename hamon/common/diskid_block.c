/*
 * The identity of a block device, from sysfs and the udev database: what the device itself says,
 * never its name on this host. Follows Documentation/ABI/testing/sysfs-block, lvm2's dm uuids
 * ("LVM-" and two uuids of 32 characters), multipath-tools' ("mpath-" and the WWID).
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hamon/common/diskid.h"

#define TEXT_SIZE 512

static int id_format(char *id, size_t size, const char *kind, const char *text, const char *behind)
{
	int len = snprintf(id, size, "%s:%s%s", kind, text, behind);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/*
 * One line, white space inside squeezed to "_" and none at the ends; false when there is nothing.
 */
static bool text_squeeze(char *text, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len && text[i] && text[i] != '\n'; i++) {
		if (isgraph((unsigned char)text[i]))
			text[used++] = text[i];
		else if (used && text[used - 1] != '_')
			text[used++] = '_';
	}
	while (used && text[used - 1] == '_')
		used--;
	text[used] = '\0';
	return used > 0;
}

static ssize_t file_read(const char *folder, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd, len = snprintf(path, sizeof(path), "%s/%s", folder, name);

	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = '\0';
	close(fd);
	return n;
}

static bool attr_read(const char *folder, const char *name, char text[TEXT_SIZE])
{
	ssize_t n = file_read(folder, name, text, TEXT_SIZE);

	return n > 0 && text_squeeze(text, (size_t)n);
}

/* Serials that emulators and cheap bridges give to every device say nothing. */
static bool serial_is_weak(const char *serial)
{
	return strlen(serial) < 6 || !strpbrk(serial, "123456789") || !strncmp(serial, "QM0", 3) ||
	       strstr(serial, "_QM0") || strstr(serial, "drive-") || strstr(serial, "0123456789");
}

/* A WWID as the kernel or multipath writes it: "naa.6001..", "eui..", "t10.VENDOR..", "36001..". */
static int wwid_identity(const char *wwid, const char *behind, char *id, size_t size)
{
	size_t len = strlen(wwid);

	if (!strncmp(wwid, "naa.", 4))
		return id_format(id, size, "wwn", wwid + 4, behind);
	if (!strncmp(wwid, "0x", 2))
		return id_format(id, size, "wwn", wwid + 2, behind);
	if (wwid[0] == '3' && (len == 17 || len == 33) && strspn(wwid, "0123456789abcdef") == len)
		return id_format(id, size, "wwn", wwid + 1, behind);
	if (!strncmp(wwid, "eui.", 4) || !strncmp(wwid, "uuid.", 5))
		return id_format(id, size, "wwn", wwid, behind);
	if (serial_is_weak(wwid))
		return -ENODATA;
	return id_format(id, size, "serial", wwid, behind);
}

/* Device mapper: a logical volume, a multipath device, or one of the latter's partitions. */
static int dm_identity(const char *uuid, const char *behind, char *id, size_t size)
{
	char text[2 * 32 + 2], part[32] = "";
	unsigned int number;
	int used = 0;

	if (!strncmp(uuid, "LVM-", 4) && strlen(uuid) == 4 + 64) {
		snprintf(text, sizeof(text), "%.32s/%.32s", uuid + 4, uuid + 36);
		return id_format(id, size, "lv", text, behind);
	}
	if (sscanf(uuid, "part%5u-%n", &number, &used) == 1 && used) {
		snprintf(part, sizeof(part), "-part%u", number);
		uuid += used;
	}
	if (!strncmp(uuid, "mpath-", 6))
		return wwid_identity(uuid + 6, part[0] ? part : behind, id, size);
	return -ENODATA;
}

/* SCSI's unit serial number page: four bytes of header, then the text. */
static int vpd80_identity(const char *device, const char *behind, char *id, size_t size)
{
	char page[TEXT_SIZE], *serial = page + 4;
	ssize_t n = file_read(device, "device/vpd_pg80", page, sizeof(page));

	if (n <= 4 || !text_squeeze(serial, (size_t)n - 4) || serial_is_weak(serial))
		return -ENODATA;
	return id_format(id, size, "serial", serial, behind);
}

static int udev_identity(const char *udev, unsigned int major, unsigned int minor,
			 const char *behind, char *id, size_t size)
{
	static const char *const keys[] = {
	    "E:DM_UUID=", "E:ID_WWN_WITH_EXTENSION=", "E:ID_WWN=", "E:ID_SERIAL="};
	char name[32], text[16384], *line;
	int rc = -ENODATA;

	snprintf(name, sizeof(name), "b%u:%u", major, minor);
	if (file_read(udev, name, text, sizeof(text)) <= 0)
		return -ENODATA;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && rc == -ENODATA; i++) {
		char value[TEXT_SIZE];

		line = strstr(text, keys[i]);
		if (!line || (line != text && line[-1] != '\n'))
			continue;
		snprintf(value, sizeof(value), "%s", line + strlen(keys[i]));
		if (!text_squeeze(value, strlen(value)))
			continue;
		rc = i == 0 ? dm_identity(value, behind, id, size)
			    : wwid_identity(value, behind, id, size);
	}
	return rc;
}

/* The whole disk of a partition: its parent in sysfs. */
static void partition_resolve(char device[PATH_MAX], char behind[32])
{
	char number[TEXT_SIZE], real[PATH_MAX];

	if (!attr_read(device, "partition", number) || !realpath(device, real))
		return;
	snprintf(behind, 32, "-part%.16s", number);
	*strrchr(real, '/') = '\0';
	strcpy(device, real);
}

static int number_read(const char *device, unsigned int *major, unsigned int *minor)
{
	char text[TEXT_SIZE];

	return attr_read(device, "dev", text) && sscanf(text, "%9u:%9u", major, minor) == 2
		   ? 0
		   : -ENODATA;
}

int diskid_device(const char *sysfs, const char *udev, unsigned int major, unsigned int minor,
		  char *id, size_t size)
{
	char device[PATH_MAX], text[TEXT_SIZE], behind[32] = "";
	int rc = -ENODATA;

	if ((size_t)snprintf(device, sizeof(device), "%s/dev/block/%u:%u", sysfs, major, minor) >=
	    sizeof(device))
		return -ENAMETOOLONG;
	partition_resolve(device, behind);
	if (behind[0] && number_read(device, &major, &minor))
		return -ENODATA;
	if (attr_read(device, "dm/uuid", text))
		return dm_identity(text, behind, id, size);
	if (attr_read(device, "device/wwid", text) || attr_read(device, "wwid", text))
		rc = wwid_identity(text, behind, id, size);
	if (rc == -ENODATA)
		rc = udev_identity(udev, major, minor, behind, id, size);
	if (rc == -ENODATA &&
	    (attr_read(device, "serial", text) || attr_read(device, "device/serial", text)) &&
	    !serial_is_weak(text))
		rc = id_format(id, size, "serial", text, behind);
	if (rc == -ENODATA)
		rc = vpd80_identity(device, behind, id, size);
	return rc;
}

int diskid_block(const char *path, char *id, size_t size)
{
	char real[PATH_MAX];
	struct stat st;
	int rc;

	if (!realpath(path, real) || stat(real, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	rc =
	    diskid_device("/sys", "/run/udev/data", major(st.st_rdev), minor(st.st_rdev), id, size);
	/*
	 * A kernel name like /dev/dm-3 changes from boot to boot; the name that was given is more
	 * stable.
	 */
	return rc == -ENODATA ? id_format(id, size, "path", path, "") : rc;
}
