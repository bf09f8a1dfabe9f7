/* hamon/config.c: what config_load() adds to the text: files that must be there, and safe. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/config.h"
#include "tests/unit/test.h"

static char folder[] = "config_file_test.XXXXXX";

static const char *file_write(const char *name, const char *text, mode_t mode)
{
	static char path[sizeof(folder) + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
	f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && !fclose(f) && !chmod(path, mode));
	return path;
}

/*
 * Loads a file that names the secrets file of that mode; returns what is said, from the "secrets:"
 * on.
 */
static char *secrets_report(const char *cwd, mode_t mode, uid_t owner)
{
	char text[8192], *report = NULL, *found;
	size_t size;
	FILE *out = open_memstream(&report, &size);

	CHECK(!chown(file_write("secret", "password=x\n", mode), owner, (gid_t)-1));
	snprintf(text, sizeof(text), "[fence-device d]\nagent=/bin/true\nsecrets=%s/%s/secret\n"
		 "[host h]\nfence_level_1=d\n", cwd, folder);
	CHECK_INT(config_check_command(file_write("conf", text, 0644), out),
		  !!(mode & 077 || owner));
	fclose(out);
	found = strstr(report, "/secret: ");
	found = strdup(found ? found + 9 : "");
	free(report);
	return found;
}

static void secrets_files_are_safe_or_refused(void)
{
	char cwd[4096], *report;

	if (geteuid()) {
		printf("skipped %s: only root can own a secrets file\n", __func__);
		return;
	}
	CHECK(getcwd(cwd, sizeof(cwd)) && mkdtemp(folder));
	report = secrets_report(cwd, 0600, 0);
	CHECK_STR(report, "");
	free(report);
	report = secrets_report(cwd, 0640, 0);
	CHECK(!strncmp(report, "expected mode 0600, found 0640\n", 31));
	free(report);
	report = secrets_report(cwd, 0600, 12);
	CHECK(!strncmp(report, "expected a file that belongs to root, found user id 12\n", 55));
	free(report);
	CHECK(!unlink(file_write("secret", "", 0600)) && !unlink(file_write("conf", "", 0600)));
	CHECK(!rmdir(folder));
}

static char *load_report(const char *path, int expected)
{
	struct config_errors errors = { 0 };
	struct hamon_config *config = NULL;
	char *report = NULL;
	size_t size;
	FILE *out = open_memstream(&report, &size);

	CHECK_INT(config_load(path, &config, &errors), expected);
	config_errors_print(&errors, out);
	fclose(out);
	config_errors_free(&errors);
	config_free(config);
	return report;
}

static void odd_files_are_refused(void)
{
	char *report;

	report = load_report("/nonexistent/hamon.conf", -ENOENT);
	CHECK_STR(report,
		  "/nonexistent/hamon.conf: error: cannot be read: No such file or directory\n");
	free(report);
	report = load_report("/", -EISDIR);
	CHECK_STR(report, "/: error: cannot be read: Is a directory\n");
	free(report);
	report = load_report("/dev/zero", -EINVAL);
	CHECK_STR(report, "/dev/zero: error: cannot be read: not a regular file\n");
	free(report);
}

int main(void)
{
	RUN(secrets_files_are_safe_or_refused);
	RUN(odd_files_are_refused);
	return 0;
}
