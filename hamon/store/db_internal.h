/* What db.c and rows.c share; nobody else includes it. */
#ifndef HAMON_STORE_DB_INTERNAL_H
#define HAMON_STORE_DB_INTERNAL_H

#include <sqlite3.h>

#include "hamon/store/db.h"

#define DB_APPLICATION_ID 0x48414d4e /* "HAMN", where file(1) finds it */
#define DB_VERSION 1
#define DB_TABLES 4

enum db_statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_META_SET,
	STATEMENT_META_FORGET,
	STATEMENT_FACTS_DROP,
	STATEMENT_FACT_SET,
	STATEMENT_HISTORY_SET,
	STATEMENT_HISTORY_TRIM,
	STATEMENT_DEF_SET,
	STATEMENT_DEF_GET,
	STATEMENTS,
};

struct store_db {
	struct place *place;
	sqlite3 *handle;
	sqlite3_stmt *statements[STATEMENTS];
	uint64_t history_limit;
	uint64_t history_rows;
	uint64_t history_new; /* rows of the transaction under way */
	uint64_t commits;     /* in the store, durable */
	int wal_pages;
	bool broken; /* damage was seen: no more writing */
};

/* Turns SQLite's last error into a fault; always -EIO. */
int db_fault(struct store_db *db, const char *what, struct store_fault *fault);

/* Runs SQL that answers nothing. 0 or -EIO with *fault set. */
int db_exec(struct store_db *db, const char *sql, struct store_fault *fault);

/* Opens a file of the place and sets up the handle; closing also drops the statements. 0 or -EIO with *fault set. */
int db_handle_open(struct store_db *db, const char *file, int flags, struct store_fault *fault);
void db_handle_close(struct store_db *db);

/*
 * A new store is made under another name, so that nothing is lost or half there wherever it is interrupted.
 * db_make_room gives the log its working size. 0 or -EIO with *fault set.
 */
int db_make(struct store_db *db, struct store_fault *fault);
int db_make_room(struct store_db *db, struct store_fault *fault);

/* Steps a prepared statement that returns no row, and resets it. 0 or -EIO with *fault set. */
int db_run(struct store_db *db, enum db_statement which, struct store_fault *fault);

/* Prepares a statement for one use; NULL with *fault set. */
sqlite3_stmt *db_prepare(struct store_db *db, const char *sql, struct store_fault *fault);

/* Reads and checks all rows but those of history. 0, or -EIO with *fault set. */
int rows_load(struct store_db *db, struct db_content *ret_content, struct store_fault *fault);

/* Counts rows and reads the number of commits. 0 or -EIO with *fault set. */
int rows_count(struct store_db *db, struct store_fault *fault);

extern const char *const rows_sql[STATEMENTS];
extern const char *const db_tables[DB_TABLES];

#endif
