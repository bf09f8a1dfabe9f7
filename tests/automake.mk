# tests: what belongs to no single part
noinst_HEADERS += tests/unit/test.h
EXTRA_DIST += tests/fuzz/main.c

check_PROGRAMS += tests/unit/json_test
TESTS += tests/unit/json_test
tests_unit_json_test_SOURCES = tests/unit/json_test.c
tests_unit_json_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_json_test_LDADD = libhamon_common.a $(JSON_LIBS)

# Who may use whom, over the whole tree.
dist_check_SCRIPTS += tests/unit/core_pure_test.sh
TESTS += tests/unit/core_pure_test.sh

# What a core alone says and does, told by hand; "leading": it coordinates; "following": it is a member.
CORE_ALONE = tests/unit/core_alone.c tests/unit/core_alone.h
CORE_LEADING = $(CORE_ALONE) tests/unit/core_leading.c tests/unit/core_leading.h
CORE_FOLLOWING = $(CORE_ALONE) tests/unit/core_following.c tests/unit/core_following.h
CORE_TESTS = tests/unit/core_fence_test tests/unit/core_handover_test tests/unit/core_member_test \
	tests/unit/core_migration_test tests/unit/core_pair_test tests/unit/core_proof_test tests/unit/core_start_test \
	tests/unit/core_terms_test tests/unit/core_waiting_test tests/unit/core_words_test
check_PROGRAMS += $(CORE_TESTS)
TESTS += $(CORE_TESTS)
tests_unit_core_fence_test_SOURCES = tests/unit/core_fence_test.c $(CORE_ALONE)
tests_unit_core_fence_test_LDADD = libhamon_core.a
tests_unit_core_handover_test_SOURCES = tests/unit/core_handover_test.c $(CORE_ALONE)
tests_unit_core_handover_test_LDADD = libhamon_core.a
tests_unit_core_member_test_SOURCES = tests/unit/core_member_test.c $(CORE_FOLLOWING)
tests_unit_core_member_test_LDADD = libhamon_core.a
tests_unit_core_start_test_SOURCES = tests/unit/core_start_test.c $(CORE_FOLLOWING)
tests_unit_core_start_test_LDADD = libhamon_core.a
tests_unit_core_migration_test_SOURCES = tests/unit/core_migration_test.c $(CORE_LEADING)
tests_unit_core_migration_test_LDADD = libhamon_core.a
tests_unit_core_pair_test_SOURCES = tests/unit/core_pair_test.c $(CORE_LEADING)
tests_unit_core_pair_test_LDADD = libhamon_core.a
tests_unit_core_proof_test_SOURCES = tests/unit/core_proof_test.c $(CORE_LEADING)
tests_unit_core_proof_test_LDADD = libhamon_core.a
tests_unit_core_terms_test_SOURCES = tests/unit/core_terms_test.c $(CORE_LEADING)
tests_unit_core_terms_test_LDADD = libhamon_core.a
tests_unit_core_waiting_test_SOURCES = tests/unit/core_waiting_test.c $(CORE_LEADING)
tests_unit_core_waiting_test_LDADD = libhamon_core.a
tests_unit_core_words_test_SOURCES = tests/unit/core_words_test.c $(CORE_LEADING)
tests_unit_core_words_test_LDADD = libhamon_core.a

# A tarball that is made of a checkout has all of it.
dist-hook:
	@test ! -e $(srcdir)/.git || (cd $(srcdir) && git ls-files) | grep -v '^\.' | { \
		rc=0; \
		while read -r file; do \
			test -e "$(distdir)/$$file" || { echo "not in the tarball: $$file" >&2; rc=1; }; \
		done; \
		exit $$rc; \
	}
