/*
 * The write-ahead log as SQLite left it, looked at before SQLite does: at the first frame whose checksum is wrong
 * SQLite silently takes the log to end, which is right for a write that a power loss tore, and wrong for damage in
 * the middle: commits that were acknowledged would vanish without a word. Pure but for the stream that it reads.
 */
#ifndef HAMON_STORE_WAL_H
#define HAMON_STORE_WAL_H

#include <stddef.h>
#include <stdio.h>

/*
 * 0 when SQLite's replay loses nothing that was acknowledged: the log is empty, whole, or torn within its last
 * commit. -EBADMSG with a sentence in why when it is damaged before that, -EIO when it cannot be read.
 *
 * How it is known: with synchronous=FULL a commit is written only after the one before is on the disk, so at most
 * one commit frame of this log can lie at or behind a torn place. Two of them mean that the place had been whole.
 * Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
int wal_check(FILE *wal, char *why, size_t why_size);

#endif
