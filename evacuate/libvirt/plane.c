/* The libvirt control plane's table. */
#include "evacuate/libvirt/libvirt.h"

const struct control_plane libvirt_plane = {
	.name = "libvirt",
	.watch = libvirt_watch,
	.start = libvirt_start,
	.inspect = libvirt_inspect,
	.stop = libvirt_stop,
	.tidy = libvirt_tidy,
};
