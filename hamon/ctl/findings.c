/* What is wrong in a cluster. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/cli.h"
#include "hamon/common/json.h"
#include "hamon/ctl/findings.h"

#define NAMES_SHOWN 5 /* of a group; all are in the tables */

static void __attribute__((format(printf, 5, 6)))
add(struct findings *f, enum finding_level level, const char *why, const char *hint, const char *format, ...)
{
	struct finding *finding;
	va_list ap;

	f->list = realloc(f->list, (f->count + 1) * sizeof(*f->list));
	if (!f->list)
		abort();
	finding = &f->list[f->count++];
	va_start(ap, format);
	if (vasprintf(&finding->what, format, ap) < 0)
		abort();
	va_end(ap);
	finding->level = level;
	finding->why = strdup(why ? why : "");
	finding->hint = strdup(hint ? hint : "");
	f->problems += level == FINDING_PROBLEM;
}

static void add_all(struct findings *f, struct json_object *obj, const char *key,
		    void (*judge)(struct findings *, struct json_object *, enum finding_level),
		    enum finding_level level)
{
	struct json_object *list = NULL;

	if (json_get_array(obj, key, &list))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		judge(f, json_object_array_get_idx(list, i), level);
}

static void cluster_judge(struct findings *f, struct json_object *status)
{
	struct json_object *cluster = NULL, *brake = NULL;
	const char *self = json_string_or(status, "self", "this host");

	(void)json_get_object(status, "cluster", &cluster);
	if (!json_bool_or(cluster, "quorate", false))
		add(f, FINDING_PROBLEM, "hamon acts on no failure here until hosts come back",
		    "look at: corosync-quorumtool", "no quorum on the side of %s", self);
	if (!json_bool_or(cluster, "synced", false))
		add(f, FINDING_PROBLEM, json_string_or(cluster, "waits_for", "it waits for the others, and decides nothing itself"), NULL,
		    "%s is not synced", self);
	if (json_bool_or(cluster, "quorate", false) && !json_string_or(cluster, "coordinator", NULL))
		add(f, FINDING_PROBLEM, "no host decides about failures at the moment", NULL, "no coordinator");
	(void)json_get_object(cluster, "brake", &brake);
	if (json_bool_or(brake, "held", false))
		add(f, FINDING_PROBLEM, json_string_or(brake, "reason", NULL),
		    "when you know the cause: hamonctl release", "hamon holds");
	if (json_bool_or(cluster, "frozen", false))
		add(f, FINDING_PROBLEM, "maintenance of all hosts is on: hamon acts on no failure",
		    "end it with: hamonctl maintenance --all off", "the cluster is frozen");
}

static void host_up_judge(struct findings *f, struct json_object *host, enum finding_level level)
{
	const char *name = json_string_or(host, "name", "?"), *libvirt = json_string_or(host, "libvirt", "unknown");

	if (strcmp(json_string_or(host, "state", "unknown"), "admitted"))
		return;
	if (!json_bool_or(host, "member", true))
		add(f, level, json_string_or(host, "reason", NULL), "when it is dead for certain: hamonctl confirm-fenced",
		    "host %s is away", name);
	else if (strcmp(json_string_or(host, "daemon", "unknown"), "running"))
		add(f, level, "it is watched as a node, but tells nothing about its instances",
		    "on that host: systemctl start hamond", "hamond does not run on %s", name);
	else if (!strcmp(libvirt, "hung") || !strcmp(libvirt, "down"))
		add(f, level, json_string_or(host, "reason", NULL), "on that host: systemctl status libvirtd",
		    "libvirt on %s is %s", name, libvirt);
	else if (!strcmp(json_string_or(host, "gate", "unknown"), "not-loaded"))
		add(f, level, "libvirt there would start an instance that runs elsewhere",
		    "on that host: systemctl restart libvirtd", "the start gate on %s is not loaded", name);
}

