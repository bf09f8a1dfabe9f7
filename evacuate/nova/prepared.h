/*
 * What one helper has seen of Nova's compute services, for those that follow on this host within seconds: that the dead host's is forced down,
 * and this host's takes servers. With fifty servers for this host, a hundred requests less. Nova itself refuses the
 * evacuation from a host that is up: whoever relies on this looks for itself after a refusal.
 */
#ifndef HAMON_EVACUATE_NOVA_PREPARED_H
#define HAMON_EVACUATE_NOVA_PREPARED_H

#include <stdbool.h>

#define PREPARED_MAX_AGE_MS 15000

/* run_dir may be NULL, which knows nothing. Names are Nova's. */
bool prepared_is_kept(const char *run_dir, const char *source, const char *self);
void prepared_keep(const char *run_dir, const char *source, const char *self);
void prepared_forget(const char *run_dir);

#endif
