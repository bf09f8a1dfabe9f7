/*
 * What a client of the control socket sent: checked as a whole before anything of it is used. Pure: no libqb
 * call, no descriptor. In libhamon_control.a.
 */
#ifndef HAMON_CONTROL_MESSAGE_H
#define HAMON_CONTROL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <json-c/json_object.h>

enum control_access {
	CONTROL_ACCESS_NONE,	/* no such verb */
	CONTROL_ACCESS_ADMIN,	/* root and the group */
	CONTROL_ACCESS_ROOT,	/* root alone: the qemu hook's and the service manager's */
};

/* Who may use a verb; the one table of all verbs. */
enum control_access control_access(const char *verb);

/* The known verb most like the unknown one, or NULL when none is near. Static. */
const char *control_verb_suggest(const char *verb);

struct control_message {
	int32_t id;			/* the client's number for this request, repeated in the reply; 0 if not known */
	struct json_object *obj;	/* owned by the caller after success */
	const char *verb;		/* borrowed from obj */
};

struct control_message_error {
	const char *code;		/* static */
	char message[192];
};

/*
 * Parses a message of size bytes: struct qb_ipc_request_header with its size equal to size, then exactly one
 * JSON object with a NUL at the very end and nowhere else, "v":1, "verb" a string of 1 to 64 bytes. data may be
 * anything and need not be aligned. Whether the verb exists is not checked here.
 * Returns 0 and *ret, or -EINVAL or -E2BIG (longer than CTL_MESSAGE_MAX_BYTES) and *ret_error; ret->id is set in
 * both cases.
 */
int control_message_parse(const void *data, size_t size, struct control_message *ret,
			  struct control_message_error *ret_error);

#endif
