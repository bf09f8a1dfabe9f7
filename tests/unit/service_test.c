/* What the service manager is told, with a socket that plays the manager, and the ids of host and
 * boot. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "hamon/service.h"
#include "tests/unit/test.h"

static int manager = -1;

/* The manager's end, in the abstract namespace as systemd's may be. */
static void manager_start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];

	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	snprintf(name, sizeof(name), "@hamon-service-test-%d", (int)getpid());
	strcpy(address.sun_path, name);
	address.sun_path[0] = '\0';
	CHECK(!bind(manager, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))));
	CHECK(!setenv("NOTIFY_SOCKET", name, 1));
}

static const char *told(void)
{
	static char text[1024];
	ssize_t got = recv(manager, text, sizeof(text) - 1, 0);

	CHECK(got >= 0);
	text[got] = '\0';
	return text;
}

static void messages(void)
{
	struct service *service;

	manager_start();
	CHECK_INT(service_new(&service), 0);
	CHECK_INT(service_ready(service, "up\nREADY=0"), 0);
	CHECK_STR(told(), "READY=1\nSTATUS=up READY=0");
	CHECK_INT(service_ready(service, NULL), 0);
	CHECK_STR(told(), "READY=1\n");
	CHECK_INT(service_status(service, "%d of %d", 2, 3), 0);
	CHECK_STR(told(), "STATUS=2 of 3");
	CHECK_INT(service_watchdog(service), 0);
	CHECK_STR(told(), "WATCHDOG=1");
	CHECK_INT(service_reloading(service), 0);
	CHECK(!strncmp(told(), "RELOADING=1\nMONOTONIC_USEC=", 27));
	CHECK_INT(service_stopping(service, "leaving"), 0);
	CHECK_STR(told(), "STOPPING=1\nSTATUS=leaving");
	service_free(service);
	service_free(NULL);
}

/* A manager that does not read: dropped at once, and the calls return (this test would hang
 * otherwise). */
static void deaf_manager(void)
{
	struct service *service;
	int rc = 0;

	CHECK_INT(service_new(&service), 0);
	for (int i = 0; i < 100000 && !rc; i++)
		rc = service_watchdog(service);
	CHECK_INT(rc, -EAGAIN);
	close(manager);
	CHECK_INT(service_watchdog(service), -ECONNREFUSED);
	service_free(service);
}

static void no_manager(void)
{
	struct service *service;

	unsetenv("NOTIFY_SOCKET");
	CHECK_INT(service_new(&service), 0);
	CHECK_INT(service_ready(service, "up"), 0);
	CHECK_INT(service_watchdog_ms(service), 0);
	service_free(service);
	setenv("NOTIFY_SOCKET", "relative", 1);
	CHECK_INT(service_new(&service), -EINVAL);
	CHECK_INT(service_ready(service, "up"), 0);
	service_free(service);
	unsetenv("NOTIFY_SOCKET");
}

static uint64_t watchdog(const char *usec, const char *pid)
{
	struct service *service;
	uint64_t ms;

	setenv("WATCHDOG_USEC", usec, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	else
		unsetenv("WATCHDOG_PID");
	CHECK_INT(service_new(&service), 0);
	ms = service_watchdog_ms(service);
	service_free(service);
	return ms;
}

static void watchdog_interval(void)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	CHECK_INT(watchdog("5000000", pid), 5000);
	CHECK_INT(watchdog("5000000", NULL), 5000);
	CHECK_INT(watchdog("5000000", "1"), 0);
	CHECK_INT(watchdog("x", NULL), 0);
	CHECK_INT(watchdog("5000000x", NULL), 0);
	CHECK_INT(watchdog("-1", NULL), 0);
}

static void ids(void)
{
	char boot[SERVICE_BOOT_ID_SIZE], expected[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");

	CHECK(file && fgets(expected, sizeof(expected), file));
	fclose(file);
	expected[strcspn(expected, "\n")] = '\0';
	CHECK_INT(service_boot_id(boot), 0);
	CHECK_STR(boot, expected);
}

static void machine(void)
{
	char id[SERVICE_MACHINE_ID_SIZE];
	int rc = service_machine_id(id);

	/* A container may have none, or an empty one. */
	CHECK(rc == 0 || rc == -ENOENT || rc == -EINVAL);
	CHECK(rc || strspn(id, "0123456789abcdef") == 32);
}

int main(void)
{
	RUN(messages);
	RUN(deaf_manager);
	RUN(no_manager);
	RUN(watchdog_interval);
	RUN(ids);
	RUN(machine);
	return 0;
}
