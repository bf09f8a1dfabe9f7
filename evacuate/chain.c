/*
 * The folders of a disk's backing images. Only what the XML calls qcow2, and what such an image says of its backing file, is
 * believed: what looks like a header in a raw disk was written by the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evacuate/chain.h"
#include "hamon/common/diskid.h"
#include "hamon/common/imagepath.h"
#include "hamon/common/json.h"
#include "hamon/common/qcow.h"

#define CHAIN_MAX 64

static int header_read(const char *path, struct qcow *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
	uint8_t *data;
	ssize_t n;

	if (fd < 0)
		return -errno;
	data = malloc(QCOW_HEADER_BYTES);
	n = data ? pread(fd, data, QCOW_HEADER_BYTES, 0) : -1;
	rc = n < 0 ? -EIO : qcow_parse(data, (size_t)n, ret);
	free(data);
	close(fd);
	return rc;
}

static int line_write(int fd, size_t n, const char *place)
{
	struct json_object *line = json_object_new_object();
	int rc;

	json_put_u64(line, "n", n);
	if (place)
		json_put_string(line, "chain", place);
	rc = json_write_line(fd, line);
	json_object_put(line);
	return rc;
}

static int chain_resolve(const struct domxml_disk *disk, size_t n, int fd)
{
	char path[PATH_MAX], next[PATH_MAX], folder[PATH_MAX], place[PATH_MAX], said[sizeof(((struct qcow *)0)->backing_format)];
	const char *format = disk->format;
	struct qcow header;
	int rc = 0;

	if (strlen(disk->source) >= sizeof(path))
		return 0;
	strcpy(path, disk->source);
	for (int i = 0; i < CHAIN_MAX && !rc && format && !strcmp(format, "qcow2"); i++) {
		if (header_read(path, &header) || !header.backing[0])
			break;
		/* A name in an image is relative to the path by which QEMU was given that image. */
		path_split(path, folder, NULL);
		if (!path_resolve(folder, header.backing, next))
			break;
		if (!diskid_place(next, place, NULL))
			rc = line_write(fd, n, place);
		strcpy(path, next);
		memcpy(said, header.backing_format, sizeof(said));
		format = said;
	}
	return rc;
}

int chains_resolve(const struct domxml *dom, int fd)
{
	int rc = 0;

	for (size_t i = 0; i < dom->n_disks && !rc; i++) {
		const struct domxml_disk *disk = &dom->disks[i];

		if (disk->source && (disk->kind == DOMXML_FILE || disk->kind == DOMXML_BLOCK))
			rc = chain_resolve(disk, i, fd);
	}
	return rc ? rc : line_write(fd, dom->n_disks, NULL);
}
