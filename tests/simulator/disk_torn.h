/* A disk that loses power: what was not synced is on it whole, in part, in any order, or not at all. */
#ifndef HAMON_TESTS_SIMULATOR_DISK_TORN_H
#define HAMON_TESTS_SIMULATOR_DISK_TORN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TORN_DISKS_MAX 32

struct torn_step;

/* Zeroed to begin with. */
struct torn_disk {
	struct torn_step *steps; /* not synced yet */
	size_t n, room;
	uint64_t fuse;           /* so many writes and syncs succeed, less one; 0: all */
	bool dead;               /* none does any more, until it is revived */
	uint64_t random;
};

extern struct torn_disk torn_disks[TORN_DISKS_MAX];

/* From here on SQLite's files FOLDER/N/hamon.db and its log are those of torn_disks[N]. */
void torn_install(void);
/* Power is cut: nothing has them open. */
void torn_cut(size_t number, const char *folder);
void torn_forget(struct torn_disk *disk);
uint64_t torn_random(struct torn_disk *disk, uint64_t below);

#endif
