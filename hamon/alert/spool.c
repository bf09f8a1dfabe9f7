/* Records on disk until they are delivered, in a thread of its own. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hamon/alert/spool.h"
#include "hamon/alert/spool_files.h"
#include "hamon/alert/stats.h"
#include "hamon/alert/tell.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

#define JOBS_MAX 40000
#define JOBS_BYTES_MAX (32u << 20)
#define SYNC_AFTER_MS 1000
#define SYNC_EVERY_MS 100
#define SYNC_MAX 4096 /* that wait for a sync; what is above is left to the kernel */

enum job_kind { JOB_PUT, JOB_REMOVE, JOB_LANES };

struct job {
	struct mail mail;
	enum job_kind kind;
	uint64_t number;
	struct alert_record *record;
	char *text;
};

static struct mailbox box, *news_box;
static char *folder;
static uint64_t records_max;
static atomic_bool busy = true;

/* What was written and is not synced yet, a ring; only the thread's. */
static struct { uint64_t number, due_ms; } unsynced[SYNC_MAX];
static size_t unsynced_first, unsynced_n;

void spool_news_free(struct spool_news *news)
{
	if (!news)
		return;
	alert_record_unref(news->record);
	free(news->text);
	free(news);
}

static void news_post(enum spool_event event, uint64_t number, struct alert_record *record, char *text, bool ok)
{
	struct spool_news *news = calloc(1, sizeof(*news));

	if (!news) {
		alert_record_unref(record);
		free(text);
		return;
	}
	*news = (struct spool_news){ .event = event, .number = number, .record = record, .text = text, .ok = ok };
	news->mail.bytes = sizeof(*news);
	if (mailbox_post(news_box, &news->mail))
		spool_news_free(news);
}

/* A file that is no record (a full disk, a crash) can never be delivered; it must not be tried for ever either. */
static void record_load(int dir_fd, uint64_t number)
{
	struct alert_record *record = NULL;
	struct json_object *obj = NULL;
	char *text = NULL, error[256] = "";
	size_t len = 0;
	int rc = spool_record_read(dir_fd, number, &text, &len);

	if (!rc)
		rc = json_parse(text, len, &obj);
	if (!rc)
		rc = json_object_is_type(obj, json_type_object) ?
			alert_record_take(obj, number, &record, error, sizeof(error)) : -EINVAL;
	json_object_put(obj);
	free(text);
	if (!rc) {
		news_post(SPOOL_RECORD, number, record, NULL, true);
		return;
	}
	tell_log("%s/%020llu.json cannot be delivered and is removed: %s", folder, (unsigned long long)number,
		 *error ? error : strerror(-rc));
	stats_add(COUNT_BAD, 1);
	spool_record_remove(dir_fd, number);
}

static int folder_load(void)
{
	int dir_fd = spool_folder_open(folder), rc;
	uint64_t *numbers = NULL;
	char *lanes = NULL;
	size_t n = 0;

	rc = dir_fd < 0 ? dir_fd : spool_folder_list(dir_fd, &numbers, &n);
	if (rc) {
		tell_log("%s cannot be used: %s; alerts are not kept over a restart", folder, strerror(-rc));
		if (dir_fd >= 0)
			close(dir_fd);
		dir_fd = -1;
		n = 0;
	} else if (spool_lanes_read(dir_fd, &lanes)) {
		lanes = NULL;
	}
	news_post(SPOOL_LANES, 0, NULL, lanes, true);
	for (size_t i = 0; i < n; i++) {
		if (i < records_max) {
			record_load(dir_fd, numbers[i]);
			continue;
		}
		spool_record_remove(dir_fd, numbers[i]);
		stats_add(COUNT_DROPPED, 1);
	}
	free(numbers);
	news_post(SPOOL_LOADED, 0, NULL, NULL, dir_fd >= 0);
	return dir_fd;
}

static void sync_later(uint64_t number)
{
	size_t i = (unsynced_first + unsynced_n) % SYNC_MAX;

	if (unsynced_n == SYNC_MAX)
		return;
	unsynced[i].number = number;
	unsynced[i].due_ms = clock_boot_ms() + SYNC_AFTER_MS;
	unsynced_n++;
}

