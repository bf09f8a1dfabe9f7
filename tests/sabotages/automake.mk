# tests/sabotages: deliberate faults, each of which a test must notice
EXTRA_DIST += tests/sabotage tests/setup.sh tests/sabotages
dist_check_SCRIPTS += tests/sabotages/short_test.sh
# It makes a build of its own, whatever the options of this one are.
if !LIBFUZZER
TESTS += tests/sabotages/short_test.sh
endif

clean-local:
	rm -rf sabotage

# hamond's side of the store.
check_PROGRAMS += tests/unit/daemon_store_test
TESTS += tests/unit/daemon_store_test
tests_unit_daemon_store_test_SOURCES = tests/unit/daemon_store_test.c hamon/daemon/faultpoint.c hamon/daemon/store.c hamon/daemon/walls.c hamon/daemon/daemon.h
tests_unit_daemon_store_test_CPPFLAGS = $(hamond_CPPFLAGS)
tests_unit_daemon_store_test_LDADD = libhamon_world.a libhamon_core.a libhamon_common.a $(JSON_LIBS)

# And its sides of libvirt and of the storage.
check_PROGRAMS += tests/unit/daemon_watch_test tests/unit/daemon_storage_test
TESTS += tests/unit/daemon_watch_test tests/unit/daemon_storage_test
tests_unit_daemon_storage_test_SOURCES = tests/unit/daemon_storage_test.c hamon/daemon/beacons.c hamon/daemon/storage.c hamon/daemon/daemon.h
tests_unit_daemon_storage_test_CPPFLAGS = $(hamond_CPPFLAGS)
tests_unit_daemon_storage_test_LDADD = libhamon_common.a $(JSON_LIBS)
check_PROGRAMS += tests/unit/daemon_domains_test
TESTS += tests/unit/daemon_domains_test
tests_unit_daemon_domains_test_SOURCES = tests/unit/daemon_domains_test.c hamon/daemon/domains.c hamon/daemon/daemon.h
tests_unit_daemon_domains_test_CPPFLAGS = $(hamond_CPPFLAGS)
tests_unit_daemon_domains_test_LDADD = libhamon_common.a $(JSON_LIBS)
tests_unit_daemon_watch_test_SOURCES = tests/unit/daemon_watch_test.c hamon/daemon/watch.c hamon/daemon/daemon.h
tests_unit_daemon_watch_test_CPPFLAGS = $(hamond_CPPFLAGS)
tests_unit_daemon_watch_test_LDADD = libhamon_common.a $(JSON_LIBS)
check_PROGRAMS += tests/unit/lookup_test
TESTS += tests/unit/lookup_test
tests_unit_lookup_test_SOURCES = tests/unit/lookup_test.c tests/unit/core_alone.c tests/unit/core_alone.h hamon/daemon/lookup.c hamon/daemon/words.c hamon/daemon/daemon.h
tests_unit_lookup_test_CPPFLAGS = $(hamond_CPPFLAGS)
tests_unit_lookup_test_LDADD = libhamon_core.a libhamon_config.a libhamon_common.a $(JSON_LIBS) $(INIH_LIBS)

check_PROGRAMS += tests/unit/core_plan_test
TESTS += tests/unit/core_plan_test
tests_unit_core_plan_test_SOURCES = tests/unit/core_plan_test.c
tests_unit_core_plan_test_LDADD = $(HAMON_WORLD_LIBS)
