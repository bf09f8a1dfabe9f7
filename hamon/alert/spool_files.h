/* The files of the spool; every call may wait for the disk. */
#ifndef HAMON_ALERT_SPOOL_FILES_H
#define HAMON_ALERT_SPOOL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_LANES_BYTES (1u << 20)

/* Makes the folder and its parents (0700), opens and locks it. A descriptor, or -errno. */
int spool_folder_open(const char *dir);

/* Numbers of all records, sorted; the caller's to free. 0 or -errno. */
int spool_folder_list(int dir_fd, uint64_t **ret_numbers, size_t *ret_n);

/* Whole files, written under another name first. 0 or -errno. */
int spool_record_write(int dir_fd, uint64_t number, const char *text, size_t len);
int spool_lanes_write(int dir_fd, const char *text);

/* The text, ended by a NUL, the caller's to free. 0, -ENOENT, -E2BIG or another -errno. */
int spool_record_read(int dir_fd, uint64_t number, char **ret_text, size_t *ret_len);
int spool_lanes_read(int dir_fd, char **ret_text);

int spool_record_remove(int dir_fd, uint64_t number);

/* Makes a record durable; 1, 0 when it is gone already, or -errno. */
int spool_record_sync(int dir_fd, uint64_t number);

#endif
