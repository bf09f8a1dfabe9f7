/* What goes from one thread to another. */
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hamon/alert/mailbox.h"

int mailbox_open(struct mailbox *box, size_t max_n, size_t max_bytes)
{
	*box = (struct mailbox){ .max_n = max_n, .max_bytes = max_bytes, .last = &box->first };
	box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return box->fd < 0 ? -errno : -pthread_mutex_init(&box->mutex, NULL);
}

int mailbox_post(struct mailbox *box, struct mail *mail)
{
	uint64_t one = 1;
	int rc = 0;

	pthread_mutex_lock(&box->mutex);
	if (box->n >= box->max_n || box->bytes + mail->bytes > box->max_bytes) {
		rc = -EAGAIN;
	} else {
		mail->next = NULL;
		*box->last = mail;
		box->last = &mail->next;
		box->bytes += mail->bytes;
		/* Fails only when the counter is full, and then the descriptor is readable anyway. */
		if (!box->n++ && write(box->fd, &one, sizeof(one)) < 0)
			rc = 0;
	}
	pthread_mutex_unlock(&box->mutex);
	return rc;
}

struct mail *mailbox_take(struct mailbox *box)
{
	struct mail *mail;
	uint64_t count;

	pthread_mutex_lock(&box->mutex);
	mail = box->first;
	if (mail) {
		box->first = mail->next;
		box->bytes -= mail->bytes;
		if (!--box->n) {
			box->last = &box->first;
			if (read(box->fd, &count, sizeof(count)) < 0)
				count = 0; /* it was not readable: the same thing */
		}
	}
	pthread_mutex_unlock(&box->mutex);
	return mail;
}

size_t mailbox_count(struct mailbox *box)
{
	size_t n;

	pthread_mutex_lock(&box->mutex);
	n = box->n;
	pthread_mutex_unlock(&box->mutex);
	return n;
}
