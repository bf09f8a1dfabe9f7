/* A managed save: the memory of a stopped guest, which libvirt would resume instead of booting it. */
#ifndef HAMON_EVACUATE_LIBVIRT_MANAGED_SAVE_H
#define HAMON_EVACUATE_LIBVIRT_MANAGED_SAVE_H

#include <limits.h>
#include <libvirt/libvirt.h>

/*
 * Takes the managed save of a domain that does not run out of libvirt's sight; the data stays beside it under
 * the path in ret_path ("" when there was none), never removed. lib_dir is /var/lib/libvirt/qemu. 0, -ENOENT when
 * libvirt has one but not below lib_dir, other -errno. Safe to repeat.
 */
int managed_save_set_aside(virDomainPtr dom, const char *lib_dir, char ret_path[PATH_MAX]);

#endif
