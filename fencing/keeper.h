/*
 * The keeper of one agent: a small process between hamon-fence and the agent, and the leader of the
 * agent's process group. hamon-fence may be killed at any point, by a signal that nothing can
 * catch, and no agent may live on after that: its `off` could arrive when the host has long been
 * admitted again. So the keeper holds the reading end of a pipe whose only writing end is
 * hamon-fence's; when that closes, however it came to it, the keeper kills its whole group, itself
 * included.
 */
#ifndef HAMON_FENCING_KEEPER_H
#define HAMON_FENCING_KEEPER_H

#include <sys/types.h>

/* What a keeper writes, once, when its agent has ended; a keeper that was killed writes nothing. */
struct keeper_report {
	int spawn_errno; /* why the agent could not be executed, or 0 */
	int wait_code;   /* siginfo's si_code: CLD_EXITED, CLD_KILLED, CLD_DUMPED */
	int wait_status; /* exit code or signal */
};

/*
 * Forks the keeper of an agent that reads fds[0] and writes to fds[1] and fds[2]; the caller keeps
 * its own copies of these. Returns 0, the keeper's pid (which is its group's id too) and the
 * descriptor on which a struct keeper_report comes; or -errno.
 */
int keeper_start(const char *path, const int fds[3], pid_t *ret_pid, int *ret_report_fd);

#endif
