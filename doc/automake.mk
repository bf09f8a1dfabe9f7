# doc: manual pages and guides
dist_man_MANS += doc/hamond.8 doc/hamon.conf.5 doc/hamonctl.8 doc/hamon-store.8 \
	doc/hamon-helpers.8 doc/evacuate.1 doc/storage-check.1
dist_doc_DATA = README.md doc/operators-guide.md doc/architecture.md doc/reliability.md

dist_check_SCRIPTS += tests/unit/doc_test.sh
TESTS += tests/unit/doc_test.sh
