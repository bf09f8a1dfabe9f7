/* Paths of images, as QEMU reads them. Touches no file. */
#ifndef HAMON_COMMON_IMAGEPATH_H
#define HAMON_COMMON_IMAGEPATH_H

#include <limits.h>
#include <stdbool.h>

/* path's folder ("/" for "/x") and its last part. ret_name may be NULL. */
void path_split(const char *path, char folder[PATH_MAX], const char **ret_name);
/*
 * The path that name means in an image or link that lies in folder. False when it is no path:
 * "json:..", "nbd://..", too long.
 */
bool path_resolve(const char *folder, const char *name, char path[PATH_MAX]);

#endif
