/* Records go to hamon-alert, which writes the journal and runs the alert agents; the store keeps them for `events`. */
#include <stdio.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

/* A coordinator that is lost has long been noticed by then. */
#define CATCH_UP_MS 30000

static void alert_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct daemon *d = user;

	d->alert = NULL;
}

void alert_configure(struct daemon *d)
{
	struct json_object *obj = json_object_new_object(), *agents = json_object_new_array();
	char spool[512];

	for (size_t i = 0; i < d->config->alerts.agents_count; i++) {
		struct json_object *agent = json_object_new_object();

		json_put_string(agent, "path", d->config->alerts.agents[i].path);
		json_put_string(agent, "recipient", d->config->alerts.agents[i].recipient);
		json_object_array_add(agents, agent);
	}
	snprintf(spool, sizeof(spool), "%s/alerts", d->config->store.path);
	json_put_string(obj, "type", "config");
	json_put_string(obj, "dir", d->config->alerts.directory);
	json_object_object_add(obj, "agents", agents);
	json_put_u64(obj, "timeout_ms", d->config->alerts.timeout_ms);
	json_put_string(obj, "spool", spool);
	json_put_u64(obj, "parallel", 4);
	json_put_string(obj, "node", daemon_self_name(d));
	json_put_u64(obj, "nodeid", d->settings.self);
	json_put_string(obj, "cluster", d->cluster.name);
	if (d->alert)
		(void)helper_send_json(d->alert, obj);
	json_object_put(obj);
}

void alert_start(struct daemon *d)
{
	char path[512];
	const char *argv[] = { "hamon-alert", NULL };
	struct helper_spec spec = {
		.path = path, .argv = argv, .keep_stdin = true, .tag = TAG_ALERT,
		.on_stderr = daemon_on_stderr, .on_exit = alert_on_exit, .user = d,
	};

	if (d->alert || d->ending)
		return;
	snprintf(path, sizeof(path), "%s/hamon-alert", d->libexec);
	d->alert = helper_start(d->pool, &spec);
	if (!d->alert)
		daemon_log(d, "%s cannot be started: %m", path);
	else
		alert_configure(d);
}

static void record_send(struct daemon *d, struct json_object *row, bool repeated)
{
	struct json_object *copy = NULL;

	d->alerts_last++;
	if (!d->alert || json_object_deep_copy(row, &copy, NULL))
		return;
	if (repeated)
		json_put_bool(copy, "repeated", true);
	json_put_u64(copy, "seq", d->alerts_last);
	json_put_string(copy, "type", "record");
	(void)helper_send_json(d->alert, copy);
	json_object_put(copy);
}

void alert_record(struct daemon *d, struct json_object *row)
{
	record_send(d, row, false);
}

void alert_remember(struct daemon *d, struct json_object *row)
{
	struct heard_record *entry = &d->heard[d->next_heard++ % HEARD_MAX];

	json_object_put(entry->row);
	entry->row = json_object_get(row);
	entry->at_ms = clock_boot_ms();
}

void alert_catch_up(struct daemon *d)
{
	uint64_t now_ms = clock_boot_ms();

	for (size_t i = 0; i < HEARD_MAX; i++) {
		struct heard_record *entry = &d->heard[(d->next_heard + i) % HEARD_MAX];

		if (entry->row && now_ms < entry->at_ms + CATCH_UP_MS)
			record_send(d, entry->row, true);
		json_object_put(entry->row);
		entry->row = NULL;
	}
}
