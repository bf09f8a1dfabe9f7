/*
 * timed LOG PROGRAM [ARGUMENT..]: runs the program in its place between two lines of the log, "begin PID BOOT_US" and
 * "end PID BOOT_US". It stands before a fence agent where a benchmark must know exactly when the agent runs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static void line(int fd, const char *what, pid_t pid)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	dprintf(fd, "%s %d %lld\n", what, (int)pid, (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

int main(int argc, char **argv)
{
	int status, fd;
	pid_t pid;

	if (argc < 3)
		return 64;
	fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return 71;
	line(fd, "begin", getpid());
	pid = fork();
	if (pid < 0)
		return 71;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(argv[2], argv + 2);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 71;
	line(fd, "end", getpid());
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
