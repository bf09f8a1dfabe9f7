/* A child that looks once, when the time is up. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <libvirt/libvirt.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/overdue.h"
#include "evacuate/victims.h"

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

static void __attribute__((noreturn)) child_main(const struct request *req, uint64_t timeout_ms, int fd)
{
	struct victim victims[VICTIMS_MAX];
	size_t n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	poll(NULL, 0, (int)timeout_ms);
	/* The QEMU that was found before libvirt said so is the one that is meant. */
	if (!victims_find(req->uuid, victims, &n) && n && is_coming_up(req) && write(fd, "k", 1) == 1)
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
