/*
 * The thread that hands records to the agents. It owns the queue and the lanes; what it hears comes by mail: records
 * and configurations from the reader, news from the spool.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hamon/alert/dispatch.h"
#include "hamon/alert/dispatch_internal.h"
#include "hamon/alert/stats.h"
#include "hamon/alert/tell.h"
#include "hamon/common/clock.h"

#define INBOX_MAX 20000
#define INBOX_BYTES_MAX (32u << 20)
#define NEWS_MAX 200000
#define NEWS_BYTES_MAX (64u << 20)
#define LANES_EVERY_MS 500
#define GOODBYE_MS 1000 /* for killed agents to be gone, and for the last words */

enum letter_kind { LETTER_CONFIG, LETTER_RECORD, LETTER_END };

struct letter {
	struct mail mail;
	enum letter_kind kind;
	struct alert_config *config;
	struct alert_record *record;
};

static struct mailbox inbox;
static struct dispatch dispatch;
static sem_t ended;
static uint64_t grace_ms = 3000; /* the reader's copy */

static void record_take(struct dispatch *d, struct alert_record *record)
{
	uint32_t mask;
	struct alert_item *item, *evicted;

	if (!d->config || record->severity < d->config->severity)
		return;
	dispatch_lanes_look(d);
	mask = alert_lanes_mask(&d->lanes);
	if (!mask)
		return;
	item = alert_queue_add(&d->queue, record, mask, 0, clock_wall_us(), clock_boot_ms(), &evicted);
	if (evicted) {
		dispatch_item_drop(d, evicted);
		stats_add(COUNT_DROPPED, 1);
	}
	if (!item) {
		stats_add(COUNT_DROPPED, 1);
		return;
	}
	if (!*d->config->spool)
		return;
	atomic_store(&record->spooled, SPOOL_WANTED); /* before the spool can say otherwise */
	if (spool_put(item->number, record))
		return;
	atomic_store(&record->spooled, SPOOL_NONE);
	stats_add(COUNT_UNSPOOLED, 1);
}

static void config_take(struct dispatch *d, struct alert_config *config)
{
	bool first = !d->config;

	if (!first && strcmp(d->config->spool, config->spool))
		tell_log("the spool stays %s until hamon-alert is started again", d->config->spool);
	alert_config_free(d->config);
	d->config = config;
	if (first)
		alert_queue_init(&d->queue, config->max_records, config->max_bytes);
	d->queue.max_records = config->max_records;
	d->queue.max_bytes = config->max_bytes;
	d->looked_ms = 0;
	dispatch_lanes_look(d);
	if (!first || !*config->spool)
		return;
	d->loading = !spool_start(config->spool, config->max_records, &d->news);
	d->loading_ms = clock_boot_ms();
}

static void letters_take(struct dispatch *d)
{
	struct letter *letter;

	while ((letter = (struct letter *)mailbox_take(&inbox))) {
		if (letter->kind == LETTER_CONFIG)
			config_take(d, letter->config);
		else if (letter->kind == LETTER_RECORD)
			record_take(d, letter->record);
		else
			d->ending_ms = clock_boot_ms() + (d->config ? d->config->grace_ms : 0);
		alert_record_unref(letter->record);
		free(letter);
	}
}

/* Of a record from the spool, the agents that have not had it. */
static void found_take(struct dispatch *d, struct spool_news *news)
{
	struct alert_item *item = NULL, *evicted = NULL;
	uint32_t mask = 0;

	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++)
		if (d->lanes.lanes[i].used && news->number > d->loaded_done[i])
			mask |= 1u << i;
	if (mask)
		item = alert_queue_add(&d->queue, news->record, mask, news->number, 0, clock_boot_ms(), &evicted);
	if (evicted)
		dispatch_item_drop(d, evicted);
	stats_add(COUNT_DROPPED, !!evicted + (mask && !item));
	if (!item) {
		spool_remove(news->number);
		return;
	}
	atomic_store(&item->record->spooled, SPOOL_WRITTEN);
	stats_add(COUNT_REDELIVERED, 1);
}

static void news_take(struct dispatch *d)
{
	struct spool_news *news;

	while ((news = (struct spool_news *)mailbox_take(&d->news))) {
		switch (news->event) {
		case SPOOL_LANES:
			alert_lanes_parse(&d->lanes, news->text, d->loaded_done);
			for (unsigned int i = 0; i < ALERT_LANES_MAX; i++) /* a clock that was set back */
				if (d->loaded_done[i] != UINT64_MAX && d->loaded_done[i] > d->queue.last_number)
					d->queue.last_number = d->loaded_done[i];
			break;
		case SPOOL_RECORD:
			found_take(d, news);
			break;
		case SPOOL_LOADED:
			d->loading = false;
			d->lanes.changed = true;
			break;
		case SPOOL_PUT:
			break; /* the record itself says so; we had to be woken */
		}
		spool_news_free(news);
	}
}

