/* Paths of images: how QEMU reads the names that an image or a link has in it. */
#include <stdio.h>
#include <string.h>

#include "hamon/common/imagepath.h"

void path_split(const char *path, char folder[PATH_MAX], const char **ret_name)
{
	const char *slash = strrchr(path, '/');

	if (ret_name)
		*ret_name = slash ? slash + 1 : path;
	if (!slash || slash == path)
		strcpy(folder, "/");
	else
		snprintf(folder, PATH_MAX, "%.*s", (int)(slash - path), path);
}

/* QEMU takes what stands before a colon for a protocol, unless a slash comes first. */
static bool has_protocol(const char *name)
{
	size_t len = strcspn(name, ":/");

	return name[len] == ':';
}

bool path_resolve(const char *folder, const char *name, char path[PATH_MAX])
{
	int len;

	if (!strncmp(name, "file:", 5))
		name += 5;
	else if (has_protocol(name))
		return false;
	if (!name[0])
		return false;
	if (name[0] == '/')
		len = snprintf(path, PATH_MAX, "%s", name);
	else
		len = snprintf(path, PATH_MAX, "%s/%s", strcmp(folder, "/") ? folder : "", name);
	return len > 0 && len < PATH_MAX;
}
