# hamon/common: one file for each thing that several parts need
noinst_LIBRARIES += libhamon_common.a
libhamon_common_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
libhamon_common_a_SOURCES = hamon/common/json.c hamon/common/json.h \
	hamon/common/clock.c hamon/common/clock.h
