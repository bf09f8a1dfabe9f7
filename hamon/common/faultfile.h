/*
 * Points at which a test may end or stop a program. While the file that it was armed with is there, it holds lines "ACTION WHERE WHAT";
 * the first that passes such a point removes its line, and with the last line the file, and sends itself SIGKILL ("kill") or SIGSTOP ("stop"). Unarmed, a point is one comparison.
 * Which points there are: hamon/daemon/faultpoint.h.
 */
#ifndef HAMON_COMMON_FAULTFILE_H
#define HAMON_COMMON_FAULTFILE_H

#include <stdbool.h>
#include <stddef.h>

void fault_arm(const char *path); /* borrowed; NULL disarms */
const char *fault_armed(void);    /* that path, or NULL */
void fault_point(const char *where, const char *what);

/* Does the file name this point? */
bool fault_matches(const char *where, const char *what);

#endif
