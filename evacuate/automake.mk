# evacuate: the helper that speaks to a control plane, and libvirt's qemu hook, the start gate
pkglibexec_PROGRAMS += hamon-evacuate hamon-qemu-hook

hamon_evacuate_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) $(LIBVIRT_CFLAGS)
hamon_evacuate_LDADD = libhamon_xml.a libhamon_common.a $(LIBVIRT_LIBS) $(XML_LIBS) $(JSON_LIBS)
hamon_evacuate_SOURCES = evacuate/main.c evacuate/plane.h \
	evacuate/request.c evacuate/request.h \
	evacuate/report.c evacuate/report.h \
	evacuate/procscan.c evacuate/procscan.h \
	evacuate/bounded.c evacuate/bounded.h \
	evacuate/disks.c evacuate/disks.h \
	evacuate/resolver.c evacuate/resolver.h \
	evacuate/libvirt/plane.c evacuate/libvirt/libvirt.h \
	evacuate/libvirt/connect.c evacuate/libvirt/connect.h \
	evacuate/libvirt/managed_save.c evacuate/libvirt/managed_save.h \
	evacuate/libvirt/start.c evacuate/libvirt/inspect.c evacuate/libvirt/stop.c \
	evacuate/libvirt/tidy.c \
	evacuate/libvirt/probe.c evacuate/libvirt/probe.h \
	evacuate/libvirt/status.c evacuate/libvirt/status.h \
	evacuate/libvirt/report_domain.c evacuate/libvirt/report_domain.h \
	evacuate/libvirt/watch.c evacuate/libvirt/watch.h evacuate/libvirt/watch_events.c \
	evacuate/libvirt/watch_hints.c evacuate/libvirt/watch_queue.c

hamon_qemu_hook_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
hamon_qemu_hook_LDADD = libhamon_ctl.a libhamon_xml.a libhamon_common.a $(QB_LIBS) $(XML_LIBS) \
	$(JSON_LIBS)
hamon_qemu_hook_SOURCES = evacuate/hook/main.c \
	evacuate/hook/gatelist.c evacuate/hook/gatelist.h \
	evacuate/bounded.c evacuate/bounded.h \
	evacuate/disks.c evacuate/disks.h \
	evacuate/request.c evacuate/request.h
