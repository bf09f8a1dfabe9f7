/*
 * hamond as a service: what the service manager is told (sd_notify(3), the datagram protocol
 * itself, since the library's call can block when the manager does not read), and who this host and
 * this boot are.
 */
#ifndef HAMON_SERVICE_H
#define HAMON_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVICE_BOOT_ID_SIZE 37	   /* 8-4-4-4-12 hex digits and the NUL */
#define SERVICE_MACHINE_ID_SIZE 33 /* 32 hex digits and the NUL */

struct service;

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Without a service manager everything below
 * does nothing. 0 or -ENOMEM; -EINVAL (a NOTIFY_SOCKET that is no address) or another errno of
 * socket(2), and then *ret_service is set all the same: the service runs, and nobody is told.
 */
int service_new(struct service **ret_service);
void service_free(struct service *service);

/* Each is one datagram that is sent or dropped, at once. 0 or -errno, of interest only to tests. */
int service_ready(struct service *service, const char *status);
int service_status(struct service *service, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int service_watchdog(struct service *service);	/* only after a healthy pass of the core */
int service_reloading(struct service *service); /* service_ready ends it */
int service_stopping(struct service *service, const char *status);

/* The interval within which the manager expects service_watchdog, 0 = it does not. Call it twice as
 * often. */
uint64_t service_watchdog_ms(const struct service *service);

/* This boot: /proc/sys/kernel/random/boot_id, in lower case. 0, -errno, -EINVAL when it is no UUID.
 */
int service_boot_id(char buf[SERVICE_BOOT_ID_SIZE]);

/* This machine: /etc/machine-id (machine-id(5)). 0, -errno, -EINVAL when it is none. */
int service_machine_id(char buf[SERVICE_MACHINE_ID_SIZE]);

#endif
