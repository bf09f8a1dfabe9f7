# hamon/alert: the journal and the alert agents, a process of its own
pkglibexec_PROGRAMS += hamon-alert

# What is pure of it: unit tests and fuzz targets link the very same objects.
noinst_LIBRARIES += libhamon_alert.a
libhamon_alert_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
libhamon_alert_a_SOURCES = \
	hamon/alert/agents.c hamon/alert/agents.h \
	hamon/alert/config.c hamon/alert/config.h \
	hamon/alert/environment.c hamon/alert/environment.h \
	hamon/alert/kinds.c hamon/alert/kinds.h hamon/alert/message_ids.h \
	hamon/alert/lanes.c hamon/alert/lanes.h \
	hamon/alert/options.c \
	hamon/alert/queue.c hamon/alert/queue.h \
	hamon/alert/record.c hamon/alert/record.h

hamon_alert_SOURCES = \
	hamon/alert/deliver.c \
	hamon/alert/dispatch.c hamon/alert/dispatch.h hamon/alert/dispatch_internal.h \
	hamon/alert/journal.c hamon/alert/journal.h \
	hamon/alert/mailbox.c hamon/alert/mailbox.h \
	hamon/alert/main.c \
	hamon/alert/run.c hamon/alert/run.h \
	hamon/alert/spool.c hamon/alert/spool.h \
	hamon/alert/spool_files.c hamon/alert/spool_files.h \
	hamon/alert/stats.c hamon/alert/stats.h \
	hamon/alert/tell.c hamon/alert/tell.h
hamon_alert_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(SYSTEMD_CFLAGS)
hamon_alert_CFLAGS = $(AM_CFLAGS) -pthread
hamon_alert_LDADD = libhamon_alert.a libhamon_io.a libhamon_common.a $(SYSTEMD_LIBS) $(JSON_LIBS)
hamon_alert_LDFLAGS = $(AM_LDFLAGS) -pthread

alert_test_libs = libhamon_alert.a libhamon_common.a $(JSON_LIBS)

check_PROGRAMS += tests/unit/alert_queue_test
TESTS += tests/unit/alert_queue_test
tests_unit_alert_queue_test_SOURCES = tests/unit/alert_queue_test.c
tests_unit_alert_queue_test_CPPFLAGS = $(libhamon_alert_a_CPPFLAGS)
tests_unit_alert_queue_test_LDADD = $(alert_test_libs)

alert_fuzz_targets = tests/fuzz/fuzz_alert_line tests/fuzz/fuzz_alert_options
check_PROGRAMS += $(alert_fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus/alert_line tests/fuzz/corpus/alert_options
tests_fuzz_fuzz_alert_line_SOURCES = tests/fuzz/fuzz_alert_line.c
tests_fuzz_fuzz_alert_line_CPPFLAGS = $(libhamon_alert_a_CPPFLAGS)
tests_fuzz_fuzz_alert_line_LDADD = $(alert_test_libs)
tests_fuzz_fuzz_alert_options_SOURCES = tests/fuzz/fuzz_alert_options.c
tests_fuzz_fuzz_alert_options_CPPFLAGS = $(libhamon_alert_a_CPPFLAGS)
tests_fuzz_fuzz_alert_options_LDADD = $(alert_test_libs)
if LIBFUZZER
tests_fuzz_fuzz_alert_line_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_alert_options_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_alert_line_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_alert_options_SOURCES += tests/fuzz/main.c
TESTS += $(alert_fuzz_targets)
endif

dist_man_MANS += doc/hamon-alerts.7

# The program as hamond and as agents see it, Pacemaker's own sample agents among them.
TESTS += tests/unit/alert_check.py
EXTRA_DIST += tests/unit/alert_check.py
