/*
 * hamon/common/diskid: identities of files in real folders, and of block devices in a sysfs made
 * for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/common/diskid.h"
#include "tests/unit/test.h"

#define MARK "01234567-89ab-cdef-0123-456789abcdef"

static char top[PATH_MAX];

static const char *at(const char *format, const char *name)
{
	static char paths[8][PATH_MAX];
	static int next;
	char *path = paths[next++ % 8];
	size_t used = (size_t)snprintf(path, PATH_MAX, "%s", top);

	snprintf(path + used, PATH_MAX - used, "%s%s", format, name);
	return path;
}

static void file_make(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, text, len) == (ssize_t)len);
	close(fd);
}

static void text_make(const char *path, const char *text)
{
	file_make(path, text, strlen(text));
}

static void files_follow_links_to_their_folder(void)
{
	char place[PATH_MAX], name[NAME_MAX + 1];
	struct diskid id = {"", ""};

	CHECK(!mkdir(at("/a", ""), 0700) && !mkdir(at("/b", ""), 0700));
	text_make(at("/a/x.img", ""), "x");
	CHECK(!symlink("../a/x.img", at("/b/link.img", "")));
	CHECK(!symlink("a", at("/alias", "")));
	CHECK(!symlink("nowhere", at("/b/dangling", "")));
	CHECK_INT(diskid_place(at("/b/link.img", ""), place, name), 0);
	CHECK_STR(place, at("/a", ""));
	CHECK_STR(name, "x.img");
	CHECK_INT(diskid_place(at("/alias/new.img", ""), place, name), 0);
	CHECK_STR(place, at("/a", ""));
	CHECK_STR(name, "new.img");
	CHECK_INT(diskid_place(at("/b/dangling", ""), place, name), -ENOENT);
	CHECK_INT(diskid_place(at("/none/x", ""), place, name), -ENOENT);
	CHECK_INT(diskid_place("relative", place, name), -EINVAL);
	CHECK_INT(diskid_file(at("/b/link.img", ""), &id), 0);
	CHECK_STR(id.id + 5, at("/a/x.img", ""));
	CHECK(!strncmp(id.id, "path:", 5) && !diskid_is_global(id.id));
	CHECK_INT(diskid_place("/vmlinuz-that-is-not-there", place, name), 0);
	CHECK_STR(place, "/");
}

static void a_marked_folder_gives_a_global_identity(void)
{
	struct diskid id = {"", ""};
	char mark[DISKID_UUID_SIZE] = "unset";

	CHECK_INT(diskid_place_id(at("/a", ""), mark), -ENOENT);
	CHECK(!mkdir(at("/a/.hamon", ""), 0700));
	CHECK_INT(diskid_place_id(at("/a", ""), mark), -ENOENT);
	text_make(at("/a/.hamon/place-id", ""), MARK "\n");
	CHECK_INT(diskid_place_id(at("/a", ""), mark), 0);
	CHECK_STR(mark, MARK);
	CHECK_INT(diskid_file(at("/b/link.img", ""), &id), 0);
	CHECK_STR(id.id, "file:" MARK ":x.img");
	CHECK_STR(id.place, at("/a", ""));
	CHECK(diskid_is_global(id.id));
}

static void a_damaged_mark_is_no_mark(void)
{
	static const char *const marks[] = {
	    "",		 "01234567", "01234567-89ab-cdef-0123-456789abcdeF\n",
	    MARK "\n\n", MARK MARK,  "../../../../../../../../../../etc/passwd"};
	struct diskid id = {"", ""};
	char mark[DISKID_UUID_SIZE] = "unset";

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		text_make(at("/a/.hamon/place-id", ""), marks[i]);
		CHECK_INT(diskid_place_id(at("/a", ""), mark), -EBADMSG);
		CHECK_STR(mark, "unset");
	}
	CHECK_INT(diskid_file(at("/a/x.img", ""), &id), 0);
	CHECK(!strncmp(id.id, "path:", 5));
	/* A link would make one folder's mark count for another, a pipe would hang the reader. */
	CHECK(!unlink(at("/a/.hamon/place-id", "")));
	text_make(at("/mark", ""), MARK "\n");
	CHECK(!symlink("../../mark", at("/a/.hamon/place-id", "")));
	CHECK(diskid_place_id(at("/a", ""), mark) < 0);
	CHECK(!unlink(at("/a/.hamon/place-id", "")));
	CHECK(!mkfifo(at("/a/.hamon/place-id", ""), 0600));
	CHECK_INT(diskid_place_id(at("/a", ""), mark), -EBADMSG);
	CHECK(!symlink("../a/.hamon", at("/b/.hamon", "")));
	CHECK(diskid_place_id(at("/b", ""), mark) < 0);
}

/*
 * One device of the made sysfs, as the kernel lays it out: dev/block/M:m is a link into devices/.
 */
static void device_make(const char *name, const char *dev)
{
	char target[PATH_MAX];

	snprintf(target, sizeof(target), "../../devices/%s", name);
	CHECK(!mkdir(at("/sys/devices/", name), 0700));
	CHECK(!symlink(target, at("/sys/dev/block/", dev)));
	text_make(at("/sys/devices/", strcat(strcpy(target, name), "/dev")), dev);
}

