/*
 * Points at which a test may end or stop hamond: `hamond --fault-points FILE`, which no unit and no manual gives. FILE holds lines
 * "ACTION WHERE WHAT", such as "kill sent fence-confirmed"; the first hamond that passes such a point removes its line, and
 * sends itself SIGKILL ("kill") or SIGSTOP ("stop"). Without the option a point is one comparison.
 *
 *   send, sent     before and after a record with a note of kind WHAT is handed to corosync
 *   write, written before it is handed to the store, and once it is on this host's disk
 *   fence, fenced  before the fencing of host WHAT begins, and when its answer is in
 *   start, begun, started
 *                  before the start of the instance named WHAT, when libvirt runs it, and when its answer is in
 *   helper-PHASE   inside hamon-evacuate, which gets FILE with its request under Nova: it has just told PHASE of the start of the
 *                  instance named WHAT, or of the return of the host named WHAT
 */
#ifndef HAMON_DAEMON_FAULTPOINT_H
#define HAMON_DAEMON_FAULTPOINT_H

#include "hamon/common/faultfile.h"
#include "hamon/core/core.h"

void fault_notes(const char *where, size_t n, const struct note *notes);
void fault_persist(const struct core_action *act);
void fault_persisted(uint64_t id);

#endif
