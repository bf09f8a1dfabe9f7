/* The operations of the libvirt control plane, each in a file of its own; see evacuate/plane.h. */
#ifndef HAMON_EVACUATE_LIBVIRT_LIBVIRT_H
#define HAMON_EVACUATE_LIBVIRT_LIBVIRT_H

#include "evacuate/plane.h"

int libvirt_watch(const struct request *req, const struct plane_paths *paths);
void libvirt_start(const struct request *req, const struct plane_paths *paths,
		   struct json_object *result);
void libvirt_inspect(const struct request *req, const struct plane_paths *paths,
		     struct json_object *result);
void libvirt_stop(const struct request *req, const struct plane_paths *paths,
		  struct json_object *result);
void libvirt_tidy(const struct request *req, const struct plane_paths *paths,
		  struct json_object *result);

#endif
