/*
 * Starting what the core gives to this host: the storage proof of this host itself, freshly; then define, start and verify
 * through the control plane's helper. By Nova as many at a time as it bears (pace.h), in the order in which the core gave them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/faultpoint.h"
#include "hamon/daemon/trace.h"

#define CHECK_DEADLINE_MS 8000
#define GRACE_MS 10000
#define WORDS_SIZE 210
#define REPEATS_MAX 3
#define DEFINITION_WAIT_MS 10000 /* the store tells it within milliseconds of its facts, another host within some five seconds */

struct start_op {
	struct start_op *next;
	struct daemon *d;
	uint64_t op;
	uint64_t generation;
	char uuid[CORE_UUID_SIZE];
	char name[CORE_NAME_SIZE];
	char label[CORE_LABEL_SIZE];
	char def_hash[CORE_HASH_SIZE];
	bool home;        /* its own disks: local ones are fine here */
	bool accept_loss;
	bool dropped;     /* its term is over */
	bool answered;
	bool started;     /* the second helper is at work */
	unsigned int repeated; /* as often its helper died */
	bool stopped;     /* by hand, before it was verified; or as it was to be */
	bool deleted;     /* says the control plane */
	bool excluded;    /* not among those that [nova] select takes */
	bool by_hand;     /* a person asked for it */
	bool wish_stopped; /* Nova moves it, and it is to stay off */
	bool undefined;   /* its definition is on its way here; nothing is under way for it */
	bool waits;       /* until Nova is asked for one more; nothing is under way for it */
	bool paced;       /* one of those that Nova is asked for */
	bool trouble;     /* it failed, and Nova is why */
	struct json_object *disks; /* what storage is asked about it, NULL at home */
	uint64_t began_ms;
	char verdict[16];
};

static void op_unlink(struct start_op *op)
{
	for (struct start_op **at = &op->d->starts; *at; at = &(*at)->next)
		if (*at == op) {
			*at = op->next;
			break;
		}
}

static void op_free(struct start_op *op)
{
	op_unlink(op);
	json_object_put(op->disks);
	free(op);
}

static uint32_t width_max(const struct daemon *d)
{
	return (uint32_t)d->config->evacuation.parallel_starts;
}

static void op_paced_end(struct start_op *op, enum pace_end end)
{
	if (op->paced)
		pace_end(&op->d->pace, end, width_max(op->d), clock_boot_ms());
	op->paced = false;
}

static void op_answer(struct start_op *op, bool ok, const char *detail)
{
	struct core_event event = { .type = EV_START_RESULT };

	if (op->answered)
		return;
	op->answered = true;
	op_paced_end(op, ok ? PACE_STARTED : op->trouble && !op->dropped ? PACE_FAILED : PACE_ITS_OWN);
	if (op->dropped)
		return;
	fault_point("started", op->name);
	event.start.op = op->op;
	event.start.ok = ok;
	event.start.stopped = op->stopped;
	event.start.deleted = !ok && op->deleted;
	event.start.excluded = !ok && op->excluded;
	snprintf(event.start.detail, sizeof(event.start.detail), "%s", detail);
	daemon_defer(op->d, &event);
}

/* What may be wrong with the next server as well. */
static bool is_trouble(const char *error_class)
{
	static const char *const classes[] = { "api", "auth", "timeout", "no-valid-host" };

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (!strcmp(error_class, classes[i]))
			return true;
	return false;
}

/* What Cinder says about the volumes of a server that Nova has moved. */
static void volumes_add(struct start_op *op, struct json_object *obj, char *detail, size_t size)
{
	const char *problem = json_string_or(obj, "volumes_problem", NULL);
	size_t len = strlen(detail);

	if (problem)
		daemon_note(op->d, "volumes", NOTE_WARNING, "%s runs, and its volumes are not as they should be: %.250s", op->label,
			    problem);
	else if (json_u64_or(obj, "volumes", 0))
		snprintf(detail + len, size - len, "; Cinder has attached its volumes here (%llu)",
			 (unsigned long long)json_u64_or(obj, "volumes", 0));
}

