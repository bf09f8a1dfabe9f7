/* The files of the spool. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/alert/record.h"
#include "hamon/alert/spool_files.h"

#define NAME_SIZE 32
#define NAME_DIGITS 20

static void record_name(uint64_t number, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%020llu.json", (unsigned long long)number);
}

static int folder_make(const char *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int spool_folder_open(const char *dir)
{
	int rc = folder_make(dir), fd;
	struct stat st;

	if (rc)
		return rc;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* What is redelivered from here is believed: nobody else may have put it there. */
	if (fstat(fd, &st) || (st.st_uid != geteuid() && (errno = EPERM)) || fchmod(fd, 0700) ||
	    flock(fd, LOCK_EX)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	unlinkat(fd, "new", 0);
	return fd;
}

static int number_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int name_parse(const char *name, uint64_t *ret_number)
{
	if (strlen(name) != NAME_DIGITS + strlen(".json") || strspn(name, "0123456789") != NAME_DIGITS ||
	    strcmp(name + NAME_DIGITS, ".json"))
		return -EINVAL;
	errno = 0;
	*ret_number = strtoull(name, NULL, 10);
	return errno || !*ret_number || *ret_number > INT64_MAX ? -EINVAL : 0;
}

int spool_folder_list(int dir_fd, uint64_t **ret_numbers, size_t *ret_n)
{
	uint64_t *numbers = NULL, *grown, number;
	size_t n = 0, max = 0;
	struct dirent *entry;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((entry = readdir(dir))) {
		if (name_parse(entry->d_name, &number))
			continue;
		if (n == max) {
			max = max ? 2 * max : 256;
			grown = realloc(numbers, max * sizeof(*numbers));
			if (!grown)
				break;
			numbers = grown;
		}
		numbers[n++] = number;
	}
	closedir(dir);
	if (n)
		qsort(numbers, n, sizeof(*numbers), number_compare);
	*ret_numbers = numbers;
	*ret_n = n;
	return 0;
}

static int file_write(int dir_fd, const char *name, const char *text, size_t len)
{
	int fd = openat(dir_fd, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n != (ssize_t)len)
		rc = n < 0 ? -errno : -ENOSPC;
	close(fd);
	if (!rc && renameat(dir_fd, "new", dir_fd, name))
		rc = -errno;
	if (rc)
		unlinkat(dir_fd, "new", 0);
	return rc;
}

int spool_record_write(int dir_fd, uint64_t number, const char *text, size_t len)
{
	char name[NAME_SIZE];

	record_name(number, name);
	return file_write(dir_fd, name, text, len);
}

int spool_lanes_write(int dir_fd, const char *text)
{
	return file_write(dir_fd, "lanes.json", text, strlen(text));
}

static int file_read(int dir_fd, const char *name, size_t max, char **ret_text, size_t *ret_len)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = 0;
	struct stat st;
	char *text = NULL;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if ((uintmax_t)st.st_size > max)
		rc = -E2BIG;
	else if (!(text = malloc((size_t)st.st_size + 1)))
		rc = -ENOMEM;
	if (!rc) {
		n = read(fd, text, (size_t)st.st_size);
		rc = n < 0 ? -errno : 0;
		text[n < 0 ? 0 : n] = '\0';
		*ret_len = n < 0 ? 0 : (size_t)n;
	}
	close(fd);
	if (rc)
		free(text);
	else
		*ret_text = text;
	return rc;
}

int spool_record_read(int dir_fd, uint64_t number, char **ret_text, size_t *ret_len)
{
	char name[NAME_SIZE];

	record_name(number, name);
	return file_read(dir_fd, name, ALERT_RECORD_MAX + 1, ret_text, ret_len);
}

int spool_lanes_read(int dir_fd, char **ret_text)
{
	size_t len;

	return file_read(dir_fd, "lanes.json", SPOOL_LANES_BYTES, ret_text, &len);
}

int spool_record_remove(int dir_fd, uint64_t number)
{
	char name[NAME_SIZE];

	record_name(number, name);
	return unlinkat(dir_fd, name, 0) ? -errno : 0;
}

int spool_record_sync(int dir_fd, uint64_t number)
{
	char name[NAME_SIZE];
	int fd, rc;

	record_name(number, name);
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = fsync(fd) ? -errno : 1;
	close(fd);
	return rc;
}
