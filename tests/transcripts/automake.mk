# tests/transcripts: stories of a cluster that a reviewer can read, compared to the letter
check_PROGRAMS += tests/transcripts/run
dist_check_SCRIPTS += tests/transcripts/run_test.sh
TESTS += tests/transcripts/run_test.sh
EXTRA_DIST += tests/transcripts/brake.txt \
	tests/transcripts/clean-leave.txt \
	tests/transcripts/cold-start.txt \
	tests/transcripts/coordinator-dies-after-intent.txt \
	tests/transcripts/coordinator-lost.txt \
	tests/transcripts/daemon-killed.txt \
	tests/transcripts/device-broken.txt \
	tests/transcripts/evacuate-by-hand.txt \
	tests/transcripts/fast-reboot.txt \
	tests/transcripts/fence-delay.txt \
	tests/transcripts/gate.txt \
	tests/transcripts/hand-over.txt \
	tests/transcripts/host-lost.txt \
	tests/transcripts/host-shutdown.txt \
	tests/transcripts/live-migration-target-dies.txt \
	tests/transcripts/live-migration.txt \
	tests/transcripts/local-disks.txt \
	tests/transcripts/maintenance.txt \
	tests/transcripts/minority.txt \
	tests/transcripts/move-stopped.txt \
	tests/transcripts/no-room.txt \
	tests/transcripts/returns-in-same-boot.txt \
	tests/transcripts/start-fails.txt \
	tests/transcripts/start-hangs.txt \
	tests/transcripts/store-lost-everywhere.txt \
	tests/transcripts/store-lost.txt \
	tests/transcripts/target-dies.txt \
	tests/transcripts/two-new-stores.txt \
	tests/transcripts/two-nodes-idle.txt \
	tests/transcripts/two-nodes.txt \
	tests/transcripts/watchdog.txt \
	tests/transcripts/wishes.txt
tests_transcripts_run_SOURCES = tests/transcripts/run.c
tests_transcripts_run_LDADD = $(HAMON_WORLD_LIBS)
