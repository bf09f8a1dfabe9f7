/*
 * One folder or one device, looked at in a child of its own. The child works on its copy of the
 * survey and answers with one JSON object a line, so that what it saw before a mount died is not
 * lost.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <unistd.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "storage-check/survey_private.h"

#define HEADER_FIRST_BYTES 4096

static void line_write(int out, struct json_object *obj)
{
	json_write_line(out, obj);
	json_object_put(obj);
}

static struct json_object *line_new(const char *kind)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "t", kind);
	return obj;
}

/* Most headers fit the first block; only a long one costs a second read. */
static int header_read(int fd, struct qcow *header)
{
	static uint8_t data[QCOW_HEADER_BYTES];
	ssize_t n = pread(fd, data, HEADER_FIRST_BYTES, 0);
	int rc;

	if (n < 0)
		return -errno;
	rc = qcow_parse(data, (size_t)n, header);
	if (rc != -ERANGE || n < HEADER_FIRST_BYTES)
		return rc;
	n = pread(fd, data, sizeof(data), 0);
	return n < 0 ? -errno : qcow_parse(data, (size_t)n, header);
}

/* Names come from files: what is no UTF-8 cannot be said in JSON, and is not followed. */
static void header_put(struct json_object *obj, int error, const struct qcow *header)
{
	json_object_object_add(obj, "header_error", json_object_new_int(error));
	if (error)
		return;
	json_put_string(obj, "backing", header->backing);
	json_put_string(obj, "backing_format", header->backing_format);
	json_put_bool(obj, "data_file", header->data_file);
	json_put_bool(obj, "encrypted", header->encrypted);
	json_put_bool(obj, "corrupt", header->corrupt);
}

/* Nothing is created or changed. */
static int image_open(int dir, const char *name, int flags)
{
	return openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* The owner of a file may open it where root may not: on a server that squashes root. */
static bool image_owner_become(int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool became = fd >= 0 && owner_become(fd);

	if (fd >= 0)
		close(fd);
	return became;
}

static void link_read(int dir, const char *name, struct json_object *obj)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0) {
		json_object_object_add(obj, "read", json_object_new_int(-errno));
		return;
	}
	target[n] = '\0';
	json_put_string(obj, "link", target);
}

static void errors_put(struct json_object *obj, int read_error, int write_error)
{
	json_object_object_add(obj, "read", json_object_new_int(read_error));
	json_object_object_add(obj, "write", json_object_new_int(write_error));
}

/* Adds what the header names to the work, when it lies in this folder: that saves another child. */
static void neighbour_add(struct survey *survey, const struct survey_file *file, const char *name)
{
	char path[PATH_MAX], folder[PATH_MAX];

	if (!name[0] || !path_resolve(file->folder->path, name, path))
		return;
	path_split(path, folder, NULL);
	if (!strcmp(folder, file->folder->path))
		survey_file_get(survey, path);
}

static void file_look(struct survey *survey, const struct place *place, struct survey_file *file,
		      int out)
{
	struct json_object *obj = line_new("file");
	const char *name = strrchr(file->path, '/') + 1;
	struct qcow header = {0};
	int fd = image_open(place->dir, name, O_RDONLY), write_fd, rc;
	bool became = false;
	struct stat st;

	json_put_string(obj, "path", file->path);
	if (fd < 0 && errno == ELOOP) {
		link_read(place->dir, name, obj);
		goto out;
	}
	if (fd < 0 && errno == EACCES) {
		became = image_owner_become(place->dir, name);
		fd = image_open(place->dir, name, O_RDONLY);
	}
	if (fd < 0 || fstat(fd, &st)) {
		errors_put(obj, -errno, -errno);
		goto out;
	}
	if (S_ISBLK(st.st_mode)) {
		errors_put(obj, 0, 0);
		json_put_bool(obj, "block", true);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		errors_put(obj, -EINVAL, -EINVAL);
		goto out;
	}
	write_fd = image_open(place->dir, name, O_RDWR);
	if (write_fd < 0 && errno == EACCES && !became) {
		became = image_owner_become(place->dir, name);
		write_fd = image_open(place->dir, name, O_RDWR);
	}
	errors_put(obj, 0, write_fd < 0 ? -errno : 0);
	rc = header_read(fd, &header);
	header_put(obj, rc, &header);
	if (!rc)
		neighbour_add(survey, file, header.backing);
	if (write_fd >= 0)
		close(write_fd);
out:
	if (became)
		owner_leave();
	if (fd >= 0)
		close(fd);
	line_write(out, obj);
}

