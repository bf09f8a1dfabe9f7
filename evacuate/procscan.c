/* Finds QEMUs in /proc. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evacuate/procscan.h"
#include "evacuate/request.h"

/* libvirt puts -name and -uuid among the first arguments; a guest with many disks has far more text behind them. */
#define CMDLINE_BYTES 65536

/* "guest=NAME,debug-threads=on" or "NAME,...": two commas stand for one in QEMU's options. */
static void name_take(const char *text, size_t len, char ret[PROCSCAN_NAME_SIZE])
{
	size_t n = 0, i = 0;

	if (len >= 6 && !memcmp(text, "guest=", 6))
		i = 6;
	for (; i < len && n + 1 < PROCSCAN_NAME_SIZE; i++) {
		if (text[i] == ',') {
			if (i + 1 >= len || text[i + 1] != ',')
				break;
			i++;
		}
		ret[n++] = text[i];
	}
	ret[n] = '\0';
}

bool procscan_parse(const char *cmdline, size_t len, struct qemu_process *ret)
{
	bool has_name = false, has_uuid = false, want_name = false, want_uuid = false, option;
	struct qemu_process found = { 0 };

	for (size_t pos = 0; pos < len && !(has_name && has_uuid);) {
		const char *arg = cmdline + pos;
		size_t arg_len = strnlen(arg, len - pos);
		char text[37];

		if (want_name) {
			name_take(arg, arg_len, found.name);
			has_name = true;
		} else if (want_uuid && arg_len == 36) {
			memcpy(text, arg, 36);
			text[36] = '\0';
			has_uuid = uuid_normalize(text, found.uuid);
		}
		option = pos && !want_name && !want_uuid && arg_len == 5; /* else it is a value */
		want_name = option && !has_name && !memcmp(arg, "-name", 5);
		want_uuid = option && !has_uuid && !memcmp(arg, "-uuid", 5);
		pos += arg_len + 1;
	}
	if (!has_name || !has_uuid)
		return false;
	*ret = found;
	return true;
}

static bool process_read(const char *proc, const char *pid, char *buf, struct qemu_process *ret)
{
	char path[300];
	size_t len = 0;
	ssize_t n;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/cmdline", proc, pid) >= sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false; /* it has ended meanwhile */
	while (len < CMDLINE_BYTES && (n = read(fd, buf + len, CMDLINE_BYTES - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (!procscan_parse(buf, len, ret))
		return false;
	ret->pid = (pid_t)strtol(pid, NULL, 10);
	return true;
}

int procscan_list(const char *proc, const char *uuid, struct qemu_process **ret, size_t *ret_n)
{
	struct qemu_process *list = NULL, found, *grown;
	size_t n = 0, room = 0;
	struct dirent *entry;
	char *buf = NULL;
	DIR *dir;
	int rc = 0;

	dir = opendir(proc);
	if (!dir)
		return -errno;
	buf = malloc(CMDLINE_BYTES);
	if (!buf)
		rc = -ENOMEM;
	while (!rc && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (!process_read(proc, entry->d_name, buf, &found) ||
		    (uuid && strcmp(uuid, found.uuid)))
			continue;
		if (n == room) {
			room = room ? room * 2 : 16;
			grown = room > PROCSCAN_MAX ? NULL : realloc(list, room * sizeof(*list));
			if (!grown) {
				rc = room > PROCSCAN_MAX ? -E2BIG : -ENOMEM;
				break;
			}
			list = grown;
		}
		list[n++] = found;
	}
	free(buf);
	closedir(dir);
	if (rc) {
		free(list);
		return rc;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

bool procscan_command_runs(const char *proc, const char *command)
{
	char path[300], comm[32];
	struct dirent *entry;
	bool found = false;
	DIR *dir = opendir(proc);

	if (!dir)
		return true; /* unknown: whoever asks wants to be sure that it does not run */
	while (!found && (entry = readdir(dir))) {
		ssize_t n = -1;
		int fd;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s/comm", proc, entry->d_name) >=
			    sizeof(path))
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, comm, sizeof(comm) - 1);
			close(fd);
		}
		if (n > 0) {
			comm[n] = '\0';
			comm[strcspn(comm, "\n")] = '\0';
			found = !strcmp(comm, command);
		}
	}
	closedir(dir);
	return found;
}
