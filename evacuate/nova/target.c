/*
 * Whether Nova would give this host a server. A reserved host's nova-compute is disabled until it is needed: this is where it is
 * enabled, once the core has chosen it.
 */
#include <string.h>
#include <strings.h>

#include "evacuate/nova/nova.h"
#include "evacuate/report.h"

bool nova_mark_is_reserved(const char *reason)
{
	return !strncmp(reason, NOVA_MARK_RESERVED, strlen(NOVA_MARK_RESERVED)) || !strcasecmp(reason, "reserved");
}

bool nova_mark_is_ours(const char *reason)
{
	return !strncmp(reason, NOVA_MARK_PREFIX, strlen(NOVA_MARK_PREFIX)) && !nova_mark_is_reserved(reason);
}

/* Whoever disabled it for another reason has the last word. */
static bool is_to_be_enabled(const struct nova_service *service, const struct request *req)
{
	return req->nova.reserved && service->up && !service->forced_down && !service->enabled &&
		nova_mark_is_reserved(service->reason);
}

/* Nova refuses a host that it does not think up only by an ERROR of the server: better not to ask. */
bool nova_target_ready(struct compute *compute, const struct request *req, struct json_object *result)
{
	const char *self = req->nova.self, *away;
	struct nova_service service;

	if (!compute_service_get(compute, self, &service))
		return nova_result_fail(compute, result);
	if (is_to_be_enabled(&service, req)) {
		if (!compute_service_enable(compute, &service))
			return nova_result_fail(compute, result);
		report_progress(req->op, "reserved-enabled", self);
		service.enabled = true;
	}
	if (service.up && service.enabled && !service.forced_down)
		return true;
	away = service.forced_down ? "forced down" : service.up ? "" : "down";
	report_failure(result, "no-valid-host", "nova-compute of this host (%s) is %s%s%s%s, so Nova gives it nothing%s",
		       self, away, *away && !service.enabled ? " and " : "", service.enabled ? "" : "disabled: ",
		       service.enabled ? "" : service.reason, req->nova.reserved && !*away ?
		       "; as a reserved host it is enabled only if the reason is \"" NOVA_MARK_RESERVED "\"" : "");
	return false;
}
