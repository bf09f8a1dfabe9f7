# evacuate: the helper that speaks to a control plane, and libvirt's qemu hook, the start gate
dist_man_MANS += doc/hamon-evacuate.8 doc/hamon-qemu-hook.8
pkglibexec_PROGRAMS += hamon-evacuate hamon-qemu-hook

hamon_evacuate_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(LIBVIRT_CFLAGS) $(CURL_CFLAGS) $(YAML_CFLAGS)
hamon_evacuate_LDADD = libhamon_xml.a libhamon_common.a $(LIBVIRT_LIBS) $(XML_LIBS) $(JSON_LIBS) \
	$(CURL_LIBS) $(YAML_LIBS)
hamon_evacuate_SOURCES = evacuate/main.c evacuate/plane.h \
	evacuate/request.c evacuate/request.h \
	evacuate/report.c evacuate/report.h \
	evacuate/procscan.c evacuate/procscan.h evacuate/victims.c evacuate/victims.h \
	evacuate/bounded.c evacuate/bounded.h \
	evacuate/disks.c evacuate/disks.h \
	evacuate/chain.c evacuate/chain.h evacuate/resolver.c evacuate/resolver.h \
	evacuate/libvirt/plane.c evacuate/libvirt/libvirt.h \
	evacuate/libvirt/connect.c evacuate/libvirt/connect.h \
	evacuate/libvirt/managed_save.c evacuate/libvirt/managed_save.h evacuate/libvirt/overdue.c evacuate/libvirt/overdue.h \
	evacuate/libvirt/start.c evacuate/libvirt/inspect.c evacuate/libvirt/stop.c \
	evacuate/libvirt/tidy.c evacuate/libvirt/verify.c evacuate/libvirt/verify.h \
	evacuate/libvirt/probe.c evacuate/libvirt/probe.h \
	evacuate/libvirt/status.c evacuate/libvirt/status.h \
	evacuate/libvirt/report_domain.c evacuate/libvirt/report_domain.h \
	evacuate/libvirt/watch.c evacuate/libvirt/watch.h evacuate/libvirt/watch_events.c \
	evacuate/libvirt/watch_hints.c evacuate/libvirt/watch_queue.c \
	evacuate/nova/plane.c evacuate/nova/nova.h evacuate/nova/start.c evacuate/nova/start.h evacuate/nova/there.c \
	evacuate/nova/here.c evacuate/nova/enable.c \
	evacuate/nova/mend.c evacuate/nova/servers.c evacuate/nova/session.c evacuate/nova/session.h evacuate/nova/wait.c evacuate/nova/wait.h \
	evacuate/nova/kept.c evacuate/nova/kept.h evacuate/nova/prepared.c evacuate/nova/prepared.h \
	evacuate/nova/lock.c evacuate/nova/lock.h evacuate/nova/select.c evacuate/nova/select.h \
	evacuate/nova/marks.c evacuate/nova/marks.h \
	evacuate/nova/target.c evacuate/nova/volumes.c evacuate/nova/volumes.h \
	evacuate/nova/call.c evacuate/nova/call.h evacuate/nova/cinder.c evacuate/nova/cinder.h \
	evacuate/nova/cinder_parse.c evacuate/nova/cinder_parse.h evacuate/nova/answer.c evacuate/nova/answer.h \
	evacuate/nova/clouds.c evacuate/nova/clouds.h evacuate/nova/http.c evacuate/nova/http.h \
	evacuate/nova/failure.c evacuate/nova/failure.h evacuate/nova/keystone.c evacuate/nova/keystone.h \
	evacuate/nova/compute.c evacuate/nova/compute.h evacuate/nova/parse.c evacuate/nova/parse.h

hamon_qemu_hook_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
hamon_qemu_hook_LDADD = libhamon_ctl.a libhamon_xml.a libhamon_common.a $(QB_LIBS) $(XML_LIBS) \
	$(JSON_LIBS)
hamon_qemu_hook_SOURCES = evacuate/hook/main.c \
	evacuate/hook/gatelist.c evacuate/hook/gatelist.h \
	evacuate/bounded.c evacuate/bounded.h \
	evacuate/disks.c evacuate/disks.h \
	evacuate/request.c evacuate/request.h

check_PROGRAMS += tests/unit/evacuate_request_test tests/unit/procscan_test tests/unit/gatelist_test \
	tests/unit/libvirt_words_test tests/unit/bounded_test
TESTS += tests/unit/evacuate_request_test tests/unit/procscan_test tests/unit/gatelist_test \
	tests/unit/libvirt_words_test tests/unit/bounded_test
tests_unit_evacuate_request_test_SOURCES = tests/unit/evacuate_request_test.c evacuate/request.c
tests_unit_evacuate_request_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_evacuate_request_test_LDADD = libhamon_common.a $(JSON_LIBS)
tests_unit_procscan_test_SOURCES = tests/unit/procscan_test.c evacuate/procscan.c evacuate/request.c
tests_unit_procscan_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_procscan_test_LDADD = libhamon_common.a $(JSON_LIBS)
tests_unit_gatelist_test_SOURCES = tests/unit/gatelist_test.c evacuate/hook/gatelist.c \
	evacuate/disks.c evacuate/request.c
