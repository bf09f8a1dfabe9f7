/*
 * linuxguest: /init of a Linux guest that starts by UEFI, and is a witness like witness.asm.
 *
 * It keeps the same record on sector 1 of /dev/vda, and beside it how often it was started by its own
 * count in an EFI variable, so that a start with a lost or foreign nvram shows. Each write is told by UDP to
 * 10.77.9.254:7077, which proves its network.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/fs.h>

#define SECTOR 512
#define VARIABLE "/sys/firmware/efi/efivars/HamonStarts-6d3f4c5e-8a0b-4f6e-9c1d-2b7a90e4f135"

struct record {
	char magic[4];
	uint32_t boots;
	uint64_t nonce;
	uint32_t sequence, violations, errors;
	uint32_t efi_boots;
} __attribute__((packed));

static void stop(const char *what)
{
	fprintf(stderr, "linuxguest: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void module_load(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
		stop(path);
	close(fd);
}

static void modules_load(void)
{
	static const char *const names[] = {
		"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
		"virtio_blk", "failover", "net_failover", "virtio_net", "efivarfs",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		module_load(names[i]);
}

static void sector_read(int fd, void *sector)
{
	while (pread(fd, sector, SECTOR, SECTOR) != SECTOR)
		usleep(100000);
}

static void sector_write(int fd, const void *sector)
{
	while (pwrite(fd, sector, SECTOR, SECTOR) != SECTOR)
		usleep(100000);
}

/* The count of starts in the machine's nvram: 4 bytes of attributes, then the value; see efivarfs.rst. */
static uint32_t variable_count(void)
{
	struct { uint32_t attributes, count; } value = {.attributes = 7};
	unsigned int flags;
	int fd = open(VARIABLE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, &value, sizeof(value)) != sizeof(value))
			value.count = 0;
		if (!ioctl(fd, FS_IOC_GETFLAGS, &flags)) {
			flags &= ~(unsigned int)FS_IMMUTABLE_FL; /* every unknown variable is born so */
			ioctl(fd, FS_IOC_SETFLAGS, &flags);
		}
		close(fd);
	}
	value.attributes = 7; /* non-volatile, at boot and at run time */
	value.count++;
	fd = open(VARIABLE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, &value, sizeof(value)) != sizeof(value))
		stop(VARIABLE);
	close(fd);
	return value.count;
}

static int network_up(struct sockaddr_in *to)
{
	struct ifreq request = {.ifr_name = "eth0"};
	struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		stop("socket");
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = inet_addr("10.77.9.10");
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		stop("address of eth0");
	address->sin_addr.s_addr = inet_addr("255.255.255.0");
	if (ioctl(fd, SIOCSIFNETMASK, &request) < 0)
		stop("netmask of eth0");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		stop("eth0 up");
	to->sin_family = AF_INET;
	to->sin_port = htons(7077);
	to->sin_addr.s_addr = inet_addr("10.77.9.254");
	return fd;
}

int main(void)
{
	static char sector[SECTOR] __attribute__((aligned(4096))), found[SECTOR] __attribute__((aligned(4096)));
	struct record *mine = (struct record *)sector, *seen = (struct record *)found;
	struct sockaddr_in to = {0};
	int disk = -1, network;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	modules_load();
	if (mount("efivarfs", "/sys/firmware/efi/efivars", "efivarfs", 0, NULL) < 0)
		stop("efivarfs"); /* not started by UEFI */
	for (int tries = 0; tries < 100 && disk < 0; tries++) {
		disk = open("/dev/vda", O_RDWR | O_DIRECT | O_SYNC | O_CLOEXEC);
		if (disk < 0)
			usleep(100000);
	}
	if (disk < 0)
		stop("/dev/vda");
	network = network_up(&to);

	sector_read(disk, sector);
	memcpy(mine->magic, "HAMN", 4);
	mine->boots++;
	mine->sequence = 0;
	mine->efi_boots = variable_count();
	if (getrandom(&mine->nonce, sizeof(mine->nonce), 0) != sizeof(mine->nonce))
		stop("getrandom");
	for (;;) {
		sector_write(disk, sector);
		sendto(network, mine, sizeof(*mine), 0, (struct sockaddr *)&to, sizeof(to));
		usleep(500000);
		sector_read(disk, found);
		if (seen->nonce != mine->nonce)
			mine->violations = (seen->violations > mine->violations ? seen->violations : mine->violations) + 1;
		mine->sequence++;
	}
}
