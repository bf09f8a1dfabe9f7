/* Making a new store, whole before it has its name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/store/db_internal.h"

#define ROOM_BYTES (1u << 20)

/* Compared with what a file says of itself: a store with other tables or triggers is not ours. */
const char *const db_tables[DB_TABLES] = {
	"CREATE TABLE defs(hash TEXT PRIMARY KEY NOT NULL, xml TEXT NOT NULL) STRICT",
	"CREATE TABLE facts(kind TEXT NOT NULL, key TEXT NOT NULL, term INTEGER NOT NULL, "
		"counter INTEGER NOT NULL, value TEXT NOT NULL, sum INTEGER NOT NULL, "
		"PRIMARY KEY(kind, key)) STRICT, WITHOUT ROWID",
	"CREATE TABLE history(seq INTEGER PRIMARY KEY NOT NULL, t_ms INTEGER NOT NULL, wall TEXT, id TEXT, "
		"incident TEXT, kind TEXT NOT NULL, severity TEXT, host TEXT, instance TEXT, uuid TEXT, "
		"text TEXT, data TEXT) STRICT",
	"CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
};

static int id_make(char id[STORE_ID_SIZE], struct store_fault *fault)
{
	unsigned char bytes[(STORE_ID_SIZE - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
		store_fault_set(fault, "io", "getrandom: %s", strerror(errno));
		return -EIO;
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int tables_make(struct store_db *db, const char *id, struct store_fault *fault)
{
	char sql[512];
	int rc = db_exec(db, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; BEGIN", fault);

	for (size_t i = 0; i < DB_TABLES && !rc; i++)
		rc = db_exec(db, db_tables[i], fault);
	snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d; "
		 "INSERT INTO meta VALUES('store.id', '\"%s\"'), ('store.commits', '0'); COMMIT; "
		 "PRAGMA wal_checkpoint(TRUNCATE)", DB_APPLICATION_ID, DB_VERSION, id);
	return rc ? rc : db_exec(db, sql, fault);
}

/*
 * A new store is made under another name. Only then does it get its own, and after that its marker: a crash
 * in between leaves nothing, or a store without a marker, which is known to be good by its own id.
 */
int db_make(struct store_db *db, struct store_fault *fault)
{
	char id[STORE_ID_SIZE];
	int rc = id_make(id, fault), fd;

	if (rc)
		return rc;
	rc = db_handle_open(db, STORE_NEW_NAME, SQLITE_OPEN_CREATE, fault);
	if (!rc)
		rc = tables_make(db, id, fault);
	db_handle_close(db);
	if (rc)
		return rc;
	unlinkat(db->place->dir_fd, STORE_NEW_NAME "-wal", 0); /* empty, and of no use under the new name */
	unlinkat(db->place->dir_fd, STORE_NEW_NAME "-shm", 0);
	fd = openat(db->place->dir_fd, STORE_NEW_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fsync(fd) ||
	    renameat(db->place->dir_fd, STORE_NEW_NAME, db->place->dir_fd, STORE_DB_NAME)) {
		store_fault_set(fault, errno == ENOSPC ? "full" : "io", "%s/" STORE_NEW_NAME ": %s",
				db->place->path, strerror(errno));
		rc = -EIO;
	}
	if (fd >= 0)
		close(fd);
	if (!rc)
		rc = place_sync(db->place, fault);
	return rc ? rc : place_mark(db->place, id, fault);
}

/*
 * Lets the log's file grow to its working size once, by a value that is written and dropped again, so that no
 * later commit pays for it. Without room for that the store works all the same.
 */
int db_make_room(struct store_db *db, struct store_fault *fault)
{
	struct stat st;

	if (!fstatat(db->place->dir_fd, STORE_DB_NAME "-wal", &st, 0) && st.st_size >= ROOM_BYTES)
		return 0;
	return db_exec(db, "INSERT OR REPLACE INTO meta VALUES('store.room', printf('%.*c', 1100000, 'x')); "
		       "DELETE FROM meta WHERE key = 'store.room'; PRAGMA wal_checkpoint(RESTART)", fault);
}
