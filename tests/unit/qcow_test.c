/* storage-check/qcow.c: headers as QEMU's specification has them, and damaged ones. */
#include <errno.h>
#include <stdint.h>

#include "hamon/common/qcow.h"
#include "tests/unit/test.h"

#define NAME_AT 512

static uint8_t image[4096];

static void put32(size_t at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		image[at + (size_t)i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put64(size_t at, uint64_t value)
{
	put32(at, (uint32_t)(value >> 32));
	put32(at + 4, (uint32_t)value);
}

static void image_make(unsigned int version, const char *backing)
{
	memset(image, 0, sizeof(image));
	memcpy(image, "QFI\xfb", 4);
	put32(4, version);
	if (backing) {
		put64(8, NAME_AT);
		put32(16, (uint32_t)strlen(backing));
		memcpy(image + NAME_AT, backing, strlen(backing));
	}
	put32(100, 104);
}

static void extension_put(size_t at, uint32_t type, const char *text)
{
	put32(at, type);
	put32(at + 4, (uint32_t)strlen(text));
	memcpy(image + at + 8, text, strlen(text));
}

static void names_are_read(void)
{
	struct qcow qcow;

	image_make(3, NULL);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), 0);
	CHECK_STR(qcow.backing, "");
	CHECK(!qcow.data_file && !qcow.corrupt && !qcow.encrypted);
	image_make(3, "../b/base.img");
	extension_put(104, 0xe2792aca, "raw");
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), 0);
	CHECK_STR(qcow.backing, "../b/base.img");
	CHECK_STR(qcow.backing_format, "raw");
	image_make(2, "base");
	extension_put(72, 0xe2792aca, "qcow2");
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), 0);
	CHECK_STR(qcow.backing_format, "qcow2");
	image_make(1, "base");
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), 0);
	CHECK_STR(qcow.backing, "base");
	CHECK_STR(qcow.backing_format, "");
}

static void flags_are_read(void)
{
	struct qcow qcow;

	image_make(3, NULL);
	put64(72, 1u << 1);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), 0);
	CHECK(qcow.corrupt && !qcow.data_file);
	image_make(3, NULL);
	put64(72, 1u << 2);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), 0);
	CHECK(qcow.data_file);
	image_make(3, NULL);
	extension_put(104, 0x44415441, "data.raw");
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), 0);
	CHECK(qcow.data_file);
	image_make(3, NULL);
	put32(32, 2);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), 0);
	CHECK(qcow.encrypted);
}

static void other_files_are_no_qcow(void)
{
	struct qcow qcow;

	memset(image, 0, sizeof(image));
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -ENODATA);
	CHECK_INT(qcow_parse(image, 0, &qcow), -ENODATA);
	memcpy(image, "QFI", 3);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -ENODATA);
}

static void damaged_headers_are_refused(void)
{
	struct qcow qcow = {.version = 77};

	image_make(4, NULL);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -EBADMSG);
	image_make(3, "base");
	put32(16, 1024); /* longer than a name may be */
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -EBADMSG);
	image_make(3, "base");
	put64(8, UINT64_MAX - 1);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -ERANGE);
	image_make(3, "ba");
	put32(16, 4); /* NULs inside the name */
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -EBADMSG);
	image_make(3, NULL);
	put32(100, 50);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -EBADMSG);
	put32(100, UINT32_MAX);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -ERANGE);
	image_make(3, NULL);
	extension_put(104, 0xe2792aca, "raw");
	put32(108, UINT32_MAX);
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -ERANGE);
	put32(108, 32); /* longer than any format's name */
	CHECK_INT(qcow_parse(image, sizeof(image), &qcow), -EBADMSG);
	CHECK_INT(qcow.version, 77);
}

/* Every shorter piece of a good header says that it is too short; none is read past its end. */
static void cut_headers_ask_for_more(void)
{
	struct qcow qcow;

	image_make(3, "base.img");
	extension_put(104, 0xe2792aca, "qcow2");
	extension_put(120, 0x12345678, "features");
	for (size_t len = 8; len < NAME_AT + 8; len++) {
		uint8_t *copy = malloc(len);

		memcpy(copy, image, len);
		CHECK_INT(qcow_parse(copy, len, &qcow), -ERANGE);
		free(copy);
	}
	CHECK_INT(qcow_parse(image, NAME_AT + 8, &qcow), 0);
}

int main(void)
{
	RUN(names_are_read);
	RUN(flags_are_read);
	RUN(other_files_are_no_qcow);
	RUN(damaged_headers_are_refused);
	RUN(cut_headers_ask_for_more);
	return 0;
}
