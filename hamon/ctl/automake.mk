# hamon/ctl: the control socket, both sides, and the program for people
noinst_LIBRARIES += libhamon_ctl.a libhamon_control.a
libhamon_ctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
libhamon_ctl_a_SOURCES = hamon/common/ctl.c hamon/common/ctl.h
libhamon_control_a_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
libhamon_control_a_SOURCES = hamon/control.c hamon/control.h \
	hamon/control_message.c hamon/control_message.h hamon/control_peer.c hamon/control_peer.h
libhamon_common_a_SOURCES += hamon/common/suggest.c hamon/common/suggest.h
