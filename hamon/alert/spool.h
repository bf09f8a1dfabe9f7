/*
 * Records on disk until they are delivered, in a thread of its own: the disk may hang. A file for each record, named
 * by its number; beside them lanes.json, which says how far each agent has got.
 *
 * A file is there before its agents are run and survives the end of this process, hamond and a restart of both. It is
 * not synced at once, which would take turns with the store's commits on the same disk in the middle of a recovery:
 * what is still undelivered a second later is, slowly. After a power cut within that second the record is still in the
 * history of the other hosts.
 */
#ifndef HAMON_ALERT_SPOOL_H
#define HAMON_ALERT_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "hamon/alert/mailbox.h"
#include "hamon/alert/record.h"

enum spool_event {
	SPOOL_LANES,  /* first: text is what lanes.json holds, NULL when there is none */
	SPOOL_RECORD, /* for each record found, oldest first */
	SPOOL_LOADED, /* that was all; ok: there is a spool */
	SPOOL_PUT,    /* the answer to spool_put */
};

/* What is posted to the mailbox given to spool_start; free with spool_news_free. */
struct spool_news {
	struct mail mail;
	enum spool_event event;
	uint64_t number;
	struct alert_record *record;
	char *text;
	bool ok;
};

void spool_news_free(struct spool_news *news);

/*
 * Opens (or makes) the folder, waits until no other process has it, and reads what is there, at most max_records.
 * 0 or -errno; everything else is told by news.
 */
int spool_start(const char *dir, uint64_t max_records, struct mailbox *news);

/* These never wait and are done in their order. False: the disk is so far behind that nothing more is taken. */
bool spool_put(uint64_t number, struct alert_record *record);
bool spool_remove(uint64_t number);
bool spool_lanes(const char *text);

/* Waits until everything was done, at most timeout_ms. */
void spool_flush(uint64_t timeout_ms);

#endif