static void device_attr(const char *name, const char *text)
{
	text_make(at("/sys/devices/", name), text);
}

static const char *device_id(unsigned int major, unsigned int minor)
{
	static char id[DISKID_SIZE];
	int rc = diskid_device(at("/sys", ""), at("/udev", ""), major, minor, id, sizeof(id));

	if (rc)
		snprintf(id, sizeof(id), "error %d", rc);
	return id;
}

static void block_devices_say_who_they_are(void)
{
	static const char vpd[] = "\0\x80\0\x0cWD-WX31A2345";
	char none[32];

	snprintf(none, sizeof(none), "error %d", -ENODATA);
	CHECK(!mkdir(at("/sys", ""), 0700) && !mkdir(at("/sys/dev", ""), 0700) &&
	      !mkdir(at("/sys/dev/block", ""), 0700));
	CHECK(!mkdir(at("/sys/devices", ""), 0700) && !mkdir(at("/udev", ""), 0700));
	CHECK_STR(device_id(8, 99), none);
	device_make("sda", "8:0");
	CHECK(!mkdir(at("/sys/devices/sda/device", ""), 0700));
	device_attr("sda/device/wwid", "naa.6001405abcdef0001\n");
	CHECK_STR(device_id(8, 0), "wwn:6001405abcdef0001");
	device_attr("sda/device/wwid", "t10.ATA     QEMU HARDDISK   QM00001 \n");
	CHECK_STR(device_id(8, 0), none);
	file_make(at("/sys/devices/sda/device/vpd_pg80", ""), vpd, sizeof(vpd) - 1);
	CHECK_STR(device_id(8, 0), "serial:WD-WX31A2345");
	device_make("vda", "253:0");
	device_attr("vda/serial", "disk-of-web-7");
	CHECK_STR(device_id(253, 0), "serial:disk-of-web-7");
	device_attr("vda/serial", "overlayblk");
	CHECK_STR(device_id(253, 0), none);
	text_make(at("/udev/b253:0", ""),
		  "N:vda\nE:ID_SERIAL=SAMSUNG MZ7_S45\nE:ID_WWN=0x5002538e\n");
	CHECK_STR(device_id(253, 0), "wwn:5002538e");
	device_make("nvme0n1", "259:0");
	device_attr("nvme0n1/wwid", "eui.0025385b71b0a0e5\n");
	CHECK_STR(device_id(259, 0), "wwn:eui.0025385b71b0a0e5");
}

static void partitions_are_parts_of_their_disk(void)
{
	CHECK(!mkdir(at("/sys/devices/nvme0n1/nvme0n1p2", ""), 0700));
	device_attr("nvme0n1/nvme0n1p2/partition", "2\n");
	device_attr("nvme0n1/nvme0n1p2/dev", "259:2\n");
	CHECK(!symlink("../../devices/nvme0n1/nvme0n1p2", at("/sys/dev/block/", "259:2")));
	CHECK_STR(device_id(259, 2), "wwn:eui.0025385b71b0a0e5-part2");
}

static void volumes_and_multipath_have_uuids(void)
{
	char none[32];

	snprintf(none, sizeof(none), "error %d", -ENODATA);
	device_make("dm-0", "254:0");
	CHECK(!mkdir(at("/sys/devices/dm-0/dm", ""), 0700));
	device_attr("dm-0/dm/uuid",
		    "LVM-abcdefghijklmnopqrstuvwxyz012345ABCDEFGHIJKLMNOPQRSTUVWXYZ6789ab\n");
	CHECK_STR(device_id(254, 0),
		  "lv:abcdefghijklmnopqrstuvwxyz012345/ABCDEFGHIJKLMNOPQRSTUVWXYZ6789ab");
	/* The hidden parts of a snapshot or pool are not the volume. */
	device_attr("dm-0/dm/uuid",
		    "LVM-abcdefghijklmnopqrstuvwxyz012345ABCDEFGHIJKLMNOPQRSTUVWXYZ6789ab-real\n");
	CHECK_STR(device_id(254, 0), none);
	device_attr("dm-0/dm/uuid", "mpath-36001405abcdef0001234567890123456\n");
	CHECK_STR(device_id(254, 0), "wwn:6001405abcdef0001234567890123456");
	device_attr("dm-0/dm/uuid", "part3-mpath-36001405abcdef0001234567890123456\n");
	CHECK_STR(device_id(254, 0), "wwn:6001405abcdef0001234567890123456-part3");
	device_attr("dm-0/dm/uuid", "CRYPT-LUKS2-0123456789-secret\n");
	CHECK_STR(device_id(254, 0), none);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char made[PATH_MAX - 64], remove[PATH_MAX + 64];

	snprintf(made, sizeof(made), "%s/diskid.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/var/tmp");
	CHECK(mkdtemp(made) && realpath(made, top));
	RUN(files_follow_links_to_their_folder);
	RUN(a_marked_folder_gives_a_global_identity);
	RUN(a_damaged_mark_is_no_mark);
	RUN(block_devices_say_who_they_are);
	RUN(partitions_are_parts_of_their_disk);
	RUN(volumes_and_multipath_have_uuids);
	snprintf(remove, sizeof(remove), "rm -rf '%s'", top);
	return system(remove) != 0;
}
