# tests/simulator: whole clusters in virtual time, on the objects that hamond runs
check_LIBRARIES = libhamon_world.a
libhamon_world_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
libhamon_world_a_SOURCES = tests/simulator/cores.c tests/simulator/coverage.c tests/simulator/coverage.h tests/simulator/events.c \
	tests/simulator/fencing.c tests/simulator/guests.c tests/simulator/hosts.c tests/simulator/inner.h \
	tests/simulator/ledger.c tests/simulator/ledger.h tests/simulator/migration.c tests/simulator/network.c \
	tests/simulator/oracle.c tests/simulator/parcel.c tests/simulator/storage.c tests/simulator/store.c \
	tests/simulator/transitions.c tests/simulator/world.c tests/simulator/world.h hamon/wire.c hamon/wire.h hamon/wire_facts.c hamon/wire_fields.c hamon/wire_fields.h
HAMON_WORLD_LIBS = libhamon_world.a libhamon_core.a libhamon_common.a $(JSON_LIBS)

check_PROGRAMS += tests/simulator/sim
dist_check_SCRIPTS += tests/simulator/seeds_test.sh
TESTS += tests/simulator/seeds_test.sh
EXTRA_DIST += tests/sim tests/simulator/seeds
tests_simulator_sim_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(SQLITE_CFLAGS)
tests_simulator_sim_SOURCES = tests/simulator/sim.c tests/simulator/disk.c tests/simulator/disk.h tests/simulator/disk_torn.c \
	tests/simulator/disk_torn.h tests/simulator/faults.c tests/simulator/history.c \
	tests/simulator/history.h tests/simulator/plan.c tests/simulator/shrink.c
tests_simulator_sim_LDADD = libhamon_world.a libhamon_core.a libhamon_store.a libhamon_io.a libhamon_common.a $(SQLITE_LIBS) $(JSON_LIBS)

# Many more histories than `make check` has time for: make soak SOAK_FIRST=1 SOAK_LAST=5000
SOAK_FIRST = 1
SOAK_LAST = 5000
.PHONY: soak
soak: tests/simulator/sim$(EXEEXT)
	nice tests/simulator/sim$(EXEEXT) --seeds $(SOAK_FIRST)-$(SOAK_LAST)
	nice tests/simulator/sim$(EXEEXT) --hosts 2 --seeds $(SOAK_FIRST)-$(SOAK_LAST)

# The codec and the core, for any content of a message and any order of events.
check_PROGRAMS += tests/unit/wire_test tests/unit/core_decisions_test tests/fuzz/fuzz_wire tests/fuzz/fuzz_core
TESTS += tests/unit/wire_test tests/unit/core_decisions_test
EXTRA_DIST += tests/fuzz/corpus/wire tests/fuzz/corpus/core
tests_unit_wire_test_SOURCES = tests/unit/wire_test.c
tests_unit_wire_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_wire_test_LDADD = $(HAMON_WORLD_LIBS)
tests_unit_core_decisions_test_SOURCES = tests/unit/core_decisions_test.c
tests_unit_core_decisions_test_LDADD = $(HAMON_WORLD_LIBS)
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c
tests_fuzz_fuzz_wire_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_fuzz_fuzz_wire_LDADD = $(HAMON_WORLD_LIBS)
tests_fuzz_fuzz_core_SOURCES = tests/fuzz/fuzz_core.c
tests_fuzz_fuzz_core_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_fuzz_fuzz_core_LDADD = $(HAMON_WORLD_LIBS)
if LIBFUZZER
tests_fuzz_fuzz_wire_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_core_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_wire_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_core_SOURCES += tests/fuzz/main.c
TESTS += tests/fuzz/fuzz_wire tests/fuzz/fuzz_core
endif
