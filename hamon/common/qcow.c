/* The header of a qcow2 image: hostile bytes, so every offset is checked before it is used. */
#include <errno.h>
#include <string.h>

#include "hamon/common/qcow.h"

#define EXT_END 0x00000000u
#define EXT_BACKING_FORMAT 0xe2792acau
#define EXT_DATA_FILE 0x44415441u
#define INCOMPATIBLE_CORRUPT (1u << 1)
#define INCOMPATIBLE_DATA_FILE (1u << 2)
#define V2_HEADER_BYTES 72
#define V3_HEADER_BYTES 104

static uint32_t be32(const uint8_t *data)
{
	return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static uint64_t be64(const uint8_t *data)
{
	return (uint64_t)be32(data) << 32 | be32(data + 4);
}

/*
 * A name of len bytes without NULs inside: a C string that is shorter than what was checked would
 * differ.
 */
static int name_copy(char *buf, size_t size, const uint8_t *name, size_t len)
{
	if (len >= size || memchr(name, 0, len))
		return -EBADMSG;
	memcpy(buf, name, len);
	buf[len] = '\0';
	return 0;
}

static int backing_parse(const uint8_t *data, size_t len, struct qcow *qcow)
{
	uint64_t offset = be64(data + 8);
	uint32_t size = be32(data + 16);

	if (!offset)
		return 0;
	if (size >= QCOW_NAME_SIZE)
		return -EBADMSG;
	if (offset > len || size > len - offset)
		return -ERANGE;
	return name_copy(qcow->backing, sizeof(qcow->backing), data + offset, size);
}

static int extensions_parse(const uint8_t *data, size_t len, size_t at, struct qcow *qcow)
{
	while (len - at >= 8) {
		uint32_t type = be32(data + at), size = be32(data + at + 4);

		at += 8;
		if (type == EXT_END)
			return 0;
		if (size > len - at)
			return -ERANGE;
		if (type == EXT_DATA_FILE)
			qcow->data_file = true;
		if (type == EXT_BACKING_FORMAT &&
		    name_copy(qcow->backing_format, sizeof(qcow->backing_format), data + at, size))
			return -EBADMSG;
		/* Each is padded to eight bytes. */
		if (len - at < ((size_t)size + 7) / 8 * 8)
			return -ERANGE;
		at += ((size_t)size + 7) / 8 * 8;
	}
	return -ERANGE;
}

int qcow_parse(const uint8_t *data, size_t len, struct qcow *ret)
{
	struct qcow qcow = {0};
	uint64_t incompatible;
	size_t header = V2_HEADER_BYTES;
	int rc;

	if (len < 8 || memcmp(data, "QFI\xfb", 4))
		return -ENODATA;
	qcow.version = be32(data + 4);
	if (qcow.version < 1 || qcow.version > 3)
		return -EBADMSG;
	if (len < V2_HEADER_BYTES)
		return -ERANGE;
	rc = backing_parse(data, len, &qcow);
	if (rc)
		return rc;
	if (qcow.version == 1) {
		qcow.encrypted = be32(data + 36) != 0;
		*ret = qcow;
		return 0;
	}
	qcow.encrypted = be32(data + 32) != 0;
	if (qcow.version == 3) {
		if (len < V3_HEADER_BYTES)
			return -ERANGE;
		incompatible = be64(data + 72);
		qcow.corrupt = incompatible & INCOMPATIBLE_CORRUPT;
		qcow.data_file = incompatible & INCOMPATIBLE_DATA_FILE;
		header = be32(data + 100);
		if (header < V3_HEADER_BYTES)
			return -EBADMSG;
		if (header > len)
			return -ERANGE;
	}
	rc = extensions_parse(data, len, header, &qcow);
	if (rc)
		return rc;
	*ret = qcow;
	return 0;
}
