/*
 * What hamond asks of hamon-storage: every field is checked before anything is touched.
 *
 * beacon	{"op","self":"h1","nonce":"16 to 64 hex digits","boot_id","places":["/srv/a"],"peers":["h2"],
 *		 "probe_timeout_ms":3000}
 *	for each place {"type":"place","path","real","ok","writable","place_id","fs","peers":{"h2":{"nonce",
 *	"boot_id"}},"error"}; ok: the beacon is written. A place that cannot be written is read all the same.
 * check	{"op","self":"h2","probe_timeout_ms","deep":false,"plane":"nova"|absent,"instances":[{"uuid","name","owner":"h1","xml",
 *		 "places":[{"path","place_id","nonce","previous_nonce"}],"devices":[{"path","identity"}],
 *		 "disks":[{"target","id"}]}]}
 *	places are the owner's, by their real paths there, with what it announced last; devices and disks what
 *	identify said there (either is enough for a device). plane nova: Cinder's volumes are not looked for
 *	here, as Nova attaches them to the host that takes the instance. deep: qemu-img opens whatever has a backing file.
 *	For each instance {"type":"verdict","uuid","name","verdict","reason","held","scan_complete","disks":[
 *	{"target","source","kind","readonly","verdict","reason","chain":[..]}]}.
 * identify	{"op","xml","probe_timeout_ms"}
 *	the result has "places":[..] (the folders of whole chains) and "disks":[{"target","id","writable",
 *	"place"}].
 *
 * The last line is {"type":"result","op","ok","error_class","error","took_ms"}. Nothing takes longer than four
 * times probe_timeout_ms, however much hangs.
 */
#ifndef HAMON_STORAGE_REQUEST_H
#define HAMON_STORAGE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json_object.h>

#include "hamon/common/domxml.h"
#include "storage-check/beacon.h"

#define REQUEST_PLACES_MAX 256 /* of one instance */
#define REQUEST_BEACONS_MAX 4096
#define REQUEST_PEERS_MAX 256
#define REQUEST_INSTANCES_MAX 4096
#define REQUEST_TIMEOUT_MAX_MS 60000
#define REQUEST_TIMEOUT_DEFAULT_MS 3000
#define REQUEST_ERROR_SIZE 256

/* Strings are borrowed from the request's JSON. */
struct request_place {
	const char *path;			       /* the owner's real path */
	const char *place_id, *nonce, *previous_nonce; /* NULL when the owner has none to show */
};

struct request_device {
	const char *path, *identity;
};

/* What identify said on the owner's host about one disk: optional, makes the comparison exact. */
struct request_disk {
	const char *target, *id;
};

struct request_instance {
	const char *uuid, *name, *owner, *xml;
	struct request_place *places;
	size_t n_places;
	struct request_device *devices;
	size_t n_devices;
	struct request_disk *disks;
	size_t n_disks;
	bool nova;	    /* Nova is what starts it */
	struct domxml *dom; /* NULL when the XML is bad: then error says why */
	char error[DOMXML_ERROR_SIZE];
};

struct request {
	struct json_object *json; /* owned */
	const char *op;		  /* NULL when there was none */
	const char *self;	  /* NULL for identify */
	uint64_t probe_timeout_ms;
	/* beacon */
	struct beacon beacon;
	const char **places;
	size_t n_places;
	const char **peers;
	size_t n_peers;
	/* check */
	bool deep;
	bool nova;
	struct request_instance *instances;
	size_t n_instances;
	/* identify: one instance with an XML alone */
	char error[REQUEST_ERROR_SIZE];
};

enum request_kind { REQUEST_BEACON, REQUEST_CHECK, REQUEST_IDENTIFY };

/*
 * Parses text into *ret, which must be cleared afterwards in any case. 0, -EBADMSG when it is no
 * JSON object, -EINVAL when a field is wrong: error then names it.
 */
int request_parse(enum request_kind kind, const char *text, size_t len, struct request *ret);
void request_clear(struct request *request);

#endif
