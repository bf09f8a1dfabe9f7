/*
 * A QEMU that does not come up. It opens its disks before it answers libvirt, and storage that went away since it was proven makes it wait
 * for as long as that storage's client likes (minutes with RBD), with libvirtd and the start waiting for it. Nothing of its guest has
 * run yet, so it can be ended without harm, and the guest started where its storage answers.
 */
#ifndef HAMON_EVACUATE_LIBVIRT_OVERDUE_H
#define HAMON_EVACUATE_LIBVIRT_OVERDUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "evacuate/request.h"

/* What a look and the end of a QEMU may take, after the timeout. */
#define OVERDUE_MS 10000

struct overdue {
	pid_t pid; /* of the process that watches, 0 = there is none */
	int fd;
};

/* From now on the instance's QEMU has timeout_ms (ms) to come up. Without a process for it a start takes as long as it takes. */
void overdue_begin(struct overdue *overdue, const struct request *req, uint64_t timeout_ms);

/* The start is over: true when its QEMU was ended. */
bool overdue_end(struct overdue *overdue);

#endif
