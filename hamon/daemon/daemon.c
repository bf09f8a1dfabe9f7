/* Events into the core, actions out of it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/faultpoint.h"
#include "hamon/daemon/trace.h"
#include "hamon/wire.h"

#define SPARES_MAX 4 /* of one program */

void daemon_log(struct daemon *d, const char *format, ...)
{
	char wall[CLOCK_WALL_SIZE], line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	clock_wall_text(wall, sizeof(wall));
	fprintf(stderr, "%s hamond: %s\n", wall, line);
}

const char *daemon_host_name(struct daemon *d, uint32_t nodeid)
{
	const struct cluster_node *node = d->cluster_known ?
		cluster_node_by_id(&d->cluster, nodeid) : NULL;

	return node ? node->name : "?";
}

const char *daemon_self_name(struct daemon *d)
{
	return daemon_host_name(d, d->settings.self);
}

/* TERM.RECORD.NOTE, the same on all hosts; of this host alone 0.HOST.BOOT.TIME.NUMBER. */
static void note_id(struct daemon *d, const struct note *note, char id[WIRE_NOTE_ID_SIZE])
{
	if (note->term)
		wire_note_id(note->term, note->seq, note->n, id);
	else
		snprintf(id, WIRE_NOTE_ID_SIZE, "0.%.40s.%.8s.%llu.%llu", daemon_self_name(d), d->settings.boot_id,
			 (unsigned long long)note->at_ms, (unsigned long long)++d->local_notes);
}

static void note_deliver(struct daemon *d, const struct note *note)
{
	char wall[CLOCK_WALL_SIZE], id[WIRE_NOTE_ID_SIZE];
	struct json_object *row;

	clock_wall_text(wall, sizeof(wall));
	note_id(d, note, id);
	row = wire_note_encode(note, id, wall);
	daemon_log(d, "%s: %s", note->kind, note->text);
	if (!strcmp(note->kind, "coordinator"))
		alert_catch_up(d);
	alert_record(d, row);
	json_object_put(row);
}

void daemon_note(struct daemon *d, const char *kind, enum note_severity severity, const char *format, ...)
{
	struct note note = { .kind = kind, .severity = severity, .at_ms = clock_boot_ms() };
	char wall[CLOCK_WALL_SIZE], id[WIRE_NOTE_ID_SIZE];
	struct json_object *row;
	va_list args;

	va_start(args, format);
	vsnprintf(note.text, sizeof(note.text), format, args);
	va_end(args);
	snprintf(note.host, sizeof(note.host), "%s", daemon_self_name(d));
	clock_wall_text(wall, sizeof(wall));
	note_id(d, &note, id);
	row = wire_note_encode(&note, id, wall);
	daemon_log(d, "%s: %s", kind, note.text);
	alert_record(d, row);
	store_note(d, row);
	json_object_put(row);
}

void daemon_on_stderr(void *user, struct helper *helper, const char *line)
{
	struct daemon *d = user;

	daemon_log(d, "[%d] %s", (int)helper_pid(helper), line);
}

struct helper *daemon_helper(struct daemon *d, const char *program, const char *verb, struct json_object *input,
			     uint64_t deadline_ms, unsigned int tag,
			     void (*on_line)(void *user, struct helper *helper, struct json_object *obj),
			     void (*on_exit)(void *user, struct helper *helper, int status, enum helper_end end),
			     void *user)
{
	char path[512];
	const char *argv[] = { program, verb, NULL };
	struct helper_spec spec = {
		.path = path, .argv = argv, .deadline_ms = deadline_ms, .tag = tag, .on_line = on_line,
		.on_stderr = daemon_on_stderr, .on_exit = on_exit, .user = user,
	};
	struct helper *helper;

	snprintf(path, sizeof(path), "%s/%s", d->libexec, program);
	if (input)
		spec.input = json_object_to_json_string_ext(input, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE);
	helper = helper_start(d->pool, &spec);
	if (!helper)
		daemon_log(d, "%s %s cannot be started: %m", path, verb ? verb : "");
	json_object_put(input);
	return helper;
}

