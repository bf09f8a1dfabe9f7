/*
 * A storage place: the marks and beacons in DIR/.hamon. Runs in a probe's child, where it may
 * block.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include <grp.h>

#include "hamon/common/json.h"
#include "storage-check/beacon.h"

bool owner_become(int fd)
{
	struct stat st;

	if (geteuid() || fstat(fd, &st) || !st.st_uid)
		return false;
	return !setgroups(0, NULL) && !setegid(st.st_gid) && !seteuid(st.st_uid);
}

void owner_leave(void)
{
	if (seteuid(0) || setegid(0))
		_exit(1);
}

/* The type of the mount that fd is on, by its mount id: reads the kernel's table, not the mount. */
static void fs_name(int fd, char fs[BEACON_FS_SIZE])
{
	struct statx stx;
	char *line = NULL, *dash;
	size_t size = 0;
	unsigned long long id;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	fs[0] = '\0';
	if (!f || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) ||
	    !(stx.stx_mask & STATX_MNT_ID))
		goto out;
	while (getline(&line, &size, f) > 0) {
		if (sscanf(line, "%llu", &id) != 1 || id != stx.stx_mnt_id)
			continue;
		dash = strstr(line, " - ");
		if (dash)
			snprintf(fs, BEACON_FS_SIZE, "%.*s", (int)strcspn(dash + 3, " "), dash + 3);
		break;
	}
out:
	free(line);
	if (f)
		fclose(f);
}

