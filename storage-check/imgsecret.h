/*
 * The secret of libvirt that opens a network disk. A specification (imgspec.h) names it, as
 * "key-secret":"libvirt-UUID"; its value stays in libvirt's own file, which QEMU's programs read
 * themselves: it is in no argument, no environment and not in our memory.
 */
#ifndef HAMON_STORAGE_IMGSECRET_H
#define HAMON_STORAGE_IMGSECRET_H

#include <stdbool.h>

struct json_object;

#define IMGSECRET_FOLDER "/etc/libvirt/secrets"
#define IMGSECRET_UUID_SIZE 37
#define IMGSECRET_OPTION_SIZE 512

enum imgsecret_state {
	IMGSECRET_NONE,	     /* the specification names no secret */
	IMGSECRET_STORED,    /* libvirt keeps it here, and its value in the clear */
	IMGSECRET_ELSEWHERE, /* libvirt knows it, but its value is in no file that QEMU can read */
	IMGSECRET_MISSING    /* libvirt here keeps no such secret: it could not start the domain */
};

/* As libvirt writes it, in small letters. */
bool imgsecret_uuid_valid(const char *uuid);

/* The last member of a protocol's options, so that imgsecret_drop finds its comma. */
void imgsecret_put(struct json_object *obj, const char *key, const char *uuid);

/* uuid: of the secret that spec names, "" for IMGSECRET_NONE. folder: IMGSECRET_FOLDER. */
enum imgsecret_state imgsecret_find(const char *spec, const char *folder,
				    char uuid[IMGSECRET_UUID_SIZE]);

/* The value of --object for qemu-img. */
void imgsecret_option(const char *folder, const char *uuid, char option[IMGSECRET_OPTION_SIZE]);

/* Takes the secret out of a specification, in place: a Ceph client then finds its own keyring. */
void imgsecret_drop(char *spec);

#endif
