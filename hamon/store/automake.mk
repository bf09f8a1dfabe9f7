# hamon/store: the writer of facts and history, a process of its own
pkglibexec_PROGRAMS += hamon-store

# All of it but main, so that unit tests and fuzz targets link the very same objects.
noinst_LIBRARIES += libhamon_store.a
libhamon_store_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(SQLITE_CFLAGS)
libhamon_store_a_SOURCES = \
	hamon/store/answer.c hamon/store/answer.h \
	hamon/store/batch.c hamon/store/batch.h \
	hamon/store/db.c hamon/store/db.h hamon/store/db_internal.h \
	hamon/store/db_commit.c \
	hamon/store/db_make.c \
	hamon/store/fault.c hamon/store/fault.h \
	hamon/store/gate_list.c \
	hamon/store/place.c hamon/store/place.h \
	hamon/store/request.c hamon/store/request.h \
	hamon/store/rows.c \
	hamon/store/rows_query.c \
	hamon/store/wal.c hamon/store/wal.h

hamon_store_SOURCES = hamon/store/main.c
hamon_store_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
hamon_store_LDADD = libhamon_store.a libhamon_io.a libhamon_common.a $(SQLITE_LIBS) $(JSON_LIBS)