int place_open(const char *path, struct place *ret)
{
	struct place place = {.dir = -1, .marks = -1};
	struct statvfs vfs;

	if (!realpath(path, place.real))
		return -errno;
	/* Not O_PATH: a real open makes NFS ask its server whether the folder has changed. */
	place.dir = open(place.real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.dir < 0 && errno == EACCES) {
		int fd = open(place.real, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && owner_become(fd))
			place.dir = open(place.real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			close(fd);
		errno = EACCES;
	}
	if (place.dir < 0)
		return -errno;
	fs_name(place.dir, place.fs);
	place.readonly = !fstatvfs(place.dir, &vfs) && (vfs.f_flag & ST_RDONLY);
	place.marks =
	    openat(place.dir, DISKID_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	place.marks_error = place.marks < 0 ? -errno : 0;
	*ret = place;
	return 0;
}

void place_close(struct place *place)
{
	if (place->marks >= 0)
		close(place->marks);
	if (place->dir >= 0)
		close(place->dir);
	place->marks = place->dir = -1;
}

static int all_write(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/* One name for each host, so that what a killed writer left is used again and nothing piles up. */
static int file_write(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name,
			O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	int rc;

	if (fd < 0)
		return -errno;
	rc = all_write(fd, text, strlen(text));
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

/* Reads a regular file whole; -E2BIG when it has more than size - 1 bytes. */
static ssize_t file_read(int dir, const char *name, char *buf, size_t size, struct stat *st)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (fstat(fd, st))
		n = -errno;
	else if (!S_ISREG(st->st_mode))
		n = -EBADMSG;
	else if ((n = read(fd, buf, size)) < 0)
		n = -errno;
	else if ((size_t)n >= size)
		n = -E2BIG;
	else
		buf[n] = '\0';
	close(fd);
	return n;
}

int place_id_read(const struct place *place, char id[DISKID_UUID_SIZE])
{
	return place->marks < 0 ? place->marks_error : diskid_place_id(place->real, id);
}

static int uuid_make(char text[DISKID_UUID_SIZE + 1])
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return -EIO;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(text, DISKID_UUID_SIZE + 1,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", b[0],
		 b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
		 b[14], b[15]);
	return 0;
}

/*
 * The complete file appears under its name at once or not at all: link() never replaces. Where
 * there are no hard links, renameat2 without replacement does the same.
 */
static int place_id_make(const struct place *place, const char *self)
{
	char text[DISKID_UUID_SIZE + 1], temp[BEACON_HOST_SIZE + 16];
	int rc = uuid_make(text);

	if (rc)
		return rc;
	snprintf(temp, sizeof(temp), ".place-id.%s", self);
	/* A fresh file: one that a killed run has linked already must not be written again. */
	if (unlinkat(place->marks, temp, 0) && errno != ENOENT)
		return -errno;
	rc = file_write(place->marks, temp, text);
	if (!rc && linkat(place->marks, temp, place->marks, "place-id", 0)) {
		rc = -errno;
		if (rc == -EPERM || rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EMLINK)
			rc = renameat2(place->marks, temp, place->marks, "place-id",
				       RENAME_NOREPLACE)
				 ? -errno
				 : 0;
	}
	unlinkat(place->marks, temp, 0);
	if (rc && rc != -EEXIST)
		return rc;
	return fsync(place->marks) && errno != EINVAL ? -errno : 0;
}

static int marks_make(struct place *place)
{
	if (place->marks >= 0)
		return 0;
	if (place->marks_error != -ENOENT)
		return place->marks_error;
	if (mkdirat(place->dir, DISKID_FOLDER, 0755) && errno != EEXIST) {
		if (errno != EACCES && errno != EPERM)
			return -errno;
		if (!owner_become(place->dir))
			return -EACCES;
		if (mkdirat(place->dir, DISKID_FOLDER, 0755) && errno != EEXIST)
			return -errno;
	}
	place->marks =
	    openat(place->dir, DISKID_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place->marks < 0)
		return place->marks_error = -errno;
	return fsync(place->dir) && errno != EINVAL ? -errno : 0;
}

int place_mark(struct place *place, const char *self)
{
	char id[DISKID_UUID_SIZE];
	int rc = marks_make(place);

	if (rc)
		return rc;
	rc = place_id_read(place, id);
	if (rc != -ENOENT)
		return rc;
	rc = place_id_make(place, self);
	if (rc == -EACCES && owner_become(place->marks))
		rc = place_id_make(place, self);
	return rc;
}

int place_beacon_write(const struct place *place, const struct beacon *beacon)
{
	char temp[BEACON_HOST_SIZE + 16], name[BEACON_HOST_SIZE + 16], text[BEACON_FILE_MAX];
	char digest[BEACON_PLACE_SIZE];
	int rc;

	/* Every field is of a checked alphabet: nothing needs quoting. */
	beacon_place(place->real, digest);
	snprintf(text, sizeof(text),
		 "{\"host\":\"%s\",\"nonce\":\"%s\",\"boot_id\":\"%s\",\"place\":\"%s\"}\n",
		 beacon->host, beacon->nonce, beacon->boot_id, digest);
	snprintf(temp, sizeof(temp), ".%s.beacon", beacon->host);
	snprintf(name, sizeof(name), "%s.beacon", beacon->host);
	rc = file_write(place->marks, temp, text);
	if ((rc == -EACCES || rc == -EPERM) && owner_become(place->marks))
		rc = file_write(place->marks, temp, text);
	if (!rc && renameat(place->marks, temp, place->marks, name))
		rc = -errno;
	return rc;
}

int place_beacon_read(const struct place *place, const char *host, struct beacon *ret)
{
	char name[BEACON_HOST_SIZE + 16], text[BEACON_FILE_MAX];
	struct beacon beacon;
	struct stat st;
	ssize_t n;
	int rc;

	if (place->marks < 0)
		return place->marks_error;
	snprintf(name, sizeof(name), "%s.beacon", host);
	n = file_read(place->marks, name, text, sizeof(text), &st);
	if (n < 0)
		return (int)n;
	rc = beacon_parse(text, (size_t)n, &beacon);
	/* A beacon under another host's name is a copy that somebody made by hand. */
	if (!rc && strcmp(beacon.host, host))
		rc = -EBADMSG;
	if (rc)
		return rc;
	beacon.age_s = (int64_t)time(NULL) - (int64_t)st.st_mtime;
	*ret = beacon;
	return 0;
}

size_t place_beacon_list(const struct place *place, char (*hosts)[BEACON_HOST_SIZE], size_t max)
{
	static const char ending[] = ".beacon";
	int fd =
	    place->marks < 0 ? -1 : openat(place->marks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t n = 0;

	while (dir && n < max && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || len < sizeof(ending) ||
		    len - sizeof(ending) + 1 >= BEACON_HOST_SIZE ||
		    strcmp(entry->d_name + len - sizeof(ending) + 1, ending))
			continue;
		snprintf(hosts[n], BEACON_HOST_SIZE, "%.*s", (int)(len - sizeof(ending) + 1),
			 entry->d_name);
		n += beacon_host_valid(hosts[n]);
	}
	if (dir)
		closedir(dir);
	return n;
}
