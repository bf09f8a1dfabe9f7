/*
 * Opening the store, and checking it before anything is written.
 *
 * Why a write-ahead log. A commit stands on the critical path of every recovery: hamond may act only after the
 * intent is on the disks of a majority. With synchronous=FULL, SQLite 3.40 makes four fdatasync() calls for a commit
 * with a rollback journal that is deleted, five with one that is truncated or kept, and one with a write-ahead log.
 * Measured on ext4 on a virtual disk (3 facts and 1 row of history a commit, median of 400): deleted 450 us, truncated
 * 455 us, kept 500 us, write-ahead log 170 us while its file grows and 90 us once it only overwrites itself, because
 * then a sync needs no commit of the file system's own journal. So the log's file is made large once
 * (db_make_room), is never cut or deleted (PERSIST_WAL), and is written back while nobody waits (db_maintain).
 *
 * What synchronous=NORMAL would save is just that one sync, and with it the promise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/store/db_internal.h"
#include "hamon/store/wal.h"

#define BUSY_TIMEOUT_MS 2000 /* a person who looks into the store with sqlite3(1) holds it for moments */

int db_fault(struct store_db *db, const char *what, struct store_fault *fault)
{
	int code = sqlite3_extended_errcode(db->handle);
	const char *error_class = "io";

	switch (code & 0xff) {
	case SQLITE_FULL:
		error_class = "full";
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		error_class = "busy";
		break;
	case SQLITE_NOMEM:
		error_class = "memory";
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		error_class = "corrupt";
		db->broken = true;
		break;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE: /* about what was asked; all else is about where we are, and may pass */
		error_class = "bad-request";
		break;
	default:
		/* Growing the shared index on a full disk is an I/O error to SQLite. */
		if (code == SQLITE_IOERR_SHMSIZE || sqlite3_system_errno(db->handle) == ENOSPC)
			error_class = "full";
	}
	store_fault_set(fault, error_class, "%s/" STORE_DB_NAME ": %s: %s (SQLite code %d)", db->place->path, what,
			sqlite3_errmsg(db->handle), code);
	return -EIO;
}

static int corrupt_fault(struct store_db *db, const char *why, struct store_fault *fault)
{
	db->broken = true;
	store_fault_set(fault, "corrupt", "%s/" STORE_DB_NAME ": %s; it is left as it is, see hamon-store(8)",
			db->place->path, why);
	return -EIO;
}

int db_exec(struct store_db *db, const char *sql, struct store_fault *fault)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) ? db_fault(db, sql, fault) : 0;
}

sqlite3_stmt *db_prepare(struct store_db *db, const char *sql, struct store_fault *fault)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL))
		db_fault(db, sql, fault);
	return statement;
}

/* The single number or text that a pragma or query answers; text is truncated to size. */
static int db_ask(struct store_db *db, const char *sql, char *text, size_t size, struct store_fault *fault)
{
	sqlite3_stmt *statement = db_prepare(db, sql, fault);
	int rc = 0;

	if (!statement)
		return -EIO;
	*text = '\0';
	if (sqlite3_step(statement) == SQLITE_ROW)
		snprintf(text, size, "%s", sqlite3_column_text(statement, 0) ?
			 (const char *)sqlite3_column_text(statement, 0) : "");
	else if (sqlite3_errcode(db->handle) != SQLITE_DONE)
		rc = db_fault(db, sql, fault);
	sqlite3_finalize(statement);
	return rc;
}

static int wal_note(void *user, sqlite3 *handle, const char *name, int pages)
{
	struct store_db *db = user;

	db->wal_pages = pages;
	return SQLITE_OK;
}

