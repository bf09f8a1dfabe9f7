/*
 * The store and the loss of power. Every write, cut and sync that SQLite makes for a row of commits is recorded; then
 * power is cut at each moment of it, many times: what had been synced is on the disk, of what had not any part may
 * be, torn at sectors. Whatever is left must open, must hold every acknowledged commit, and no half of one.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sqlite3.h>

#include "hamon/common/json.h"
#include "hamon/store/db.h"
#include "tests/unit/test.h"

#define FOLDER "store_power_test.dir"
#define COMMITS 90
#define SECTOR 512
#define CUTS 400
#define FILES 2

static const char *const file_names[FILES] = { "hamon.db", "hamon.db-wal" };

enum step_kind { STEP_WRITE, STEP_CUT, STEP_SYNC, STEP_ACK };

struct step {
	enum step_kind kind;
	int file;
	sqlite3_int64 offset; /* of a write; size after a cut; number that is acknowledged */
	int len;
	unsigned char *data;
};

static struct step *steps;
static size_t n_steps, max_steps;

static void step_add(enum step_kind kind, int file, sqlite3_int64 offset, const void *data, int len)
{
	struct step *step;

	if (n_steps == max_steps) {
		max_steps = max_steps ? 2 * max_steps : 1024;
		steps = realloc(steps, max_steps * sizeof(*steps));
		CHECK(steps);
	}
	step = &steps[n_steps++];
	*step = (struct step){ .kind = kind, .file = file, .offset = offset, .len = len };
	if (len) {
		step->data = malloc((size_t)len);
		CHECK(step->data);
		memcpy(step->data, data, (size_t)len);
	}
}

/* A file system under SQLite that notes and hands on. */
struct noted_file {
	sqlite3_file base;
	int file; /* index in file_names, or -1 */
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_io_methods noted_methods;

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct noted_file *)file)->real;
}

static int index_of(sqlite3_file *file)
{
	return ((struct noted_file *)file)->file;
}

static int noted_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int noted_read(sqlite3_file *f, void *data, int len, sqlite3_int64 offset)
{
	return real_of(f)->pMethods->xRead(real_of(f), data, len, offset);
}

static int noted_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 offset)
{
	if (index_of(f) >= 0)
		step_add(STEP_WRITE, index_of(f), offset, data, len);
	return real_of(f)->pMethods->xWrite(real_of(f), data, len, offset);
}

static int noted_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	if (index_of(f) >= 0)
		step_add(STEP_CUT, index_of(f), size, NULL, 0);
	return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int noted_sync(sqlite3_file *f, int flags)
{
	if (index_of(f) >= 0)
		step_add(STEP_SYNC, index_of(f), 0, NULL, 0);
	return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int noted_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int noted_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int noted_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int noted_reserved(sqlite3_file *f, int *ret)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int noted_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int noted_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int noted_features(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int noted_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}

static int noted_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void noted_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int noted_shm_unmap(sqlite3_file *f, int drop)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), drop);
}

static int noted_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct noted_file *noted = (struct noted_file *)f;
	const char *base = name ? strrchr(name, '/') : NULL;
	int rc;

	noted->real = (sqlite3_file *)(noted + 1);
	noted->file = -1;
	for (int i = 0; i < FILES && base; i++)
		if (!strcmp(base + 1, file_names[i]))
			noted->file = i;
	rc = real_vfs->xOpen(real_vfs, name, noted->real, flags, ret_flags);
	f->pMethods = rc ? NULL : &noted_methods;
	return rc;
}

