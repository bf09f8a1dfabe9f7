/*
 * From corosync's keys to struct cluster_config: everything that is checked is checked here,
 * without corosync. Keys are fed in any order (cmap_keys(7), corosync.conf(5), votequorum(5));
 * those that mean nothing here are ignored.
 */
#ifndef HAMON_CLUSTER_CMAP_CONFIG_H
#define HAMON_CLUSTER_CMAP_CONFIG_H

#include <stdint.h>

#include "hamon/cluster/cmap.h"

struct config_reader;

/* on_note may be NULL; it gets one sentence for each thing that was refused or replaced. NULL: out
 * of memory. */
struct config_reader *config_reader_new(void (*on_note)(void *user, const char *text), void *user);
void config_reader_free(struct config_reader *reader);

/* A number may come as text too: corosync keeps what it does not know as text. */
void config_reader_text(struct config_reader *reader, const char *key, const char *value);
void config_reader_number(struct config_reader *reader, const char *key, uint64_t value);

/* The checked result of all keys; call it once. */
void config_reader_finish(struct config_reader *reader, struct cluster_config *ret_config);

#endif