/* The image in this folder that has one of the instances' images as its backing file. */
static void overlay_look(struct survey *survey, struct survey_folder *folder,
			 const struct place *place, const char *name, int out)
{
	char path[PATH_MAX], backing[PATH_MAX];
	const struct survey_file *known;
	const char *backing_name;
	struct json_object *obj;
	struct qcow header;
	struct stat st;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", strcmp(folder->path, "/") ? folder->path : "",
		     name) >= (int)sizeof(path))
		return;
	known = survey_file(survey, path);
	if (known && known->raw)
		return;
	fd = image_open(place->dir, name, O_RDONLY);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !header_read(fd, &header) &&
	    header.backing[0] && path_resolve(folder->path, header.backing, backing)) {
		backing_name = strrchr(backing, '/') + 1;
		if (survey_index_find(&survey->names, backing_name)) {
			obj = line_new("overlay");
			json_put_string(obj, "path", path);
			json_put_string(obj, "backing", backing);
			line_write(out, obj);
		}
	}
	close(fd);
}

/* Ends by itself when time gets short: what was seen of the folder so far must not be lost with the scan. */
static void folder_scan(struct survey *survey, struct survey_folder *folder,
			const struct place *place, uint64_t until_ms, int out)
{
	struct json_object *obj = line_new("scan");
	struct dirent *entry = NULL;
	unsigned int looked = 0;
	int fd = openat(place->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN))
			continue;
		if (looked++ == SURVEY_SCAN_MAX || clock_boot_ms() >= until_ms)
			break;
		overlay_look(survey, folder, place, entry->d_name, out);
	}
	json_put_bool(obj, "partial", !dir || entry);
	line_write(out, obj);
	if (dir)
		closedir(dir);
}

static void beacon_put(const struct place *place, const char *host, struct json_object *beacons)
{
	struct json_object *item;
	struct beacon beacon;

	if (place_beacon_read(place, host, &beacon))
		return;
	item = json_object_new_object();
	json_put_string(item, "nonce", beacon.nonce);
	json_put_string(item, "place", beacon.place);
	json_object_object_add(item, "age_s", json_object_new_int64(beacon.age_s));
	json_object_object_add(beacons, beacon.host, item);
}

static void folder_put(struct survey *survey, const struct place *place, int out)
{
	struct json_object *obj = line_new("folder"), *beacons = json_object_new_object();
	static char hosts[SURVEY_HOSTS_MAX][BEACON_HOST_SIZE];
	char id[DISKID_UUID_SIZE] = "";
	size_t n = survey->all_hosts ? place_beacon_list(place, hosts, SURVEY_HOSTS_MAX) : 0;

	json_put_string(obj, "real", place->real);
	json_put_string(obj, "fs", place->fs);
	json_put_bool(obj, "readonly", place->readonly);
	place_id_read(place, id);
	json_put_string(obj, "place_id", id);
	for (size_t i = 0; i < survey->n_hosts; i++)
		beacon_put(place, survey->hosts[i], beacons);
	for (size_t i = 0; i < n; i++)
		beacon_put(place, hosts[i], beacons);
	json_object_object_add(obj, "beacons", beacons);
	line_write(out, obj);
}

void folder_job(void *arg, int out)
{
	struct survey_job *job = arg;
	struct survey_folder *folder = job->object;
	struct json_object *obj;
	struct place place;
	uint64_t until_ms = clock_boot_ms() + job->survey->limits.probe_timeout_ms / 2;
	int rc = place_open(folder->path, &place);

	if (rc) {
		obj = line_new("folder");
		json_object_object_add(obj, "error", json_object_new_int(rc));
		line_write(out, obj);
		return;
	}
	folder_put(job->survey, &place, out);
	/* The list grows while it is worked on. */
	for (size_t i = 0; i < job->survey->files.n; i++) {
		struct survey_file *file = job->survey->files.items[i];

		if (file->folder == folder && file->state == SURVEY_WANTED)
			file_look(job->survey, &place, file, out);
	}
	if (folder->scan && !folder->scanned)
		folder_scan(job->survey, folder, &place, until_ms, out);
	place_close(&place);
}

void device_job(void *arg, int out)
{
	struct survey_job *job = arg;
	struct survey_device *device = job->object;
	struct json_object *obj = line_new("device");
	char id[DISKID_SIZE];
	struct qcow header = {0};
	int readonly = 0;
	int fd = open(device->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : diskid_block(device->path, id, sizeof(id));

	json_object_object_add(obj, "error", json_object_new_int(rc));
	if (!rc) {
		/*
		 * Not opened for writing: closing such a descriptor makes udev probe the device
		 * again.
		 */
		if (!ioctl(fd, BLKROGET, &readonly) && readonly)
			json_put_bool(obj, "readonly", true);
		json_put_string(obj, "id", id);
		header_put(obj, header_read(fd, &header), &header);
	}
	line_write(out, obj);
	if (fd >= 0)
		close(fd);
}
