/*
 * A control plane: what starts, stops and watches instances on a host. With Nova as the plane only the start of an instance, and
 * the return of a host, are Nova's: what runs on a host is libvirt's word with both, so the rest of its table is the same.
 *
 * Each operation is one process that the caller may SIGKILL at any point, so each is safe to repeat: it first looks
 * at what is there. It fills `result`: "ok", and where that is false "error_class" and "error".
 */
#ifndef HAMON_EVACUATE_PLANE_H
#define HAMON_EVACUATE_PLANE_H

#include <json-c/json_object.h>

#include "evacuate/request.h"

/* What main.c adds to a request from its own command line; never NULL. */
struct plane_paths {
	const char *state_dir; /* hamon's own, /var/lib/hamon: copies of what is undefined */
	const char *libvirt_lib; /* /var/lib/libvirt/qemu: managed saves */
	const char *libvirt_run; /* /run/libvirt/qemu: status of running domains */
	const char *libvirt_etc; /* /etc/libvirt: definitions and hooks */
	const char *run_dir; /* /run/hamon: what the helpers of one boot share */
};

struct control_plane {
	const char *name;
	/* Reports on stdout until stdin ends (0) or the connection is lost (1): the exit code. */
	int (*watch)(const struct request *req, const struct plane_paths *paths);
	void (*start)(const struct request *req, const struct plane_paths *paths,
		      struct json_object *result);
	void (*inspect)(const struct request *req, const struct plane_paths *paths,
			struct json_object *result);
	void (*stop)(const struct request *req, const struct plane_paths *paths,
		     struct json_object *result);
	void (*tidy)(const struct request *req, const struct plane_paths *paths,
		     struct json_object *result);
	/* This host is back and may be given instances again. NULL: the plane knows nothing of hosts. */
	void (*enable)(const struct request *req, const struct plane_paths *paths,
		       struct json_object *result);
	/* What the plane says of the servers on some hosts; NULL as above. */
	void (*servers)(const struct request *req, const struct plane_paths *paths,
			struct json_object *result);
};

extern const struct control_plane libvirt_plane, nova_plane;

#endif
