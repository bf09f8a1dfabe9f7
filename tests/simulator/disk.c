/*
 * The store's own code (hamon/store) behind a share of the histories: each host has a folder in memory, SQLite on a disk that tears, and
 * commits what its core persists. When a host loses power, its daemon is killed or its disk refuses, a write that was under way
 * is carried out as far as a random moment. What is found when the store is opened again is what the core gets to read.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/common/json.h"
#include "hamon/store/db.h"
#include "tests/simulator/disk.h"
#include "tests/simulator/disk_torn.h"

#define HISTORY_ROWS 100
#define FILES 3
#define FUSE_MAX 24 /* writes and syncs of one commit, and some more */

struct disk {
	struct place place;
	struct store_db *db;
	struct db_content content; /* as it was opened, until somebody reads it */
	bool has_content;
};

static const char *const file_names[FILES] = { "hamon.db", "hamon.db-wal", STORE_MARKER_NAME };

static struct disk disks[TORN_DISKS_MAX];
static char base[PATH_MAX / 2];
static struct {
	unsigned char *data;
	size_t size;
} template[FILES]; /* a new store, made once: to make one writes a megabyte */

static void path_of(char path[PATH_MAX], size_t host, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%zu%s%s", base, host, name[0] ? "/" : "", name);
}

/* --- opening and closing --- */

static bool disk_open(struct world *w, size_t host)
{
	struct disk *disk = &disks[host];
	struct store_fault fault = { 0 };
	char path[PATH_MAX];

	if (disk->db)
		return true;
	torn_disks[host].dead = false;
	torn_disks[host].fuse = 0;
	path_of(path, host, "");
	if (place_open(path, &disk->place, &fault) || db_open(&disk->place, HISTORY_ROWS, &disk->db, &disk->content, &fault)) {
		place_close(&disk->place);
		fail(w, "I5: the store of h%zu does not open: %s: %.300s", host + 1, fault.error_class, fault.text);
		return false;
	}
	disk->has_content = true;
	return true;
}

static void disk_close(size_t host)
{
	struct disk *disk = &disks[host];

	if (!disk->db)
		return;
	if (disk->has_content)
		db_content_drop(&disk->content);
	disk->has_content = false;
	db_close(disk->db);
	place_close(&disk->place);
	disk->db = NULL;
}

