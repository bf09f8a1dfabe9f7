/* The tables: what is written into them, and how it is read again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/store/db_internal.h"

const char *const rows_sql[STATEMENTS] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_META_SET] = "INSERT INTO meta(key, value) VALUES(?1, ?2) "
		"ON CONFLICT DO UPDATE SET value = excluded.value",
	[STATEMENT_META_FORGET] = "DELETE FROM meta WHERE key = ?1",
	[STATEMENT_FACTS_DROP] = "DELETE FROM facts",
	/* A register: an older version never wins, so that a repeated request does no harm. */
	[STATEMENT_FACT_SET] = "INSERT INTO facts(kind, key, term, counter, value, sum) VALUES(?1, ?2, ?3, ?4, ?5, ?6) "
		"ON CONFLICT DO UPDATE SET term = excluded.term, counter = excluded.counter, "
		"value = excluded.value, sum = excluded.sum "
		"WHERE (excluded.term, excluded.counter) >= (facts.term, facts.counter)",
	[STATEMENT_HISTORY_SET] = "INSERT INTO history(seq, t_ms, wall, id, incident, kind, severity, host, instance, "
		"uuid, text, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "
		"ON CONFLICT DO UPDATE SET t_ms = excluded.t_ms, wall = excluded.wall, id = excluded.id, "
		"incident = excluded.incident, kind = excluded.kind, severity = excluded.severity, "
		"host = excluded.host, instance = excluded.instance, uuid = excluded.uuid, "
		"text = excluded.text, data = excluded.data",
	[STATEMENT_HISTORY_TRIM] = "DELETE FROM history WHERE seq <= min("
		"(SELECT seq FROM history ORDER BY seq DESC LIMIT 1 OFFSET ?1), "
		"ifnull((SELECT seq FROM history ORDER BY seq LIMIT 1 OFFSET 2000), 9223372036854775807))",
	[STATEMENT_DEF_SET] = "INSERT INTO defs(hash, xml) VALUES(?1, ?2) ON CONFLICT DO NOTHING",
	[STATEMENT_DEF_GET] = "SELECT xml FROM defs WHERE hash = ?1",
};

/* FNV-1a, 64 bits: not against an enemy, against a bit that a disk has turned over. */
static uint64_t sum_add(uint64_t sum, const void *data, size_t len)
{
	for (const unsigned char *p = data, *end = p + len; p < end; p++)
		sum = (sum ^ *p) * 0x100000001b3ull;
	return sum;
}

static int64_t fact_sum(const char *kind, const char *key, uint64_t term, uint64_t counter, const char *value)
{
	uint64_t sum = 0xcbf29ce484222325ull;

	sum = sum_add(sum, kind, strlen(kind) + 1);
	sum = sum_add(sum, key, strlen(key) + 1);
	for (int shift = 0; shift < 64; shift += 8) {
		unsigned char bytes[2] = { (unsigned char)(term >> shift), (unsigned char)(counter >> shift) };

		sum = sum_add(sum, bytes, sizeof(bytes));
	}
	return (int64_t)sum_add(sum, value, strlen(value));
}

/* A NULL is bound as NULL. The text outlives the statement's step. */
static void text_bind(sqlite3_stmt *statement, int i, const char *text)
{
	sqlite3_bind_text(statement, i, text, -1, SQLITE_STATIC);
}

static int fact_set(struct store_db *db, const struct store_fact *fact, struct store_fault *fault)
{
	sqlite3_stmt *statement = db->statements[STATEMENT_FACT_SET];

	text_bind(statement, 1, fact->kind);
	text_bind(statement, 2, fact->key);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)fact->term);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)fact->counter);
	text_bind(statement, 5, fact->value);
	sqlite3_bind_int64(statement, 6, fact_sum(fact->kind, fact->key, fact->term, fact->counter, fact->value));
	return db_run(db, STATEMENT_FACT_SET, fault);
}

static int history_set(struct store_db *db, const struct store_history *row, struct store_fault *fault)
{
	sqlite3_stmt *statement = db->statements[STATEMENT_HISTORY_SET];
	const char *const texts[] = { row->wall, row->id, row->incident, row->kind, row->severity, row->host,
		row->instance, row->uuid, row->text, row->data };

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->seq);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)row->t_ms);
	for (int i = 0; i < (int)(sizeof(texts) / sizeof(*texts)); i++)
		text_bind(statement, i + 3, texts[i]);
	db->history_new++;
	return db_run(db, STATEMENT_HISTORY_SET, fault);
}

