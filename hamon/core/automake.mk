# hamon/core: the decisions, pure; the same objects in the daemon, the tests and the fuzzers
noinst_LIBRARIES += libhamon_core.a
libhamon_core_a_SOURCES = \
	hamon/core/admission.c hamon/core/check.c hamon/core/core.c hamon/core/core.h hamon/core/evacuations.c hamon/core/events.c hamon/core/facts.h hamon/core/fence.c hamon/core/gate.c hamon/core/handover.c \
	hamon/core/hosts.c hamon/core/incidents.c hamon/core/proofs.c hamon/core/reports.c hamon/core/instances.c hamon/core/limits.h hamon/core/member.c hamon/core/migration.c \
	hamon/core/names.c hamon/core/placement.c hamon/core/records.c hamon/core/requests.c hamon/core/results.c \
	hamon/core/state.h hamon/core/tables.c hamon/core/terms.c hamon/core/view.c
