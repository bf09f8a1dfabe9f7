/*
 * Replays files through a fuzz target, for builds without libFuzzer: every argument is a file or a folder of
 * files. Without arguments, as in "make check", fuzz_NAME replays its seeds, tests/fuzz/corpus/NAME.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int replayed;

static int file_replay(const char *path)
{
	uint8_t *data;
	size_t size;
	FILE *f = fopen(path, "rb");
	struct stat st;

	if (!f || fstat(fileno(f), &st)) {
		perror(path);
		return 1;
	}
	data = malloc(st.st_size ? (size_t)st.st_size : 1); /* exact size: a read past the end is seen */
	size = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
	return 0;
}

static int folder_replay(const char *path)
{
	char name[4096];
	struct dirent *entry;
	DIR *dir = opendir(path);
	int failed = 0;

	if (!dir)
		return file_replay(path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		failed |= file_replay(name);
	}
	closedir(dir);
	return failed;
}

static int seeds_replay(const char *program)
{
	const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;
	const char *srcdir = getenv("HAMON_SRCDIR");
	char path[4096];

	if (!strncmp(name, "fuzz_", 5))
		name += 5;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name);
	return folder_replay(path);
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 2)
		failed = seeds_replay(argv[0]);
	for (int i = 1; i < argc; i++)
		failed |= folder_replay(argv[i]);
	printf("%u inputs replayed\n", replayed);
	return failed || !replayed;
}
