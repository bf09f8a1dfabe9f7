/*
 * The return of a host: what hamon did to its compute service is undone once nothing of the evacuation is left. What a person did is
 * not: only a service that is disabled with hamon's own mark is touched.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "evacuate/nova/lock.h"
#include "evacuate/nova/nova.h"
#include "evacuate/report.h"
#include "hamon/common/json.h"

#define TIMEOUT_MS 60000
#define WATCH_SLACK_MS 5000
#define DETAIL_SIZE 512

static void __attribute__((format(printf, 3, 4))) end(struct json_object *result, const char *state, const char *format, ...)
{
	char detail[DETAIL_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(detail, sizeof(detail), format, ap);
	va_end(ap);
	json_put_bool(result, "ok", true);
	json_put_string(result, "state", state);
	json_put_string(result, "detail", detail);
}

/* While one is unfinished its target reads the server's disks and this host's record of it. */
static bool evacuations_ended(struct compute *compute, const char *host, struct json_object *result)
{
	struct nova_migrations migrations;
	size_t n = 0;

	if (!compute_evacuations_get(compute, NULL, host, &migrations))
		return nova_result_fail(compute, result);
	for (size_t i = 0; i < migrations.n; i++)
		n += !strcmp(migrations.list[i].source, host) && !strcmp(migrations.list[i].type, "evacuation") &&
			nova_migration_is_unfinished(&migrations.list[i]);
	nova_migrations_free(&migrations);
	if (n)
		report_failure(result, "busy", "%zu evacuations from %s are not finished yet", n, host);
	return !n;
}

static void service_enable(struct compute *compute, const struct nova_service *service, const char *op,
			   struct json_object *result)
{
	if (!evacuations_ended(compute, service->host, result))
		return;
	if (service->forced_down && !compute_service_force_up(compute, service)) {
		nova_result_fail(compute, result);
		if (compute->failure.status == 400)
			report_failure(result, "busy", "%s; nova-compute of %s must be restarted, or has not cleaned up yet "
				       "what was evacuated from it", compute->failure.text, service->host);
		return;
	}
	report_progress(op, "forced-up", service->host);
	if (!strncmp(service->reason, NOVA_MARK_KEEPING, strlen(NOVA_MARK_KEEPING))) {
		if (compute_service_disable(compute, service, service->reason + strlen(NOVA_MARK_KEEPING)))
			end(result, "restored", "nova-compute of %s was disabled by somebody else before hamon evacuated it: it is so again",
			    service->host);
		else
			nova_result_fail(compute, result);
		return;
	}
	if (!compute_service_enable(compute, service)) {
		nova_result_fail(compute, result);
		return;
	}
	end(result, "enabled-again", "nova-compute of %s takes instances again", service->host);
}

static void service_return(struct compute *compute, const struct request *req, struct json_object *result)
{
	const char *self = req->nova.self;
	struct nova_service service;
	bool ours;

	if (!compute_service_get(compute, self, &service)) {
		nova_result_fail(compute, result);
		return;
	}
	ours = !service.enabled && nova_mark_is_ours(service.reason);
	if (ours && !req->nova.automatic_return && !req->by_hand)
		end(result, "waits", "nova-compute of %s gets no instances until a person says \"hamonctl return %s\"", self, self);
	else if (ours)
		service_enable(compute, &service, req->op, result);
	else if (service.enabled && !service.forced_down)
		end(result, "enabled", "nova-compute of %s takes instances", self);
	else if (service.enabled)
		end(result, "left", "nova-compute of %s was forced down by somebody else: it stays so", self);
	else if (req->nova.reserved && !service.forced_down && nova_mark_is_reserved(service.reason))
		end(result, "reserved", "nova-compute of %s is disabled until this reserved host is needed", self);
	else
		end(result, "left", "nova-compute of %s was disabled by somebody else: it stays so", self);
}

void nova_enable(const struct request *req, const struct plane_paths *paths, struct json_object *result)
{
	struct compute compute = { .run_dir = paths->run_dir };

	report_limit(req->op, TIMEOUT_MS + WATCH_SLACK_MS, "Nova's part of a host's return");
	if (nova_open(&compute, req, TIMEOUT_MS)) {
		service_return(&compute, req, result);
		/* What is left on servers their host itself sees to, which can ask libvirt there. */
		if (!req->by_hand && !nova_servers_mend(&compute, req, result))
			report_progress(req->op, "mend", compute.failure.text);
		if (!req->by_hand && !nova_locks_end(&compute, req, result))
			report_progress(req->op, "unlock", compute.failure.text);
	} else {
		nova_result_fail(&compute, result);
	}
	compute_close(&compute);
}
