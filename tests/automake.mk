# tests: what belongs to no single part
noinst_HEADERS += tests/unit/test.h
EXTRA_DIST += tests/fuzz/main.c

check_PROGRAMS += tests/unit/json_test
TESTS += tests/unit/json_test
tests_unit_json_test_SOURCES = tests/unit/json_test.c
tests_unit_json_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_json_test_LDADD = libhamon_common.a $(JSON_LIBS)

# Who may use whom, over the whole tree.
dist_check_SCRIPTS += tests/unit/core_pure_test.sh
TESTS += tests/unit/core_pure_test.sh
