# evacuate/command: the program evacuate, for people (not at the top: the folder evacuate/ is there)
bin_PROGRAMS += evacuate/command/evacuate
evacuate_command_evacuate_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
evacuate_command_evacuate_SOURCES = evacuate/command/main.c evacuate/command/command.h evacuate/command/plan.c \
	evacuate/command/progress.c
evacuate_command_evacuate_LDADD = libhamon_ctl.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)
