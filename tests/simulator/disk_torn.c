/*
 * A file system under SQLite: it hands everything on, notes each write since the last sync with what it replaced, and can undo, keep or tear
 * each of them when power is cut. Nothing is really synced: the files lie in memory.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sqlite3.h>

#include "tests/simulator/disk_torn.h"

#define SECTOR 512
#define FILES 2

static const char *const file_names[FILES] = { "hamon.db", "hamon.db-wal" };

struct torn_step {
	int file;
	bool cut; /* the file got the size offset; else len bytes were written there */
	sqlite3_int64 offset, size_before;
	size_t len, old_len;
	unsigned char *data, *old;
};

struct torn_file {
	sqlite3_file base;
	sqlite3_file *real;
	struct torn_disk *disk; /* NULL: of no matter */
	int file;
};

struct torn_disk torn_disks[TORN_DISKS_MAX];
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods torn_methods;

uint64_t torn_random(struct torn_disk *disk, uint64_t below)
{
	uint64_t z = disk->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) % below;
}

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void step_free(struct torn_step *step)
{
	free(step->data);
	free(step->old);
}

void torn_forget(struct torn_disk *disk)
{
	while (disk->n)
		step_free(&disk->steps[--disk->n]);
	free(disk->steps);
	*disk = (struct torn_disk){ .random = disk->random };
}

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct torn_file *)f)->real;
}

/* Notes what is about to be written over, or cut off. */
static void step_add(struct torn_file *f, bool cut, const void *data, size_t len, sqlite3_int64 offset)
{
	struct torn_disk *disk = f->disk;
	struct torn_step *step;
	sqlite3_int64 end;

	if (disk->n == disk->room) {
		disk->room = disk->room ? disk->room * 2 : 64;
		disk->steps = must(realloc(disk->steps, disk->room * sizeof(*disk->steps)));
	}
	step = &disk->steps[disk->n++];
	*step = (struct torn_step){ .file = f->file, .cut = cut, .offset = offset, .len = len };
	f->real->pMethods->xFileSize(f->real, &step->size_before);
	if (len) {
		step->data = must(malloc(len));
		memcpy(step->data, data, len);
	}
	end = cut || step->size_before < offset + (sqlite3_int64)len ? step->size_before : offset + (sqlite3_int64)len;
	if (end <= offset)
		return;
	step->old_len = (size_t)(end - offset);
	step->old = must(malloc(step->old_len));
	if (f->real->pMethods->xRead(f->real, step->old, (int)step->old_len, offset))
		abort();
}

static bool is_dead(struct torn_disk *disk)
{
	if (disk->fuse && !--disk->fuse)
		disk->dead = true;
	return disk->dead;
}

static int torn_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 offset)
{
	struct torn_file *file = (struct torn_file *)f;

	if (file->disk && is_dead(file->disk))
		return SQLITE_IOERR_WRITE;
	if (file->disk)
		step_add(file, false, data, (size_t)len, offset);
	return real_of(f)->pMethods->xWrite(real_of(f), data, len, offset);
}

static int torn_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct torn_file *file = (struct torn_file *)f;

	if (file->disk && is_dead(file->disk))
		return SQLITE_IOERR_TRUNCATE;
	if (file->disk)
		step_add(file, true, NULL, 0, size);
	return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int torn_sync(sqlite3_file *f, int flags)
{
	struct torn_file *file = (struct torn_file *)f;
	size_t kept = 0;

	(void)flags;
	if (!file->disk)
		return SQLITE_OK;
	if (is_dead(file->disk))
		return SQLITE_IOERR_FSYNC;
	for (size_t i = 0; i < file->disk->n; i++) {
		if (file->disk->steps[i].file == file->file)
			step_free(&file->disk->steps[i]);
		else
			file->disk->steps[kept++] = file->disk->steps[i];
	}
	file->disk->n = kept;
	return SQLITE_OK;
}

/* --- handed on --- */