static void host_down_judge(struct findings *f, struct json_object *host, enum finding_level level)
{
	const char *name = json_string_or(host, "name", "?"), *state = json_string_or(host, "state", "unknown");
	char hint[300];

	if (!strcmp(state, "admitted") || !strcmp(state, "left"))
		return;
	snprintf(hint, sizeof(hint), "look at: hamonctl explain %s", name);
	add(f, level, json_string_or(host, "reason", NULL), hint,
	    !strcmp(state, "unknown") ? "the state of host %s is %s" : "host %s is %s", name, state);
}

static void host_warn(struct findings *f, struct json_object *host, enum finding_level level)
{
	const char *name = json_string_or(host, "name", "?");

	if (!strcmp(json_string_or(host, "state", "unknown"), "left"))
		add(f, level, json_string_or(host, "reason", NULL), NULL, "host %s has left", name);
	if (json_bool_or(host, "maintenance", false))
		add(f, level, "hamon neither fences it nor evacuates it", NULL, "host %s is in maintenance", name);
}

static void device_judge(struct findings *f, struct json_object *device, enum finding_level level)
{
	if (!strcmp(json_string_or(device, "state", "unknown"), "failed"))
		add(f, level, json_string_or(device, "error", NULL), "test it with its agent, see hamon.conf(5)",
		    "fence device %s fails", json_string_or(device, "name", "?"));
}

bool instance_is_stuck(struct json_object *instance, size_t *ret_hosts)
{
	const char *owner = json_string_or(instance, "host", ""), *verdict;
	struct json_object *verdicts = NULL, *entry;
	bool other = false;
	size_t hosts = 0;

	(void)json_get_array(instance, "verdicts", &verdicts);
	for (size_t i = 0; verdicts && i < json_object_array_length(verdicts); i++) {
		entry = json_object_array_get_idx(verdicts, i);
		if (!strcmp(json_string_or(entry, "host", ""), owner))
			continue;
		other = true;
		verdict = json_string_or(entry, "verdict", "unknown");
		hosts += !strcmp(verdict, "shared") || !strcmp(verdict, "volume");
	}
	if (ret_hosts)
		*ret_hosts = hosts;
	return other && !hosts && !strcmp(json_string_or(instance, "wish", "running"), "running");
}

static const char *stuck_reason(struct json_object *instance)
{
	struct json_object *verdicts = NULL, *entry;

	(void)json_get_array(instance, "verdicts", &verdicts);
	for (size_t i = 0; verdicts && i < json_object_array_length(verdicts); i++) {
		entry = json_object_array_get_idx(verdicts, i);
		if (strcmp(json_string_or(entry, "host", ""), json_string_or(instance, "host", "")))
			return json_string_or(entry, "reason", NULL);
	}
	return NULL;
}

/* What is wrong with an instance; the order is that of how bad it is. */
enum trouble { TROUBLE_HELD, TROUBLE_STOPPED, TROUBLE_UNKNOWN, TROUBLE_MOVING, TROUBLE_STUCK, TROUBLE_NONE };

static enum trouble instance_trouble(struct json_object *instance)
{
	const char *phase = json_string_or(instance, "phase", "settled");
	const char *state = json_string_or(instance, "state", "unknown");

	/* It waits for its host, as configured; that its host is away is told of the host. */
	if (!strcmp(phase, "held"))
		return json_bool_or(instance, "excluded", false) ? TROUBLE_NONE : TROUBLE_HELD;
	if (strcmp(phase, "settled") || !strcmp(state, "starting"))
		return TROUBLE_MOVING;
	if (strcmp(json_string_or(instance, "wish", "running"), "running"))
		return TROUBLE_NONE;
	if (!strcmp(state, "stopped"))
		return TROUBLE_STOPPED;
	if (strcmp(state, "running"))
		return TROUBLE_UNKNOWN;
	return instance_is_stuck(instance, NULL) ? TROUBLE_STUCK : TROUBLE_NONE;
}

