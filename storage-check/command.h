/* The storage-check command: what its files share. */
#ifndef HAMON_STORAGE_COMMAND_H
#define HAMON_STORAGE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json_object.h>

#define COMMAND_PROBE_MS 5000
#define COMMAND_ERROR_SIZE 512

/*
 * The XML of a domain by name or uuid, read by libvirt in a child with a deadline: a hung libvirtd
 * must not hang a person. 0 and a new string, or a status of sysexits.h and the reason in error.
 */
int command_domain_xml(const char *name, char **ret_xml, char error[COMMAND_ERROR_SIZE]);

/*
 * What the argument is, by a stat in a child: 'f' file, 'd' folder, 'b' block device; or 0 and the
 * reason.
 */
char command_path_kind(const char *path, char error[COMMAND_ERROR_SIZE]);

/*
 * This host's own view of a domain XML, or of one path of that kind (xml NULL), in the form of
 * hamond's answer: {"instance","uuid","owner":null,"verdicts":[one],"places":[..]}. 0, or a status
 * of sysexits.h.
 */
int command_view_alone(const char *xml, const char *path, char kind, struct json_object **ret_view,
		       char error[COMMAND_ERROR_SIZE]);

/* Prints a view: tables for people, or the JSON. */
void command_print(struct json_object *view, bool json);

/* 0 shared or volume, 1 local, 2 unknown: the best that a host other than the owner reaches. */
int command_status(struct json_object *view);

#endif
