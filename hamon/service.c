/* hamond as a service, see service.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "hamon/service.h"

struct service {
	int fd; /* -1 = nobody to tell */
	struct sockaddr_un address;
	socklen_t address_len;
	uint64_t watchdog_ms;
};

/* A path, or '@' and a name in the abstract namespace. */
static int service_address(struct service *service, const char *text)
{
	size_t len = strlen(text);

	if (len < 2 || len >= sizeof(service->address.sun_path) ||
	    (text[0] != '/' && text[0] != '@'))
		return -EINVAL;
	service->address.sun_family = AF_UNIX;
	memcpy(service->address.sun_path, text, len);
	if (text[0] == '@')
		service->address.sun_path[0] = '\0';
	service->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

static uint64_t service_watchdog_read(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long value;
	char *end;

	if (!usec || !isdigit((unsigned char)*usec))
		return 0;
	if (pid && strtoll(pid, NULL, 10) != getpid())
		return 0;
	errno = 0;
	value = strtoull(usec, &end, 10);
	return errno || *end ? 0 : value / 1000;
}

int service_new(struct service **ret_service)
{
	struct service *service = calloc(1, sizeof(*service));
	const char *text = getenv("NOTIFY_SOCKET");
	int rc = 0;

	if (!service)
		return -ENOMEM;
	service->fd = -1;
	service->watchdog_ms = service_watchdog_read();
	if (text && *text) {
		rc = service_address(service, text);
		if (!rc) {
			service->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
			rc = service->fd < 0 ? -errno : 0;
		}
	}
	*ret_service = service;
	return rc;
}

void service_free(struct service *service)
{
	if (!service)
		return;
	if (service->fd >= 0)
		close(service->fd);
	free(service);
}

static int service_notify(struct service *service, const char *text)
{
	if (service->fd < 0)
		return 0;
	if (sendto(service->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		   (const struct sockaddr *)&service->address, service->address_len) < 0)
		return -errno;
	return 0;
}

/* A status is one line of the message: a newline in it would start another assignment. */
static int service_notify_status(struct service *service, const char *state, const char *status)
{
	char text[512];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s%s", state, status ? "STATUS=" : "");

	if (status) {
		snprintf(text + used, sizeof(text) - used, "%s", status);
		for (char *c = text + used; *c; c++)
			if (iscntrl((unsigned char)*c))
				*c = ' ';
	}
	return service_notify(service, text);
}

int service_ready(struct service *service, const char *status)
{
	return service_notify_status(service, "READY=1\n", status);
}

int service_status(struct service *service, const char *format, ...)
{
	char status[400];
	va_list args;

	va_start(args, format);
	vsnprintf(status, sizeof(status), format, args);
	va_end(args);
	return service_notify_status(service, "", status);
}

int service_watchdog(struct service *service)
{
	return service_notify(service, "WATCHDOG=1");
}

int service_reloading(struct service *service)
{
	struct timespec now;
	char text[80];

	/* Type=notify-reload asks for the time as well, to tell an old READY from the one that ends
	 * this. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	return service_notify(service, text);
}

int service_stopping(struct service *service, const char *status)
{
	return service_notify_status(service, "STOPPING=1\n", status);
}

uint64_t service_watchdog_ms(const struct service *service)
{
	return service->watchdog_ms;
}

/* Reads exactly len characters and perhaps a newline. */
static int id_read(const char *path, char *buf, size_t len)
{
	char text[64];
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text));
	if (got < 0)
		got = -errno;
	close(fd);
	if (got < 0)
		return (int)got;
	if (got && text[got - 1] == '\n')
		got--;
	if ((size_t)got != len)
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return 0;
}

static int hex_lower(char *c)
{
	if (!isxdigit((unsigned char)*c))
		return -EINVAL;
	*c = (char)tolower((unsigned char)*c);
	return 0;
}

int service_boot_id(char buf[SERVICE_BOOT_ID_SIZE])
{
	char id[SERVICE_BOOT_ID_SIZE];
	int rc = id_read("/proc/sys/kernel/random/boot_id", id, sizeof(id) - 1);

	for (size_t i = 0; !rc && i < sizeof(id) - 1; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23)
			rc = id[i] == '-' ? 0 : -EINVAL;
		else
			rc = hex_lower(&id[i]);
	}
	if (!rc)
		memcpy(buf, id, sizeof(id));
	return rc;
}

int service_machine_id(char buf[SERVICE_MACHINE_ID_SIZE])
{
	char id[SERVICE_MACHINE_ID_SIZE];
	int rc = id_read("/etc/machine-id", id, sizeof(id) - 1);

	for (size_t i = 0; !rc && i < sizeof(id) - 1; i++)
		rc = hex_lower(&id[i]);
	if (!rc)
		memcpy(buf, id, sizeof(id));
	return rc;
}
