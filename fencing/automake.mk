# fencing: hamon-fence, which runs fence agents and reads the power back
noinst_LIBRARIES += libhamon_fencing.a
libhamon_fencing_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(XML_CFLAGS)
libhamon_fencing_a_SOURCES = \
	fencing/action.c fencing/action.h \
	fencing/agent.c fencing/agent.h \
	fencing/check.c \
	fencing/failure.c fencing/failure.h \
	fencing/keeper.c fencing/keeper.h \
	fencing/metadata.c fencing/metadata.h \
	fencing/off.c fencing/off.h \
	fencing/options.c fencing/options.h \
	fencing/output.c fencing/output.h \
	fencing/power.c fencing/power.h \
	fencing/report.c fencing/report.h \
	fencing/request.c fencing/request.h \
	fencing/scrub.c \
	fencing/secrets.c fencing/secrets.h \
	fencing/selftest.c fencing/selftest.h

pkglibexec_PROGRAMS += hamon-fence
hamon_fence_CPPFLAGS = $(libhamon_fencing_a_CPPFLAGS)
hamon_fence_SOURCES = fencing/main.c
hamon_fence_LDADD = libhamon_fencing.a libhamon_common.a $(JSON_LIBS) $(XML_LIBS)

# Unit tests: each of its own source and the library.
fence_unit_tests = tests/unit/fence_off_test tests/unit/fence_request_test tests/unit/fence_secrets_test \
	tests/unit/fence_output_test tests/unit/fence_metadata_test tests/unit/fence_agent_test \
	tests/unit/fence_program_test
check_PROGRAMS += $(fence_unit_tests)
TESTS += $(fence_unit_tests)
fence_test_libs = libhamon_fencing.a libhamon_common.a $(JSON_LIBS) $(XML_LIBS)
tests_unit_fence_off_test_SOURCES = tests/unit/fence_off_test.c
tests_unit_fence_off_test_LDADD = $(fence_test_libs)
tests_unit_fence_request_test_SOURCES = tests/unit/fence_request_test.c
tests_unit_fence_request_test_CPPFLAGS = $(libhamon_fencing_a_CPPFLAGS)
tests_unit_fence_request_test_LDADD = $(fence_test_libs)
tests_unit_fence_secrets_test_SOURCES = tests/unit/fence_secrets_test.c
tests_unit_fence_secrets_test_LDADD = $(fence_test_libs)
tests_unit_fence_output_test_SOURCES = tests/unit/fence_output_test.c
tests_unit_fence_output_test_LDADD = $(fence_test_libs)
tests_unit_fence_metadata_test_SOURCES = tests/unit/fence_metadata_test.c
tests_unit_fence_metadata_test_LDADD = $(fence_test_libs)
tests_unit_fence_agent_test_SOURCES = tests/unit/fence_agent_test.c tests/unit/fence_fake.c \
	tests/unit/fence_fake.h
tests_unit_fence_agent_test_LDADD = $(fence_test_libs)
tests_unit_fence_program_test_SOURCES = tests/unit/fence_program_test.c tests/unit/fence_fake.c \
	tests/unit/fence_fake.h
tests_unit_fence_program_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_fence_program_test_LDADD = libhamon_common.a $(JSON_LIBS)

# Fuzz targets: one for each thing that somebody else writes.
fence_fuzz_targets = tests/fuzz/fuzz_fence_metadata tests/fuzz/fuzz_fence_output tests/fuzz/fuzz_fence_request
check_PROGRAMS += $(fence_fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus/fence_metadata tests/fuzz/corpus/fence_output tests/fuzz/corpus/fence_request
tests_fuzz_fuzz_fence_metadata_SOURCES = tests/fuzz/fuzz_fence_metadata.c
tests_fuzz_fuzz_fence_metadata_LDADD = $(fence_test_libs)
tests_fuzz_fuzz_fence_output_SOURCES = tests/fuzz/fuzz_fence_output.c
tests_fuzz_fuzz_fence_output_CPPFLAGS = $(libhamon_fencing_a_CPPFLAGS)
tests_fuzz_fuzz_fence_output_LDADD = $(fence_test_libs)
tests_fuzz_fuzz_fence_request_SOURCES = tests/fuzz/fuzz_fence_request.c
tests_fuzz_fuzz_fence_request_LDADD = $(fence_test_libs)
if LIBFUZZER
tests_fuzz_fuzz_fence_metadata_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_fence_output_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_fence_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_fence_metadata_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_fence_output_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_fence_request_SOURCES += tests/fuzz/main.c
TESTS += $(fence_fuzz_targets)
endif

dist_man_MANS += doc/hamon-fence.8

# Real fence_ipmilan against ipmi_sim; run by tests/all.
EXTRA_DIST += tests/lab/test_fence_agent.py
