/*
 * What of a running domain libvirt tells by no call that is sure to return: block jobs and the kind of its job. Its
 * calls for those wait for the domain's job or for QEMU's monitor, both without a bound. libvirt writes them
 * at each change to its status file, /run/libvirt/qemu/NAME.xml (qemuDomainObjPrivateXMLFormat in libvirt's sources).
 */
#ifndef HAMON_EVACUATE_LIBVIRT_STATUS_H
#define HAMON_EVACUATE_LIBVIRT_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#define STATUS_BYTES_MAX (4u << 20)

struct domain_status {
	bool known; /* false: the file could not be read, nothing is known */
	bool block_job;
	const char *job; /* static: none, migration-in, migration-out, save, dump, snapshot, start, backup, unknown */
};

/* Pure. Reads the head of the file; the domain's own definition, in which guests' owners write, is not looked at. */
void status_parse(const char *text, size_t len, struct domain_status *ret);

/* Reads run_dir/NAME.xml, a file of tmpfs. */
void status_read(const char *run_dir, const char *name, struct domain_status *ret);

#endif
