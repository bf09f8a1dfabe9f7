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
