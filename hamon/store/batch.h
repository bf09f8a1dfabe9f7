/* The requests that wait for a transaction, in the order in which they came. */
#ifndef HAMON_STORE_BATCH_H
#define HAMON_STORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "hamon/store/db.h"

#define BATCH_BYTES_MAX (16u << 20)
#define BATCH_REQUESTS_MAX 1024

/* Zeroed to begin with. */
struct batch {
	struct store_request *writes, *queries;
	size_t bytes, n_writes, n_all;
	bool has_seq; /* some request was taken */
	uint64_t last_seq;
	struct json_object *gate_list; /* the newest that is not on the disk */
	unsigned int gate_batches;     /* that went before it */
	bool gate_failed;
};

/* Takes a line (NULL: one that was too long), or answers at once what is wrong with it. */
void batch_add(struct batch *batch, const char *line, size_t len);

bool batch_full(const struct batch *batch);

/*
 * The list that libvirt's hook goes by without hamond. It must not be old, but it is no part of a commit and takes
 * two syncs: so it is written when requests pause (quiet), or when that many batches went before it.
 */
#define BATCH_GATE_BATCHES 50
bool batch_gate_waiting(const struct batch *batch);
int batch_gate_run(struct batch *batch, struct store_db *db, bool quiet);

/* Some write is not durable yet. */
bool batch_waiting(const struct batch *batch);

/*
 * One transaction for all writes, then the queries. Writes that fail because of the surroundings stay for the next
 * call, in one piece; each such failure is told. Without a db everything is answered by the fault *dead. 0, or -EPIPE
 * when the reader of the answers is gone.
 */
int batch_run(struct batch *batch, struct store_db *db, const struct store_fault *dead);

void batch_drop(struct batch *batch);

#endif
