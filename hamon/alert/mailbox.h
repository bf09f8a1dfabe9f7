/*
 * What goes from one thread to another: a bounded queue with a descriptor to poll. Threads share nothing else, so that
 * each may hang in its own disk, socket or child alone.
 */
#ifndef HAMON_ALERT_MAILBOX_H
#define HAMON_ALERT_MAILBOX_H

#include <pthread.h>
#include <stddef.h>

/* The head of whatever is sent; its memory goes with it to who takes it. */
struct mail {
	struct mail *next;
	size_t bytes;
};

struct mailbox {
	pthread_mutex_t mutex;
	struct mail *first, **last;
	size_t n, bytes, max_n, max_bytes;
	int fd; /* readable while there is something */
};

/* 0 or -errno. */
int mailbox_open(struct mailbox *box, size_t max_n, size_t max_bytes);

/* Never waits. 0, or -EAGAIN when the box is full: the mail stays the caller's. */
int mailbox_post(struct mailbox *box, struct mail *mail);

/* Never waits. NULL when there is nothing. */
struct mail *mailbox_take(struct mailbox *box);

/* How much is in there now. */
size_t mailbox_count(struct mailbox *box);

#endif
