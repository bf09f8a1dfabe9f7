/*
 * The folder that holds the store: made private, locked against a second writer, and marked, so that a store that has
 * vanished is told from one that never was.
 */
#ifndef HAMON_STORE_PLACE_H
#define HAMON_STORE_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "hamon/store/fault.h"

#define STORE_DB_NAME "hamon.db"
#define STORE_NEW_NAME "hamon.db.new"
#define STORE_MARKER_NAME "store.id"
#define STORE_LOCK_NAME "store.lock"
#define STORE_ID_SIZE 33 /* 32 hexadecimal digits and a NUL */

enum place_state {
	PLACE_FRESH,   /* never held a store */
	PLACE_STORE,   /* holds one; its id must be marker_id, unless that is empty (a crash right after its making) */
	PLACE_EMPTIED, /* held one */
};

struct place {
	int dir_fd, lock_fd;
	char path[PATH_MAX]; /* resolved */
	enum place_state state;
	char marker_id[STORE_ID_SIZE]; /* "" when there is no marker */
	uint64_t marker_commits; /* the store had at least so many commits */
	int marker_fd;
};

/*
 * Makes the folder when its parent exists, resolves it, sees to its mode (0700, our own), takes the lock and looks
 * what is there. 0, or -EIO (also for the class "locked") with *fault set; place_close in either case.
 */
int place_open(const char *path, struct place *place, struct store_fault *fault);
void place_close(struct place *place);

/* Durably writes the marker. 0, or -EIO with *fault set. */
int place_mark(struct place *place, const char *id, struct store_fault *fault);

/*
 * Notes in the marker that the store has had so many commits. Not synced: after a crash the note may be old, never
 * ahead of what is durable, and so a store with fewer commits than noted has lost some.
 */
void place_note_commits(struct place *place, uint64_t commits);

/* Makes names in the folder durable. 0, or -EIO with *fault set. */
int place_sync(struct place *place, struct store_fault *fault);

/* Fills name with the path of a file in the folder. */
void place_name(const struct place *place, const char *file, char name[PATH_MAX]);

/*
 * Moves everything that belongs to a store into a new folder beside it, whose name is put into aside; the place is
 * fresh then. Nothing is deleted. 0, or -EIO with *fault set.
 */
int place_set_aside(struct place *place, char aside[PATH_MAX], struct store_fault *fault);

#endif
