/*
 * The QEMUs of this host, from /proc alone: what really runs, whatever libvirt thinks. A QEMU is a process with the
 * arguments `-uuid UUID` and `-name`, as libvirt starts each of its guests (proc(5), qemu(1)).
 *
 * Reading another process's command line can block when that process is stuck in a page fault: call this where a
 * deadline ends the whole process.
 */
#ifndef HAMON_EVACUATE_PROCSCAN_H
#define HAMON_EVACUATE_PROCSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCSCAN_MAX 4096
#define PROCSCAN_NAME_SIZE 256

struct qemu_process {
	pid_t pid;
	char uuid[37];
	char name[PROCSCAN_NAME_SIZE]; /* "" when the command line does not say */
};

/*
 * All QEMUs below proc ("/proc"), or with uuid not NULL those with that UUID. 0 and an array in *ret (free it), or
 * -errno; -E2BIG for more than PROCSCAN_MAX.
 */
int procscan_list(const char *proc, const char *uuid, struct qemu_process **ret, size_t *ret_n);

/* What a command line (arguments separated by NUL, len bytes) says: false when it is no QEMU's. */
bool procscan_parse(const char *cmdline, size_t len, struct qemu_process *ret);

/* True when a process with that command name (at most 15 bytes, as in /proc/PID/comm) runs. */
bool procscan_command_runs(const char *proc, const char *command);

#endif
