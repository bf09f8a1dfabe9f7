# tests/transcripts: stories of a cluster that a reviewer can read, compared to the letter
check_PROGRAMS += tests/transcripts/run
dist_check_SCRIPTS += tests/transcripts/run_test.sh
TESTS += tests/transcripts/run_test.sh
EXTRA_DIST += $(srcdir)/tests/transcripts/*.txt
tests_transcripts_run_SOURCES = tests/transcripts/run.c
tests_transcripts_run_LDADD = $(HAMON_WORLD_LIBS)
