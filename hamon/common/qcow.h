/*
 * The header of a qcow2 (or qcow) image, as far as it names other files: QEMU's
 * docs/interop/qcow2.txt. Reading these few bytes costs a thousandth of a qemu-img process, and
 * nothing in them can make it open anything. What it does not understand it says, and then qemu-img
 * is asked.
 */
#ifndef HAMON_COMMON_QCOW_H
#define HAMON_COMMON_QCOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QCOW_NAME_SIZE 1024
/* Enough for every header that qemu-img writes. */
#define QCOW_HEADER_BYTES 65536

struct qcow {
	unsigned int version;
	char backing[QCOW_NAME_SIZE]; /* as written in the image, "" when there is none */
	char backing_format[32];      /* "" when the image does not say */
	bool data_file;		      /* the data is in another file */
	bool encrypted;
	bool corrupt;
};

/*
 * Reads the first len bytes of an image. 0, -ENODATA when it is no qcow image, -ERANGE when the
 * header goes past len, -EBADMSG when it is damaged.
 */
int qcow_parse(const uint8_t *data, size_t len, struct qcow *ret);

#endif
