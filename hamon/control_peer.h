/* Who is at the other end of a connected local socket. In libhamon_control.a. */
#ifndef HAMON_CONTROL_PEER_H
#define HAMON_CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "hamon/control.h"

/*
 * Fills *ret from SO_PEERCRED and SO_PEERGROUPS (unix(7), Linux 4.13) of fd: what the peer was when it called
 * connect(). group: whose members are admins besides root, when have_group. 0 or -errno.
 */
int control_peer_read(int fd, bool have_group, gid_t group, struct control_peer *ret);

#endif
