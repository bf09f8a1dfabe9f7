/* Where the backing images of disks lie: places of the instance like those of its top images. */
#ifndef HAMON_EVACUATE_CHAIN_H
#define HAMON_EVACUATE_CHAIN_H

#include "hamon/common/domxml.h"

/*
 * In the process that may block, after disks_resolve: a line {"n":index,"chain":place} for each folder (its real path) of a
 * backing image, and {"n":number of disks} at the end. Follows only what the XML calls qcow2 and what such an image
 * says of its backing file. 0 or -errno of the writing.
 */
int chains_resolve(const struct domxml *dom, int fd);

#endif