/* What a recovery starts first stands ready: the fence helper, and as many start helpers as may run at a time. */
void daemon_spares(struct daemon *d)
{
	const struct {
		const char *program, *verb;
		uint64_t n;
	} kinds[] = {
		{ "hamon-evacuate", "start", d->config->evacuation.parallel_starts },
		{ "hamon-fence", "off", d->config->devices_count ? 1 : 0 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const char *argv[] = { kinds[i].program, kinds[i].verb, NULL };
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", d->libexec, kinds[i].program);
		helper_pool_spares(d->pool, path, argv,
				   (unsigned int)(kinds[i].n < SPARES_MAX ? kinds[i].n : SPARES_MAX));
	}
}

/* --- actions --- */

static void message_send(struct daemon *d, const struct core_message *msg)
{
	char *text = wire_message_encode(msg);
	int rc;

	fault_notes("send", msg->n_notes, msg->notes);
	rc = text ? group_send(d->group, text, strlen(text)) : -1;
	fault_notes("sent", msg->n_notes, msg->notes);
	trace_add("sent", "%s", message_type_name(msg->type));
	if (rc)
		daemon_log(d, "A %s message could not be sent: %s", message_type_name(msg->type),
			   strerror(-rc));
	free(text);
}

static void helpers_end(struct daemon *d)
{
	starts_drop(d);
	fences_drop(d);
	helper_pool_kill_all(d->pool, TAG_EFFECT);
}

static void action_take(struct daemon *d, const struct core_action *act)
{
	switch (act->type) {
	case ACT_SEND:
		message_send(d, act->send);
		break;
	case ACT_PERSIST:
		store_persist(d, act);
		break;
	case ACT_FENCE:
		fence_begin(d, act);
		break;
	case ACT_START:
		start_begin(d, act);
		break;
	case ACT_INSPECT:
		inspect_begin(d, act);
		break;
	case ACT_STOP:
		stop_begin(d, act);
		break;
	case ACT_TIDY:
		tidy_begin(d, act);
		break;
	case ACT_END_HELPERS:
		helpers_end(d);
		break;
	case ACT_GATE_REPLY:
		verb_gate_reply(d, act);
		break;
	case ACT_REPLY:
		verb_reply(d, act);
		break;
	case ACT_NOTE:
		note_deliver(d, act->note);
		break;
	}
}

static void tick(void *user);

static void tick_arm(struct daemon *d)
{
	uint64_t at_ms = core_deadline(d->core), now_ms = clock_boot_ms();

	if (d->tick_at_ms == at_ms && d->tick_timer)
		return;
	if (d->tick_timer)
		qb_loop_timer_del(d->loop, d->tick_timer);
	d->tick_timer = 0;
	d->tick_at_ms = at_ms;
	qb_loop_timer_add(d->loop, QB_LOOP_HIGH, (at_ms > now_ms ? at_ms - now_ms : 0) * QB_TIME_NS_IN_MSEC,
			  d, tick, &d->tick_timer);
}

static void step(struct daemon *d, const struct core_event *event)
{
	const struct core_action *acts;
	uint64_t now_ms = clock_boot_ms();
	uint64_t began_us = trace_is_on() ? trace_now_us() : 0, decided_us;
	size_t n = core_step(d->core, now_ms, event, &acts);

	decided_us = trace_is_on() ? trace_now_us() : 0;
	for (size_t i = 0; i < n; i++)
		action_take(d, &acts[i]);
	if (trace_is_on())
		trace_add("step", "%d core=%" PRIu64 " actions=%" PRIu64 " n=%zu", event->type, decided_us - began_us,
			  trace_now_us() - decided_us, n);
}

void daemon_event(struct daemon *d, const struct core_event *event)
{
	if (d->stepping) {
		daemon_defer(d, event);
		return;
	}
	d->stepping = true;
	step(d, event);
	for (size_t i = 0; i < d->n_deferred; i++) {
		struct core_event next = d->deferred[i];

		step(d, &next);
	}
	d->n_deferred = 0;
	d->stepping = false;
	storage_step(d);
	tick_arm(d);
}

void daemon_defer(struct daemon *d, const struct core_event *event)
{
	if (!d->stepping) {
		daemon_event(d, event);
		return;
	}
	if (d->n_deferred < DEFERRED_MAX)
		d->deferred[d->n_deferred++] = *event;
	else
		daemon_log(d, "An event of type %d is lost: too many at once", event->type);
}

static void tick(void *user)
{
	struct daemon *d = user;
	struct core_event event = { .type = EV_TICK };

	d->tick_timer = 0;
	daemon_event(d, &event);
}

/* --- configuration --- */

void daemon_settings_take(struct daemon *d)
{
	const struct hamon_config *config = d->config;
	struct core_settings *s = &d->settings;

	s->start_grace_ms = config->cluster.start_grace_ms;
	s->failure_window_ms = config->cluster.failure_window_ms;
	s->max_failed_hosts = (uint32_t)config->cluster.max_failed_hosts;
	s->max_failed_share_percent = (uint32_t)config->cluster.max_failed_share;
	s->beat_ms = config->cluster.beat_ms;
	s->coordinator_timeout_ms = config->cluster.coordinator_timeout_ms;
	s->tilt_ms = config->cluster.tilt_ms;
	s->parallel_starts = (uint32_t)config->evacuation.parallel_starts;
	s->attempts = (uint32_t)config->evacuation.attempts;
	s->retry_delay_ms = config->evacuation.retry_delay_ms;
	s->fence_backoff_ms = config->fencing.retry_backoff_ms;
	s->fence_backoff_max_ms = config->fencing.retry_backoff_max_ms;
	s->move_stopped = s->hand_over = nova_is_plane(d);
	s->late_effect_ms = 10000;
	s->recovery_method = (enum recovery_method)config->evacuation.recovery_method;
	for (size_t i = 0; i < config->devices_count; i++)
		if (config->devices[i].timeout_ms > s->late_effect_ms)
			s->late_effect_ms = config->devices[i].timeout_ms;
}

/* The core's hosts: corosync's node list, with what hamon.conf says of each. */
void daemon_hosts_configure(struct daemon *d)
{
	struct core_host_config hosts[CORE_HOSTS_MAX];
	struct core_event event = { .type = EV_CONFIG };
	size_t n = 0;

	if (!d->cluster_known || !d->core)
		return;
	for (size_t i = 0; i < d->cluster.n_nodes && n < CORE_HOSTS_MAX; i++) {
		const struct cluster_node *node = &d->cluster.nodes[i];
		const struct config_host *host = config_host_find(d->config, node->name);

		memset(&hosts[n], 0, sizeof(hosts[n]));
		hosts[n].nodeid = node->nodeid;
		hosts[n].votes = node->votes;
		snprintf(hosts[n].name, sizeof(hosts[n].name), "%s", node->name);
		hosts[n].fence_levels = fence_levels(d, node->name);
		hosts[n].fence_delay_ms = host ? config_fence_delay_ms(d->config, host, d->cluster.two_node) : 0;
		hosts[n].priority = host ? (int32_t)host->priority : 0;
		hosts[n].reserved = host && host->reserved;
		n++;
	}
	event.config.n = n;
	event.config.hosts = hosts;
	event.config.two_node = d->cluster.two_node;
	daemon_event(d, &event);
}
