/* What libvirt says, through hamon-evacuate watch: instances, wishes, memory, and whether the start gate stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/clock.h"
#include "hamon/common/json.h"
#include "hamon/common/sha256.h"
#include "hamon/daemon/daemon.h"
#include "hamon/daemon/trace.h"

#define ALIVE_BOUND_MS 15000 /* the watcher says so every 5 s while libvirtd answers */
#define SILENCE_BOUND_MS 60000 /* then the watcher is started anew */
#define RESTART_MS 2000

void watch_host_report(struct daemon *d)
{
	struct core_event event = { .type = EV_HOST_REPORT, .host_report = &d->host };

	daemon_event(d, &event);
}

static enum instance_state state_read(struct json_object *obj)
{
	const char *state = json_string_or(obj, "state", "");
	const char *job = json_string_or(obj, "job", "");

	if (!strcmp(state, "running"))
		return INSTANCE_RUNNING;
	if (!strcmp(state, "shutoff") || !strcmp(state, "crashed"))
		return INSTANCE_ABSENT;
	return !strcmp(job, "migration-in") || !strcmp(json_string_or(obj, "reason", ""), "migration") ?
		INSTANCE_INCOMING : INSTANCE_PAUSED;
}

static enum stop_reason reason_read(struct json_object *obj)
{
	static const struct { const char *word; enum stop_reason reason; } words[] = {
		{ "shutdown", STOP_BY_GUEST }, { "destroyed", STOP_BY_API }, { "crashed", STOP_CRASH },
		{ "failed", STOP_CRASH }, { "migrated", STOP_MIGRATED }, { "saved", STOP_SAVED },
	};
	const char *reason = json_string_or(obj, "reason", "");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(reason, words[i].word))
			return words[i].reason;
	return STOP_NONE;
}

static void list_read(struct json_object *obj, const char *key, char *buf, size_t size)
{
	struct json_object *array;
	size_t used = 0;

	buf[0] = '\0';
	if (json_get_array(obj, key, &array))
		return;
	for (size_t i = 0; i < json_object_array_length(array); i++)
		used += (size_t)snprintf(buf + used, used < size ? size - used : 0, "%s%s", used ? " " : "",
					 json_object_get_string(json_object_array_get_idx(array, i)));
}

bool disk_id_read(struct json_object *disk, const char *key, char id[CORE_DISK_ID_SIZE])
{
	const char *text = json_string_or(disk, key, "");
	char hash[SHA256_HEX_SIZE];

	if (strlen(text) < CORE_DISK_ID_SIZE) {
		strcpy(id, text);
		return id[0];
	}
	sha256_hex(text, strlen(text), hash);
	snprintf(id, CORE_DISK_ID_SIZE, "%.100s..%s", text, hash);
	return true;
}

static void disks_read(struct daemon *d, struct json_object *obj, struct spec_fact *spec)
{
	struct json_object *array;

	if (!json_get_array(obj, "disks", &array))
		for (size_t i = 0; i < json_object_array_length(array) && spec->n_disks < CORE_DISKS_MAX; i++) {
			struct json_object *disk = json_object_array_get_idx(array, i);
			struct disk_fact *fact = &spec->disks[spec->n_disks];

			if (!disk_id_read(disk, "id", fact->id))
				continue;
			fact->writable = json_bool_or(disk, "writable", true);
			spec->n_disks++;
		}
	if (!json_get_array(obj, "places", &array))
		for (size_t i = 0; i < json_object_array_length(array) && spec->n_places < CORE_PLACES_MAX; i++) {
			const char *place = json_object_get_string(json_object_array_get_idx(array, i));

			if (place && strlen(place) < CORE_PATH_SIZE)
				strcpy(spec->places[spec->n_places++], place);
		}
}

/*
 * Storage that hangs is still what it was: what was found out about the disks of this very definition stays while they cannot be
 * looked at. Else nobody could prove, once the storage is back, where the guests of a host were that died meanwhile.
 */
static void disks_remember(struct daemon *d, struct spec_fact *spec)
{
	static const char marked[] = "file:";
	struct core_instance_view view = { 0 };
	bool partly = false;
	size_t i = 0;

	while (i < core_instance_count(d->core) &&
	       (!core_instance(d->core, i, &view) || strcmp(view.spec->uuid, spec->uuid)))
		i++;
	if (i == core_instance_count(d->core) || strcmp(view.spec->def_hash, spec->def_hash) ||
	    view.spec->n_disks != spec->n_disks)
		return;
	for (uint32_t k = 0; k < spec->n_disks; k++) {
		if (!strncmp(spec->disks[k].id, marked, strlen(marked)))
			continue;
		partly = true;
		if (!strncmp(view.spec->disks[k].id, marked, strlen(marked)))
			memcpy(spec->disks[k].id, view.spec->disks[k].id, sizeof(spec->disks[k].id));
	}
	/* Also where its folder was not marked yet when it began to hang. */
	if (!partly || spec->n_places >= view.spec->n_places)
		return;
	spec->n_places = view.spec->n_places;
	memcpy(spec->places, view.spec->places, sizeof(spec->places));
}

