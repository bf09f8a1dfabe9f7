# fencing: hamon-fence, which runs fence agents and reads the power back
noinst_LIBRARIES += libhamon_fencing.a
libhamon_fencing_a_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(XML_CFLAGS)
libhamon_fencing_a_SOURCES = \
	fencing/action.c fencing/action.h \
	fencing/agent.c fencing/agent.h \
	fencing/check.c \
	fencing/failure.c fencing/failure.h \
	fencing/keeper.c fencing/keeper.h \
	fencing/metadata.c fencing/metadata.h \
	fencing/off.c fencing/off.h \
	fencing/options.c fencing/options.h \
	fencing/output.c fencing/output.h \
	fencing/power.c fencing/power.h \
	fencing/report.c fencing/report.h \
	fencing/request.c fencing/request.h \
	fencing/scrub.c \
	fencing/secrets.c fencing/secrets.h \
	fencing/selftest.c fencing/selftest.h

pkglibexec_PROGRAMS += hamon-fence
hamon_fence_CPPFLAGS = $(libhamon_fencing_a_CPPFLAGS)
hamon_fence_SOURCES = fencing/main.c
hamon_fence_LDADD = libhamon_fencing.a libhamon_common.a $(JSON_LIBS) $(XML_LIBS)