static void file_write(size_t host, const char *name, const unsigned char *data, size_t size)
{
	char path[PATH_MAX];
	int fd;

	path_of(path, host, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void file_remove(size_t host, const char *name)
{
	char path[PATH_MAX];

	path_of(path, host, name);
	unlink(path);
}

static void template_take(size_t file)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	path_of(path, 0, file_names[file]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		abort();
	template[file].size = (size_t)st.st_size;
	template[file].data = malloc((size_t)st.st_size + 1);
	if (!template[file].data || read(fd, template[file].data, template[file].size) != st.st_size)
		abort();
	close(fd);
}

/* --- what the world asks for --- */

static void disk_lose(struct world *w, size_t host)
{
	(void)w;
	disk_close(host);
	torn_forget(&torn_disks[host]);
	file_remove(host, "hamon.db-shm");
	for (size_t i = 0; i < FILES; i++)
		file_write(host, file_names[i], template[i].data, template[i].size);
}

/* As hamon-store does it: one transaction, and a note in the marker once it was acknowledged. */
static bool line_commit(size_t host, const char *line, struct store_fault *fault)
{
	struct store_db *db = disks[host].db;
	struct store_request_name name = { 0 };
	struct store_request *request;
	char why[256];
	uint64_t sync_us;
	bool good;

	if (store_request_parse(line, strlen(line), &request, &name, why, sizeof(why))) {
		store_fault_set(fault, "bad-request", "%s", why);
		return false;
	}
	good = !db_begin(db, fault);
	if (good && (db_apply(db, request, fault) || db_commit(db, &sync_us, fault))) {
		db_rollback(db);
		good = false;
	}
	store_request_free(request);
	return good;
}

static void disk_commit(struct world *w, size_t host, const char *line)
{
	struct store_fault fault = { 0 };

	if (w->failed || !disk_open(w, host))
		return;
	if (!line_commit(host, line, &fault)) {
		fail(w, "I5: h%zu cannot write its store: %s: %.300s", host + 1, fault.error_class, fault.text);
		return;
	}
	if (torn_random(&torn_disks[host], 2))
		db_note(disks[host].db);
	/* In a quiet moment. */
	if (!torn_random(&torn_disks[host], 8) && db_maintenance_due(disks[host].db, false) &&
	    db_maintain(disks[host].db, &fault))
		fail(w, "I5: the store of h%zu cannot be maintained: %.300s", host + 1, fault.text);
}

/* Whether the write that was under way (NULL: none) is on the disk; its row of history says so. */
static bool disk_end(struct world *w, size_t host, const char *line, uint64_t row, enum disk_end how)
{
	struct torn_disk *torn = &torn_disks[host];
	struct store_fault fault;
	char path[PATH_MAX];

	if (w->failed)
		return false;
	if (line && disk_open(w, host)) {
		torn->fuse = 1 + torn_random(torn, FUSE_MAX);
		(void)line_commit(host, line, &fault);
		torn->dead = true;
	}
	/* Who is ended in order writes the log back; who is killed does not. */
	if (how != DISK_KILLED || torn_random(torn, 2))
		torn->dead = true;
	disk_close(host);
	if (how == DISK_POWER) {
		path_of(path, host, "");
		torn_cut(host, path);
	}
	if (!line || !disk_open(w, host))
		return false;
	return disks[host].content.history_last == row;
}

static struct json_object *disk_load(struct world *w, size_t host, uint64_t *ret_promised, uint64_t *ret_facts_term)
{
	struct disk *disk = &disks[host];
	struct json_object *facts;

	if (disk->db && !disk->has_content)
		disk_close(host);
	if (!disk_open(w, host))
		return NULL;
	*ret_promised = json_u64_or(disk->content.meta, "promised", 0);
	*ret_facts_term = json_u64_or(disk->content.meta, "facts_term", 0);
	facts = json_object_get(disk->content.facts);
	db_content_drop(&disk->content);
	disk->has_content = false;
	return facts;
}

static void disks_free(struct world *w)
{
	for (size_t h = 0; h < w->n_hosts; h++) {
		disk_close(h);
		torn_forget(&torn_disks[h]);
	}
}

static const struct disk_ops ops = {
	.commit = disk_commit, .end = disk_end, .load = disk_load, .lose = disk_lose, .free = disks_free,
};

static void base_remove(void)
{
	static const char *const more[] = { "hamon.db-shm", "hamon.db.new", STORE_LOCK_NAME };
	char path[PATH_MAX];

	for (size_t h = 0; h < TORN_DISKS_MAX; h++) {
		for (size_t i = 0; i < FILES; i++)
			file_remove(h, file_names[i]);
		for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
			file_remove(h, more[i]);
		path_of(path, h, "");
		rmdir(path);
	}
	rmdir(base);
}

static void base_make(struct world *w)
{
	const char *tmp = access("/dev/shm", W_OK) ? getenv("TMPDIR") : "/dev/shm";
	char path[PATH_MAX];

	snprintf(base, sizeof(base), "%s/hamon-sim.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(base))
		abort();
	atexit(base_remove);
	for (size_t h = 0; h < TORN_DISKS_MAX; h++) {
		path_of(path, h, "");
		if (mkdir(path, 0700))
			abort();
	}
	torn_install();
	if (!disk_open(w, 0))
		return;
	disk_close(0);
	torn_forget(&torn_disks[0]);
	for (size_t i = 0; i < FILES; i++)
		template_take(i);
}

void disks_begin(struct world *w)
{
	if (!base[0])
		base_make(w);
	w->disks = &ops;
	for (size_t h = 0; h < w->n_hosts && !w->failed; h++) {
		torn_disks[h].random = w->seed * 0x2545f4914f6cdd1dull + h;
		disk_lose(w, h);
	}
}
