/* Descriptors of processes: pidfd_open(2). */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evacuate/procscan.h"
#include "evacuate/victims.h"
#include "hamon/common/clock.h"

int victims_find(const char *uuid, struct victim *victims, size_t *ret_n)
{
	struct qemu_process *list, *again;
	size_t n, n_again, found = 0;
	int rc = procscan_list("/proc", uuid, &list, &n);

	if (rc)
		return rc;
	for (size_t i = 0; i < n && found < VICTIMS_MAX; i++) {
		victims[found].pid = list[i].pid;
		victims[found].fd = (int)syscall(SYS_pidfd_open, list[i].pid, 0);
		if (victims[found].fd >= 0)
			found++;
	}
	free(list);
	/* The number may have passed to another process between the look and the descriptor: look again. */
	rc = procscan_list("/proc", uuid, &again, &n_again);
	for (size_t i = 0; i < found;) {
		bool still = false;

		for (size_t j = 0; !rc && j < n_again; j++)
			still |= again[j].pid == victims[i].pid;
		if (still) {
			i++;
			continue;
		}
		close(victims[i].fd);
		victims[i] = victims[--found];
	}
	if (!rc)
		free(again);
	*ret_n = found;
	return rc;
}

void victims_close(struct victim *victims, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(victims[i].fd);
}

void victims_kill(struct victim *victims, size_t n)
{
	for (size_t i = 0; i < n; i++)
		syscall(SYS_pidfd_send_signal, victims[i].fd, SIGKILL, NULL, 0);
}

bool victims_wait(struct victim *victims, size_t n, uint64_t timeout_ms)
{
	uint64_t end_ms = clock_boot_ms() + timeout_ms;

	for (size_t i = 0; i < n; i++) {
		struct pollfd fd = { .fd = victims[i].fd, .events = POLLIN };
		uint64_t now_ms = clock_boot_ms();

		if (poll(&fd, 1, now_ms < end_ms ? (int)(end_ms - now_ms) : 0) != 1)
			return false;
	}
	return true;
}