int db_handle_open(struct store_db *db, const char *file, int flags, struct store_fault *fault)
{
	char name[PATH_MAX];
	int on = 1;

	place_name(db->place, file, name);
	if (sqlite3_open_v2(name, &db->handle, flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW |
			    SQLITE_OPEN_EXRESCODE, NULL))
		return db_fault(db, "cannot be opened", fault);
	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	/* The file may be anybody's work until it has passed: no function or trigger of its own is run. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* Closing must not write: it may be a damaged store that is closed. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	return db_exec(db, "PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY", fault);
}

void db_handle_close(struct store_db *db)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(db->statements[i]);
		db->statements[i] = NULL;
	}
	sqlite3_close_v2(db->handle);
	db->handle = NULL;
}

/* What can be known before SQLite touches anything. */
static int files_check(struct store_db *db, struct store_fault *fault)
{
	int fd = openat(db->place->dir_fd, STORE_DB_NAME "-wal", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char why[256];
	FILE *wal;
	int rc;

	/* We never write one, and SQLite would play it back into the file. */
	if (!faccessat(db->place->dir_fd, STORE_DB_NAME "-journal", F_OK, AT_SYMLINK_NOFOLLOW)) {
		if (fd >= 0)
			close(fd);
		return corrupt_fault(db, "a rollback journal that is not hamon's lies beside it", fault);
	}
	if (fd < 0 && errno == ENOENT)
		return 0;
	wal = fd < 0 ? NULL : fdopen(fd, "rb");
	if (!wal) {
		store_fault_set(fault, "io", "%s/" STORE_DB_NAME "-wal: %s", db->place->path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -EIO;
	}
	rc = wal_check(wal, why, sizeof(why));
	fclose(wal);
	if (rc == -EBADMSG)
		return corrupt_fault(db, why, fault);
	if (rc)
		store_fault_set(fault, "io", "%s/" STORE_DB_NAME ": %s", db->place->path, why);
	return rc ? -EIO : 0;
}

static int schema_check(struct store_db *db, struct store_fault *fault)
{
	sqlite3_stmt *statement = db_prepare(db, "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' "
					     "ESCAPE '\\' ORDER BY name", fault);
	size_t n = 0;
	int rc;

	if (!statement)
		return -EIO;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *sql = (const char *)sqlite3_column_text(statement, 0);

		if (n >= DB_TABLES || !sql || strcmp(sql, db_tables[n]))
			break;
		n++;
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		rc = db_fault(db, "its schema cannot be read", fault);
	else if (rc == SQLITE_ROW || n != DB_TABLES)
		rc = corrupt_fault(db, "its tables are not those of a hamon store", fault);
	else
		rc = 0;
	sqlite3_finalize(statement);
	return rc;
}

static int identity_check(struct store_db *db, struct store_fault *fault)
{
	struct place *place = db->place;
	char text[STORE_ID_SIZE + 2];
	int rc = db_ask(db, "SELECT value FROM meta WHERE key = 'store.id'", text, sizeof(text), fault);

	if (rc)
		return rc;
	if (strlen(text) != STORE_ID_SIZE + 1 || text[0] != '"' || text[STORE_ID_SIZE] != '"')
		return corrupt_fault(db, "it has no store.id", fault);
	text[STORE_ID_SIZE] = '\0';
	if (!*place->marker_id)
		return place_mark(place, text + 1, fault);
	if (strcmp(place->marker_id, text + 1)) {
		store_fault_set(fault, "emptied", "%s: " STORE_DB_NAME " is store %s, but " STORE_MARKER_NAME
				" says %s: another store was put into its place; see hamon-store(8)", place->path,
				text + 1, place->marker_id);
		db->broken = true;
		return -EIO;
	}
	return 0;
}

static int history_check(struct store_db *db, struct store_fault *fault)
{
	char why[160];
	int rc = rows_count(db, fault);

	if (rc || db->commits >= db->place->marker_commits)
		return rc;
	snprintf(why, sizeof(why), "it has %llu commits, but %llu were acknowledged: it was rolled back, or its "
		 "write-ahead log was lost", (unsigned long long)db->commits,
		 (unsigned long long)db->place->marker_commits);
	return corrupt_fault(db, why, fault);
}

static int store_check(struct store_db *db, struct store_fault *fault)
{
	char text[256];
	int rc = db_ask(db, "PRAGMA application_id", text, sizeof(text), fault);

	if (rc)
		return rc;
	if (atoi(text) != DB_APPLICATION_ID)
		return corrupt_fault(db, "this is no store of hamon", fault);
	rc = db_ask(db, "PRAGMA user_version", text, sizeof(text), fault);
	if (rc)
		return rc;
	if (atoi(text) != DB_VERSION) {
		store_fault_set(fault, "version", "%s/" STORE_DB_NAME " has format %d, this hamon knows format %d",
				db->place->path, atoi(text), DB_VERSION);
		db->broken = true;
		return -EIO;
	}
	rc = schema_check(db, fault); /* before any of its tables is looked at */
	if (!rc)
		rc = db_ask(db, "PRAGMA quick_check(1)", text, sizeof(text), fault);
	if (rc)
		return rc;
	if (strcmp(text, "ok"))
		return corrupt_fault(db, text, fault);
	rc = identity_check(db, fault);
	return rc ? rc : history_check(db, fault);
}

/* From here on the file is known to be good, and may be written. */
static int store_prepare(struct store_db *db, struct store_fault *fault)
{
	struct store_fault no_room;
	char text[16];
	int rc = db_ask(db, "PRAGMA journal_mode=WAL", text, sizeof(text), fault);

	if (rc)
		return rc;
	if (strcmp(text, "wal")) {
		store_fault_set(fault, "io", "%s/" STORE_DB_NAME ": SQLite keeps no write-ahead log here",
				db->place->path);
		return -EIO;
	}
	sqlite3_wal_hook(db->handle, wal_note, db); /* in place of automatic checkpoints */
	for (size_t i = 0; i < STATEMENTS; i++) {
		db->statements[i] = db_prepare(db, rows_sql[i], fault);
		if (!db->statements[i])
			return -EIO;
	}
	if (db_make_room(db, &no_room) && !db->broken)
		fprintf(stderr, "no room for the log's working size: %s\n", no_room.text);
	/* A log from before is not counted until its next commit; writing back what there is costs little now. */
	sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return 0;
}

static int store_open(struct store_db *db, struct db_content *content, struct store_fault *fault)
{
	int rc = 0;

	if (db->place->state == PLACE_EMPTIED) {
		store_fault_set(fault, "emptied", "%s held a store, and " STORE_DB_NAME " is gone or empty; see "
				"hamon-store(8) on how to restore it", db->place->path);
		return -EIO;
	}
	if (db->place->state == PLACE_FRESH)
		rc = db_make(db, fault);
	if (!rc)
		rc = files_check(db, fault);
	if (!rc)
		rc = db_handle_open(db, STORE_DB_NAME, 0, fault);
	if (!rc)
		rc = store_check(db, fault);
	if (!rc)
		rc = rows_load(db, content, fault);
	return rc ? rc : store_prepare(db, fault);
}

int db_open(struct place *place, uint64_t history_limit, struct store_db **ret_db,
	    struct db_content *ret_content, struct store_fault *fault)
{
	struct store_db *db = calloc(1, sizeof(*db));
	struct db_content content = { 0 };
	int rc;

	if (!db) {
		store_fault_set(fault, "memory", "out of memory");
		return -EIO;
	}
	db->place = place;
	db->history_limit = history_limit;
	rc = store_open(db, &content, fault);
	if (!rc) {
		*ret_db = db;
		*ret_content = content;
		return 0;
	}
	db_content_drop(&content);
	db_handle_close(db);
	free(db);
	return rc;
}

void db_close(struct store_db *db)
{
	if (!db)
		return;
	if (!db->broken) /* a tidy end: whoever copies the file alone then has all of it */
		sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	db_handle_close(db);
	free(db);
}