static int torn_close(sqlite3_file *f) { return real_of(f)->pMethods->xClose(real_of(f)); }
static int torn_read(sqlite3_file *f, void *data, int len, sqlite3_int64 offset)
{
	return real_of(f)->pMethods->xRead(real_of(f), data, len, offset);
}
static int torn_size(sqlite3_file *f, sqlite3_int64 *size) { return real_of(f)->pMethods->xFileSize(real_of(f), size); }
static int torn_lock(sqlite3_file *f, int level) { return real_of(f)->pMethods->xLock(real_of(f), level); }
static int torn_unlock(sqlite3_file *f, int level) { return real_of(f)->pMethods->xUnlock(real_of(f), level); }
static int torn_reserved(sqlite3_file *f, int *ret) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret); }
static int torn_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int torn_sector(sqlite3_file *f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
static int torn_features(sqlite3_file *f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); }
static int torn_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}
static int torn_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
static void torn_shm_barrier(sqlite3_file *f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); }
static int torn_shm_unmap(sqlite3_file *f, int drop) { return real_of(f)->pMethods->xShmUnmap(real_of(f), drop); }

static int torn_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct torn_file *file = (struct torn_file *)f;
	const char *base = name ? strrchr(name, '/') : NULL, *number = base;
	int rc;

	(void)vfs;
	file->real = (sqlite3_file *)(file + 1);
	file->disk = NULL;
	while (number && number > name && number[-1] != '/')
		number--;
	for (int i = 0; i < FILES && base; i++)
		if (!strcmp(base + 1, file_names[i]) && *number >= '0' && *number <= '9') {
			file->disk = &torn_disks[strtoul(number, NULL, 10) % TORN_DISKS_MAX];
			file->file = i;
		}
	rc = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
	f->pMethods = rc ? NULL : &torn_methods;
	return rc;
}

void torn_install(void)
{
	static sqlite3_vfs vfs;

	if (real_vfs)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "torn";
	vfs.szOsFile = (int)sizeof(struct torn_file) + real_vfs->szOsFile;
	vfs.xOpen = torn_open;
	torn_methods = (sqlite3_io_methods){
		.iVersion = 2, .xClose = torn_close, .xRead = torn_read, .xWrite = torn_write, .xTruncate = torn_truncate,
		.xSync = torn_sync, .xFileSize = torn_size, .xLock = torn_lock, .xUnlock = torn_unlock,
		.xCheckReservedLock = torn_reserved, .xFileControl = torn_control, .xSectorSize = torn_sector,
		.xDeviceCharacteristics = torn_features, .xShmMap = torn_shm_map, .xShmLock = torn_shm_lock,
		.xShmBarrier = torn_shm_barrier, .xShmUnmap = torn_shm_unmap,
	};
	if (sqlite3_vfs_register(&vfs, 1))
		abort();
}

/* --- power is cut --- */

static void at_put(int fd, const void *data, size_t len, sqlite3_int64 offset)
{
	if (len && pwrite(fd, data, len, offset) != (ssize_t)len)
		abort();
}

static void step_undo(int fd, const struct torn_step *step)
{
	at_put(fd, step->old, step->old_len, step->offset);
	if (ftruncate(fd, step->size_before))
		abort();
}

/* None of it is on the disk, all, or any of its sectors. */
static void step_tear(struct torn_disk *disk, int fd, const struct torn_step *step)
{
	uint64_t fate = torn_random(disk, 4);

	if (!fate)
		return;
	if (step->cut && ftruncate(fd, step->offset))
		abort();
	for (size_t at = 0; at < step->len;) {
		size_t end = SECTOR - (size_t)(step->offset + (sqlite3_int64)at) % SECTOR;
		size_t len = step->len - at < end ? step->len - at : end;

		if (fate == 1 || torn_random(disk, 2))
			at_put(fd, step->data + at, len, step->offset + (sqlite3_int64)at);
		at += len;
	}
}

void torn_cut(size_t number, const char *folder)
{
	struct torn_disk *disk = &torn_disks[number];
	char path[PATH_MAX];
	int fds[FILES];

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, file_names[i]);
		fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fds[i] < 0)
			abort();
	}
	for (size_t i = disk->n; i-- > 0;)
		step_undo(fds[disk->steps[i].file], &disk->steps[i]);
	for (size_t i = 0; i < disk->n; i++)
		step_tear(disk, fds[disk->steps[i].file], &disk->steps[i]);
	for (int i = 0; i < FILES; i++)
		close(fds[i]);
	snprintf(path, sizeof(path), "%s/hamon.db-shm", folder); /* it is memory */
	unlink(path);
	torn_forget(disk);
}
