# hamon/common: one file for each thing that several parts need
noinst_LIBRARIES += libhamon_common.a
libhamon_common_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
libhamon_common_a_SOURCES = hamon/common/json.c hamon/common/json.h \
	hamon/common/clock.c hamon/common/clock.h
libhamon_common_a_SOURCES += hamon/common/sha256.c hamon/common/sha256.h

check_PROGRAMS += tests/unit/sha256_test
TESTS += tests/unit/sha256_test
tests_unit_sha256_test_SOURCES = tests/unit/sha256_test.c
tests_unit_sha256_test_LDADD = libhamon_common.a