/* Syncs one that is due and still there. How long to wait until the next, -1 when there is none. */
static int sync_some(int dir_fd)
{
	int rc = 0;

	while (unsynced_n && !rc) {
		uint64_t now_ms = clock_boot_ms(), due_ms = unsynced[unsynced_first].due_ms;

		if (due_ms > now_ms)
			return (int)(due_ms - now_ms);
		rc = spool_record_sync(dir_fd, unsynced[unsynced_first].number);
		unsynced_first = (unsynced_first + 1) % SYNC_MAX;
		unsynced_n--;
	}
	if (rc > 0 && !unsynced_n)
		fsync(dir_fd); /* their names, all at once */
	return unsynced_n ? SYNC_EVERY_MS : -1;
}

/* The record is told first, and then whoever waits for that is woken. */
static void put_answer(const struct job *job, bool ok)
{
	if (!ok)
		stats_add(COUNT_UNSPOOLED, 1);
	atomic_store(&job->record->spooled, ok ? SPOOL_WRITTEN : SPOOL_NONE);
	news_post(SPOOL_PUT, job->number, NULL, NULL, ok);
}

static void job_do(int dir_fd, const struct job *job)
{
	static bool failing;
	int rc = 0;

	switch (job->kind) {
	case JOB_PUT:
		rc = spool_record_write(dir_fd, job->number, job->record->json, job->record->json_len);
		if (!rc)
			sync_later(job->number);
		put_answer(job, !rc);
		break;
	case JOB_REMOVE:
		rc = spool_record_remove(dir_fd, job->number);
		rc = rc == -ENOENT ? 0 : rc;
		break;
	case JOB_LANES:
		rc = spool_lanes_write(dir_fd, job->text);
		break;
	}
	if (rc && !failing)
		tell_log("%s cannot be written: %s; alerts are not kept over a restart", folder, strerror(-rc));
	failing = rc;
}

static void job_free(struct job *job)
{
	alert_record_unref(job->record);
	free(job->text);
	free(job);
}

static void *spool_thread(void *unused)
{
	struct pollfd pfd = { .fd = box.fd, .events = POLLIN };
	int dir_fd = folder_load();

	for (;;) {
		struct job *job = (struct job *)mailbox_take(&box);

		if (!job) {
			atomic_store(&busy, false);
			poll(&pfd, 1, dir_fd < 0 ? -1 : sync_some(dir_fd));
			atomic_store(&busy, true);
			continue;
		}
		if (dir_fd >= 0) {
			job_do(dir_fd, job);
		} else if (job->kind == JOB_PUT) {
			put_answer(job, false);
		}
		job_free(job);
	}
	return NULL;
}

int spool_start(const char *dir, uint64_t max_records, struct mailbox *news)
{
	pthread_t thread;
	int rc = mailbox_open(&box, JOBS_MAX, JOBS_BYTES_MAX);

	if (rc)
		return rc;
	folder = strdup(dir);
	records_max = max_records;
	news_box = news;
	return folder ? -pthread_create(&thread, NULL, spool_thread, NULL) : -ENOMEM;
}

static bool job_post(enum job_kind kind, uint64_t number, struct alert_record *record, const char *text)
{
	struct job *job = folder ? calloc(1, sizeof(*job)) : NULL;

	if (!job)
		return false;
	job->kind = kind;
	job->number = number;
	job->record = record ? alert_record_ref(record) : NULL;
	job->text = text ? strdup(text) : NULL;
	job->mail.bytes = sizeof(*job) + (record ? 2 * record->json_len : 0) + (text ? strlen(text) : 0);
	if ((!text || job->text) && !mailbox_post(&box, &job->mail))
		return true;
	job_free(job);
	return false;
}

bool spool_put(uint64_t number, struct alert_record *record)
{
	return job_post(JOB_PUT, number, record, NULL);
}

bool spool_remove(uint64_t number)
{
	return job_post(JOB_REMOVE, number, NULL, NULL);
}

bool spool_lanes(const char *text)
{
	return job_post(JOB_LANES, 0, NULL, text);
}

void spool_flush(uint64_t timeout_ms)
{
	uint64_t end_ms = clock_boot_ms() + timeout_ms;

	while (folder && (mailbox_count(&box) || atomic_load(&busy)) && clock_boot_ms() < end_ms)
		poll(NULL, 0, 5);
}
