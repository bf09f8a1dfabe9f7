/* What hamon-alert counts. */
#include "hamon/alert/stats.h"
#include "hamon/alert/tell.h"
#include "hamon/common/json.h"

static atomic_ullong counts[ALERT_COUNTS];
static atomic_int changed;

static const char *const names[ALERT_COUNTS] = {
	[COUNT_RECEIVED] = "received", [COUNT_BAD] = "bad", [COUNT_DROPPED] = "dropped",
	[COUNT_JOURNALED] = "journaled", [COUNT_JOURNAL_DROPPED] = "journal_dropped",
	[COUNT_DELIVERED] = "delivered", [COUNT_FAILED] = "failed", [COUNT_TIMEOUTS] = "timeouts",
	[COUNT_GIVEN_UP] = "given_up", [COUNT_REDELIVERED] = "redelivered", [COUNT_UNSPOOLED] = "unspooled",
	[COUNT_AGENTS] = "agents", [COUNT_SKIPPED] = "skipped", [COUNT_QUEUED] = "queued",
};

void stats_add(enum alert_count count, uint64_t n)
{
	atomic_fetch_add(&counts[count], n);
	atomic_store(&changed, 1);
}

void stats_set(enum alert_count count, uint64_t n)
{
	if (atomic_exchange(&counts[count], n) != n)
		atomic_store(&changed, 1);
}

uint64_t stats_get(enum alert_count count)
{
	return atomic_load(&counts[count]);
}

int stats_changed(void)
{
	return atomic_load(&changed);
}

struct json_object *stats_object(void)
{
	struct json_object *obj = json_object_new_object();

	atomic_store(&changed, 0);
	json_put_string(obj, "type", "stats");
	for (int i = 0; i < ALERT_COUNTS; i++)
		json_put_u64(obj, names[i], stats_get((enum alert_count)i));
	json_put_u64(obj, "log_dropped", tell_dropped());
	return obj;
}
