# hamon/ctl: the control socket, both sides, and the program for people
noinst_LIBRARIES += libhamon_ctl.a libhamon_control.a
libhamon_ctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
libhamon_ctl_a_SOURCES = hamon/common/ctl.c hamon/common/ctl.h hamon/common/cli.c hamon/common/cli.h
libhamon_control_a_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
CONTROL_SERVER = hamon/control.c hamon/control_client.c hamon/control_fds.c hamon/control_request.c hamon/control_internal.h
libhamon_control_a_SOURCES = $(CONTROL_SERVER) hamon/control.h \
	hamon/control_message.c hamon/control_message.h hamon/control_peer.c hamon/control_peer.h
libhamon_common_a_SOURCES += hamon/common/suggest.c hamon/common/suggest.h hamon/common/term.c hamon/common/term.h \
	hamon/common/table.c hamon/common/table.h

bin_PROGRAMS += hamonctl
hamonctl_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
hamonctl_SOURCES = hamon/ctl/main.c hamon/ctl/command.h hamon/ctl/show.c hamon/ctl/act.c hamon/ctl/servers.c hamon/ctl/watch.c \
	hamon/ctl/findings.c hamon/ctl/findings.h hamon/ctl/view.h hamon/ctl/view_status.c hamon/ctl/view_records.c
hamonctl_LDADD = libhamon_ctl.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)

check_PROGRAMS += tests/unit/control_test tests/unit/control_users_test
TESTS += tests/unit/control_test tests/unit/control_users_test
tests_unit_control_users_test_SOURCES = tests/unit/control_users_test.c tests/unit/control_server.c tests/unit/control_server.h
tests_unit_control_users_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_unit_control_users_test_LDADD = libhamon_control.a libhamon_ctl.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)
tests_unit_control_test_SOURCES = tests/unit/control_test.c tests/unit/control_server.c tests/unit/control_server.h
tests_unit_control_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_unit_control_test_LDADD = libhamon_control.a libhamon_ctl.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)

check_PROGRAMS += tests/unit/control_idle_test
TESTS += tests/unit/control_idle_test
tests_unit_control_idle_test_SOURCES = tests/unit/control_idle_test.c tests/unit/control_server.c \
	$(CONTROL_SERVER) hamon/control_message.c hamon/control_peer.c
tests_unit_control_idle_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS) \
	-DCONTROL_IDLE_MS=300 -DCONTROL_FETCH_MS=300
tests_unit_control_idle_test_LDADD = libhamon_ctl.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)

check_PROGRAMS += tests/unit/suggest_test
TESTS += tests/unit/suggest_test
tests_unit_suggest_test_SOURCES = tests/unit/suggest_test.c
tests_unit_suggest_test_LDADD = libhamon_common.a

check_PROGRAMS += tests/fuzz/fuzz_control
EXTRA_DIST += tests/fuzz/corpus/control
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c
tests_fuzz_fuzz_control_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_fuzz_fuzz_control_LDADD = libhamon_control.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)
if LIBFUZZER
tests_fuzz_fuzz_control_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_control_SOURCES += tests/fuzz/main.c
TESTS += tests/fuzz/fuzz_control
endif

check_PROGRAMS += tests/unit/hamonctl_server
tests_unit_hamonctl_server_SOURCES = tests/unit/hamonctl_server.c
tests_unit_hamonctl_server_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_unit_hamonctl_server_LDADD = libhamon_control.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)
dist_check_SCRIPTS += tests/unit/hamonctl_test.py
TESTS += tests/unit/hamonctl_test.py
EXTRA_DIST += tests/unit/hamonctl

check_PROGRAMS += tests/unit/control_message_test
TESTS += tests/unit/control_message_test
tests_unit_control_message_test_SOURCES = tests/unit/control_message_test.c
tests_unit_control_message_test_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_unit_control_message_test_LDADD = libhamon_control.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)
