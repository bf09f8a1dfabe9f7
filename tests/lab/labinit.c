/*
 * labinit: the one small static program that the lab needs inside its namespaces.
 *
 *   labinit lab                  start the lab's own namespaces; live until standard input ends
 *   labinit host LABPID          start a host inside them; the mount table comes on standard input
 *   labinit run PID -- CMD..     run CMD beside the process PID, in all its namespaces, and wait
 *   labinit spawn PID LOG CMD..  start CMD there as a daemon of its init, print its pid
 *   labinit bmc SOCKET WORDS..   hand WORDS to the keeper's socket, print the answer (for ipmi_sim)
 *
 * Everything below the lab's init dies with it, so the kernel itself cleans up, whatever happens to
 * the programs that use the lab. All pids are printed as the caller's own PID namespace sees them.
 *
 * Sources: namespaces(7), pid_namespaces(7), setns(2), unix(7) for SCM_CREDENTIALS.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW_SPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;
	int saved = errno;

	va_start(args, format);
	fputs("labinit: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(saved));
	exit(70);
}

/* fork() into new namespaces. */
static pid_t fork_spaces(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

/*
 * A PID namespace's init has to reap what is orphaned to it: libvirtd waits 40 s for each probing QEMU
 * that stays a zombie. SA_NOCLDWAIT lets the kernel do it.
 */
static void init_reap(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};

	sigaction(SIGCHLD, &action, NULL);
}

/*
 * Below a chroot the root is no mount, so that its propagation cannot be changed, and whoever enters the namespace would find himself
 * at the machine's root. So what the chroot shows becomes the root of this namespace. The namespace is private first: nothing of
 * this reaches the machine. (open_tree(2), move_mount(2); pivot_root(2) for the two dots.)
 */
static void root_own(void)
{
	int tree = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC);
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), space = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (tree < 0 || root < 0 || space < 0 || setns(space, CLONE_NEWNS) < 0)
		die("leave the chroot");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("make the machine's mounts private");
	if (move_mount(tree, "", root, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 || fchdir(tree) < 0 ||
	    mount(NULL, ".", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		die("make the chroot the root");
	close(tree);
	close(root);
	close(space);
}

static void mount_private(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		if (errno != EINVAL)
			die("make the mounts private");
		root_own();
	}
	if (mount("proc", "/proc", "proc", 0, NULL) < 0)
		die("mount /proc");
	/* A fresh sysfs shows this network namespace's devices and not the machine's. */
	if (mount("sysfs", "/sys", "sysfs", MS_RDONLY, NULL) < 0)
		die("mount /sys");
}

static void path_make(const char *path)
{
	char part[4096];

	if (strlen(path) >= sizeof(part))
		die("%s: too long", path);
	for (size_t i = 1; path[i - 1]; i++) {
		if (path[i] != '/' && path[i])
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			die("mkdir %s", part);
	}
}

/* One line of the mount table: bind SRC DST | tmpfs DST MODE | mkdir DST | hostname NAME, tab-separated. */
static void table_line(char *line)
{
	char *verb = strtok(line, "\t"), *first = strtok(NULL, "\t"), *second = strtok(NULL, "\t");
	char option[32];

	if (!verb || !first) {
		errno = EINVAL;
		die("mount table");
	}
	if (!strcmp(verb, "bind") && second) {
		if (mount(first, second, NULL, MS_BIND | MS_REC, NULL) < 0)
			die("bind %s on %s", first, second);
	} else if (!strcmp(verb, "tmpfs") && second) {
		snprintf(option, sizeof(option), "mode=%s", second);
		if (mount("tmpfs", first, "tmpfs", 0, option) < 0)
			die("tmpfs on %s", first);
	} else if (!strcmp(verb, "mkdir")) {
		path_make(first);
	} else if (!strcmp(verb, "hostname")) {
		if (sethostname(first, strlen(first)) < 0)
			die("hostname %s", first);
	} else {
		errno = EINVAL;
		die("mount table: %s", verb);
	}
}

static void table_apply(FILE *table)
{
	char line[8192];

	while (fgets(line, sizeof(line), table)) {
		line[strcspn(line, "\n")] = 0;
		if (*line)
			table_line(line);
	}
}

/*
 * Tell the reader of the other end who we are: the kernel attaches our pid, translated into the
 * reader's PID namespace, which is the only exact way to learn a nested process's outer pid.
 */
static void pid_send(int fd)
{
	if (send(fd, "p", 1, MSG_NOSIGNAL) != 1)
		die("tell the pid");
}

static pid_t pid_receive(int fd)
{
	char byte, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	struct ucred peer;

	for (;;) {
		ssize_t got = recvmsg(fd, &message, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			exit(70); /* the child has said why */
		break;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&peer, CMSG_DATA(c), sizeof(peer));
		return peer.pid;
	}
	errno = EPROTO;
	die("no credentials with the pid");
}

static void pid_channel(int fds[2])
{
	int one = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		die("socketpair");
	/* The receiver is who must ask for the credentials. */
	if (setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		die("SO_PASSCRED");
}

static void spaces_enter(pid_t pid, int flags)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		die("no process %d", (int)pid);
	if (setns(fd, flags) < 0)
		die("enter the namespaces of %d", (int)pid);
	close(fd);
}

static pid_t pid_parse(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	if (pid <= 0 || *end) {
		errno = EINVAL;
		die("%s: not a pid", text);
	}
	return (pid_t)pid;
}

static void null_open(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		die("/dev/null");
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* The lab's own init: its network namespace is the hosts' switch. Its life hangs on standard input. */
static int lab_main(void)
{
	pid_t pid = fork_spaces(NEW_SPACES);
	int status;

	if (pid < 0)
		die("new namespaces");
	if (pid == 0) {
		struct pollfd input = {.fd = 0};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		init_reap();
		mount_private();
		sethostname("switch", 6);
		if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
			die("tmpfs on /run");
		puts("ready");
		fflush(stdout);
		while (poll(&input, 1, -1) < 0 || !(input.revents & (POLLHUP | POLLERR | POLLNVAL)))
			;
		_exit(0);
	}
	printf("pid %d\n", (int)pid);
	fflush(stdout);
	close(0);
	/* A terminal's signals are for the programs that use the lab. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void host_child(int channel)
{
	pid_t pid = fork_spaces(NEW_SPACES);

	if (pid < 0)
		die("new namespaces");
	if (pid > 0)
		_exit(0); /* the host's init now belongs to the lab's */
	setsid();
	init_reap();
	mount_private();
	table_apply(stdin);
	null_open();
	pid_send(channel);
	close(channel);
	prctl(PR_SET_NAME, "labhost");
	for (;;)
		pause();
}

static int host_main(pid_t lab)
{
	int channel[2];
	pid_t pid, host;

	pid_channel(channel);
	spaces_enter(lab, NEW_SPACES);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(channel[0]);
		host_child(channel[1]);
	}
	close(channel[1]);
	host = pid_receive(channel[0]);
	waitpid(pid, NULL, 0);
	printf("%d\n", (int)host);
	return 0;
}

static int run_main(pid_t beside, char **argv)
{
	pid_t pid;
	int status;

	spaces_enter(beside, NEW_SPACES);
	if (chdir("/") < 0)
		die("chdir /");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		/* Whoever gives up on us must not leave the command running there. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], argv);
		fprintf(stderr, "labinit: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void daemon_child(int channel, const char *log, char **argv)
{
	sigset_t none;
	int fd;

	if (fork() > 0)
		_exit(0); /* orphaned inside the namespace: its init reaps it */
	setsid();
	/* A daemon's signals must not depend on what the lab's user ignores or blocks. */
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0)
		die("%s", log);
	pid_send(channel);
	null_open();
	dup2(fd, 1);
	dup2(fd, 2);
	close(fd);
	execvp(argv[0], argv);
	die("%s", argv[0]);
}

