/* The requests that wait for a transaction. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hamon/store/answer.h"
#include "hamon/store/batch.h"

bool batch_full(const struct batch *batch)
{
	return batch->bytes >= BATCH_BYTES_MAX || batch->n_all >= BATCH_REQUESTS_MAX;
}

bool batch_waiting(const struct batch *batch)
{
	return batch->writes;
}

static void refuse(const struct store_request_name *name, const char *why)
{
	struct store_fault fault;

	store_fault_set(&fault, "bad-request", "%s", why);
	fprintf(stderr, "refused a request: %s\n", why);
	answer_error(name->seq, name->id, &fault, false);
}

/* "persisted" is cumulative, so numbers that do not grow would acknowledge what was never done. */
static bool seq_grows(struct batch *batch, const struct store_request *request)
{
	if (request->verb != STORE_WRITE || !request->has_seq)
		return true;
	if (batch->has_seq && request->seq <= batch->last_seq)
		return false;
	batch->has_seq = true;
	batch->last_seq = request->seq;
	return true;
}

static void append(struct batch *batch, struct store_request *request)
{
	bool write = request->verb == STORE_WRITE;
	struct store_request **list = write ? &batch->writes : &batch->queries;

	while (*list) /* at most BATCH_REQUESTS_MAX, but for what one read brought */
		list = &(*list)->next;
	*list = request;
	batch->bytes += request->bytes;
	batch->n_writes += write;
	batch->n_all++;
}

static void take_out(struct batch *batch, struct store_request **list)
{
	struct store_request *request = *list;

	*list = request->next;
	batch->bytes -= request->bytes;
	batch->n_writes -= request->verb == STORE_WRITE;
	batch->n_all--;
	store_request_free(request);
}

/* A newer list makes an older one that still waits superfluous. */
static void gate_take(struct batch *batch, struct store_request *request)
{
	if (!batch->gate_list)
		batch->gate_batches = 0;
	json_object_put(batch->gate_list);
	batch->gate_list = json_object_get(request->gate_list);
	store_request_free(request);
}

void batch_add(struct batch *batch, const char *line, size_t len)
{
	struct store_request_name name = { 0 };
	struct store_request *request = NULL;
	char why[512];

	if (!line) {
		snprintf(why, sizeof(why), "a line has more than %u bytes", STORE_LINE_MAX);
		refuse(&name, why);
		return;
	}
	if (store_request_parse(line, len, &request, &name, why, sizeof(why))) {
		refuse(&name, why);
	} else if (!seq_grows(batch, request)) {
		name.seq = json_object_new_uint64(request->seq);
		snprintf(why, sizeof(why), "\"seq\" must be greater than %llu",
			 (unsigned long long)batch->last_seq);
		refuse(&name, why);
		store_request_free(request);
	} else if (request->verb == STORE_GATE_LIST) {
		gate_take(batch, request);
	} else {
		append(batch, request);
	}
	json_object_put(name.seq);
	json_object_put(name.id);
}

static int refuse_request(const struct store_request *request, const struct store_fault *fault, bool retrying)
{
	struct json_object *seq = request->has_seq ? json_object_new_uint64(request->seq) : NULL;
	int rc = answer_error(seq, request->id, fault, retrying);

	json_object_put(seq);
	return rc;
}

/* One attempt at the whole transaction. -EINVAL: *ret_bad is the request that can never be done. */
static int writes_commit(struct batch *batch, struct store_db *db, uint64_t *ret_sync_us,
			 struct store_request ***ret_bad, struct store_fault *fault)
{
	int rc = db_begin(db, fault);

	for (struct store_request **p = &batch->writes; *p && !rc; p = &(*p)->next) {
		rc = db_apply(db, *p, fault);
		*ret_bad = p;
	}
	if (!rc)
		return db_commit(db, ret_sync_us, fault);
	db_rollback(db);
	return rc;
}

/* Everything is durable. */
static int writes_done(struct batch *batch, struct store_db *db, uint64_t sync_us)
{
	uint64_t seq = 0, n = batch->n_writes;
	bool has_seq = false;
	int rc = 0;

	batch->gate_batches++;
	while (batch->writes) {
		has_seq = has_seq || batch->writes->has_seq;
		if (batch->writes->has_seq)
			seq = batch->writes->seq;
		take_out(batch, &batch->writes);
	}
	if (has_seq)
		rc = answer_persisted(seq, sync_us, n);
	db_note(db);
	return rc;
}

/* Without a good store there is nothing to wait for. */
static int all_refuse(struct batch *batch, const struct store_fault *dead)
{
	int rc = 0;

	while (batch->writes && !rc) {
		rc = refuse_request(batch->writes, dead, false);
		take_out(batch, &batch->writes);
	}
	while (batch->queries && !rc) {
		rc = refuse_request(batch->queries, dead, false);
		take_out(batch, &batch->queries);
	}
	return rc;
}

static int writes_run(struct batch *batch, struct store_db *db)
{
	struct store_request **bad = NULL, *last;
	struct store_fault fault;
	uint64_t sync_us = 0;
	int rc;

	while (batch->writes) {
		rc = writes_commit(batch, db, &sync_us, &bad, &fault);
		if (!rc)
			return writes_done(batch, db, sync_us);
		fprintf(stderr, "%s\n", fault.text);
		if (rc == -EINVAL) {
			rc = refuse_request(*bad, &fault, false);
			take_out(batch, bad);
			if (rc)
				return rc;
			continue;
		}
		if (!strcmp(fault.error_class, "corrupt"))
			return all_refuse(batch, &fault);
		for (last = batch->writes; last->next; last = last->next)
			;
		return refuse_request(last, &fault, true);
	}
	return 0;
}

int batch_run(struct batch *batch, struct store_db *db, const struct store_fault *dead)
{
	int rc;

	if (!db)
		return all_refuse(batch, dead);
	rc = writes_run(batch, db);
	while (batch->queries && !rc) {
		rc = answer_query(db, batch->queries);
		take_out(batch, &batch->queries);
	}
	return rc;
}

bool batch_gate_waiting(const struct batch *batch)
{
	return batch->gate_list;
}

int batch_gate_run(struct batch *batch, struct store_db *db, bool quiet)
{
	struct store_fault fault;

	if (!db || !batch->gate_list || (!quiet && batch->gate_batches < BATCH_GATE_BATCHES))
		return 0;
	batch->gate_failed = db_gate_list(db, batch->gate_list, &fault);
	if (batch->gate_failed) {
		batch->gate_batches = 0;
		fprintf(stderr, "%s\n", fault.text);
		return answer_error(NULL, NULL, &fault, true);
	}
	json_object_put(batch->gate_list);
	batch->gate_list = NULL;
	return 0;
}

void batch_drop(struct batch *batch)
{
	json_object_put(batch->gate_list);
	batch->gate_list = NULL;
	while (batch->writes)
		take_out(batch, &batch->writes);
	while (batch->queries)
		take_out(batch, &batch->queries);
}
