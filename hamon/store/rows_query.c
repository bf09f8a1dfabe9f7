/* Answers to questions about history and definitions. */
#include <errno.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/store/db_internal.h"

#define ROW_COLUMNS "seq, t_ms, wall, id, incident, kind, severity, host, instance, uuid, text, data"

/*
 * Without "since" it is the newest rows that are wanted, with it the oldest after it. No index but the primary key:
 * every further one would be another page to write in each commit, and the whole table is small.
 */
#define HISTORY_SQL(condition, order) \
	"SELECT " ROW_COLUMNS " FROM history WHERE " condition \
	" AND (?2 IS NULL OR incident = ?2) AND (?3 IS NULL OR instance = ?3 OR uuid = ?3)" \
	" AND (?4 IS NULL OR host = ?4) AND (?5 IS NULL OR kind = ?5) ORDER BY seq " order " LIMIT ?6"

static struct json_object *row_object(sqlite3_stmt *statement)
{
	static const char *const names[] = { "wall", "id", "incident", "kind", "severity", "host", "instance",
		"uuid", "text" };
	const char *data = (const char *)sqlite3_column_text(statement, 11);
	struct json_object *row = json_object_new_object(), *value = NULL;

	json_put_u64(row, "seq", (uint64_t)sqlite3_column_int64(statement, 0));
	json_put_u64(row, "t_ms", (uint64_t)sqlite3_column_int64(statement, 1));
	for (int i = 0; i < (int)(sizeof(names) / sizeof(*names)); i++)
		json_put_string(row, names[i], (const char *)sqlite3_column_text(statement, i + 2));
	if (data && json_parse(data, strlen(data), &value))
		value = NULL; /* a row of history is for people: what is left of it is better than nothing */
	json_object_object_add(row, "data", value);
	return row;
}

static void array_reverse(struct json_object *array)
{
	size_t n = json_object_array_length(array);

	for (size_t i = 0, j = n; i + 1 < j; i++) {
		j--;
		struct json_object *a = json_object_get(json_object_array_get_idx(array, i));
		struct json_object *b = json_object_get(json_object_array_get_idx(array, j));

		json_object_array_put_idx(array, i, b);
		json_object_array_put_idx(array, j, a);
	}
}

/* Takes rows until the answer's line would be too long for its reader. */
static int rows_take(struct store_db *db, sqlite3_stmt *statement, uint64_t limit, struct json_object *rows,
		     bool *ret_more, struct store_fault *fault)
{
	size_t bytes = 1024;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct json_object *row = row_object(statement);

		bytes += strlen(json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN)) + 1;
		*ret_more = bytes > STORE_ANSWER_MAX || json_object_array_length(rows) == limit;
		if (*ret_more) {
			json_object_put(row);
			return 0;
		}
		json_object_array_add(rows, row);
	}
	return rc == SQLITE_DONE ? 0 : db_fault(db, "history", fault);
}

int db_history(struct store_db *db, const struct store_request *query, struct json_object **ret_rows,
	       bool *ret_more, struct store_fault *fault)
{
	const char *const filters[] = { query->incident, query->instance, query->host, query->kind };
	sqlite3_stmt *statement = db_prepare(db, query->has_since ? HISTORY_SQL("seq > ?1", "ASC") :
					     HISTORY_SQL("?1 IS NOT NULL", "DESC"), fault);
	struct json_object *rows;
	int rc;

	if (!statement)
		return -EIO;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)query->since);
	for (int i = 0; i < 4; i++)
		sqlite3_bind_text(statement, i + 2, filters[i], -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 6, (sqlite3_int64)query->limit + 1); /* one more tells whether there is more */
	rows = json_object_new_array();
	*ret_more = false;
	rc = rows_take(db, statement, query->limit, rows, ret_more, fault);
	sqlite3_finalize(statement);
	if (rc) {
		json_object_put(rows);
		return rc;
	}
	if (!query->has_since)
		array_reverse(rows);
	*ret_rows = rows;
	return 0;
}

int db_def(struct store_db *db, const char *hash, struct json_object **ret_xml, struct store_fault *fault)
{
	sqlite3_stmt *statement = db->statements[STATEMENT_DEF_GET];
	struct json_object *xml = NULL;
	int rc;

	sqlite3_bind_text(statement, 1, hash, -1, SQLITE_STATIC);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		xml = json_object_new_string((const char *)sqlite3_column_text(statement, 0));
	else if (rc != SQLITE_DONE)
		db_fault(db, "definitions", fault);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return -EIO;
	*ret_xml = xml;
	return 0;
}