tests_unit_gatelist_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_gatelist_test_LDADD = libhamon_xml.a libhamon_common.a $(XML_LIBS) $(JSON_LIBS)
tests_unit_libvirt_words_test_SOURCES = tests/unit/libvirt_words_test.c evacuate/libvirt/connect.c \
	evacuate/libvirt/status.c evacuate/report.c
tests_unit_libvirt_words_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(LIBVIRT_CFLAGS)
tests_unit_libvirt_words_test_LDADD = libhamon_common.a $(LIBVIRT_LIBS) $(JSON_LIBS)
tests_unit_bounded_test_SOURCES = tests/unit/bounded_test.c evacuate/bounded.c
tests_unit_bounded_test_LDADD = libhamon_common.a

check_PROGRAMS += tests/unit/nova_parse_test tests/unit/nova_clouds_test tests/unit/nova_wait_test
TESTS += tests/unit/nova_parse_test tests/unit/nova_clouds_test tests/unit/nova_wait_test
EXTRA_DIST += tests/unit/nova tests/unit/scripted_nova.py
dist_check_SCRIPTS += tests/unit/nova_api_test.py tests/unit/nova_kept_test.py tests/unit/nova_choice_test.py tests/unit/nova_volumes_test.py tests/unit/nova_endpoints_test.py
TESTS += tests/unit/nova_api_test.py tests/unit/nova_kept_test.py tests/unit/nova_choice_test.py tests/unit/nova_volumes_test.py tests/unit/nova_endpoints_test.py
tests_unit_nova_parse_test_SOURCES = tests/unit/nova_parse_test.c evacuate/nova/parse.c evacuate/nova/cinder_parse.c \
	evacuate/nova/marks.c evacuate/nova/answer.c evacuate/request.c
tests_unit_nova_wait_test_SOURCES = tests/unit/nova_wait_test.c evacuate/nova/kept.c evacuate/nova/kept.h evacuate/nova/wait.c \
	evacuate/nova/wait.h
tests_unit_nova_wait_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_nova_wait_test_LDADD = libhamon_common.a $(JSON_LIBS)
tests_unit_nova_parse_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_nova_parse_test_LDADD = libhamon_common.a $(JSON_LIBS)
tests_unit_nova_clouds_test_SOURCES = tests/unit/nova_clouds_test.c evacuate/nova/clouds.c
tests_unit_nova_clouds_test_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(YAML_CFLAGS)
tests_unit_nova_clouds_test_LDADD = libhamon_common.a $(JSON_LIBS) $(YAML_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_gatelist tests/fuzz/fuzz_evacuate_request tests/fuzz/fuzz_nova
EXTRA_DIST += tests/fuzz/corpus/gatelist tests/fuzz/corpus/evacuate_request tests/fuzz/corpus/nova
tests_fuzz_fuzz_gatelist_SOURCES = tests/fuzz/fuzz_gatelist.c evacuate/hook/gatelist.c \
	evacuate/disks.c evacuate/request.c
tests_fuzz_fuzz_gatelist_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_fuzz_fuzz_gatelist_LDADD = libhamon_xml.a libhamon_common.a $(XML_LIBS) $(JSON_LIBS)
tests_fuzz_fuzz_evacuate_request_SOURCES = tests/fuzz/fuzz_evacuate_request.c evacuate/request.c \
	evacuate/procscan.c evacuate/libvirt/status.c evacuate/disks.c
tests_fuzz_fuzz_evacuate_request_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
tests_fuzz_fuzz_evacuate_request_LDADD = libhamon_xml.a libhamon_common.a $(XML_LIBS) $(JSON_LIBS)
tests_fuzz_fuzz_nova_SOURCES = tests/fuzz/fuzz_nova.c evacuate/nova/parse.c evacuate/nova/cinder_parse.c \
	evacuate/nova/marks.c evacuate/nova/answer.c evacuate/nova/clouds.c evacuate/request.c
tests_fuzz_fuzz_nova_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(YAML_CFLAGS)
tests_fuzz_fuzz_nova_LDADD = libhamon_common.a $(JSON_LIBS) $(YAML_LIBS)
if LIBFUZZER
tests_fuzz_fuzz_nova_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_gatelist_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_evacuate_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_gatelist_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_evacuate_request_SOURCES += tests/fuzz/main.c
tests_fuzz_fuzz_nova_SOURCES += tests/fuzz/main.c
TESTS += tests/fuzz/fuzz_gatelist tests/fuzz/fuzz_evacuate_request tests/fuzz/fuzz_nova
endif

# Stands where hamond does, in the lab's tests of the gate alone.
check_PROGRAMS += tests/lab/gate_answers
tests_lab_gate_answers_SOURCES = tests/lab/gate_answers.c
tests_lab_gate_answers_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(JSON_CFLAGS)
tests_lab_gate_answers_LDADD = libhamon_control.a libhamon_common.a $(QB_LIBS) $(JSON_LIBS)
EXTRA_DIST += tests/lab/evacuation.py tests/lab/poweroff.asm tests/lab/test_evacuate_helper.py \
	tests/lab/test_evacuate_watch.py tests/lab/test_start_gate.py
