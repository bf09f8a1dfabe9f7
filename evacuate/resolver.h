/*
 * Finds the identities of disks without ever waiting for a file system: a helper process of the watch's own, forked
 * before libvirt is touched, which gives each question to a child and that child one second. A child that a
 * dead mount holds for good is left behind; with too many of those no further one is started.
 */
#ifndef HAMON_EVACUATE_RESOLVER_H
#define HAMON_EVACUATE_RESOLVER_H

#include <stddef.h>

#define RESOLVER_TIMEOUT_MS 1000
#define RESOLVER_STUCK_MAX 8
#define RESOLVER_BYTES_MAX (2u << 20)

/* Forks the process; only while this one has no threads. 0 and a descriptor in *ret_fd, or -errno. It ends with it. */
int resolver_start(int *ret_fd);

/* Asks about a domain's XML. One question at a time: the descriptor becomes readable with its answer. 0 or -errno. */
int resolver_ask(int fd, const char *xml, size_t len);

/* The lines of disks_resolve, as far as they came in time; a new string (free it). 0 or -errno. */
int resolver_answer(int fd, char **ret_lines, size_t *ret_len);

#endif
