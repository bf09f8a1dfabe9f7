/* Who is at the other end of a connected local socket. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>

#include "hamon/control_peer.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* Linux allows NGROUPS_MAX of them: 65536. */
static bool peer_in_group(int fd, gid_t group)
{
	gid_t few[64], *groups = few;
	socklen_t len = sizeof(few);
	bool found = false;
	int rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);

	if (rc && errno == ERANGE) { /* len says how many bytes it needs */
		groups = malloc(len);
		rc = groups ? getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) : -1;
	}
	for (size_t i = 0; !rc && !found && i < len / sizeof(*groups); i++)
		found = groups[i] == group;
	if (groups != few)
		free(groups);
	return found;
}

int control_peer_read(int fd, bool have_group, gid_t group, struct control_peer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	ret->uid = cred.uid;
	ret->gid = cred.gid;
	ret->pid = cred.pid;
	ret->is_root = cred.uid == 0 || cred.uid == geteuid();
	ret->is_admin = ret->is_root || (have_group && (cred.gid == group || peer_in_group(fd, group)));
	return 0;
}