/* How far each agent has got goes to the disk at most so often: what is lost with us is delivered once more. */
static void lanes_write(struct dispatch *d, bool now)
{
	uint64_t now_ms = clock_boot_ms();
	char *text;

	if (!d->lanes.changed || d->loading || (!now && now_ms < d->lanes_written_ms + LANES_EVERY_MS))
		return;
	text = alert_lanes_text(&d->lanes, &d->queue);
	if (text)
		spool_lanes(text);
	free(text);
	d->lanes.changed = false;
	d->lanes_written_ms = now_ms;
}

static void earlier(uint64_t *wake_ms, uint64_t at_ms)
{
	if (at_ms < *wake_ms)
		*wake_ms = at_ms;
}

static uint64_t wake_find(const struct dispatch *d)
{
	uint64_t wake_ms = dispatch_lanes_wake(d);

	if (d->lanes.changed && !d->loading)
		earlier(&wake_ms, d->lanes_written_ms + LANES_EVERY_MS);
	if (d->ending_ms)
		earlier(&wake_ms, d->ending_ms);
	return wake_ms;
}

static void wait_for_more(struct dispatch *d)
{
	struct pollfd fds[2 + 2 * ALERT_LANES_MAX] = {
		{ .fd = inbox.fd, .events = POLLIN }, { .fd = d->news.fd, .events = POLLIN },
	};
	uint64_t wake_ms = wake_find(d), now_ms = clock_boot_ms();
	nfds_t n = 2;

	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++) {
		const struct alert_lane *lane = &d->lanes.lanes[i];

		if (!lane->running)
			continue;
		fds[n++] = (struct pollfd){ .fd = lane->run.pid_fd, .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = lane->run.output_fd, .events = POLLIN };
	}
	poll(fds, n, wake_ms == UINT64_MAX ? -1 : wake_ms <= now_ms ? 0 :
	     wake_ms - now_ms > 60000 ? 60000 : (int)(wake_ms - now_ms));
}

static void *dispatch_thread(void *unused)
{
	struct dispatch *d = &dispatch;
	bool end = false;

	while (!end) {
		wait_for_more(d);
		news_take(d);
		letters_take(d);
		dispatch_lanes_run(d);
		lanes_write(d, false);
		stats_set(COUNT_QUEUED, d->queue.n);
		if (d->ending_ms)
			end = dispatch_lanes_idle(d) || clock_boot_ms() >= d->ending_ms;
	}
	dispatch_lanes_kill(d, GOODBYE_MS / 2);
	d->loading = false;
	lanes_write(d, true);
	sem_post(&ended);
	for (;;) /* children get a signal when this thread ends: it does not, the process does */
		pause();
	return NULL;
}

int dispatch_start(void)
{
	pthread_t thread;
	int rc = mailbox_open(&inbox, INBOX_MAX, INBOX_BYTES_MAX);

	if (!rc)
		rc = mailbox_open(&dispatch.news, NEWS_MAX, NEWS_BYTES_MAX);
	if (rc)
		return rc;
	if (sem_init(&ended, 0, 0))
		return -errno;
	alert_queue_init(&dispatch.queue, 0, 0);
	return -pthread_create(&thread, NULL, dispatch_thread, NULL);
}

static bool letter_post(enum letter_kind kind, struct alert_config *config, struct alert_record *record)
{
	struct letter *letter = calloc(1, sizeof(*letter));

	if (!letter)
		return false;
	letter->kind = kind;
	letter->config = config;
	letter->record = record ? alert_record_ref(record) : NULL;
	letter->mail.bytes = record ? sizeof(*letter) + sizeof(*record) + 2 * record->json_len : 0;
	if (!mailbox_post(&inbox, &letter->mail))
		return true;
	alert_record_unref(record);
	free(letter);
	return false;
}

bool dispatch_configure(struct alert_config *config)
{
	uint64_t configured_ms = config->grace_ms;

	if (!letter_post(LETTER_CONFIG, config, NULL))
		return false;
	grace_ms = configured_ms;
	return true;
}

void dispatch_post(struct alert_record *record)
{
	if (!letter_post(LETTER_RECORD, NULL, record))
		stats_add(COUNT_DROPPED, 1);
}

void dispatch_end(void)
{
	uint64_t wait_ms = grace_ms + GOODBYE_MS;
	struct timespec until;

	letter_post(LETTER_END, NULL, NULL);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(wait_ms / 1000);
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (sem_timedwait(&ended, &until) && errno == EINTR)
		;
}
