/* QEMUs told from other processes by their command lines, in a folder that looks like /proc. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evacuate/procscan.h"
#include "tests/unit/test.h"

#define UUID_A "0120a4f9-196a-5f9e-b9f5-23f31f914da7"
#define UUID_B "1120a4f9-196a-5f9e-b9f5-23f31f914da7"
#define LINE(text) (text), sizeof(text) - 1

static void libvirts_own_command_line(void)
{
	struct qemu_process found;

	CHECK(procscan_parse(LINE("/usr/bin/qemu-system-x86_64\0-name\0guest=db,,1,debug-threads=on\0-S\0"
				  "-uuid\0" UUID_A "\0-no-user-config\0"),
			     &found));
	CHECK_STR(found.uuid, UUID_A);
	CHECK_STR(found.name, "db,1");
}

static void other_ways_to_write_it(void)
{
	struct qemu_process found;

	CHECK(procscan_parse(LINE("kvm\0-uuid\0" "0120A4F9-196A-5F9E-B9F5-23F31F914DA7" "\0-name\0db"),
			     &found));
	CHECK_STR(found.uuid, UUID_A);
	CHECK_STR(found.name, "db");
}

static void what_is_no_qemu(void)
{
	struct qemu_process found;

	CHECK(!procscan_parse("", 0, &found));
	CHECK(!procscan_parse(LINE("qemu-system-x86_64\0-S\0-no-user-config\0-machine\0none\0"), &found));
	CHECK(!procscan_parse(LINE("grep\0-uuid\0" UUID_A "\0"), &found));
	CHECK(!procscan_parse(LINE("qemu\0-name\0x\0-uuid\0not-a-uuid\0"), &found));
	CHECK(!procscan_parse(LINE("qemu\0-name\0x\0-uuid\0" UUID_A "0\0"), &found));
	CHECK(!procscan_parse(LINE("qemu\0-name\0x\0-uuid"), &found));
	CHECK(!procscan_parse(LINE("-uuid\0" UUID_A "\0-name\0x\0"), &found));
	/* A name that looks like the option is a name. */
	CHECK(!procscan_parse(LINE("qemu\0-name\0-uuid\0" UUID_A "\0"), &found));
}

static void process_make(const char *root, const char *pid, const char *cmdline, size_t len)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, pid);
	CHECK(!mkdir(path, 0700));
	snprintf(path, sizeof(path), "%s/%s/comm", root, pid);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	CHECK(write(fd, "libvirtd\n", 9) == 9);
	close(fd);
	snprintf(path, sizeof(path), "%s/%s/cmdline", root, pid);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	CHECK(write(fd, cmdline, len) == (ssize_t)len);
	close(fd);
}

static void list_of_a_host(void)
{
	char root[] = "procscan_test.XXXXXX", command[64];
	struct qemu_process *list;
	size_t n;

	CHECK(mkdtemp(root));
	process_make(root, "1", LINE("init\0"));
	process_make(root, "22", LINE("qemu\0-name\0guest=a\0-uuid\0" UUID_A "\0"));
	process_make(root, "333", LINE("qemu\0-name\0guest=b\0-uuid\0" UUID_B "\0"));
	process_make(root, "self", LINE("qemu\0-name\0guest=c\0-uuid\0" UUID_B "\0"));
	CHECK_INT(procscan_list(root, NULL, &list, &n), 0);
	CHECK_INT(n, 2);
	free(list);
	CHECK_INT(procscan_list(root, UUID_B, &list, &n), 0);
	CHECK_INT(n, 1);
	CHECK_INT(list[0].pid, 333);
	CHECK_STR(list[0].name, "b");
	free(list);
	CHECK(procscan_command_runs(root, "libvirtd"));
	CHECK(!procscan_command_runs(root, "virtqemud"));
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK(!system(command));
	CHECK_INT(procscan_list(root, NULL, &list, &n), -ENOENT);
}

int main(void)
{
	RUN(libvirts_own_command_line);
	RUN(other_ways_to_write_it);
	RUN(what_is_no_qemu);
	RUN(list_of_a_host);
	return 0;
}