static int meta_set(struct store_db *db, const struct store_meta *meta, struct store_fault *fault)
{
	enum db_statement which = meta->value ? STATEMENT_META_SET : STATEMENT_META_FORGET;

	text_bind(db->statements[which], 1, meta->key);
	if (meta->value)
		text_bind(db->statements[which], 2, meta->value);
	return db_run(db, which, fault);
}

static int def_set(struct store_db *db, const struct store_def *def, struct store_fault *fault)
{
	text_bind(db->statements[STATEMENT_DEF_SET], 1, def->hash);
	text_bind(db->statements[STATEMENT_DEF_SET], 2, def->xml);
	return db_run(db, STATEMENT_DEF_SET, fault);
}

static int hash_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int def_forget(struct store_db *db, const char *hash, struct store_fault *fault)
{
	sqlite3_stmt *statement = db_prepare(db, "DELETE FROM defs WHERE hash = ?1", fault);
	int rc = 0;

	if (!statement)
		return -EIO;
	text_bind(statement, 1, hash);
	if (sqlite3_step(statement) != SQLITE_DONE)
		rc = db_fault(db, "a definition cannot be dropped", fault);
	sqlite3_finalize(statement);
	return rc;
}

static int defs_prune(struct store_db *db, const struct store_request *request, struct store_fault *fault)
{
	sqlite3_stmt *statement = db_prepare(db, "SELECT hash FROM defs", fault);
	int rc, ret = 0;

	if (!statement)
		return -EIO;
	qsort(request->keep, request->n_keep, sizeof(*request->keep), hash_compare);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW && !ret) {
		const char *hash = (const char *)sqlite3_column_text(statement, 0);

		if (!hash || !bsearch(&hash, request->keep, request->n_keep, sizeof(hash), hash_compare))
			ret = hash ? def_forget(db, hash, fault) : db_fault(db, "definitions", fault);
	}
	if (!ret && rc != SQLITE_DONE)
		ret = db_fault(db, "definitions cannot be read", fault);
	sqlite3_finalize(statement);
	return ret;
}

static int request_apply(struct store_db *db, const struct store_request *request, struct store_fault *fault)
{
	int rc = request->replace ? db_run(db, STATEMENT_FACTS_DROP, fault) : 0;

	for (size_t i = 0; i < request->n_meta && !rc; i++)
		rc = meta_set(db, &request->meta[i], fault);
	for (size_t i = 0; i < request->n_facts && !rc; i++)
		rc = fact_set(db, &request->facts[i], fault);
	for (size_t i = 0; i < request->n_history && !rc; i++)
		rc = history_set(db, &request->history[i], fault);
	for (size_t i = 0; i < request->n_defs && !rc; i++)
		rc = def_set(db, &request->defs[i], fault);
	if (!rc && request->prune)
		rc = defs_prune(db, request, fault);
	return rc;
}

int db_apply(struct store_db *db, const struct store_request *request, struct store_fault *fault)
{
	int rc = request_apply(db, request, fault);

	return rc && !strcmp(fault->error_class, "bad-request") ? -EINVAL : rc;
}

