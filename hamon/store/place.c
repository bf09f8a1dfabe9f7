/* The folder that holds the store. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hamon/store/place.h"

static const char *const store_files[] = {
	STORE_DB_NAME, STORE_DB_NAME "-wal", STORE_DB_NAME "-shm", STORE_DB_NAME "-journal", STORE_MARKER_NAME,
};

/* Left over when making a store was interrupted; never holds anything that was acknowledged. */
static const char *const unfinished_files[] = {
	STORE_NEW_NAME, STORE_NEW_NAME "-wal", STORE_NEW_NAME "-shm", STORE_NEW_NAME "-journal",
	STORE_MARKER_NAME ".new",
};

static int place_fault(struct store_fault *fault, const struct place *place, const char *what)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	store_fault_set(fault, full ? "full" : "io", "%s: %s: %s", place->path, what, strerror(errno));
	return -EIO;
}

void place_name(const struct place *place, const char *file, char name[PATH_MAX])
{
	snprintf(name, PATH_MAX, "%.*s/%s", (int)(PATH_MAX - 1 - strlen(file) - 1), place->path, file);
}

static int folder_open(const char *path, struct place *place, struct store_fault *fault)
{
	struct stat st;

	snprintf(place->path, sizeof(place->path), "%s", path);
	if (mkdir(path, 0700) && errno != EEXIST)
		return place_fault(fault, place, "cannot be made");
	/* Resolved once: a link to another disk is fine here, and nowhere below. */
	if (!realpath(path, place->path)) {
		snprintf(place->path, sizeof(place->path), "%s", path);
		return place_fault(fault, place, "cannot be opened");
	}
	place->dir_fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->dir_fd < 0 || fstat(place->dir_fd, &st))
		return place_fault(fault, place, "cannot be opened");
	if (st.st_uid != geteuid()) {
		store_fault_set(fault, "io", "%s belongs to user %u, expected %u", place->path, st.st_uid,
				geteuid());
		return -EIO;
	}
	if ((st.st_mode & 0777) != 0700 && fchmod(place->dir_fd, 0700))
		return place_fault(fault, place, "cannot be made private");
	return 0;
}

/*
 * The kernel drops a flock with the last descriptor of its holder, so no lock outlives a killed writer. SQLite's own
 * exclusive mode would do as well, but would keep people from looking into the store.
 */