/* A title that is too long is cut between two characters: it is for people, who have the UUID beside it. */
static void title_read(struct json_object *obj, char title[CORE_TITLE_SIZE])
{
	const char *text = json_string_or(obj, "title", "");
	size_t len = strlen(text);

	if (len >= CORE_TITLE_SIZE)
		for (len = CORE_TITLE_SIZE - 1; len && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
	memcpy(title, text, len);
	title[len] = '\0';
}

static bool is_protected(struct daemon *d, struct json_object *obj)
{
	bool said;

	if (!json_get_bool(obj, "protected", &said))
		return said;
	/* Metadata that cannot be read was meant to say something: protect rather than not. */
	return d->config->cluster.protect == CONFIG_PROTECT_ALL ||
		json_string_or(obj, "metadata_error", NULL) != NULL;
}

static int report_read(struct daemon *d, struct json_object *obj, struct instance_report *report)
{
	struct spec_fact *spec = &report->spec;

	memset(report, 0, sizeof(*report));
	if (json_copy_string(obj, "uuid", spec->uuid, sizeof(spec->uuid)) ||
	    json_copy_string(obj, "name", spec->name, sizeof(spec->name)))
		return -1;
	title_read(obj, spec->title);
	spec->protected = is_protected(d, obj);
	spec->memory_mib = (uint32_t)json_u64_or(obj, "memory_mib", 0);
	spec->vcpus = (uint32_t)json_u64_or(obj, "vcpus", 0);
	spec->priority = (uint32_t)json_u64_or(obj, "priority", 0);
	spec->block_job = json_bool_or(obj, "block_job", false);
	(void)json_copy_string(obj, "group", spec->group, sizeof(spec->group));
	(void)json_copy_string(obj, "def_hash", spec->def_hash, sizeof(spec->def_hash));
	list_read(obj, "allow", spec->allow, sizeof(spec->allow));
	list_read(obj, "deny", spec->deny, sizeof(spec->deny));
	disks_read(d, obj, spec);
	disks_remember(d, spec);
	report->state = state_read(obj);
	report->stop_reason = report->state == INSTANCE_ABSENT ? reason_read(obj) : STOP_NONE;
	report->fresh_event = strcmp(json_string_or(obj, "event", "list"), "list") != 0;
	report->host_shutting_down = d->shutting_down;
	report->defined = json_bool_or(obj, "persistent", true);
	report->managed_save = json_bool_or(obj, "managed_save", false);
	return 0;
}

static void domain_take(struct daemon *d, struct json_object *obj)
{
	struct core_event event = { .type = EV_REPORTS };
	struct instance_report report;
	const char *xml;

	if (report_read(d, obj, &report)) {
		daemon_log(d, "libvirt's report of a domain is not usable (%s)", json_string_or(obj, "name", "?"));
		return;
	}
	trace_add("report", "%s %s %s", report.spec.name, json_string_or(obj, "event", "list"), json_string_or(obj, "state", "?"));
	if (json_string_or(obj, "metadata_error", NULL))
		daemon_log(d, "%s: %s", report.spec.name, json_string_or(obj, "metadata_error", ""));
	if (report.spec.protected && !json_get_string(obj, "xml", &xml) && report.spec.def_hash[0] &&
	    !def_add(d, report.spec.def_hash, xml)) {
		store_def(d, report.spec.def_hash, xml);
		def_announce(d, report.spec.def_hash);
	}
	if (d->listing) {
		if (d->n_listed < CORE_INSTANCES_MAX)
			d->listed[d->n_listed++] = report;
		return;
	}
	event.reports.n = 1;
	event.reports.reports = &report;
	daemon_event(d, &event);
}

static void undefined_take(struct daemon *d, struct json_object *obj)
{
	struct core_event event = { .type = EV_REPORTS };
	struct instance_report report = { .undefined = true };

	/* One that runs on without its definition is told of by the report that follows. */
	if (json_bool_or(obj, "active", false))
		return;
	if (d->listing || json_copy_string(obj, "uuid", report.spec.uuid, sizeof(report.spec.uuid)))
		return;
	event.reports.n = 1;
	event.reports.reports = &report;
	daemon_event(d, &event);
}

static void hello_take(struct daemon *d, struct json_object *obj)
{
	const char *gate = json_string_or(obj, "gate", "unknown");

	d->listing = true;
	d->n_listed = 0;
	d->alive_ms = clock_boot_ms();
	d->host.gate_loaded = !strcmp(gate, "ok");
	d->host.libvirt_ok = true;
	snprintf(d->gate_detail, sizeof(d->gate_detail), "%s", json_string_or(obj, "gate_detail", ""));
	if (!d->host.gate_loaded)
		daemon_note(d, "gate-missing", NOTE_ALERT,
			    "libvirtd on %s has not loaded hamon's hook (%s): this host is not admitted until it is installed and libvirtd is restarted",
			    daemon_self_name(d), d->gate_detail);
	watch_host_report(d);
}

static void synced_take(struct daemon *d)
{
	struct core_event event = { .type = EV_REPORTS };

	event.reports.full = true;
	event.reports.n = d->n_listed;
	event.reports.reports = d->listed;
	d->listing = false;
	daemon_event(d, &event);
	free(d->listed); /* a list is long and rare */
	d->listed = NULL;
	d->host.reported = true;
	watch_host_report(d);
}

static void watch_on_line(void *user, struct helper *helper, struct json_object *obj)
{
	struct daemon *d = user;
	const char *type = json_string_or(obj, "type", "");

	d->alive_ms = clock_boot_ms();
	if (!strcmp(type, "hello")) {
		d->listed = calloc(CORE_INSTANCES_MAX, sizeof(*d->listed));
		if (d->listed)
			hello_take(d, obj);
	} else if (!strcmp(type, "domain")) {
		domain_take(d, obj);
	} else if (!strcmp(type, "undefined")) {
		undefined_take(d, obj);
	} else if (!strcmp(type, "synced")) {
		if (d->listing)
			synced_take(d);
	} else if (!strcmp(type, "alive")) {
		uint64_t free_mib = json_u64_or(obj, "free_mib", 0);
		bool was_ok = d->host.libvirt_ok;
		uint64_t before = d->host.free_mib;

		d->host.libvirt_ok = true;
		d->host.free_mib = free_mib;
		/* A few MiB more or less are not worth a message to everybody. */
		if (!was_ok || free_mib > before + before / 32 || free_mib + before / 32 < before)
			watch_host_report(d);
	} else if (!strcmp(type, "lost")) {
		daemon_log(d, "libvirt: %s", json_string_or(obj, "error", "connection lost"));
	}
}

static void libvirt_lost(struct daemon *d)
{
	if (!d->host.libvirt_ok)
		return;
	d->host.libvirt_ok = false;
	daemon_note(d, "libvirt-lost", NOTE_WARNING, "libvirtd on %s does not answer; its guests go on",
		    daemon_self_name(d));
	watch_host_report(d);
}

static void watch_again(void *user)
{
	struct daemon *d = user;

	if (!d->watch && !d->ending)
		watch_start(d);
}

static void watch_on_exit(void *user, struct helper *helper, int status, enum helper_end end)
{
	struct daemon *d = user;
	qb_loop_timer_handle timer;

	d->watch = NULL;
	d->listing = false;
	free(d->listed);
	d->listed = NULL;
	if (d->ending)
		return;
	libvirt_lost(d);
	qb_loop_timer_add(d->loop, QB_LOOP_MED, RESTART_MS * QB_TIME_NS_IN_MSEC, d, watch_again, &timer);
}

void watch_start(struct daemon *d)
{
	char path[512];
	const char *argv[] = { "hamon-evacuate", "watch", NULL };
	struct json_object *input = json_object_new_object();
	struct helper_spec spec = {
		.path = path, .argv = argv, .keep_stdin = true, .tag = TAG_WATCH, .on_line = watch_on_line,
		.on_stderr = daemon_on_stderr, .on_exit = watch_on_exit, .user = d,
	};

	snprintf(path, sizeof(path), "%s/hamon-evacuate", d->libexec);
	json_put_string(input, "op", "watch");
	json_put_string(input, "uri", d->config->cluster.libvirt_uri);
	spec.input = json_object_to_json_string_ext(input, JSON_C_TO_STRING_PLAIN);
	d->alive_ms = clock_boot_ms();
	d->watch = helper_start(d->pool, &spec);
	if (!d->watch) {
		qb_loop_timer_handle timer;

		daemon_log(d, "%s cannot be started: %m", path);
		qb_loop_timer_add(d->loop, QB_LOOP_MED, RESTART_MS * QB_TIME_NS_IN_MSEC, d, watch_again, &timer);
	}
	json_object_put(input);
}

void watch_tick(struct daemon *d)
{
	uint64_t silent_ms = clock_boot_ms() - d->alive_ms;

	if (!d->watch)
		return;
	if (silent_ms > ALIVE_BOUND_MS)
		libvirt_lost(d);
	if (silent_ms > SILENCE_BOUND_MS)
		helper_kill(d->watch);
}
