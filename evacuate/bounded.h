/*
 * Work that may block in the kernel for good (a dead mount, a hung libvirtd), done in a child that is given up at
 * a deadline: killed, and never waited for, because a process in uninterruptible sleep does not die.
 */
#ifndef HAMON_EVACUATE_BOUNDED_H
#define HAMON_EVACUATE_BOUNDED_H

#include <stddef.h>
#include <stdint.h>

/*
 * Forks a child that runs work(arg, fd) with /dev/null for stdin and stdout, and collects what it writes to fd until
 * it ends, at most max_bytes. Only for a process without threads. stderr is /dev/null too: a child that
 * outlives us must hold no pipe of our caller's.
 *
 * 0 and the NUL-terminated text in *ret_text (free it) when work returned 0; -ETIMEDOUT at the deadline, -E2BIG,
 * the negative number that work returned, -EIO when the child was killed, or -errno. *ret_text then holds what
 * had come until there (never NULL but on -ENOMEM and when fork failed).
 */
int bounded_run(int (*work)(void *arg, int fd), void *arg, uint64_t timeout_ms, size_t max_bytes,
		char **ret_text, size_t *ret_len);

#endif
