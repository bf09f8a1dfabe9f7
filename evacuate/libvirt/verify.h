/* Verified is what runs here and still runs, with the same QEMU, after the time that was asked for. */
#ifndef HAMON_EVACUATE_LIBVIRT_VERIFY_H
#define HAMON_EVACUATE_LIBVIRT_VERIFY_H

#include <stdbool.h>
#include <json-c/json_object.h>
#include <libvirt/libvirt.h>

#include "evacuate/request.h"

/* Fills the result: "ok" with state, pid and times, or the failure. Bounded by report_limit, which it sets. */
void libvirt_verify(const struct request *req, virDomainPtr dom, struct json_object *result);

enum libvirt_presence {
	LIBVIRT_ACTIVE,
	LIBVIRT_ABSENT,  /* shut off, or not known here */
	LIBVIRT_UNKNOWN, /* libvirt does not say: the result is filled with why */
};

/*
 * The same with a connection of its own, for the domain of the request's UUID. With only_look nothing is verified and the result is
 * filled for LIBVIRT_UNKNOWN only.
 */
enum libvirt_presence libvirt_verify_here(const struct request *req, bool only_look, struct json_object *result);

#endif
