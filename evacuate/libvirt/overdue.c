/* A child that looks once, when the time is up. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <libvirt/libvirt.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/overdue.h"
#include "evacuate/victims.h"

#define WORK_LOOK_MS 2000

/*
 * libvirtd itself says that the QEMU is not up yet. One that has no answer from a libvirtd that hangs is left alone: its guest may
 * run, and libvirtd might start another when it goes on.
 */
static bool is_coming_up(const struct request *req)
{
	virConnectPtr conn = connection_open(req->uri);
	virDomainPtr dom = conn ? virDomainLookupByUUIDString(conn, req->uuid) : NULL;
	int state, reason;

	return dom && !virDomainGetState(dom, &state, &reason, 0) && state == VIR_DOMAIN_PAUSED &&
		reason == VIR_DOMAIN_PAUSED_STARTING_UP;
}

/* The processor time of a process, ms; 0 when it is gone. */
static uint64_t cpu_ms(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64], line[1024], *rest;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "re");
	/* proc(5): the command, which may have any character, ends with the last ')'; utime and stime are 12 words on. */
	if (stat && fgets(line, sizeof(line), stat) && (rest = strrchr(line, ')')) &&
	    sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		user = system = 0;
	if (stat)
		fclose(stat);
	return (user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
}

/* It does not wait: it has its memory to make ready, which takes long where that is large. */
static bool is_at_work(pid_t pid)
{
	uint64_t before_ms = cpu_ms(pid);

	poll(NULL, 0, WORK_LOOK_MS);
	return cpu_ms(pid) >= before_ms + WORK_LOOK_MS / 4;
}

static void __attribute__((noreturn)) child_main(const struct request *req, uint64_t timeout_ms, int fd)
{
	struct victim victims[VICTIMS_MAX];
	size_t n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	poll(NULL, 0, (int)timeout_ms);
	/* The QEMU that was found before libvirt said so is the one that is meant. */
	if (!victims_find(req->uuid, victims, &n) && n && !is_at_work(victims[0].pid) && is_coming_up(req) && write(fd, "k", 1) == 1)
		victims_kill(victims, n);
	_exit(0);
}

void overdue_begin(struct overdue *overdue, const struct request *req, uint64_t timeout_ms)
{
	int fds[2];

	overdue->pid = 0;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return;
	overdue->pid = fork();
	if (!overdue->pid)
		child_main(req, timeout_ms, fds[1]);
	close(fds[1]);
	overdue->fd = fds[0];
	if (overdue->pid > 0)
		return;
	overdue->pid = 0;
	close(fds[0]);
}

bool overdue_end(struct overdue *overdue)
{
	bool ended;
	char byte;

	if (!overdue->pid)
		return false;
	kill(overdue->pid, SIGKILL);
	waitpid(overdue->pid, NULL, 0);
	overdue->pid = 0;
	ended = read(overdue->fd, &byte, 1) == 1;
	close(overdue->fd);
	return ended;
}
