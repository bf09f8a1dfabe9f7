/* What Nova says of the servers on hamon's hosts, for a person who wants to see it beside what hamon says. Nothing is changed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evacuate/nova/nova.h"
#include "evacuate/report.h"
#include "hamon/common/json.h"

#define PAGE 100
#define PAGES_MAX 50 /* of one host: whoever answers with the same page again does not keep this going */
#define WATCH_SLACK_MS 500

static struct json_object *server_object(const struct nova_server *server)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "uuid", server->id);
	json_put_string(obj, "name", server->name);
	json_put_string(obj, "status", server->status);
	json_put_string(obj, "task", *server->task ? server->task : NULL);
	json_put_string(obj, "host", *server->host ? server->host : NULL);
	json_put_string(obj, "fault", *server->fault ? server->fault : NULL);
	return obj;
}

static bool host_list(struct compute *compute, const char *host, struct json_object *list)
{
	static struct nova_server page[PAGE];
	char marker[sizeof(page[0].id)] = "";
	size_t n = 1;

	for (size_t i = 0; i < PAGES_MAX && n; i++) {
		if (!compute_host_servers_get(compute, host, marker, page, PAGE, &n))
			return false;
		for (size_t k = 0; k < n; k++)
			json_object_array_add(list, server_object(&page[k]));
		if (n)
			memcpy(marker, page[n - 1].id, sizeof(marker));
	}
	return true;
}

void nova_servers(const struct request *req, const struct plane_paths *paths, struct json_object *result)
{
	struct json_object *list = json_object_new_array();
	struct compute compute = { .run_dir = paths->run_dir };
	bool ok;

	report_limit(req->op, req->nova.within_ms + WATCH_SLACK_MS, "Nova's list of servers");
	ok = nova_open(&compute, req, req->nova.within_ms);
	for (size_t i = 0; ok && i < req->nova.n_hosts; i++)
		ok = host_list(&compute, req->nova.hosts[i], list);
	if (!ok)
		nova_result_fail(&compute, result);
	json_put_bool(result, "ok", ok);
	json_object_object_add(result, "servers", list);
	compute_close(&compute);
}