static int lock_take(struct place *place, struct store_fault *fault)
{
	place->lock_fd = openat(place->dir_fd, STORE_LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (place->lock_fd < 0)
		return place_fault(fault, place, STORE_LOCK_NAME);
	if (!flock(place->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return place_fault(fault, place, STORE_LOCK_NAME);
	store_fault_set(fault, "locked", "%s: another process writes this store", place->path);
	return -EIO;
}

/* The marker's whole text: one sector, so that a crash leaves either note, never half of one. */
#define MARKER_FORMAT "%s\n%020llu\n"
#define MARKER_NOTE_AT STORE_ID_SIZE
#define MARKER_BYTES (STORE_ID_SIZE + 21)

/* 1 with its id (or "damaged") and note, 0 when there is none, -EIO. */
static int marker_read(struct place *place, struct store_fault *fault)
{
	char text[MARKER_BYTES + 2] = "";
	unsigned long long commits;
	char id[STORE_ID_SIZE];
	ssize_t n;

	place->marker_fd = openat(place->dir_fd, STORE_MARKER_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (place->marker_fd < 0 && errno == ENOENT)
		return 0;
	if (place->marker_fd < 0)
		return place_fault(fault, place, STORE_MARKER_NAME);
	n = pread(place->marker_fd, text, sizeof(text) - 1, 0);
	if (n < 0)
		return place_fault(fault, place, STORE_MARKER_NAME);
	if (n == MARKER_BYTES && sscanf(text, "%32[0-9a-f]\n%20llu\n", id, &commits) == 2 &&
	    strlen(id) == STORE_ID_SIZE - 1) {
		memcpy(place->marker_id, id, sizeof(id));
		place->marker_commits = commits;
	} else {
		snprintf(place->marker_id, sizeof(place->marker_id), "damaged");
	}
	return 1;
}

/* 1, 0 or -EIO; something else of that name is damage. */
static int file_exists(struct place *place, const char *name, struct stat *st, struct store_fault *fault)
{
	if (fstatat(place->dir_fd, name, st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : place_fault(fault, place, name);
	if (S_ISREG(st->st_mode))
		return 1;
	store_fault_set(fault, "corrupt", "%s/%s is no regular file", place->path, name);
	return -EIO;
}

static int state_find(struct place *place, struct store_fault *fault)
{
	struct stat st = { 0 }, wal;
	int marked = marker_read(place, fault), has_db, has_wal;

	if (marked < 0)
		return marked;
	has_db = file_exists(place, STORE_DB_NAME, &st, fault);
	has_wal = has_db < 0 ? has_db : file_exists(place, STORE_DB_NAME "-wal", &wal, fault);
	if (has_wal < 0)
		return has_wal;
	if (has_db && (st.st_mode & 077) && fchmodat(place->dir_fd, STORE_DB_NAME, 0600, 0))
		return place_fault(fault, place, STORE_DB_NAME);
	if (has_db && !(marked && !st.st_size))
		place->state = PLACE_STORE;
	else /* a log without its store: a new one must not be made beside it, it would swallow that log */
		place->state = marked || has_wal ? PLACE_EMPTIED : PLACE_FRESH;
	return 0;
}

int place_open(const char *path, struct place *place, struct store_fault *fault)
{
	int rc;

	*place = (struct place){ .dir_fd = -1, .lock_fd = -1, .marker_fd = -1 };
	rc = folder_open(path, place, fault);
	if (!rc)
		rc = lock_take(place, fault);
	if (!rc)
		rc = state_find(place, fault);
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(unfinished_files) / sizeof(*unfinished_files); i++)
		unlinkat(place->dir_fd, unfinished_files[i], 0);
	return 0;
}

void place_close(struct place *place)
{
	if (place->marker_fd >= 0)
		close(place->marker_fd);
	if (place->lock_fd >= 0)
		close(place->lock_fd);
	if (place->dir_fd >= 0)
		close(place->dir_fd);
	place->marker_fd = place->lock_fd = place->dir_fd = -1;
}

int place_sync(struct place *place, struct store_fault *fault)
{
	return fsync(place->dir_fd) ? place_fault(fault, place, "fsync") : 0;
}

int place_mark(struct place *place, const char *id, struct store_fault *fault)
{
	int fd = openat(place->dir_fd, STORE_MARKER_NAME ".new",
			O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return place_fault(fault, place, STORE_MARKER_NAME);
	errno = 0;
	if (dprintf(fd, MARKER_FORMAT, id, 0ull) != MARKER_BYTES || fsync(fd) ||
	    renameat(place->dir_fd, STORE_MARKER_NAME ".new", place->dir_fd, STORE_MARKER_NAME)) {
		place_fault(fault, place, STORE_MARKER_NAME);
		close(fd);
		return -EIO;
	}
	if (place->marker_fd >= 0)
		close(place->marker_fd);
	place->marker_fd = fd;
	place->marker_commits = 0;
	snprintf(place->marker_id, sizeof(place->marker_id), "%s", id);
	return place_sync(place, fault);
}

void place_note_commits(struct place *place, uint64_t commits)
{
	char note[32];
	int len = snprintf(note, sizeof(note), "%020llu\n", (unsigned long long)commits);

	if (pwrite(place->marker_fd, note, (size_t)len, MARKER_NOTE_AT) == len)
		place->marker_commits = commits;
}

int place_set_aside(struct place *place, char aside[PATH_MAX], struct store_fault *fault)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "aside-%lld", (long long)time(NULL));
	if (mkdirat(place->dir_fd, name, 0700))
		return place_fault(fault, place, name);
	fd = openat(place->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return place_fault(fault, place, name);
	/* The marker goes last: interrupted anywhere before, the store still counts as emptied. */
	for (size_t i = 0; i < sizeof(store_files) / sizeof(*store_files); i++) {
		if (!renameat(place->dir_fd, store_files[i], fd, store_files[i]) || errno == ENOENT)
			continue;
		place_fault(fault, place, store_files[i]);
		close(fd);
		return -EIO;
	}
	fsync(fd);
	close(fd);
	place->state = PLACE_FRESH;
	place_name(place, name, aside);
	return place_sync(place, fault);
}
