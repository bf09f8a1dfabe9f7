/* Ending the QEMUs of an instance, and being sure of it, without libvirt. */
#ifndef HAMON_EVACUATE_VICTIMS_H
#define HAMON_EVACUATE_VICTIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VICTIMS_MAX 16

/* A QEMU and a descriptor of that very process: no later one with the same number can be meant. */
struct victim {
	pid_t pid;
	int fd;
};

/*
 * Opens a descriptor for each QEMU of the instance, at most VICTIMS_MAX; one that has ended meanwhile is left out. 0, or -errno of
 * reading /proc.
 */
int victims_find(const char *uuid, struct victim *victims, size_t *ret_n);

/* SIGKILL. */
void victims_kill(struct victim *victims, size_t n);

/* True when all have ended: the descriptor tells only when the last thread is gone and all files are closed. */
bool victims_wait(struct victim *victims, size_t n, uint64_t timeout_ms);
void victims_close(struct victim *victims, size_t n);

#endif