static void vfs_install(void)
{
	static sqlite3_vfs vfs;

	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "noted";
	vfs.szOsFile = (int)sizeof(struct noted_file) + real_vfs->szOsFile;
	vfs.xOpen = noted_open;
	noted_methods = (sqlite3_io_methods){
		.iVersion = 2, .xClose = noted_close, .xRead = noted_read, .xWrite = noted_write,
		.xTruncate = noted_truncate, .xSync = noted_sync, .xFileSize = noted_size,
		.xLock = noted_lock, .xUnlock = noted_unlock, .xCheckReservedLock = noted_reserved,
		.xFileControl = noted_control, .xSectorSize = noted_sector,
		.xDeviceCharacteristics = noted_features, .xShmMap = noted_shm_map,
		.xShmLock = noted_shm_lock, .xShmBarrier = noted_shm_barrier, .xShmUnmap = noted_shm_unmap,
	};
	CHECK_INT(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* What is on the disk. */
struct image {
	unsigned char *data;
	size_t size, max;
};

static void image_write(struct image *image, sqlite3_int64 offset, const unsigned char *data, size_t len)
{
	size_t end = (size_t)offset + len;

	if (end > image->max) {
		image->max = 2 * end;
		image->data = realloc(image->data, image->max);
		CHECK(image->data);
	}
	if (end > image->size) {
		memset(image->data + image->size, 0, end - image->size);
		image->size = end;
	}
	memcpy(image->data + offset, data, len);
}

static void image_copy(struct image *to, const struct image *from)
{
	to->size = 0;
	image_write(to, 0, from->data, from->size);
}

static void image_step(struct image *image, const struct step *step)
{
	if (step->kind == STEP_WRITE)
		image_write(image, step->offset, step->data, (size_t)step->len);
	else if ((size_t)step->offset < image->size)
		image->size = (size_t)step->offset;
}

/* An unsynced write: none of its sectors, all, or any. */
static void image_tear(struct image *image, const struct step *step)
{
	int fate = rand() % 4;

	if (fate == 0)
		return;
	if (step->kind == STEP_CUT || fate == 1) {
		image_step(image, step);
		return;
	}
	for (int at = 0; at < step->len;) {
		int sector_end = SECTOR - (int)((step->offset + at) % SECTOR);
		int len = step->len - at < sector_end ? step->len - at : sector_end;

		if (rand() % 2)
			image_write(image, step->offset + at, step->data + at, (size_t)len);
		at += len;
	}
}

static void image_load(struct image *image, const char *name)
{
	char path[256];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && !fstat(fd, &st));
	image->data = malloc((size_t)st.st_size);
	image->size = image->max = (size_t)st.st_size;
	CHECK(image->data && read(fd, image->data, image->size) == (ssize_t)image->size);
	close(fd);
}

static void file_put(const char *name, const void *data, size_t size)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void must(int rc, const struct store_fault *fault)
{
	if (!rc)
		return;
	fprintf(stderr, "%s: %s\n", fault->error_class, fault->text);
	exit(1);
}

/* Commit n: two facts and a row of history that must always agree, and enough content to move pages about. */
static void commit(struct store_db *db, int n)
{
	struct store_request_name name;
	struct store_request *request;
	struct store_fault fault;
	char line[8192], filler[1500], why[256];
	uint64_t sync_us;
	int len;

	memset(filler, 'a' + n % 26, sizeof(filler));
	filler[n * 37 % (sizeof(filler) - 1)] = '\0';
	filler[sizeof(filler) - 1] = '\0';
	len = snprintf(line, sizeof(line), "{\"seq\":%d,\"facts\":["
		       "{\"kind\":\"t\",\"key\":\"a\",\"term\":1,\"counter\":%d,\"value\":{\"n\":%d}},"
		       "{\"kind\":\"t\",\"key\":\"f%d\",\"term\":1,\"counter\":%d,\"value\":{\"n\":%d,\"x\":\"%s\"}},"
		       "{\"kind\":\"z\",\"key\":\"b\",\"term\":1,\"counter\":%d,\"value\":{\"n\":%d}}],"
		       "\"history\":[{\"seq\":%d,\"kind\":\"test\",\"text\":\"%s\"}]}",
		       n, n, n, n % 17, n, n, filler, n, n, n, filler);
	CHECK_INT(store_request_parse(line, (size_t)len, &request, &name, why, sizeof(why)), 0);
	must(db_begin(db, &fault), &fault);
	must(db_apply(db, request, &fault), &fault);
	must(db_commit(db, &sync_us, &fault), &fault);
	step_add(STEP_ACK, 0, n, NULL, 0);
	store_request_free(request);
}

static uint64_t fact_number(const struct db_content *content, const char *key)
{
	for (size_t i = 0; i < json_object_array_length(content->facts); i++) {
		struct json_object *fact = json_object_array_get_idx(content->facts, i), *value;

		if (!strcmp(json_string_or(fact, "key", ""), key) && !json_get_object(fact, "value", &value))
			return json_u64_or(value, "n", 0);
	}
	return 0;
}

static void record(void)
{
	struct db_content content;
	struct store_fault fault;
	struct store_db *db;
	struct place place;

	must(place_open(FOLDER, &place, &fault), &fault);
	must(db_open(&place, 100, &db, &content, &fault), &fault);
	db_content_drop(&content);
	for (int n = 1; n <= COMMITS; n++) {
		commit(db, n);
		if (n % 25 == 0)
			must(db_maintain(db, &fault), &fault);
	}
	db_close(db);
	place_close(&place);
}

/* The store as power left it after the first n steps. Returns the last number that had been acknowledged. */
static uint64_t power_cut(const struct image *base, size_t n, struct image *images)
{
	size_t synced[FILES] = { 0 };
	uint64_t acknowledged = 0;

	for (size_t i = 0; i < n; i++) {
		if (steps[i].kind == STEP_SYNC)
			synced[steps[i].file] = i;
		if (steps[i].kind == STEP_ACK)
			acknowledged = (uint64_t)steps[i].offset;
	}
	for (int file = 0; file < FILES; file++)
		image_copy(&images[file], &base[file]);
	for (size_t i = 0; i < n; i++) {
		if (steps[i].kind != STEP_WRITE && steps[i].kind != STEP_CUT)
			continue;
		if (i < synced[steps[i].file])
			image_step(&images[steps[i].file], &steps[i]);
		else
			image_tear(&images[steps[i].file], &steps[i]);
	}
	return acknowledged;
}

static void store_must_hold(uint64_t acknowledged)
{
	struct db_content content;
	struct store_fault fault;
	struct store_db *db;
	struct place place;
	uint64_t n;

	must(place_open(FOLDER, &place, &fault), &fault);
	must(db_open(&place, 100, &db, &content, &fault), &fault);
	n = fact_number(&content, "a");
	CHECK(n >= acknowledged);
	CHECK(n <= acknowledged + 1);
	CHECK_INT(fact_number(&content, "b"), n);
	CHECK_INT(content.history_last, n);
	db_content_drop(&content);
	db_close(db);
	place_close(&place);
}

static void no_acknowledged_commit_is_lost(void)
{
	struct image base[FILES] = { 0 }, images[FILES] = { 0 }, marker = { 0 };
	struct db_content content;
	struct store_fault fault;
	struct store_db *db;
	struct place place;
	size_t recorded;

	must(place_open(FOLDER, &place, &fault), &fault);
	must(db_open(&place, 100, &db, &content, &fault), &fault);
	db_content_drop(&content);
	db_close(db);
	place_close(&place);
	for (int file = 0; file < FILES; file++)
		image_load(&base[file], file_names[file]);
	image_load(&marker, "store.id");
	vfs_install();
	record();
	recorded = n_steps;
	for (int cut = 0; cut < CUTS; cut++) {
		size_t n = 1 + (size_t)cut * (recorded - 1) / (CUTS - 1);
		uint64_t acknowledged = power_cut(base, n, images);

		for (int file = 0; file < FILES; file++)
			file_put(file_names[file], images[file].data, images[file].size);
		file_put("store.id", marker.data, marker.size);
		unlink(FOLDER "/hamon.db-shm");
		store_must_hold(acknowledged);
		while (n_steps > recorded) /* what the check itself wrote */
			free(steps[--n_steps].data);
	}
	for (int file = 0; file < FILES; file++) {
		free(base[file].data);
		free(images[file].data);
	}
	free(marker.data);
	while (n_steps)
		free(steps[--n_steps].data);
	printf("%d cuts in %zu steps of %d commits\n", CUTS, recorded, COMMITS);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned int)atoi(argv[1]) : 1); /* another seed, other losses */
	if (system("rm -rf " FOLDER))
		return 1;
	RUN(no_acknowledged_commit_is_lost);
	return system("rm -rf " FOLDER) ? 1 : 0;
}
