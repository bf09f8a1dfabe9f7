/* Cinder's calls, as compute.h has Nova's: with the same token, patience and failure. They only read. */
#ifndef HAMON_EVACUATE_NOVA_CINDER_H
#define HAMON_EVACUATE_NOVA_CINDER_H

#include "evacuate/nova/cinder_parse.h"
#include "evacuate/nova/compute.h"

/* failure.error_class is "config" when the catalogue has no Cinder. */
bool cinder_volume_get(struct compute *compute, const char *id, struct cinder_volume *ret);

/* Whether the service that manages the volume is up; "config" when Cinder does not know it. */
bool cinder_service_is_up(struct compute *compute, const struct cinder_volume *volume, bool *ret);

#endif
