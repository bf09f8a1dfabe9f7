# storage-check: what is built here
noinst_LIBRARIES += libhamon_storage.a
libhamon_storage_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
libhamon_storage_a_SOURCES = \
	storage-check/beacon.c storage-check/beacon.h storage-check/place.c \
	storage-check/imginfo.c storage-check/imginfo.h storage-check/imgspec.c storage-check/imgspec.h \
	storage-check/imgsecret.c storage-check/imgsecret.h \
	storage-check/judge.c storage-check/judge.h storage-check/judge_disk.c storage-check/judge_disk.h \
	storage-check/judge_place.c storage-check/probe.c storage-check/probe.h \
	storage-check/request.c storage-check/request.h \
	storage-check/survey.c storage-check/survey.h storage-check/survey_private.h \
	storage-check/survey_folder.c storage-check/survey_image.c storage-check/survey_read.c \
	storage-check/survey_run.c storage-check/survey_walk.c
storage_libs = libhamon_storage.a libhamon_xml.a libhamon_common.a $(XML_LIBS) $(JSON_LIBS)

pkglibexec_PROGRAMS += hamon-storage
hamon_storage_SOURCES = storage-check/helper.c storage-check/helper.h storage-check/helper_beacon.c \
	storage-check/helper_check.c storage-check/helper_identify.c
hamon_storage_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
hamon_storage_LDADD = $(storage_libs)


# In its own folder: at the top of the build tree a folder has the same name.
bin_PROGRAMS += storage-check/storage-check
storage_check_storage_check_SOURCES = storage-check/command.c storage-check/command.h \
	storage-check/command_alone.c storage-check/command_print.c
storage_check_storage_check_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(LIBVIRT_CFLAGS)
storage_check_storage_check_LDADD = libhamon_storage.a libhamon_ctl.a libhamon_xml.a libhamon_common.a \
	$(LIBVIRT_LIBS) $(QB_LIBS) $(XML_LIBS) $(JSON_LIBS)

check_PROGRAMS += tests/unit/qcow_test tests/unit/storage_parsers_test tests/unit/storage_place_test
TESTS += tests/unit/qcow_test tests/unit/storage_parsers_test tests/unit/storage_place_test
dist_check_SCRIPTS += tests/unit/storage_volumes_test.py
TESTS += tests/unit/storage_volumes_test.py
tests_unit_qcow_test_SOURCES = tests/unit/qcow_test.c
tests_unit_qcow_test_LDADD = libhamon_common.a
tests_unit_storage_parsers_test_SOURCES = tests/unit/storage_parsers_test.c
tests_unit_storage_parsers_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_storage_parsers_test_LDADD = $(storage_libs)
tests_unit_storage_place_test_SOURCES = tests/unit/storage_place_test.c
tests_unit_storage_place_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_storage_place_test_LDADD = $(storage_libs)

storage_fuzzers = tests/fuzz/fuzz_domxml tests/fuzz/fuzz_imginfo tests/fuzz/fuzz_beacon tests/fuzz/fuzz_qcow \
	tests/fuzz/fuzz_storage_request
check_PROGRAMS += $(storage_fuzzers)
EXTRA_DIST += tests/fuzz/corpus/domxml tests/fuzz/corpus/imginfo tests/fuzz/corpus/beacon \
	tests/fuzz/corpus/qcow tests/fuzz/corpus/storage_request
tests_fuzz_fuzz_domxml_SOURCES = tests/fuzz/fuzz_domxml.c
tests_fuzz_fuzz_domxml_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_fuzz_fuzz_domxml_LDADD = $(storage_libs)
tests_fuzz_fuzz_imginfo_SOURCES = tests/fuzz/fuzz_imginfo.c
tests_fuzz_fuzz_imginfo_LDADD = $(storage_libs)
tests_fuzz_fuzz_beacon_SOURCES = tests/fuzz/fuzz_beacon.c
tests_fuzz_fuzz_beacon_LDADD = $(storage_libs)
tests_fuzz_fuzz_qcow_SOURCES = tests/fuzz/fuzz_qcow.c
tests_fuzz_fuzz_qcow_LDADD = $(storage_libs)
tests_fuzz_fuzz_storage_request_SOURCES = tests/fuzz/fuzz_storage_request.c
tests_fuzz_fuzz_storage_request_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_fuzz_fuzz_storage_request_LDADD = $(storage_libs)
if LIBFUZZER
tests_fuzz_fuzz_domxml_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_imginfo_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_beacon_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_qcow_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_storage_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_domxml_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_imginfo_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_beacon_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_qcow_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_storage_request_SOURCES += tests/fuzz/main.c
TESTS += $(storage_fuzzers)
endif

EXTRA_DIST += tests/lab/deadfs.py tests/lab/test_storage_check.py

check_PROGRAMS += tests/unit/storage_command_test
TESTS += tests/unit/storage_command_test
tests_unit_storage_command_test_SOURCES = tests/unit/storage_command_test.c
tests_unit_storage_command_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_unit_storage_command_test_LDADD = libhamon_control.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)