static void group_add(struct findings *f, enum trouble trouble, struct json_object *first, size_t count,
		      const char *names)
{
	static const char *const one[] = {
		[TROUBLE_HELD] = "instance %s is held",
		[TROUBLE_STOPPED] = "instance %s is stopped, but should run",
		[TROUBLE_UNKNOWN] = "the state of instance %s is unknown",
		[TROUBLE_MOVING] = "instance %s is being recovered",
		[TROUBLE_STUCK] = "instance %s could not be started elsewhere",
	};
	static const char *const many[] = {
		[TROUBLE_HELD] = "%zu instances are held",
		[TROUBLE_STOPPED] = "%zu instances are stopped, but should run",
		[TROUBLE_UNKNOWN] = "the states of %zu instances are unknown",
		[TROUBLE_MOVING] = "%zu instances are being recovered",
		[TROUBLE_STUCK] = "%zu instances could not be started elsewhere",
	};
	enum finding_level level = trouble == TROUBLE_STUCK ? FINDING_WARNING : FINDING_PROBLEM;
	const char *name = json_string_or(first, "name", "?"), *why = json_string_or(first, "reason", NULL);
	char hint[300], label[CLI_LABEL_SIZE];

	snprintf(hint, sizeof(hint), "%s: hamonctl explain %s", count > 1 ? "for each, for example" : "look at", name);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the formats are those above */
	if (count > 1)
		add(f, level, names, hint, many[trouble], count);
	else
		add(f, level, trouble == TROUBLE_STUCK ? stuck_reason(first) : why, hint, one[trouble], cli_label(first, "name", label));
#pragma GCC diagnostic pop
}

/* One finding for all instances with the same trouble: there may be hundreds. */
static void instances_judge(struct findings *f, struct json_object *status, enum trouble trouble)
{
	struct json_object *instances = NULL, *first = NULL, *instance;
	char names[NAMES_SHOWN * 140 + 40] = "", label[CLI_LABEL_SIZE];
	size_t count = 0, len = 0;

	(void)json_get_array(status, "instances", &instances);
	for (size_t i = 0; instances && i < json_object_array_length(instances); i++) {
		instance = json_object_array_get_idx(instances, i);
		if (instance_trouble(instance) != trouble)
			continue;
		first = first ? first : instance;
		if (count++ < NAMES_SHOWN)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.130s", len ? ", " : "",
						cli_label(instance, "name", label));
	}
	if (count > NAMES_SHOWN)
		snprintf(names + len, sizeof(names) - len, " and %zu more", count - NAMES_SHOWN);
	if (count)
		group_add(f, trouble, first, count, names);
}

static void warning_take(struct findings *f, struct json_object *warning, enum finding_level level)
{
	if (json_object_is_type(warning, json_type_string))
		add(f, level, NULL, NULL, "%s", json_object_get_string(warning));
}

void findings_collect(struct json_object *status, struct findings *ret)
{
	memset(ret, 0, sizeof(*ret));
	cluster_judge(ret, status);
	add_all(ret, status, "hosts", host_down_judge, FINDING_PROBLEM);
	instances_judge(ret, status, TROUBLE_HELD);
	instances_judge(ret, status, TROUBLE_STOPPED);
	instances_judge(ret, status, TROUBLE_UNKNOWN);
	add_all(ret, status, "hosts", host_up_judge, FINDING_PROBLEM);
	add_all(ret, status, "fence_devices", device_judge, FINDING_PROBLEM);
	instances_judge(ret, status, TROUBLE_MOVING);
	add_all(ret, status, "warnings", warning_take, FINDING_WARNING);
	add_all(ret, status, "hosts", host_warn, FINDING_WARNING);
	instances_judge(ret, status, TROUBLE_STUCK);
}

void findings_free(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->list[i].what);
		free(findings->list[i].why);
		free(findings->list[i].hint);
	}
	free(findings->list);
}
