/*
 * One-shot operations on a domain: reading what became of a start, ending a stale QEMU, tidying up after an instance that runs
 * elsewhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

#define INSPECT_DEADLINE_MS 8000
#define STOP_DEADLINE_MS 20000

struct domain_op {
	struct daemon *d;
	uint64_t op;
	enum event_type type;
	bool answered;
};

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
		return; /* tidying up reports to nobody */
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

static void domain_op_begin(struct daemon *d, const struct core_action *act, const char *verb,
			    struct json_object *input, uint64_t deadline_ms, enum event_type type)
{
	struct domain_op *op = calloc(1, sizeof(*op));
	char id[24];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)act->instance.op);
	json_put_string(input, "op", id);
	json_put_string(input, "uri", d->config->cluster.libvirt_uri);
	json_put_string(input, "uuid", act->instance.spec->uuid);
	json_put_string(input, "name", act->instance.spec->name);
	if (!op) {
		json_object_put(input);
		return;
	}
	op->d = d;
	op->op = act->instance.op;
	op->type = type;
	if (daemon_helper(d, "hamon-evacuate", verb, input, deadline_ms, TAG_PROBE, domain_on_line,
			  domain_on_exit, op))
		return;
	domain_answer(op, NULL);
	free(op);
}

void inspect_begin(struct daemon *d, const struct core_action *act)
{
	domain_op_begin(d, act, "inspect", json_object_new_object(), INSPECT_DEADLINE_MS, EV_INSPECT_RESULT);
}

void stop_begin(struct daemon *d, const struct core_action *act)
{
	struct json_object *input = json_object_new_object();

	json_put_string(input, "why", "it belongs to another host");
	domain_op_begin(d, act, "stop", input, STOP_DEADLINE_MS, EV_STOP_RESULT);
}

void tidy_begin(struct daemon *d, const struct core_action *act)
{
	struct json_object *input = json_object_new_object();

	json_put_string(input, "managed_save", "aside");
	/*
	 * Its definition goes only once the instance runs elsewhere: the core says TIDY again then. Nova removes its own, and writes
	 * one on a host that a stopped server moves to before that host owns it.
	 */
	json_put_bool(input, "undefine", act->instance.place->phase == PHASE_SETTLED && !nova_is_plane(d));
	domain_op_begin(d, act, "tidy", input, STOP_DEADLINE_MS, EV_TICK);
}
