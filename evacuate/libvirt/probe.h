/*
 * Proves that the running libvirtd has loaded the start gate: it looks for hooks only when it starts (or is
 * reloaded), so a hook that lies in its folder proves nothing. A domain that is marked as hamon's probe is
 * started, paused and without a disk: the hook must refuse it with its nonce.
 */
#ifndef HAMON_EVACUATE_LIBVIRT_PROBE_H
#define HAMON_EVACUATE_LIBVIRT_PROBE_H

#include <libvirt/libvirt.h>

#define PROBE_NAME_PREFIX "hamon-probe-"

struct probe_result {
	const char *gate; /* static: "ok", "not-loaded", "unknown" (the probe could not be made) */
	char detail[1200];
};

/* Leaves no domain behind: what starts is destroyed, by libvirt itself when this process ends in the middle. */
void probe_run(virConnectPtr conn, struct probe_result *ret);

#endif
