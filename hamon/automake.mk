# hamon: what is built here

include hamon/io.mk

# The configuration, for hamond and the tests: link it with libhamon_common.a and $(INIH_LIBS).
noinst_LIBRARIES += libhamon_config.a
libhamon_config_a_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
libhamon_config_a_SOURCES = hamon/config.c hamon/config.h hamon/config_check.c hamon/config_digest.c \
	hamon/config_error.c hamon/config_fence.c hamon/config_fill.c hamon/config_internal.h hamon/config_keys.c \
	hamon/config_keys.h hamon/config_parse.c hamon/config_value.c hamon/config_value.h

check_PROGRAMS += tests/unit/config_test tests/unit/config_file_test tests/fuzz/fuzz_config
TESTS += tests/unit/config_test tests/unit/config_file_test
EXTRA_DIST += tests/unit/config tests/fuzz/corpus/config
tests_unit_config_test_SOURCES = tests/unit/config_test.c
tests_unit_config_test_LDADD = libhamon_config.a libhamon_common.a $(INIH_LIBS)
tests_unit_config_file_test_SOURCES = tests/unit/config_file_test.c
tests_unit_config_file_test_LDADD = libhamon_config.a libhamon_common.a $(INIH_LIBS)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
tests_fuzz_fuzz_config_LDADD = libhamon_config.a libhamon_common.a $(INIH_LIBS)
if LIBFUZZER
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_config_SOURCES += tests/fuzz/main.c
TESTS += tests/fuzz/fuzz_config
endif
