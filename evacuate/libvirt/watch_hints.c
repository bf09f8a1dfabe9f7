/*
 * Hints: libvirt has no event for the start of a block job, for a disk-only snapshot, for autostart or for a
 * managed save that was removed; but it writes a file for each. That a file has changed is reason to read that domain
 * again by libvirt's API, no more.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "evacuate/libvirt/watch.h"

/* Time for libvirt to finish what it began to write, and for several files of one change to be one hint. */
#define SETTLE_MS 200
#define HOOKS_SETTLE_MS 1000
#define FOLDERS 6
#define FILE_EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE)

struct watch_folder {
	int id; /* inotify's watch descriptor, -1 = not there */
	const char *suffix; /* of files that are NAME and this; NULL: a folder of hooks */
	char path[PATH_MAX];
};

static void folder_watch(struct watch *watch, struct watch_folder *folder)
{
	folder->id = inotify_add_watch(watch->hints_fd, folder->path, FILE_EVENTS | IN_ONLYDIR);
}

static void folders_start(struct watch *watch)
{
	const struct {
		const char *base, *sub, *suffix;
	} wanted[FOLDERS] = {
		{ watch->paths->libvirt_run, "", ".xml" },
		{ watch->paths->libvirt_etc, "/qemu", ".xml" },
		{ watch->paths->libvirt_etc, "/qemu/autostart", ".xml" },
		{ watch->paths->libvirt_lib, "/save", ".save" },
		{ watch->paths->libvirt_etc, "/hooks", NULL },
		{ watch->paths->libvirt_etc, "/hooks/qemu.d", NULL },
	};

	for (int i = 0; i < FOLDERS; i++) {
		struct watch_folder *folder = &watch->folders[i];

		snprintf(folder->path, sizeof(folder->path), "%s%s", wanted[i].base, wanted[i].sub);
		folder->suffix = wanted[i].suffix;
		folder_watch(watch, folder);
	}
}

/* All domains: inotify has dropped events. */
static void all_hint(struct watch *watch)
{
	for (struct tracked *t = watch->tracked; t; t = t->next)
		watch_queue_add(watch, CAUSE_HINT, t->uuid, "updated", NULL);
}

static void file_hint(struct watch *watch, const struct watch_folder *folder, const char *file)
{
	size_t len = strlen(file), suffix_len = strlen(folder->suffix);
	struct tracked *tracked;
	char name[NAME_MAX + 1];

	/* libvirt writes NAME.xml.new and renames it. */
	if (len <= suffix_len || strcmp(file + len - suffix_len, folder->suffix))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(len - suffix_len), file);
	tracked = watch_tracked_by_name(watch, name);
	if (tracked)
		watch_queue_add(watch, CAUSE_HINT, tracked->uuid, "updated", NULL);
}

static void hint_take(struct watch *watch, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		all_hint(watch);
		return;
	}
	for (int i = 0; i < FOLDERS; i++) {
		struct watch_folder *folder = &watch->folders[i];

		if (folder->id != event->wd)
			continue;
		if (event->mask & IN_IGNORED) {
			folder->id = -1; /* the folder itself was removed */
			if (!folder->suffix)
				virEventUpdateTimeout(watch->hooks_timer, HOOKS_SETTLE_MS);
		} else if (!folder->suffix) {
			virEventUpdateTimeout(watch->hooks_timer, HOOKS_SETTLE_MS);
		} else if (event->len) {
			file_hint(watch, folder, event->name);
		}
	}
}

/* Reads what has come; the descriptor was left alone for SETTLE_MS. */
static void on_settled(int timer, void *user)
{
	struct watch *watch = user;
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while ((n = read(watch->hints_fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (void *)(buf + at);

			hint_take(watch, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	virEventUpdateTimeout(watch->hints_timer, -1);
	virEventUpdateHandle(watch->hints_handle, VIR_EVENT_HANDLE_READABLE);
}

static void on_readable(int handle, int fd, int events, void *user)
{
	struct watch *watch = user;

	virEventUpdateHandle(handle, 0);
	virEventUpdateTimeout(watch->hints_timer, SETTLE_MS);
}

/* Hooks have come or gone: libvirtd runs what is there now, if it had found any when it started. */
static void on_hooks(int timer, void *user)
{
	struct watch *watch = user;

	virEventUpdateTimeout(timer, -1);
	for (int i = 0; i < FOLDERS; i++) {
		if (!watch->folders[i].suffix && watch->folders[i].id < 0)
			folder_watch(watch, &watch->folders[i]);
	}
	watch_gate_check(watch);
}

void watch_hints_start(struct watch *watch)
{
	watch->folders = calloc(FOLDERS, sizeof(*watch->folders));
	watch->hints_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (!watch->folders || watch->hints_fd < 0) {
		fprintf(stderr, "hamon-evacuate: no hints from libvirt's files: %s\n",
			strerror(errno));
		return;
	}
	folders_start(watch);
	watch->hints_timer = virEventAddTimeout(-1, on_settled, watch, NULL);
	watch->hooks_timer = virEventAddTimeout(-1, on_hooks, watch, NULL);
	watch->hints_handle = virEventAddHandle(watch->hints_fd, VIR_EVENT_HANDLE_READABLE,
						on_readable, watch, NULL);
}
