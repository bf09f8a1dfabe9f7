/* The identity of files and network disks. Block devices are in diskid_block.c. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/common/diskid.h"
#include "hamon/common/domxml.h"

bool diskid_is_global(const char *id)
{
	return id[0] && strncmp(id, "path:", 5);
}

static int text_format(char *buf, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int text_format(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(buf, size, format, args);
	va_end(args);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* The folder's real path, when the file itself is not there (yet). */
static int place_of_missing(const char *path, char place[PATH_MAX], const char **ret_name)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;

	/* A link that leads nowhere says nothing about where the file will be. */
	if (!slash || !slash[1] || !lstat(path, &st))
		return -ENOENT;
	if (text_format(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path),
			path))
		return -ENAMETOOLONG;
	if (!realpath(folder, place))
		return -errno;
	*ret_name = slash + 1;
	return 0;
}

int diskid_place(const char *path, char place[PATH_MAX], char name[NAME_MAX + 1])
{
	char real[PATH_MAX], *slash;
	const char *last = NULL;
	int rc;

	if (path[0] != '/')
		return -EINVAL;
	if (realpath(path, real)) {
		slash = strrchr(real, '/');
		last = slash + 1;
		if (slash == real)
			strcpy(place, "/");
		else
			text_format(place, PATH_MAX, "%.*s", (int)(slash - real), real);
	} else {
		if (errno != ENOENT)
			return -errno;
		rc = place_of_missing(path, place, &last);
		if (rc)
			return rc;
	}
	return name ? text_format(name, NAME_MAX + 1, "%s", last) : 0;
}

static bool uuid_valid(const char *text)
{
	for (int i = 0; i < DISKID_UUID_SIZE - 1; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen ? text[i] != '-'
			   : !isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f'))
			return false;
	}
	return true;
}

int diskid_place_id(const char *place, char id[DISKID_UUID_SIZE])
{
	int dir = -1, folder = -1, fd = -1, rc = 0;
	char text[DISKID_UUID_SIZE + 1];
	struct stat st;
	ssize_t n;

	/* The folder may be writable by others: no links, no pipes. */
	dir = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		folder = openat(dir, DISKID_FOLDER, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0)
		fd = openat(folder, "place-id", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		rc = -errno;
		goto out;
	}
	n = S_ISREG(st.st_mode) ? read(fd, text, sizeof(text)) : 0;
	if (n < 0) {
		rc = -errno;
	} else if ((n == DISKID_UUID_SIZE - 1 || (n == DISKID_UUID_SIZE && text[n - 1] == '\n')) &&
		   uuid_valid(text)) {
		memcpy(id, text, DISKID_UUID_SIZE - 1);
		id[DISKID_UUID_SIZE - 1] = '\0';
	} else {
		rc = -EBADMSG;
	}
out:
	if (fd >= 0)
		close(fd);
	if (folder >= 0)
		close(folder);
	if (dir >= 0)
		close(dir);
	return rc;
}

int diskid_file(const char *path, struct diskid *ret)
{
	char place[PATH_MAX], name[NAME_MAX + 1], mark[DISKID_UUID_SIZE];
	struct diskid made = {"", ""};
	struct stat st;
	int rc;

	/* libvirt accepts type='file' for a device as well. */
	if (!stat(path, &st) && S_ISBLK(st.st_mode)) {
		rc = diskid_block(path, made.id, sizeof(made.id));
		goto out;
	}
	rc = diskid_place(path, place, name);
	if (rc)
		return rc;
	rc = diskid_place_id(place, mark);
	if (!rc)
		rc = text_format(made.id, sizeof(made.id), "file:%s:%s", mark, name);
	else if (rc == -ENOENT || rc == -EBADMSG || rc == -ENOTDIR || rc == -ELOOP || rc == -EACCES)
		rc = text_format(made.id, sizeof(made.id), "path:%s/%s",
				 strcmp(place, "/") ? place : "", name);
	strcpy(made.place, place);
out:
	if (!rc)
		*ret = made;
	return rc;
}

int diskid_of(const struct domxml_disk *disk, struct diskid *ret)
{
	struct diskid made = {"", ""};
	int rc = -EOPNOTSUPP;

	switch (disk->kind) {
	case DOMXML_FILE:
		return diskid_file(disk->source, ret);
	case DOMXML_BLOCK:
		rc = diskid_block(disk->source, made.id, sizeof(made.id));
		break;
	case DOMXML_NETWORK:
		rc = diskid_network(disk, made.id, sizeof(made.id));
		break;
	case DOMXML_EMPTY:
		rc = -ENODATA;
		break;
	case DOMXML_OTHER:
		break;
	}
	if (!rc)
		*ret = made;
	return rc;
}

/* The port that QEMU takes when the XML names none. */
static const char *port_default(const char *protocol)
{
	static const struct {
		const char *protocol, *port;
	} ports[] = {
	    {"nbd", "10809"}, {"iscsi", "3260"}, {"ssh", "22"},	  {"http", "80"},
	    {"https", "443"}, {"ftp", "21"},	 {"ftps", "990"},
	};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (!strcmp(ports[i].protocol, protocol))
			return ports[i].port;
	return "0";
}

static bool server_is_here(const struct domxml_server *server)
{
	const char *name = server->name;

	return server->socket || !name || !name[0] || !strcasecmp(name, "localhost") ||
	       !strncmp(name, "127.", 4) || !strcmp(name, "::1") || !strcmp(name, "[::1]") ||
	       !strcmp(name, "0.0.0.0") || !strcmp(name, "::");
}

static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

int diskid_network(const struct domxml_disk *disk, char *id, size_t size)
{
	const struct domxml_server *server = disk->n_servers ? &disk->servers[0] : NULL;
	const char *protocol = disk->protocol, *source = disk->source ? disk->source : "";
	const char *port, *lun;
	char host[256];

	if (!protocol || (!source[0] && strcmp(protocol, "nbd")))
		return -EINVAL;
	/* Monitors are many, and which ones an XML lists says nothing. */
	if (!strcmp(protocol, "rbd"))
		return text_format(id, size, "rbd:%s", source);
	if (!server)
		return -EINVAL;
	while (*source == '/')
		source++;
	if (server_is_here(server))
		return text_format(id, size, "path:%s:%s/%s", protocol,
				   server->socket ? server->socket : "localhost", source);
	if (text_format(host, sizeof(host), "%s", server->name))
		return -ENAMETOOLONG;
	lower(host);
	if (!strcmp(protocol, "gluster") || !strcmp(protocol, "nfs"))
		return text_format(id, size, "%s:%s/%s", protocol, host, source);
	port = server->port ? server->port : port_default(protocol);
	lun = !strcmp(protocol, "iscsi") && !strchr(source, '/') ? "/0" : "";
	return text_format(id, size, "%s:%s:%s/%s%s%s%s", protocol, host, port, source, lun,
			   disk->query ? "?" : "", disk->query ? disk->query : "");
}
