/*
 * One-shot operations on a domain: reading what became of a start, ending a stale QEMU, tidying up after an instance that runs
 * elsewhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#define INSPECT_DEADLINE_MS 8000
#define STOP_DEADLINE_MS 20000
#define TIDY_AGAIN_MS 10000
#define TIDY_AGAIN_MAX_MS 600000

struct domain_op {
	struct daemon *d;
	uint64_t op;
	enum event_type type;
	bool answered;
	char uuid[CORE_UUID_SIZE];
	char label[CORE_LABEL_SIZE];
	uint64_t pause_ms; /* tidying up that failed is tried again after it */
};

/* Tidying up that failed: libvirt may have been busy with that very domain, or a disk full. The core has said it once and forgets it. */
struct tidy_again {
	struct tidy_again *next;
	char uuid[CORE_UUID_SIZE];
	uint64_t at_ms;
	uint64_t pause_ms;
};

static void tidy_again_plan(struct domain_op *op, struct json_object *obj)
{
	struct tidy_again *again = calloc(1, sizeof(*again));

	daemon_log(op->d, "%s: what is left of it here could not be tidied up, and is tried again in %llu s: %s", op->label,
		   (unsigned long long)op->pause_ms / 1000, obj ? json_string_or(obj, "error", "no reason given") :
		   "the helper ended without a result");
	if (!again)
		return;
	memcpy(again->uuid, op->uuid, sizeof(again->uuid));
	again->pause_ms = op->pause_ms;
	again->at_ms = clock_boot_ms() + op->pause_ms;
	again->next = op->d->tidies;
	op->d->tidies = again;
}

static void domain_answer(struct domain_op *op, struct json_object *obj)
{
	struct core_event event = { .type = op->type };
	bool ok = obj && json_bool_or(obj, "ok", false);

	if (op->answered)
		return;
	op->answered = true;
	if (op->type == EV_INSPECT_RESULT) {
		event.inspect.op = op->op;
		event.inspect.known = ok;
		event.inspect.job = !ok || json_bool_or(obj, "job", true);
		event.inspect.qemu = !ok || json_bool_or(obj, "qemu", true);
		event.inspect.running = ok && !strcmp(json_string_or(obj, "libvirt", ""), "running");
	} else if (op->type == EV_STOP_RESULT) {
		event.stop.op = op->op;
		event.stop.gone = ok;
	} else {
		if (!ok && !op->d->ending)
			tidy_again_plan(op, obj);
		return; /* the core is told of it by the watch */
	}
	daemon_defer(op->d, &event);
}

static void domain_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	if (!strcmp(json_string_or(obj, "type", ""), "result"))
		domain_answer(user, obj);
}

static void domain_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	domain_answer(user, NULL);
	free(user);
}

static void domain_op_begin(struct daemon *d, uint64_t number, const struct spec_fact *spec, const char *verb,
			    struct json_object *input, uint64_t deadline_ms, const struct domain_op *what)
{
	struct domain_op *op = calloc(1, sizeof(*op));
	char id[24], label[CORE_LABEL_SIZE];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)number);
	json_put_string(input, "op", id);
	json_put_string(input, "uri", d->config->cluster.libvirt_uri);
	json_put_string(input, "uuid", spec->uuid);
	json_put_string(input, "name", spec->name);
	if (!op) {
		json_object_put(input);
		return;
	}
	*op = *what;
	op->d = d;
	op->op = number;
	memcpy(op->uuid, spec->uuid, sizeof(op->uuid));
	snprintf(op->label, sizeof(op->label), "%s", spec_label(spec, label));
	if (daemon_helper(d, "hamon-evacuate", verb, input, deadline_ms, TAG_PROBE, domain_on_line,
			  domain_on_exit, op))
		return;
	domain_answer(op, NULL);
	free(op);
}

void inspect_begin(struct daemon *d, const struct core_action *act)
{
	const struct domain_op inspect = { .type = EV_INSPECT_RESULT };

	domain_op_begin(d, act->instance.op, act->instance.spec, "inspect", json_object_new_object(), INSPECT_DEADLINE_MS, &inspect);
}

void stop_begin(struct daemon *d, const struct core_action *act)
{
	const struct domain_op stop = { .type = EV_STOP_RESULT };
	struct json_object *input = json_object_new_object();

	json_put_string(input, "why", "it belongs to another host");
	domain_op_begin(d, act->instance.op, act->instance.spec, "stop", input, STOP_DEADLINE_MS, &stop);
}

static void tidy_run(struct daemon *d, const struct spec_fact *spec, const struct place_fact *place, uint64_t pause_ms)
{
	const struct domain_op tidy = { .type = EV_TICK, .pause_ms = pause_ms };
	struct json_object *input = json_object_new_object();

	json_put_string(input, "managed_save", "aside");
	/*
	 * Its definition goes only once the instance runs elsewhere: the core says TIDY again then. Nova removes its own, and writes
	 * one on a host that a stopped server moves to before that host owns it.
	 */
	json_put_bool(input, "undefine", place->phase == PHASE_SETTLED && !nova_is_plane(d));
	domain_op_begin(d, 0, spec, "tidy", input, STOP_DEADLINE_MS, &tidy);
}

void tidy_begin(struct daemon *d, const struct core_action *act)
{
	tidy_run(d, act->instance.spec, act->instance.place, TIDY_AGAIN_MS);
}

/* As it was said by the core, and only as long as it holds: the instance is still another host's. */
static void tidy_repeat(struct daemon *d, const struct tidy_again *again)
{
	uint64_t pause_ms = 2 * again->pause_ms < TIDY_AGAIN_MAX_MS ? 2 * again->pause_ms : TIDY_AGAIN_MAX_MS;
	struct core_instance_view view;

	for (size_t i = 0; i < core_instance_count(d->core); i++)
		if (core_instance(d->core, i, &view) && !strcmp(view.spec->uuid, again->uuid) && view.place->owner &&
		    view.place->owner != d->settings.self && view.place->joint != d->settings.self)
			tidy_run(d, view.spec, view.place, pause_ms);
}

void domains_tick(struct daemon *d)
{
	uint64_t now_ms = clock_boot_ms();
	struct tidy_again **at = &d->tidies, *due;

	while ((due = *at)) {
		if (now_ms < due->at_ms) {
			at = &due->next;
			continue;
		}
		*at = due->next;
		tidy_repeat(d, due);
		free(due);
	}
}

void domains_free(struct daemon *d)
{
	struct tidy_again *again;

	while ((again = d->tidies)) {
		d->tidies = again->next;
		free(again);
	}
}
