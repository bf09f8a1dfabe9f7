# hamon/store: the writer of facts and history, a process of its own
pkglibexec_PROGRAMS += hamon-store

# All of it but main, so that unit tests and fuzz targets link the very same objects.
noinst_LIBRARIES += libhamon_store.a
libhamon_store_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(SQLITE_CFLAGS)
libhamon_store_a_SOURCES = \
	hamon/store/answer.c hamon/store/answer.h \
	hamon/store/batch.c hamon/store/batch.h \
	hamon/store/db.c hamon/store/db.h hamon/store/db_internal.h \
	hamon/store/db_commit.c \
	hamon/store/db_make.c \
	hamon/store/fault.c hamon/store/fault.h \
	hamon/store/gate_list.c \
	hamon/store/place.c hamon/store/place.h \
	hamon/store/request.c hamon/store/request.h \
	hamon/store/rows.c \
	hamon/store/rows_query.c \
	hamon/store/wal.c hamon/store/wal.h

hamon_store_SOURCES = hamon/store/main.c
hamon_store_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
hamon_store_LDADD = libhamon_store.a libhamon_io.a libhamon_common.a $(SQLITE_LIBS) $(JSON_LIBS)

store_test_libs = libhamon_store.a libhamon_io.a libhamon_common.a $(SQLITE_LIBS) $(JSON_LIBS)

check_PROGRAMS += tests/unit/store_power_test
TESTS += tests/unit/store_power_test
tests_unit_store_power_test_SOURCES = tests/unit/store_power_test.c
tests_unit_store_power_test_CPPFLAGS = $(libhamon_store_a_CPPFLAGS)
tests_unit_store_power_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/store_wal_test
TESTS += tests/unit/store_wal_test
tests_unit_store_wal_test_SOURCES = tests/unit/store_wal_test.c
tests_unit_store_wal_test_LDADD = $(store_test_libs)

# The program as hamond sees it: killed, damaged, emptied, out of space, fed with nonsense.
TESTS += tests/unit/store_check.py
EXTRA_DIST += tests/unit/store_check.py

store_fuzz_targets = tests/fuzz/fuzz_store_request tests/fuzz/fuzz_store_wal
check_PROGRAMS += $(store_fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus/store_request tests/fuzz/corpus/store_wal
tests_fuzz_fuzz_store_request_SOURCES = tests/fuzz/fuzz_store_request.c
tests_fuzz_fuzz_store_request_CPPFLAGS = $(libhamon_store_a_CPPFLAGS)
tests_fuzz_fuzz_store_request_LDADD = $(store_test_libs)
tests_fuzz_fuzz_store_wal_SOURCES = tests/fuzz/fuzz_store_wal.c
tests_fuzz_fuzz_store_wal_LDADD = $(store_test_libs)
if LIBFUZZER
tests_fuzz_fuzz_store_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_store_wal_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_store_request_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_store_wal_SOURCES += tests/fuzz/main.c
TESTS += $(store_fuzz_targets)
endif
