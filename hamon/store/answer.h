/* The lines that hamon-store prints. Each function: 0, or -EPIPE when its reader is gone. */
#ifndef HAMON_STORE_ANSWER_H
#define HAMON_STORE_ANSWER_H

#include "hamon/store/db.h"

/*
 * Tells what was loaded, and drops it. Facts and hashes that would make the line too long go ahead of it in lines of
 * type "loading".
 */
int answer_loaded(struct db_content *content);
int answer_not_loaded(const struct store_fault *fault);

int answer_persisted(uint64_t seq, uint64_t sync_us, uint64_t requests);

/* Any of seq and id may be NULL; retrying: the request is kept. */
int answer_error(struct json_object *seq, struct json_object *id, const struct store_fault *fault, bool retrying);

/* Answers a STORE_QUERY_*. */
int answer_query(struct store_db *db, const struct store_request *query);

#endif
