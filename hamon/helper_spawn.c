/*
 * How a helper process is made. posix_spawn shares this process's memory until the exec (like
 * vfork), so the cost does not grow with it, and between the two no code of this program runs:
 * libqb's signal pipe cannot be touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "hamon/helper_private.h"

static const char *const env_default[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C",
};

#define ENV_DEFAULTS (sizeof(env_default) / sizeof(*env_default))

static size_t list_length(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static int env_has(const char *const *env, const char *entry)
{
	size_t len = (size_t)(strchr(entry, '=') - entry) + 1;

	for (; env && *env; env++)
		if (!strncmp(*env, entry, len))
			return 1;
	return 0;
}

/* The clean environment: the list itself is new, its strings are borrowed. */
static const char **env_make(const char *const *more)
{
	size_t n = list_length(more), used = 0;
	const char **env = calloc(n + ENV_DEFAULTS + 1, sizeof(*env));

	if (!env)
		return NULL;
	for (size_t i = 0; i < ENV_DEFAULTS; i++)
		if (!env_has(more, env_default[i]))
			env[used++] = env_default[i];
	for (size_t i = 0; i < n; i++)
		env[used++] = more[i];
	return env;
}

/* Above 2, so that no dup2 in the child hits a pipe that is still needed, even if this process has
 * no stdin. */
static int fd_lift(int *fd)
{
	int lifted;

	if (*fd > STDERR_FILENO)
		return 0;
	lifted = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (lifted < 0)
		return -errno;
	close(*fd);
	*fd = lifted;
	return 0;
}

static void fds_close(int *fds, int n)
{
	for (int i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* One pipe; which end is ours follows from the direction. */
static int pipe_make(int ours_is_write, int *ret_ours, int *ret_theirs)
{
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	rc = fd_lift(&fds[0]);
	if (!rc)
		rc = fd_lift(&fds[1]);
	if (!rc && fcntl(fds[ours_is_write ? 1 : 0], F_SETFL, O_NONBLOCK))
		rc = -errno;
	if (rc) {
		fds_close(fds, 2);
		return rc;
	}
	*ret_ours = fds[ours_is_write ? 1 : 0];
	*ret_theirs = fds[ours_is_write ? 0 : 1];
	return 0;
}

static int attributes_set(posix_spawnattr_t *attr)
{
	const struct sched_param param = {.sched_priority = 0};
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	/* A real-time priority of ours is not for the helpers. */
	rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSCHEDULER);
	if (!rc)
		rc = posix_spawnattr_setpgroup(attr, 0);
	if (!rc)
		rc = posix_spawnattr_setsigmask(attr, &none);
	if (!rc)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	if (!rc)
		rc = posix_spawnattr_setschedpolicy(attr, SCHED_OTHER);
	if (!rc)
		rc = posix_spawnattr_setschedparam(attr, &param);
	return -rc;
}

static int actions_set(posix_spawn_file_actions_t *actions, const int theirs[3])
{
	int rc = 0;

	for (int i = 0; !rc && i < 3; i++)
		rc = posix_spawn_file_actions_adddup2(actions, theirs[i], i);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	if (!rc)
		rc = posix_spawn_file_actions_addchdir_np(actions, "/");
	return -rc;
}

static int process_start(const char *path, const char *const *argv, const char *const *env,
			 const int theirs[3], pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int rc = -posix_spawn_file_actions_init(&actions);

	if (rc)
		return rc;
	rc = -posix_spawnattr_init(&attr);
	if (rc) {
		posix_spawn_file_actions_destroy(&actions);
		return rc;
	}
	rc = attributes_set(&attr);
	if (!rc)
		rc = actions_set(&actions, theirs);
	if (!rc)
		rc = -posix_spawn(ret_pid, path, &actions, &attr, (char *const *)argv,
				  (char *const *)env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

int helper_spawn(const char *path, const char *const *argv, const char *const *env, pid_t *ret_pid,
		 int *ret_pidfd, int ret_fds[3])
{
	int ours[3] = {-1, -1, -1}, theirs[3] = {-1, -1, -1}, pidfd, rc = 0;
	const char **full_env = env_make(env);
	pid_t pid;

	if (!full_env)
		return -ENOMEM;
	for (int i = 0; !rc && i < 3; i++)
		rc = pipe_make(i == STDIN_FILENO, &ours[i], &theirs[i]);
	if (!rc)
		rc = process_start(path, argv, full_env, theirs, &pid);
	free(full_env);
	fds_close(theirs, 3);
	if (rc)
		goto out;
	/* Nobody else reaps, so the number is still this child's. */
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		rc = -errno;
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		goto out;
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	memcpy(ret_fds, ours, sizeof(ours));
	return 0;
out:
	fds_close(ours, 3);
	return rc;
}