/* Whole in this host's log; in the record what has room beside the instance's name. */
static void failure_take(struct start_op *op, const char *error_class, const char *error)
{
	char detail[CORE_TEXT_SIZE], words[WORDS_SIZE];

	if (!op->dropped)
		daemon_log(op->d, "%s did not start here: %s: %s", op->label, error_class, error);
	words_fit(words, sizeof(words), error);
	snprintf(detail, sizeof(detail), "%.40s: %s", error_class, words);
	op_answer(op, false, detail);
}

static void line_take(struct start_op *op, struct json_object *obj)
{
	const char *type = json_string_or(obj, "type", "");
	char detail[CORE_TEXT_SIZE];

	trace_add("start", "%s %s %llu", op->name, json_string_or(obj, "phase", type),
		  (unsigned long long)json_u64_or(obj, "connecting_ms", 0));
	if (!strcmp(type, "progress")) {
		const char *phase = json_string_or(obj, "phase", "");

		if (!op->dropped && !strcmp(phase, "started")) {
			struct core_event event = { .type = EV_START_BEGUN, .start.op = op->op };

			fault_point("begun", op->name);
			daemon_defer(op->d, &event);
			op_paced_end(op, PACE_STARTED);
		}
		if (op->paced && !strcmp(phase, "begun"))
			pace_works(&op->d->pace);
		if (!op->dropped && !strcmp(phase, "reserved-enabled"))
			daemon_note(op->d, "reserved-host", NOTE_NOTICE, "This host was reserved, and is needed for %s: its nova-compute "
				    "is enabled", op->label);
		if (!op->dropped && !strcmp(phase, "lock-wait"))
			daemon_log(op->d, "%s: waits for the image's lock: %s", op->label,
				   json_string_or(obj, "detail", ""));
		if (!strcmp(phase, "not-unlocked")) {
			daemon_log(op->d, "%s: its lock is still there: %s", op->label, json_string_or(obj, "detail", ""));
			nova_look_soon(op->d);
		}
		if (!op->dropped && !strcmp(phase, "api-wait")) {
			pace_slow(&op->d->pace, clock_boot_ms());
			daemon_log(op->d, "%s: waits for the cloud: %s", op->label, json_string_or(obj, "detail", ""));
		}
		return;
	}
	if (strcmp(type, "result"))
		return;
	if (json_bool_or(obj, "stopped_by_hand", false)) {
		op->stopped = true;
		op_answer(op, true, "it had started, and was stopped by hand while that was verified");
		return;
	}
	if (json_bool_or(obj, "ok", false)) {
		op->stopped = op->wish_stopped;
		snprintf(detail, sizeof(detail), "verified, %llu ms after it was given to this host",
			 (unsigned long long)(clock_boot_ms() - op->began_ms));
		volumes_add(op, obj, detail, sizeof(detail));
		op_answer(op, true, detail);
		return;
	}
	op->deleted = !strcmp(json_string_or(obj, "error_class", ""), "deleted");
	op->trouble = is_trouble(json_string_or(obj, "error_class", ""));
	op->excluded = !strcmp(json_string_or(obj, "error_class", ""), "not-selected");
	failure_take(op, json_string_or(obj, "error_class", "failed"), json_string_or(obj, "error", "no reason given"));
}

static void waiting_begin(struct daemon *d);

static void start_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	struct start_op *op = user;

	line_take(op, obj);
	waiting_begin(op->d);
}

static bool start_run(struct start_op *op);

/*
 * A helper that crashed, or was killed by somebody else, has left a start half done, or a guest that runs and nobody has verified. The
 * next one looks at what is there and goes on from it; to give the instance away would end such a guest. A few times: what kills a helper
 * may be the instance.
 */
static bool start_repeat(struct start_op *op, enum helper_end end)
{
	if (end != HELPER_SIGNALED || op->answered || op->dropped || op->repeated == REPEATS_MAX || op->d->ending)
		return false;
	op->repeated++;
	daemon_log(op->d, "%s: the start helper died; another one goes on", op->label);
	return start_run(op);
}

static void start_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct start_op *op = user;
	struct daemon *d = op->d;

	if (start_repeat(op, end))
		return;

	op->trouble = end == HELPER_DEADLINE;
	op_answer(op, false, end == HELPER_DEADLINE ?
		  nova_is_plane(op->d) ? "timeout: Nova did not finish the start in time" :
		  "timeout: libvirt did not finish the start in time" : "the start helper died");
	op_free(op);
	waiting_begin(d);
}

