/*
 * What hosts leave in a storage place, DIR/.hamon/: `place-id`, a uuid that is made once, and a
 * beacon for each host, `HOST.beacon`. A host that reads another's current nonce has proved that
 * both see one storage. All but beacon_parse touch the place and may block: only in a probe's
 * child.
 */
#ifndef HAMON_STORAGE_BEACON_H
#define HAMON_STORAGE_BEACON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hamon/common/diskid.h"

#define BEACON_HOST_SIZE 65
#define BEACON_NONCE_SIZE 65
#define BEACON_BOOT_ID_SIZE 37
#define BEACON_PLACE_SIZE 33
#define BEACON_FILE_MAX 4096
#define BEACON_FS_SIZE 32

struct beacon {
	char host[BEACON_HOST_SIZE];
	char nonce[BEACON_NONCE_SIZE]; /* 16 to 64 hexadecimal digits */
	char boot_id[BEACON_BOOT_ID_SIZE];
	char place
	    [BEACON_PLACE_SIZE]; /* beacon_place of the folder's real path on its host, or "" */
	int64_t age_s;		 /* by this host's wall clock; only to show to people */
};

/*
 * A name that can be part of a file name: letters, digits, ".", "_", "-"; not first a dot; 1 to 64
 * bytes.
 */
bool beacon_host_valid(const char *host);
bool beacon_nonce_valid(const char *nonce);

/*
 * Which of its places a host has written a beacon for: a digest of its path there. One nonce serves
 * all places of a host, so without this two exchanged mounts would each show a current beacon.
 */
void beacon_place(const char *path, char place[BEACON_PLACE_SIZE]);

/* The text of a beacon file: hostile input. 0, -EBADMSG, -E2BIG. age_s is 0. */
int beacon_parse(const char *text, size_t len, struct beacon *ret);

/*
 * A folder, opened for work on its marks. Closing and opening again revalidates what a network file
 * system has cached. 0, or -errno of the folder itself.
 */
struct place {
	int dir;
	int marks;	 /* DIR/.hamon, or -1 */
	int marks_error; /* why marks is -1: -ENOENT, -ELOOP, -EACCES, ... */
	char real[PATH_MAX];
	char fs[BEACON_FS_SIZE]; /* "ext4", "nfs4", "fuse.glusterfs", ... or "" */
	bool readonly;		 /* mounted so */
};

int place_open(const char *path, struct place *ret);
void place_close(struct place *place);

/*
 * Makes DIR/.hamon (0755) and its place-id unless they are there; two hosts that race end with one
 * id.
 */
int place_mark(struct place *place, const char *self);
int place_id_read(const struct place *place, char id[DISKID_UUID_SIZE]);

/* Writes this host's beacon: a temporary file, fsync, rename. */
int place_beacon_write(const struct place *place, const struct beacon *beacon);
/* 0, -ENOENT, -EBADMSG or another -errno. */
int place_beacon_read(const struct place *place, const char *host, struct beacon *ret);
/* The names of the hosts that have a beacon here, at most max; how many. */
size_t place_beacon_list(const struct place *place, char (*hosts)[BEACON_HOST_SIZE], size_t max);

/*
 * Takes on the ids of the owner of fd when this process is root and they differ: a server that
 * squashes root lets nobody else in. owner_leave makes it root again.
 */
bool owner_become(int fd);
void owner_leave(void);

#endif
