/* The journal, in a thread of its own. Fields: systemd.journal-fields(7), sd_journal_sendv(3). */
#define SD_JOURNAL_SUPPRESS_LOCATION /* the place in this file says nothing */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "hamon/alert/journal.h"
#include "hamon/alert/kinds.h"
#include "hamon/alert/mailbox.h"
#include "hamon/alert/stats.h"
#include "hamon/common/clock.h"

#define WAITING_MAX 10000
#define WAITING_BYTES_MAX (16u << 20)
#define FIELDS_MAX 24

struct journal_mail {
	struct mail mail;
	struct alert_record *record;
};

/* One entry; its texts are freed after it was sent. */
struct entry {
	struct iovec fields[FIELDS_MAX];
	int n;
};

static struct mailbox box;
static atomic_bool busy;

__attribute__((format(printf, 2, 3)))
static void field_add(struct entry *entry, const char *format, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len >= 0)
		entry->fields[entry->n++] = (struct iovec){ text, (size_t)len };
}

static int entry_send(struct entry *entry)
{
	int rc = sd_journal_sendv(entry->fields, entry->n);

	for (int i = 0; i < entry->n; i++)
		free(entry->fields[i].iov_base);
	return rc;
}

static int record_send(const struct alert_record *record)
{
	static const int priorities[ALERT_SEVERITIES] = {
		[ALERT_INFO] = LOG_INFO, [ALERT_NOTICE] = LOG_NOTICE, [ALERT_WARNING] = LOG_WARNING,
		[ALERT_ALERT] = LOG_ALERT,
	};
	static const char *const names[ALERT_FIELDS] = {
		[FIELD_ID] = "HAMON_ID", [FIELD_KIND] = "HAMON_KIND", [FIELD_SEVERITY] = "HAMON_SEVERITY",
		[FIELD_WALL] = "HAMON_WALL", [FIELD_INCIDENT] = "HAMON_INCIDENT", [FIELD_HOST] = "HAMON_HOST",
		[FIELD_INSTANCE] = "HAMON_INSTANCE", [FIELD_UUID] = "HAMON_UUID",
	};
	const char *id = record->fields[FIELD_ID], *text = record->fields[FIELD_TEXT];
	struct entry entry = { .n = 0 };

	field_add(&entry, "MESSAGE=%s", *text ? text : record->fields[FIELD_KIND]);
	field_add(&entry, "MESSAGE_ID=%s", alert_kind_find(record->fields[FIELD_KIND])->message_id);
	field_add(&entry, "PRIORITY=%d", priorities[record->severity]);
	field_add(&entry, "SYSLOG_IDENTIFIER=hamon");
	for (int i = 0; i < ALERT_FIELDS; i++)
		if (names[i] && *record->fields[i])
			field_add(&entry, "%s=%s", names[i], record->fields[i]);
	if (*id)
		field_add(&entry, "HAMON_TERM=%.*s", (int)strcspn(id, "."), id);
	field_add(&entry, "HAMON_SEQ=%llu", (unsigned long long)record->seq);
	return entry_send(&entry);
}

/* What was lost while journald hung is told as soon as it listens again. */
static void dropped_send(uint64_t *told)
{
	uint64_t dropped = stats_get(COUNT_JOURNAL_DROPPED);
	struct entry entry = { .n = 0 };

	if (dropped == *told)
		return;
	field_add(&entry, "MESSAGE=%llu records of hamon are missing here, they are in its own history",
		  (unsigned long long)(dropped - *told));
	field_add(&entry, "PRIORITY=%d", LOG_WARNING);
	field_add(&entry, "SYSLOG_IDENTIFIER=hamon");
	entry_send(&entry);
	*told = dropped;
}

static void *journal_thread(void *unused)
{
	struct pollfd pfd = { .fd = box.fd, .events = POLLIN };
	uint64_t told = 0;

	for (;;) {
		struct journal_mail *mail;
		int rc;

		atomic_store(&busy, true);
		mail = (struct journal_mail *)mailbox_take(&box);
		if (!mail) {
			atomic_store(&busy, false);
			poll(&pfd, 1, -1);
			continue;
		}
		rc = record_send(mail->record);
		stats_add(rc < 0 ? COUNT_JOURNAL_DROPPED : COUNT_JOURNALED, 1);
		alert_record_unref(mail->record);
		free(mail);
		if (rc >= 0)
			dropped_send(&told);
	}
	return NULL;
}

int journal_start(void)
{
	pthread_t thread;
	int rc = mailbox_open(&box, WAITING_MAX, WAITING_BYTES_MAX);

	return rc ? rc : -pthread_create(&thread, NULL, journal_thread, NULL);
}

void journal_post(struct alert_record *record)
{
	struct journal_mail *mail = calloc(1, sizeof(*mail));

	if (mail) {
		mail->mail.bytes = sizeof(*mail) + sizeof(*record) + 2 * record->json_len;
		mail->record = alert_record_ref(record);
		if (!mailbox_post(&box, &mail->mail))
			return;
		alert_record_unref(record);
		free(mail);
	}
	stats_add(COUNT_JOURNAL_DROPPED, 1);
}

void journal_flush(uint64_t timeout_ms)
{
	uint64_t end_ms = clock_boot_ms() + timeout_ms;

	while ((mailbox_count(&box) || atomic_load(&busy)) && clock_boot_ms() < end_ms)
		poll(NULL, 0, 5);
}
