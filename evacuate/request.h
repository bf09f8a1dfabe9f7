/*
 * What hamon-evacuate is asked to do: one JSON object on stdin, every field checked before use.
 *	watch   {"op","uri"}
 *	start   {"op","uri","uuid","name","generation","xml","start_timeout_ms","verify_ms","lock_retry_ms","incident",
 *	         "managed_save":"aside"|"use"}
 *	inspect {"op","uri","uuid"}
 *	stop    {"op","uri","uuid","why"}
 *	tidy    {"op","uri","uuid","managed_save":"aside"|null,"undefine":bool}
 *	qemus   {"op"}
 * With "plane":"nova" start needs no xml, takes "wish":"stopped" for a server that is to be here and off, "by_hand":true for one that a person
 * asked for whatever "select" says, and has, as have enable {"op","uri","by_hand":bool} and servers {"op","within_ms","hosts":[..]}, which are Nova's alone,
 *	"nova": {"cloud","clouds_file","region","interface","auth_url","endpoint","timeout_ms","microversion","self","reserved","dead":[..],"environment":{..},
 *	         "select":"all"|"metadata"|"tag"|"flavor"|"image"|"aggregate","select_key","select_value","lock":bool,"automatic_return":bool}
 */
#ifndef HAMON_EVACUATE_REQUEST_H
#define HAMON_EVACUATE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json_object.h>

#define REQUEST_BYTES_MAX (4u << 20)
#define REQUEST_ERROR_SIZE 256
#define REQUEST_TIME_MAX_MS (24 * 3600 * 1000ull)

enum request_verb {
	REQUEST_WATCH,
	REQUEST_START,
	REQUEST_INSPECT,
	REQUEST_STOP,
	REQUEST_TIDY,
	REQUEST_QEMUS,
	REQUEST_ENABLE,
	REQUEST_SERVERS,
};

#define REQUEST_DEAD_MAX 64

/* Which servers are recovered: what must have select_key, and there select_value. */
enum request_select {
	SELECT_ALL,
	SELECT_METADATA,  /* of the server */
	SELECT_TAG,       /* the server has this one */
	SELECT_FLAVOR,    /* its extra specs */
	SELECT_IMAGE,     /* its properties, or its tags */
	SELECT_AGGREGATE, /* of the server's host: its metadata */
};

/* Nova's part; absent strings are "". */
struct request_nova {
	const char *cloud;
	const char *clouds_file;
	const char *region;
	const char *interface;
	const char *auth_url;            /* lists of addresses with commas between them */
	const char *endpoint;
	uint64_t timeout_ms;             /* one call */
	const char *microversion;        /* the highest that is used, "2.93" */
	enum request_select select;
	const char *select_key;
	const char *select_value;
	bool lock;                       /* a server while it is moved */
	bool automatic_return;           /* else a person gives a host that is back its servers again */
	const char *self;                /* this host's name in Nova; of enable by hand: the host that returns */
	bool reserved;                   /* this host is kept free until it is needed: then its service is enabled */
	size_t n_dead;
	const char *dead[REQUEST_DEAD_MAX]; /* Nova's names of hosts that are certified dead */
	uint64_t within_ms;              /* servers: all of it */
	size_t n_hosts;
	const char *hosts[REQUEST_DEAD_MAX]; /* servers: Nova's names of the hosts whose servers are wanted */
	const char *fault_points;        /* a file, in tests; else "" */
	struct json_object *environment; /* the OS_* variables of who asks; NULL: those of this process */
};

/* All strings are borrowed from json and never NULL but where it says so. */
struct request {
	enum request_verb verb;
	struct json_object *json;
	const char *op;
	const char *uri;
	char uuid[37]; /* lower case; "" for watch and qemus */
	const char *name;
	const char *xml;
	size_t xml_len;
	const char *why;
	uint64_t generation;
	uint64_t start_timeout_ms; /* one attempt */
	uint64_t verify_ms;
	uint64_t lock_retry_ms;	 /* how long a lock error is met with patience */
	bool managed_save_aside; /* start: else it is resumed; tidy: else it is left where it is */
	bool undefine;
	bool has_nova; /* the plane is Nova */
	bool by_hand;  /* start by Nova: also what is not selected; enable: a person asks, perhaps for another host */
	bool stopped;  /* start by Nova: it is to be here, and not to run */
	struct request_nova nova;
};

/* The verb of a word of the command line: 0 or -EINVAL. */
int request_verb_parse(const char *word, enum request_verb *ret_verb);
const char *request_verb_name(enum request_verb verb);
const char *request_select_name(enum request_select select);

/*
 * Checks the text of a request. 0 and *ret_req (free it with request_free), or -E2BIG, -EINVAL, -ENOMEM; error then
 * says which field is wrong and what was expected. ret_op (may be NULL) receives the "op" even of a
 * request that is wrong otherwise, or "" when there is none; size is at least 1.
 */
int request_parse(enum request_verb verb, const char *text, size_t len, struct request *ret_req,
		  char *error, size_t error_size, char *ret_op, size_t op_size);
void request_free(struct request *req);

/* True for the canonical form of a UUID, 8-4-4-4-12 hexadecimal digits; copies it in lower case. */
bool uuid_normalize(const char *text, char ret_uuid[37]);

#endif