static int spawn_main(pid_t beside, const char *log, char **argv)
{
	int channel[2];
	pid_t pid, daemon;
	char byte;

	pid_channel(channel);
	spaces_enter(beside, NEW_SPACES);
	if (chdir("/") < 0)
		die("chdir /");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(channel[0]);
		daemon_child(channel[1], log, argv);
	}
	close(channel[1]);
	daemon = pid_receive(channel[0]);
	waitpid(pid, NULL, 0);
	/* The channel closes on exec: from now on the pid carries the command's own name. */
	while (read(channel[0], &byte, 1) < 0 && errno == EINTR)
		;
	printf("%d\n", (int)daemon);
	return 0;
}

static int bmc_main(const char *path, char **words)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[1024] = "", answer[1024];
	size_t got = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (; *words; words++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *words, words[1] ? " " : "\n");
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		die("%s", path);
	}
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("%s", path);
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		die("%s", path);
	while (got < sizeof(answer) - 1) {
		ssize_t n = read(fd, answer + got, sizeof(answer) - 1 - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	answer[got] = 0;
	/* First line ok or error, then what goes to standard output. */
	if (strncmp(answer, "ok\n", 3))
		return 1;
	fputs(answer + 3, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "lab"))
		return lab_main();
	if (argc == 3 && !strcmp(argv[1], "host"))
		return host_main(pid_parse(argv[2]));
	if (argc >= 5 && !strcmp(argv[1], "run") && !strcmp(argv[3], "--"))
		return run_main(pid_parse(argv[2]), argv + 4);
	if (argc >= 5 && !strcmp(argv[1], "spawn"))
		return spawn_main(pid_parse(argv[2]), argv[3], argv + 4);
	if (argc >= 4 && !strcmp(argv[1], "bmc"))
		return bmc_main(argv[2], argv + 3);
	fputs("usage: labinit lab | host LABPID | run PID -- CMD.. | spawn PID LOG CMD.. | bmc SOCKET WORD..\n",
		stderr);
	return 64;
}
