# init: units, groups, folders, the sample configuration, completions and the link into libvirt's hook folder
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
bashcompletiondir = $(datadir)/bash-completion/completions

init_templates = init/hamond.service.in init/hamon-shutdown.service.in init/hamon.tmpfiles.in \
	init/hamon.conf.sample.in
EXTRA_DIST += $(init_templates) init/hamon.sysusers
CLEANFILES += $(init_templates:.in=)

# The paths are known only to make: configure leaves ${prefix} in them.
init_substitute = sed \
	-e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@bindir[@]|$(bindir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	-e 's|@localstatedir[@]|$(localstatedir)|g' \
	-e 's|@runstatedir[@]|$(runstatedir)|g'

$(init_templates:.in=): Makefile
	$(AM_V_GEN)$(MKDIR_P) init && $(init_substitute) $(srcdir)/$@.in >$@.new && mv $@.new $@
init/hamond.service: init/hamond.service.in
init/hamon-shutdown.service: init/hamon-shutdown.service.in
init/hamon.tmpfiles: init/hamon.tmpfiles.in
init/hamon.conf.sample: init/hamon.conf.sample.in

systemdsystemunit_DATA = init/hamond.service init/hamon-shutdown.service
pkgsysconf_DATA += init/hamon.conf.sample
noinst_DATA += init/hamon.tmpfiles

dist_bashcompletion_DATA = init/completion/hamonctl init/completion/evacuate \
	init/completion/storage-check init/completion/hamond

# Installed as hamon.conf; only the tree needs a name that says more.
INSTALL_DATA_HOOKS += install-hamon-conf
install-hamon-conf: init/hamon.tmpfiles init/hamon.conf.sample
	$(MKDIR_P) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir) $(DESTDIR)$(pkgsysconfdir)/alerts.d
	$(INSTALL_DATA) $(srcdir)/init/hamon.sysusers $(DESTDIR)$(sysusersdir)/hamon.conf
	$(INSTALL_DATA) init/hamon.tmpfiles $(DESTDIR)$(tmpfilesdir)/hamon.conf
	$(MKDIR_P) $(DESTDIR)$(pkgsysconfdir)/secrets $(DESTDIR)$(localstatedir)/lib/hamon
	chmod 0700 $(DESTDIR)$(pkgsysconfdir)/secrets $(DESTDIR)$(localstatedir)/lib/hamon
	test -e $(DESTDIR)$(pkgsysconfdir)/hamon.conf || \
		$(INSTALL_DATA) init/hamon.conf.sample $(DESTDIR)$(pkgsysconfdir)/hamon.conf

# A hamon.conf that somebody has changed stays, and so do the store and the secrets.
UNINSTALL_HOOKS += uninstall-hamon-conf
uninstall-hamon-conf: init/hamon.conf.sample
	rm -f $(DESTDIR)$(sysusersdir)/hamon.conf $(DESTDIR)$(tmpfilesdir)/hamon.conf
	! cmp -s init/hamon.conf.sample $(DESTDIR)$(pkgsysconfdir)/hamon.conf || \
		rm -f $(DESTDIR)$(pkgsysconfdir)/hamon.conf

# libvirtd runs every executable of this folder before a domain starts; it looks for them only at its own start.
INSTALL_DATA_HOOKS += install-libvirt-hook
install-libvirt-hook:
	$(MKDIR_P) $(DESTDIR)$(libvirthookdir)
	rm -f $(DESTDIR)$(libvirthookdir)/50-hamon
	$(LN_S) $(pkglibexecdir)/hamon-qemu-hook $(DESTDIR)$(libvirthookdir)/50-hamon

UNINSTALL_HOOKS += uninstall-libvirt-hook
uninstall-libvirt-hook:
	rm -f $(DESTDIR)$(libvirthookdir)/50-hamon

dist_check_SCRIPTS += tests/unit/units_test.sh tests/unit/sample_test.sh tests/unit/install_test.sh \
	tests/unit/shutdown_test.sh tests/unit/completion_test.sh
TESTS += tests/unit/units_test.sh tests/unit/sample_test.sh tests/unit/install_test.sh \
	tests/unit/shutdown_test.sh tests/unit/completion_test.sh
check_PROGRAMS += tests/unit/config_tool
tests_unit_config_tool_SOURCES = tests/unit/config_tool.c
tests_unit_config_tool_LDADD = libhamon_config.a libhamon_common.a $(INIH_LIBS)