/* False when it has been answered already: there is no helper. */
static bool start_run(struct start_op *op)
{
	const struct hamon_config *config = op->d->config;
	const char *xml = def_find(op->d, op->def_hash);
	struct json_object *input;
	char id[24];

	if (!xml && !nova_is_plane(op->d)) {
		op_answer(op, false, "definition: this host has not got it yet");
		return false;
	}
	input = json_object_new_object();
	snprintf(id, sizeof(id), "%llu", (unsigned long long)op->op);
	json_put_string(input, "op", id);
	json_put_string(input, "uri", config->cluster.libvirt_uri);
	json_put_string(input, "uuid", op->uuid);
	json_put_string(input, "name", op->name);
	json_put_u64(input, "generation", op->generation);
	if (!nova_is_plane(op->d)) /* Nova makes the definition */
		json_put_string(input, "xml", xml);
	nova_request_add(op->d, input);
	if (op->wish_stopped)
		json_put_string(input, "wish", "stopped");
	if (op->by_hand)
		json_put_bool(input, "by_hand", true);
	json_put_u64(input, "start_timeout_ms", config->evacuation.start_timeout_ms);
	json_put_u64(input, "verify_ms", config->evacuation.verify_ms);
	json_put_u64(input, "lock_retry_ms", config->evacuation.lock_patience_ms);
	op->started = true;
	trace_add("start", "%s spawn", op->name);
	if (daemon_helper(op->d, "hamon-evacuate", "start", input, config->evacuation.start_timeout_ms +
			  config->evacuation.verify_ms + config->evacuation.lock_patience_ms + GRACE_MS,
			  TAG_EFFECT, start_on_line, start_on_exit, op))
		return true;
	op_answer(op, false, "hamon-evacuate cannot be started");
	return false;
}

/* --- the storage proof --- */

static bool verdict_suffices(struct start_op *op, struct json_object *obj, char *why, size_t size)
{
	const char *verdict = json_string_or(obj, "verdict", "unknown");
	const char *held = json_string_or(obj, "held", NULL);

	snprintf(op->verdict, sizeof(op->verdict), "%s", verdict);
	snprintf(why, size, "storage: %.20s, %.260s", held ? "held" : verdict,
		 held ? held : json_string_or(obj, "reason", ""));
	if (held && !op->accept_loss)
		return false;
	return !strcmp(verdict, "shared") || !strcmp(verdict, "volume") || op->accept_loss ||
		(op->home && !strcmp(verdict, "local"));
}

static void check_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	struct start_op *op = user;
	char why[CORE_TEXT_SIZE];

	trace_add("start", "%s check-%s", op->name, json_string_or(obj, "type", ""));
	if (!strcmp(json_string_or(obj, "type", ""), "result") && !json_bool_or(obj, "ok", true)) {
		snprintf(why, sizeof(why), "storage: the check failed: %.200s", json_string_or(obj, "error", "no reason given"));
		op_answer(op, false, why);
	}
	if (strcmp(json_string_or(obj, "type", ""), "verdict") || op->answered || op->started || op->dropped)
		return;
	if (!verdict_suffices(op, obj, why, sizeof(why)))
		op_answer(op, false, why);
	else
		start_run(op);
}

static void check_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct start_op *op = user;
	struct daemon *d = op->d;

	if (op->started && !op->answered)
		return; /* the second helper has it now */
	op_answer(op, false, end == HELPER_DEADLINE ?
		  "storage: the check did not end in time" : "storage: the check gave no verdict");
	op_free(op);
	waiting_begin(d);
}

