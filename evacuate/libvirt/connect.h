/*
 * The connection to libvirtd, and its errors in hamon's classes. No call here has a timeout of its own: each
 * operation runs under report_watch or in bounded_run.
 */
#ifndef HAMON_EVACUATE_LIBVIRT_CONNECT_H
#define HAMON_EVACUATE_LIBVIRT_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json_object.h>
#include <libvirt/libvirt.h>

/* NULL on failure, see connection_error. libvirt then prints nothing by itself. */
virConnectPtr connection_open(const char *uri);

struct connection_error {
	int code; /* virErrorNumber, 0 when there was none */
	const char *error_class; /* static: lock, memory, storage, gate, definition, timeout, libvirt */
	char text[1024]; /* libvirt's words in one line */
};

/* The last error of this thread. */
void connection_error(struct connection_error *ret);

/* Fills a failed result from the last error; `what` names the step ("cannot start db1"). */
void connection_failure(struct json_object *result, const char *what);

/* Pure: the class of an error by its number and its words (QEMU's own words come inside libvirt's). */
const char *connection_error_class(int code, const char *message);

/* True when the last error says that there is no such domain. */
bool connection_no_domain(void);

/* Words for a state and its reason, as they stand in reports; never NULL. */
const char *domain_state_name(int state);
const char *domain_reason_name(int state, int reason);

#endif
