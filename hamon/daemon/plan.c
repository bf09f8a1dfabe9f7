/* `evacuate --dry-run`: what the core would do, for people; storage beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/json.h"
#include "hamon/daemon/daemon.h"

static bool reaches(enum verdict verdict)
{
	return verdict == VERDICT_SHARED || verdict == VERDICT_VOLUME;
}

static int host_slot_of(struct daemon *d, uint32_t nodeid)
{
	struct core_host_view host;

	for (size_t i = 0; i < core_host_count(d->core); i++)
		if (core_host(d->core, i, &host) && host.nodeid == nodeid)
			return (int)i;
	return -1;
}

/* The host whose word about the storage says most: the target, else the wanted one, else one that reaches it, else any other. */
static int telling_host(struct daemon *d, const struct core_plan *plan, const struct core_instance_view *view, const char *wanted)
{
	struct core_host_view host;
	const char *why;
	int best = -1;

	if (plan->target)
		return host_slot_of(d, plan->target);
	for (size_t i = 0; i < core_host_count(d->core); i++) {
		if (!core_host(d->core, i, &host) || (*wanted && strcmp(host.name, wanted)) ||
		    (host.nodeid == view->place->owner && !view->place->released) || host.fact->state != HOST_ADMITTED)
			continue;
		if (best < 0 || reaches(core_verdict(d->core, plan->instance, i, &why)))
			best = (int)i;
	}
	return best;
}

static struct json_object *plan_line(struct daemon *d, const struct core_plan *plan, const char *wanted)
{
	static const char *const words[] = { [PLAN_NONE] = "none", [PLAN_REFUSE] = "refuse", [PLAN_STOPPED] = "stopped",
					     [PLAN_START] = "start", [PLAN_MOVE] = "move" };
	struct json_object *obj = json_object_new_object();
	enum verdict verdict = VERDICT_UNKNOWN;
	struct core_instance_view view;
	struct core_host_view host;
	char reason[CORE_TEXT_SIZE + CORE_NAME_SIZE];
	const char *why = "";
	int slot;

	core_instance(d->core, plan->instance, &view);
	slot = telling_host(d, plan, &view, wanted);
	if (slot >= 0)
		verdict = core_verdict(d->core, plan->instance, (size_t)slot, &why);
	if (plan->text[0] || slot < 0 || !core_host(d->core, (size_t)slot, &host))
		snprintf(reason, sizeof(reason), "%s", plan->text);
	else
		snprintf(reason, sizeof(reason), "%s%s%s", reaches(verdict) ? "" : host.name, reaches(verdict) ? "" : ": ", why);
	json_put_string(obj, "instance", view.spec->name);
	json_put_string(obj, "title", view.spec->title[0] ? view.spec->title : NULL);
	json_put_string(obj, "uuid", view.spec->uuid);
	json_put_string(obj, "target", plan->target ? daemon_host_name(d, plan->target) : NULL);
	json_put_string(obj, "action", words[plan->action]);
	json_put_string(obj, "code", plan->action == PLAN_REFUSE ? plan->code : NULL);
	json_put_string(obj, "verdict", verdict_name(verdict));
	json_put_string(obj, "reason", reason);
	json_put_string(obj, "hint", plan->hint[0] ? plan->hint : NULL);
	return obj;
}

struct json_object *plan_reply(struct daemon *d, const struct core_request *request)
{
	size_t n = core_instance_count(d->core);
	struct core_plan *plans = calloc(n + 1, sizeof(*plans));
	struct json_object *reply, *list;
	const char *code, *text, *hint;

	if (!plans)
		return error_reply("out-of-memory", "hamond has no memory left", NULL);
	/* Nobody would do it now: a plan would promise too much. */
	if (core_is_headless(d->core, &code, &text, &hint)) {
		free(plans);
		return error_reply(code, text, hint);
	}
	reply = json_object_new_object();
	list = json_object_new_array();
	n = core_evacuation_plan(d->core, request, n, plans);
	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, plan_line(d, &plans[i], request->target));
	json_object_object_add(reply, "plan", list);
	json_put_string(reply, "incident", NULL);
	free(plans);
	return reply;
}
