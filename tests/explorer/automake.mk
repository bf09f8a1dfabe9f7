# tests/explorer: every state that a small cluster of cores can reach, within bounds
check_PROGRAMS += tests/explorer/explore
dist_check_SCRIPTS += tests/explorer/explore_test.sh
# Not with sanitizers: on purpose it fills with nonsense what a core need not remember, and it would take minutes.
if !LIBFUZZER
TESTS += tests/explorer/explore_test.sh
endif
EXTRA_DIST += tests/explore
tests_explorer_explore_SOURCES = tests/explorer/codec.c tests/explorer/codec.h \
	tests/explorer/codec_core.c tests/explorer/codec_message.c tests/explorer/walk.h tests/explorer/effects.c \
	tests/explorer/effects.h tests/explorer/events.c tests/explorer/events.h tests/explorer/intern.c \
	tests/explorer/intern.h tests/explorer/main.c tests/explorer/model.c tests/explorer/model.h \
	tests/explorer/moves.c tests/explorer/oracle.c tests/explorer/search.c tests/explorer/search.h \
	tests/explorer/step.c tests/explorer/step.h tests/explorer/store.c tests/explorer/tell.c
tests_explorer_explore_LDADD = libhamon_core.a