/* Its turn has come. It may be over, and gone, at once. */
static void start_go(struct start_op *op)
{
	struct json_object *input, *list;
	struct daemon *d = op->d;

	/* Proven a moment ago, while the host was being fenced; at home there is nothing to prove but its own disks. */
	if (op->home || storage_is_fresh(d, op->uuid)) {
		if (!start_run(op))
			op_free(op);
		return;
	}
	input = json_object_new_object();
	list = json_object_new_array();
	json_put_string(input, "op", "start");
	json_put_string(input, "plane", nova_is_plane(d) ? "nova" : NULL);
	json_put_string(input, "self", daemon_self_name(d));
	json_put_u64(input, "probe_timeout_ms", d->config->storage.probe_timeout_ms);
	json_put_string(op->disks, "xml", def_find(d, op->def_hash));
	json_object_array_add(list, op->disks);
	op->disks = NULL;
	json_object_object_add(input, "instances", list);
	trace_add("start", "%s check", op->name);
	if (daemon_helper(d, "hamon-storage", "check", input, CHECK_DEADLINE_MS, TAG_EFFECT, check_on_line,
			  check_on_exit, op))
		return;
	op_answer(op, false, "hamon-storage cannot be started");
	op_free(op);
}

/* The core gives numbers that only grow. */
static struct start_op *waiting_first(struct daemon *d)
{
	struct start_op *first = NULL;

	for (struct start_op *op = d->starts; op; op = op->next)
		if (op->waits && (!first || op->op < first->op))
			first = op;
	return first;
}

static void waiting_begin(struct daemon *d)
{
	struct start_op *op;

	while ((op = waiting_first(d)) && pace_room(&d->pace, width_max(d), clock_boot_ms())) {
		pace_begin(&d->pace, clock_boot_ms());
		op->waits = false;
		op->paced = true;
		start_go(op);
	}
}

/* What the storage check and libvirt need: this hamond has just begun, or has heard of the instance before its definition. */
static bool definition_is_missing(const struct start_op *op)
{
	return op->def_hash[0] && !(op->home && nova_is_plane(op->d)) && !def_find(op->d, op->def_hash);
}

/* It may be over, and gone, at once. */
static void start_defined(struct start_op *op)
{
	op->undefined = false;
	if (definition_is_missing(op)) {
		op_answer(op, false, "definition: this host has not got it yet");
		op_free(op);
	} else if (nova_is_plane(op->d)) {
		op->waits = true;
	} else {
		start_go(op);
	}
}

void starts_tick(struct daemon *d)
{
	struct start_op *next;

	for (struct start_op *op = d->starts; op; op = next) {
		next = op->next;
		if (op->undefined && (!definition_is_missing(op) || clock_boot_ms() >= op->began_ms + DEFINITION_WAIT_MS))
			start_defined(op);
	}
	waiting_begin(d);
}

void start_begin(struct daemon *d, const struct core_action *act)
{
	struct start_op *op = calloc(1, sizeof(*op));
	struct core_event event = { .type = EV_START_RESULT };
	struct core_instance_view view = { .spec = act->instance.spec, .place = act->instance.place };
	char label[CORE_LABEL_SIZE];

	fault_point("start", act->instance.spec->name);
	if (!op) {
		event.start.op = act->instance.op;
		daemon_defer(d, &event);
		return;
	}
	op->d = d;
	op->op = act->instance.op;
	op->generation = act->instance.place->generation;
	op->home = act->instance.place->home == d->settings.self;
	op->accept_loss = act->instance.place->accept_loss;
	op->by_hand = act->instance.place->by_hand;
	op->wish_stopped = nova_is_plane(d) && act->instance.place->wish == WISH_STOPPED;
	op->began_ms = clock_boot_ms();
	memcpy(op->uuid, act->instance.spec->uuid, sizeof(op->uuid));
	memcpy(op->name, act->instance.spec->name, sizeof(op->name));
	snprintf(op->label, sizeof(op->label), "%s", spec_label(act->instance.spec, label));
	memcpy(op->def_hash, act->instance.spec->def_hash, sizeof(op->def_hash));
	if (!op->home)
		op->disks = storage_instance_request(d, &view);
	op->next = d->starts;
	d->starts = op;
	op->undefined = definition_is_missing(op);
	if (!op->undefined)
		start_defined(op);
	waiting_begin(d);
}

void starts_drop(struct daemon *d)
{
	struct start_op *next;

	for (struct start_op *op = d->starts; op; op = next) {
		next = op->next;
		op->dropped = true;
		if (op->waits || op->undefined)
			op_free(op);
	}
}
