# hamon: what is built here
noinst_HEADERS += hamon/config.h

# The modules of hamond that talk to the outside: child processes, corosync, the service manager.
noinst_HEADERS += hamon/helper.h hamon/service.h hamon/cluster/ring.h hamon/cluster/cpg.h \
	hamon/cluster/quorum.h hamon/cluster/cmap.h
