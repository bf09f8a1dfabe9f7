/*
 * The store: one SQLite file with a write-ahead log. All of SQLite is behind this header; db.c opens, checks and
 * commits, rows.c reads and writes the tables.
 *
 *	meta(key, value)			switches and numbers of the daemon; "store.*" are the store's own
 *	facts(kind, key, term, counter, value)	registers, the highest (term, counter) wins
 *	history(seq, ...)			records, the oldest are dropped beyond a limit
 *	defs(hash, xml)				definitions of domains
 */
#ifndef HAMON_STORE_DB_H
#define HAMON_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json_object.h>

#include "hamon/store/fault.h"
#include "hamon/store/place.h"
#include "hamon/store/request.h"

struct store_db;

/* Everything that was in the store when it was opened. */
struct db_content {
	struct json_object *meta;  /* object */
	struct json_object *facts; /* array of objects, as in a request */
	struct json_object *defs;  /* array of hashes */
	uint64_t history_last;
	bool created; /* nothing was ever committed to it */
	char id[STORE_ID_SIZE];
};

void db_content_drop(struct db_content *content);

/*
 * Opens the store of the place, or makes it when the place is fresh; checks it as a whole and changes nothing in it
 * before it has passed. The place is borrowed. history_limit is in rows. 0 and the content, the caller's to drop; or
 * -EIO with *fault set.
 */
int db_open(struct place *place, uint64_t history_limit, struct store_db **ret_db,
	    struct db_content *ret_content, struct store_fault *fault);

/* Not a word of it is written after a fault "corrupt". NULL is fine. */
void db_close(struct store_db *db);

/*
 * One transaction around any number of db_apply. db_commit is durable when it returns 0; *ret_sync_us is the time
 * inside COMMIT in microseconds. All: 0, or -EIO with *fault set, and then nothing of the transaction remains.
 */
int db_begin(struct store_db *db, struct store_fault *fault);
int db_commit(struct store_db *db, uint64_t *ret_sync_us, struct store_fault *fault);
void db_rollback(struct store_db *db);

/* Inside a transaction. -EINVAL (class "bad-request") when the fault is the request's own, else as above. */
int db_apply(struct store_db *db, const struct store_request *request, struct store_fault *fault);

/* To be called after the acknowledgement of a commit: notes it in the marker. */
void db_note(struct store_db *db);

/*
 * What is better done while nobody waits: writes the log back into the file, drops old history. db_maintenance_due
 * tells whether there is any, and with urgent whether it cannot be put off any longer.
 */
bool db_maintenance_due(const struct store_db *db, bool urgent);
int db_maintain(struct store_db *db, struct store_fault *fault);

/* Reads; the new object is the caller's. *ret_xml is NULL when there is no such definition. 0, or -EIO with *fault. */
int db_history(struct store_db *db, const struct store_request *query, struct json_object **ret_rows,
	       bool *ret_more, struct store_fault *fault);
int db_def(struct store_db *db, const char *hash, struct json_object **ret_xml, struct store_fault *fault);

/* Replaces the gate's list, durably. 0, or -EIO with *fault set. */
int db_gate_list(struct store_db *db, struct json_object *list, struct store_fault *fault);

#endif