static int number_ask(struct store_db *db, const char *sql, uint64_t *ret, struct store_fault *fault)
{
	sqlite3_stmt *statement = db_prepare(db, sql, fault);
	int rc = 0;

	if (!statement)
		return -EIO;
	if (sqlite3_step(statement) == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(statement, 0);
	else
		rc = db_fault(db, sql, fault);
	sqlite3_finalize(statement);
	return rc;
}

int rows_count(struct store_db *db, struct store_fault *fault)
{
	int rc = number_ask(db, "SELECT count(*) FROM history", &db->history_rows, fault);

	return rc ? rc : number_ask(db, "SELECT ifnull(max(CAST(value AS INTEGER)), 0) FROM meta "
				    "WHERE key = 'store.commits'", &db->commits, fault);
}

static const char *text_column(sqlite3_stmt *statement, int i)
{
	return (const char *)sqlite3_column_text(statement, i);
}

/* A value that is no JSON, or is not what was written, is damage that SQLite's own check does not see. */
static int damaged(struct store_db *db, const char *what, const char *key, struct store_fault *fault)
{
	db->broken = true;
	store_fault_set(fault, "corrupt", "%s/" STORE_DB_NAME ": %s \"%.100s\" is damaged; it is left as it is, see "
			"hamon-store(8)", db->place->path, what, key ? key : "");
	return -EIO;
}

static int fact_row(struct store_db *db, sqlite3_stmt *statement, struct db_content *content,
		    struct store_fault *fault)
{
	const char *kind = text_column(statement, 0), *key = text_column(statement, 1);
	sqlite3_int64 term = sqlite3_column_int64(statement, 2), counter = sqlite3_column_int64(statement, 3);
	const char *text = text_column(statement, 4);
	struct json_object *fact, *value;

	if (!kind || !key || !text || term < 0 || counter < 0 ||
	    sqlite3_column_int64(statement, 5) != fact_sum(kind, key, (uint64_t)term, (uint64_t)counter, text) ||
	    json_parse(text, strlen(text), &value))
		return damaged(db, "the fact", key, fault);
	fact = json_object_new_object();
	json_put_string(fact, "kind", kind);
	json_put_string(fact, "key", key);
	json_put_u64(fact, "term", (uint64_t)term);
	json_put_u64(fact, "counter", (uint64_t)counter);
	json_object_object_add(fact, "value", value);
	json_object_array_add(content->facts, fact);
	return 0;
}

static int meta_row(struct store_db *db, sqlite3_stmt *statement, struct db_content *content,
		    struct store_fault *fault)
{
	const char *key = text_column(statement, 0), *text = text_column(statement, 1);
	struct json_object *value;

	if (!key || !text || json_parse(text, strlen(text), &value))
		return damaged(db, "the meta value", key, fault);
	if (!strcmp(key, "store.id") && json_object_is_type(value, json_type_string))
		strncpy(content->id, json_object_get_string(value), sizeof(content->id) - 1);
	if (!strncmp(key, "store.", strlen("store.")))
		json_object_put(value);
	else
		json_object_object_add(content->meta, key, value);
	return 0;
}

static int def_row(struct store_db *db, sqlite3_stmt *statement, struct db_content *content,
		   struct store_fault *fault)
{
	const char *hash = text_column(statement, 0);

	if (!hash)
		return damaged(db, "the definition", hash, fault);
	json_object_array_add(content->defs, json_object_new_string(hash));
	return 0;
}

void db_content_drop(struct db_content *content)
{
	json_object_put(content->meta);
	json_object_put(content->facts);
	json_object_put(content->defs);
	*content = (struct db_content){ 0 };
}

typedef int (*row_take)(struct store_db *db, sqlite3_stmt *statement, struct db_content *content,
			struct store_fault *fault);

static int table_load(struct store_db *db, const char *sql, row_take take, struct db_content *content,
		     struct store_fault *fault)
{
	sqlite3_stmt *statement = db_prepare(db, sql, fault);
	int rc = SQLITE_DONE, ret = 0;

	if (!statement)
		return -EIO;
	while (!ret && (rc = sqlite3_step(statement)) == SQLITE_ROW)
		ret = take(db, statement, content, fault);
	if (!ret && rc != SQLITE_DONE)
		ret = db_fault(db, sql, fault);
	sqlite3_finalize(statement);
	return ret;
}

int rows_load(struct store_db *db, struct db_content *ret_content, struct store_fault *fault)
{
	struct db_content content = {
		.meta = json_object_new_object(),
		.facts = json_object_new_array(),
		.defs = json_object_new_array(),
		.created = !db->commits,
	};
	int rc = table_load(db, "SELECT kind, key, term, counter, value, sum FROM facts ORDER BY kind, key", fact_row,
			   &content, fault);

	if (!rc)
		rc = table_load(db, "SELECT key, value FROM meta ORDER BY key", meta_row, &content, fault);
	if (!rc)
		rc = table_load(db, "SELECT hash FROM defs ORDER BY hash", def_row, &content, fault);
	if (!rc)
		rc = number_ask(db, "SELECT ifnull(max(seq), 0) FROM history", &content.history_last, fault);
	if (!rc) {
		*ret_content = content;
		return 0;
	}
	db_content_drop(&content);
	return rc;
}
