# tests/sim: whole clusters in virtual time, on the objects that hamond runs
check_LIBRARIES = libhamon_world.a
libhamon_world_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
libhamon_world_a_SOURCES = tests/sim/world.c tests/sim/world.h hamon/wire.c hamon/wire.h
HAMON_WORLD_LIBS = libhamon_world.a libhamon_core.a libhamon_common.a $(JSON_LIBS)

check_PROGRAMS += tests/sim/sim
dist_check_SCRIPTS += tests/sim/seeds_test.sh
TESTS += tests/sim/seeds_test.sh
EXTRA_DIST += tests/sim/seeds
tests_sim_sim_SOURCES = tests/sim/sim.c
tests_sim_sim_LDADD = $(HAMON_WORLD_LIBS)

# Many more histories than `make check` has time for: make soak SOAK_FIRST=1 SOAK_LAST=5000
SOAK_FIRST = 1
SOAK_LAST = 5000
.PHONY: soak
soak: tests/sim/sim$(EXEEXT)
	nice tests/sim/sim$(EXEEXT) --seeds $(SOAK_FIRST)-$(SOAK_LAST)
	nice tests/sim/sim$(EXEEXT) --hosts 2 --seeds $(SOAK_FIRST)-$(SOAK_LAST)
