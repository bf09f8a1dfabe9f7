# hamon/daemon: hamond itself
sbin_PROGRAMS += hamond
hamond_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(QB_CFLAGS) $(CPG_CFLAGS)
hamond_SOURCES = hamon/daemon/alerts.c hamon/daemon/beacons.c hamon/daemon/daemon.c hamon/daemon/daemon.h hamon/daemon/defs.c hamon/daemon/domains.c \
	hamon/daemon/explain.c hamon/daemon/faultpoint.c hamon/daemon/faultpoint.h \
	hamon/daemon/fences.c hamon/daemon/lookup.c hamon/daemon/main.c hamon/daemon/nova.c hamon/daemon/pace.c hamon/daemon/pace.h hamon/daemon/plan.c \
	hamon/daemon/servers.c hamon/daemon/starts.c hamon/daemon/walls.c \
	hamon/daemon/status.c hamon/daemon/storage.c hamon/daemon/store.c hamon/daemon/trace.c \
	hamon/daemon/trace.h hamon/daemon/verbs.c hamon/daemon/watch.c hamon/daemon/words.c hamon/wire.c hamon/wire.h hamon/wire_facts.c hamon/wire_fields.c hamon/wire_fields.h
hamond_LDADD = libhamon_core.a libhamon_io.a libhamon_control.a libhamon_config.a libhamon_common.a \
	$(CPG_LIBS) $(QB_LIBS) $(JSON_LIBS) $(INIH_LIBS)

check_PROGRAMS += tests/unit/pace_test
TESTS += tests/unit/pace_test
tests_unit_pace_test_SOURCES = tests/unit/pace_test.c hamon/daemon/pace.c hamon/daemon/pace.h

check_PROGRAMS += tests/unit/daemon_starts_test
TESTS += tests/unit/daemon_starts_test
tests_unit_daemon_starts_test_SOURCES = tests/unit/daemon_starts_test.c hamon/daemon/starts.c hamon/daemon/words.c hamon/daemon/pace.c hamon/daemon/daemon.h
tests_unit_daemon_starts_test_CPPFLAGS = $(hamond_CPPFLAGS)
tests_unit_daemon_starts_test_LDADD = libhamon_common.a $(JSON_LIBS)
