/* A request line to hamon-store, checked as a whole before anything of it is done. Pure. */
#ifndef HAMON_STORE_REQUEST_H
#define HAMON_STORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json_object.h>

#define STORE_LINE_MAX (8u << 20)    /* bytes of a request */
#define STORE_ANSWER_MAX (960u << 10) /* bytes of a line that is printed; its reader takes 1 MiB */
#define STORE_KIND_MAX 32
#define STORE_KEY_MAX 256
#define STORE_VALUE_MAX (64u << 10) /* a fact's or a meta value, as JSON text */
#define STORE_TEXT_MAX (16u << 10)  /* a history row's sentence */
#define STORE_DATA_MAX (256u << 10) /* a history row's data, as JSON text */
#define STORE_XML_MAX (768u << 10)  /* a definition, escaped as JSON text */
#define STORE_HASH_LEN 64
#define STORE_ROWS_MAX 10000 /* of an answer */

enum store_verb {
	STORE_WRITE,
	STORE_QUERY_HISTORY,
	STORE_QUERY_DEF,
	STORE_GATE_LIST, /* {"gate_list":{..}}: nothing is answered */
};

/* A fact; the texts belong to the request. */
struct store_fact {
	const char *kind, *key;
	uint64_t term, counter; /* both below 2^63: SQLite's integers are signed */
	const char *value;      /* JSON text of an object */
};

struct store_history {
	uint64_t seq, t_ms;
	const char *wall, *id, *incident, *kind, *severity, *host, *instance, *uuid, *text;
	const char *data; /* JSON text; all of these but kind may be NULL */
};

struct store_def {
	const char *hash, *xml;
};

struct store_meta {
	const char *key;
	const char *value; /* JSON text, NULL to forget the key */
};

struct store_request {
	enum store_verb verb;
	size_t bytes; /* of its line */

	/* STORE_WRITE */
	bool has_seq; /* a request that only prunes may do without: then nothing is answered */
	uint64_t seq;
	bool replace; /* facts becomes the whole of the facts */
	size_t n_meta, n_facts, n_history, n_defs, n_keep;
	struct store_meta *meta;
	struct store_fact *facts;
	struct store_history *history;
	struct store_def *defs;
	bool prune;        /* of all definitions, only those of keep stay */
	const char **keep; /* hashes */

	/* STORE_QUERY_* */
	struct json_object *id; /* repeated in the answer, NULL when absent; belongs to the request */
	const char *incident, *instance, *host, *kind, *hash;
	bool has_since;
	uint64_t since, limit;

	/* STORE_GATE_LIST */
	struct json_object *gate_list; /* belongs to the request */

	struct json_object *root;
	struct store_request *next; /* for whoever queues it */
};

/* What an answer to a bad request repeats of it, as far as it could be read; NULL where it could not. */
struct store_request_name {
	struct json_object *seq, *id; /* references of their own: json_object_put both */
};

/*
 * Parses one line. 0 and *ret_request (free it with store_request_free), or -EINVAL, -ENOMEM with a sentence in
 * error and what is known of the request in *ret_name.
 */
int store_request_parse(const char *line, size_t len, struct store_request **ret_request,
			struct store_request_name *ret_name, char *error, size_t error_size);

void store_request_free(struct store_request *request);

#endif
