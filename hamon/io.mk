# The modules of hamond that talk to the outside: child processes, corosync, the service manager.
noinst_LIBRARIES += libhamon_io.a
libhamon_io_a_CPPFLAGS = $(AM_CPPFLAGS) $(CPG_CFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
libhamon_io_a_SOURCES = \
	hamon/helper.c hamon/helper.h hamon/helper_private.h hamon/helper_io.c hamon/helper_spare.c hamon/helper_spawn.c \
	hamon/lines.c hamon/lines.h hamon/service.c hamon/service.h \
	hamon/cluster/conn.c hamon/cluster/conn.h hamon/cluster/ring.h \
	hamon/cluster/cpg.c hamon/cluster/cpg.h hamon/cluster/frame.c hamon/cluster/frame.h \
	hamon/cluster/quorum.c hamon/cluster/quorum.h hamon/cluster/cmap.c hamon/cluster/cmap.h \
	hamon/cluster/cmap_config.c hamon/cluster/cmap_config.h
# What a program that links libhamon_io.a needs.
HAMON_IO_LIBS = libhamon_io.a libhamon_common.a $(CPG_LIBS) $(QB_LIBS) $(JSON_LIBS)

HELPER_TESTS = tests/unit/helper_test tests/unit/helper_end_test tests/unit/helper_spare_test
check_PROGRAMS += $(HELPER_TESTS)
TESTS += $(HELPER_TESTS)
tests_unit_helper_test_SOURCES = tests/unit/helper_test.c tests/unit/helper_seen.c tests/unit/helper_seen.h
tests_unit_helper_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_unit_helper_test_LDADD = $(HAMON_IO_LIBS)
tests_unit_helper_end_test_SOURCES = tests/unit/helper_end_test.c tests/unit/helper_seen.c tests/unit/helper_seen.h
tests_unit_helper_end_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_unit_helper_end_test_LDADD = $(HAMON_IO_LIBS)
tests_unit_helper_spare_test_SOURCES = tests/unit/helper_spare_test.c tests/unit/helper_seen.c tests/unit/helper_seen.h
tests_unit_helper_spare_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_unit_helper_spare_test_LDADD = $(HAMON_IO_LIBS)

check_PROGRAMS += tests/unit/frame_test tests/fuzz/fuzz_frame
TESTS += tests/unit/frame_test
EXTRA_DIST += tests/fuzz/corpus/frame
tests_unit_frame_test_SOURCES = tests/unit/frame_test.c
tests_unit_frame_test_LDADD = libhamon_io.a
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c
tests_fuzz_fuzz_frame_LDADD = libhamon_io.a

check_PROGRAMS += tests/unit/lines_test tests/unit/cmap_config_test tests/unit/service_test tests/fuzz/fuzz_cmap_config
TESTS += tests/unit/lines_test tests/unit/cmap_config_test tests/unit/service_test
EXTRA_DIST += tests/fuzz/corpus/cmap_config
tests_unit_lines_test_SOURCES = tests/unit/lines_test.c
tests_unit_lines_test_LDADD = libhamon_io.a
tests_unit_cmap_config_test_SOURCES = tests/unit/cmap_config_test.c
tests_unit_cmap_config_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS)
tests_unit_cmap_config_test_LDADD = libhamon_io.a
tests_unit_service_test_SOURCES = tests/unit/service_test.c
tests_unit_service_test_LDADD = libhamon_io.a
tests_fuzz_fuzz_cmap_config_SOURCES = tests/fuzz/fuzz_cmap_config.c
tests_fuzz_fuzz_cmap_config_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS)
tests_fuzz_fuzz_cmap_config_LDADD = libhamon_io.a

if LIBFUZZER
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_cmap_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_frame_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_cmap_config_SOURCES += tests/fuzz/main.c
TESTS += tests/fuzz/fuzz_frame tests/fuzz/fuzz_cmap_config
endif

# The cluster modules alone, for the lab (tests/lab/test_cluster_io.py).
check_PROGRAMS += tests/lab/cluster_probe
EXTRA_DIST += tests/lab/test_cluster_io.py
tests_lab_cluster_probe_SOURCES = tests/lab/cluster_probe.c
tests_lab_cluster_probe_CPPFLAGS = $(AM_CPPFLAGS) $(CPG_CFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_lab_cluster_probe_LDADD = $(HAMON_IO_LIBS)

# These two play corosync themselves: no corosync library is linked.
check_PROGRAMS += tests/unit/group_test tests/unit/quorum_test
TESTS += tests/unit/group_test tests/unit/quorum_test
tests_unit_group_test_SOURCES = tests/unit/group_test.c tests/unit/fake_cpg.c tests/unit/fake_cpg.h
tests_unit_group_test_CPPFLAGS = $(AM_CPPFLAGS) $(CPG_CFLAGS) $(QB_CFLAGS)
tests_unit_group_test_LDADD = libhamon_io.a $(QB_LIBS)
tests_unit_quorum_test_SOURCES = tests/unit/quorum_test.c
tests_unit_quorum_test_CPPFLAGS = $(AM_CPPFLAGS) $(CPG_CFLAGS) $(QB_CFLAGS)
tests_unit_quorum_test_LDADD = libhamon_io.a $(QB_LIBS)
