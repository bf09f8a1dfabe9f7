/* Transactions, and the work that is left for quiet moments. */
#include <errno.h>
#include <time.h>

#include "hamon/store/db_internal.h"

#define CHECKPOINT_IDLE_PAGES 128
#define CHECKPOINT_URGENT_PAGES 2000
#define TRIM_SHARE 10 /* a tenth more history than asked for is kept before any is dropped */

int db_run(struct store_db *db, enum db_statement which, struct store_fault *fault)
{
	sqlite3_stmt *statement = db->statements[which];
	int rc = sqlite3_step(statement), ret = 0;

	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		ret = db_fault(db, sqlite3_sql(statement), fault);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return ret;
}

int db_begin(struct store_db *db, struct store_fault *fault)
{
	if (db->broken) {
		store_fault_set(fault, "corrupt", "%s/" STORE_DB_NAME " is damaged and not written any more",
				db->place->path);
		return -EIO;
	}
	db->history_new = 0;
	return db_run(db, STATEMENT_BEGIN, fault);
}

void db_rollback(struct store_db *db)
{
	struct store_fault ignored;

	/* SQLite may have rolled back by itself, depending on the error. */
	if (!sqlite3_get_autocommit(db->handle))
		db_run(db, STATEMENT_ROLLBACK, &ignored);
}

static uint64_t monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The number of commits is part of each: what the marker notes can then be compared with it. */
static int commits_set(struct store_db *db, uint64_t commits, struct store_fault *fault)
{
	sqlite3_stmt *statement = db->statements[STATEMENT_META_SET];
	char text[24];

	sqlite3_snprintf(sizeof(text), text, "%llu", (unsigned long long)commits);
	sqlite3_bind_text(statement, 1, "store.commits", -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, text, -1, SQLITE_TRANSIENT);
	return db_run(db, STATEMENT_META_SET, fault);
}

int db_commit(struct store_db *db, uint64_t *ret_sync_us, struct store_fault *fault)
{
	uint64_t start_us;
	int rc = commits_set(db, db->commits + 1, fault);

	start_us = monotonic_us();
	if (!rc)
		rc = db_run(db, STATEMENT_COMMIT, fault);
	if (rc) {
		db_rollback(db);
		return rc;
	}
	*ret_sync_us = monotonic_us() - start_us;
	db->commits++;
	db->history_rows += db->history_new;
	return 0;
}

void db_note(struct store_db *db)
{
	place_note_commits(db->place, db->commits);
}

static bool trim_due(const struct store_db *db)
{
	return db->history_rows > db->history_limit + db->history_limit / TRIM_SHARE;
}

bool db_maintenance_due(const struct store_db *db, bool urgent)
{
	if (db->broken)
		return false;
	if (urgent)
		return db->wal_pages >= CHECKPOINT_URGENT_PAGES ||
			db->history_rows > 2 * db->history_limit + 1000;
	return db->wal_pages >= CHECKPOINT_IDLE_PAGES || trim_due(db);
}

/* Drops a bounded number of rows: what else is to be dropped follows in the next quiet moment. */
static int history_trim(struct store_db *db, struct store_fault *fault)
{
	sqlite3_stmt *statement = db->statements[STATEMENT_HISTORY_TRIM];
	int rc;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)db->history_limit);
	rc = db_run(db, STATEMENT_HISTORY_TRIM, fault);
	return rc ? rc : rows_count(db, fault);
}

/*
 * Writing the log back lets the next commit begin it anew, and that commit syncs the log's header as well: it is made
 * here, without content, so that the first one that somebody waits for has one sync again.
 */
static int checkpoint(struct store_db *db, struct store_fault *fault)
{
	int pages = 0, done = 0, rc;

	if (sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &done))
		return db_fault(db, "checkpoint", fault);
	if (done < pages) /* somebody reads; the log grows until they are done */
		return 0;
	rc = db_run(db, STATEMENT_BEGIN, fault);
	if (!rc)
		rc = commits_set(db, db->commits, fault);
	if (!rc)
		rc = db_run(db, STATEMENT_COMMIT, fault);
	if (rc)
		db_rollback(db);
	return rc;
}

int db_maintain(struct store_db *db, struct store_fault *fault)
{
	int rc = 0;

	if (trim_due(db))
		rc = history_trim(db, fault);
	if (!rc && db->wal_pages >= CHECKPOINT_IDLE_PAGES)
		rc = checkpoint(db, fault);
	return rc;
}
