# hamon/common: one file for each thing that several parts need
noinst_LIBRARIES += libhamon_common.a
libhamon_common_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
libhamon_common_a_SOURCES = hamon/common/json.c hamon/common/json.h \
	hamon/common/clock.c hamon/common/clock.h hamon/common/faultfile.c hamon/common/faultfile.h
libhamon_common_a_SOURCES += hamon/common/sha256.c hamon/common/sha256.h

check_PROGRAMS += tests/unit/sha256_test
TESTS += tests/unit/sha256_test
tests_unit_sha256_test_SOURCES = tests/unit/sha256_test.c
tests_unit_sha256_test_LDADD = libhamon_common.a
libhamon_common_a_SOURCES += hamon/common/diskid.c hamon/common/diskid_block.c hamon/common/diskid.h \
	hamon/common/qcow.c hamon/common/qcow.h hamon/common/imagepath.c hamon/common/imagepath.h

# What needs libxml2 is a library of its own: hamond does not link it.
noinst_LIBRARIES += libhamon_xml.a
libhamon_xml_a_CPPFLAGS = $(AM_CPPFLAGS) $(XML_CFLAGS)
libhamon_xml_a_SOURCES = hamon/common/domxml.c hamon/common/domxml.h hamon/common/domxml_tree.c \
	hamon/common/domxml_tree.h hamon/common/domxml_disks.c hamon/common/domxml_devices.c \
	hamon/common/domxml_meta.c hamon/common/domxml_redact.c

check_PROGRAMS += tests/unit/domxml_test tests/unit/diskid_test
TESTS += tests/unit/domxml_test tests/unit/diskid_test
tests_unit_domxml_test_SOURCES = tests/unit/domxml_test.c
tests_unit_domxml_test_LDADD = libhamon_xml.a libhamon_common.a $(XML_LIBS)
tests_unit_diskid_test_SOURCES = tests/unit/diskid_test.c
tests_unit_diskid_test_LDADD = libhamon_common.a
