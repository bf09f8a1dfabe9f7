/* The queue of what is due, and the reports. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/libvirt/watch.h"
#include "evacuate/report.h"
#include "evacuate/resolver.h"
#include "hamon/common/clock.h"
#include "hamon/common/json.h"

/*
 * A folder is marked by hamon's storage part soon after the first report that names it; until then its disks have no
 * identity beyond this host. They are looked at again after a second, and then ever more rarely.
 */
#define CHECK_FIRST_MS 1000
#define CHECK_MAX_MS 600000
#define RETRY_MS 5000
#define HOLD_MS 5000 /* events come within milliseconds; an end that none explains is told all the same */

struct tracked *watch_tracked(struct watch *watch, const char *uuid)
{
	struct tracked *t = watch->tracked;

	while (t && strcmp(t->uuid, uuid))
		t = t->next;
	return t;
}

struct tracked *watch_tracked_by_name(struct watch *watch, const char *name)
{
	struct tracked *t = watch->tracked;

	while (t && strcmp(t->name, name))
		t = t->next;
	return t;
}

static void tracked_free(struct tracked *tracked)
{
	free(tracked->name);
	free(tracked->last_text);
	free(tracked);
}

static void tracked_forget(struct watch *watch, const char *uuid)
{
	for (struct tracked **at = &watch->tracked; *at; at = &(*at)->next) {
		struct tracked *t = *at;

		if (strcmp(t->uuid, uuid))
			continue;
		*at = t->next;
		watch->n_tracked--;
		tracked_free(t);
		return;
	}
}

struct tracked *watch_tracked_take(struct watch *watch, const char *uuid, const char *name)
{
	struct tracked *t = watch_tracked(watch, uuid);
	char *copy;

	if (t && !strcmp(t->name, name))
		return t;
	copy = strdup(name);
	if (!copy)
		return NULL;
	if (!t) {
		t = watch->n_tracked < WATCH_DOMAINS_MAX ? calloc(1, sizeof(*t)) : NULL;
		if (!t) {
			free(copy);
			return NULL;
		}
		snprintf(t->uuid, sizeof(t->uuid), "%s", uuid);
		t->next = watch->tracked;
		watch->tracked = t;
		watch->n_tracked++;
	}
	free(t->name);
	t->name = copy;
	return t;
}

/* Sets the one timer to the earliest look that is due. */
static void check_timer_set(struct watch *watch)
{
	uint64_t now_ms = clock_boot_ms(), first_ms = 0;

	for (struct tracked *t = watch->tracked; t; t = t->next) {
		if (t->check_ms && (!first_ms || t->check_ms < first_ms))
			first_ms = t->check_ms;
	}
	virEventUpdateTimeout(watch->check_timer, !first_ms		 ? -1
						  : first_ms <= now_ms ? 0
									 : (int)(first_ms - now_ms));
}

static void on_check(int timer, void *user)
{
	struct watch *watch = user;
	uint64_t now_ms = clock_boot_ms();

	for (struct tracked *t = watch->tracked; t; t = t->next) {
		if (!t->check_ms || t->check_ms > now_ms)
			continue;
		t->check_ms = 0;
		watch_queue_add(watch, CAUSE_HINT, t->uuid, "updated", NULL);
	}
	check_timer_set(watch);
}

static void check_plan(struct watch *watch, struct tracked *tracked, bool unmarked, bool changed)
{
	if (!unmarked) {
		tracked->check_ms = tracked->check_interval_ms = 0;
	} else {
		if (changed || !tracked->check_interval_ms)
			tracked->check_interval_ms = CHECK_FIRST_MS;
		else if (tracked->check_interval_ms * 2 <= CHECK_MAX_MS)
			tracked->check_interval_ms *= 2;
		tracked->check_ms = clock_boot_ms() + tracked->check_interval_ms;
	}
	check_timer_set(watch);
}

void watch_queue_add(struct watch *watch, enum cause cause, const char *uuid, const char *event,
		     const char *reason)
{
	struct pending *pending;

	/* A hint behind another one of the same domain says nothing new. */
	for (pending = watch->head; pending && cause == CAUSE_HINT; pending = pending->next) {
		if (pending->cause == CAUSE_HINT && !strcmp(pending->uuid, uuid))
			return;
	}
	pending = watch->n_pending < WATCH_QUEUE_MAX ? calloc(1, sizeof(*pending)) : NULL;
	if (!pending) {
		/* Nothing may be lost silently: hamond starts another watch, which lists all anew. */
		watch_lost(watch, "too many events at once");
		return;
	}
	pending->cause = cause;
	snprintf(pending->uuid, sizeof(pending->uuid), "%s", uuid ? uuid : "");
	pending->event = event;
	pending->reason = reason;
	*watch->tail = pending;
	watch->tail = &pending->next;
	watch->n_pending++;
	virEventUpdateTimeout(watch->queue_timer, 0);
}

static struct pending *queue_take(struct watch *watch)
{
	struct pending *pending = watch->head;

	watch->head = pending->next;
	if (!watch->head)
		watch->tail = &watch->head;
	watch->n_pending--;
	return pending;
}

static void synced_tell(void)
{
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "synced");
	report_line(obj);
	json_object_put(obj);
}

/*
 * A transient domain that has stopped is gone, and so is one that was migrated with its definition: the last report of it, with
 * its new state.
 */
static void gone_tell(struct watch *watch, const struct pending *pending)
{
	struct tracked *tracked = watch_tracked(watch, pending->uuid);
	struct json_object *obj;

	if (tracked && tracked->last_text &&
	    !json_parse(tracked->last_text, strlen(tracked->last_text), &obj)) {
		json_put_string(obj, "state", "shutoff");
		json_put_string(obj, "reason", pending->reason);
		json_put_bool(obj, "persistent", false);
		json_put_bool(obj, "gone", true);
		json_put_bool(obj, "block_job", false);
		json_put_string(obj, "job", "none");
		json_put_string(obj, "event", pending->event);
		report_line(obj);
		json_object_put(obj);
	}
	tracked_forget(watch, pending->uuid);
}

static void undefined_tell(struct watch *watch, const struct pending *pending, bool active)
{
	struct tracked *tracked = watch_tracked(watch, pending->uuid);
	struct json_object *obj = json_object_new_object();

	json_put_string(obj, "type", "undefined");
	json_put_string(obj, "uuid", pending->uuid);
	json_put_string(obj, "name", tracked ? tracked->name : NULL);
	json_put_bool(obj, "active", active);
	report_line(obj);
	json_object_put(obj);
}

static bool is_stop_queued(const struct watch *watch, const char *uuid)
{
	for (const struct pending *pending = watch->head; pending; pending = pending->next) {
		if (pending->cause == CAUSE_STOPPED && !strcmp(pending->uuid, uuid))
			return true;
	}
	return false;
}

/*
 * libvirt's state says "shutdown", but its events, which alone say who began, are still to come: told now, a QEMU that its host
 * terminated would be a guest that somebody wished stopped, and not started anywhere again. Its stop is told when it is heard.
 */
static bool is_end_unexplained(const struct watch *watch, const struct tracked *tracked, enum cause cause)
{
	return tracked->runs && !tracked->host_shutdown && !watch->report.active && cause != CAUSE_STOPPED &&
		!strcmp(json_string_or(watch->report.obj, "reason", ""), "shutdown");
}

static bool hold_back(struct watch *watch, struct tracked *tracked)
{
	uint64_t now_ms = clock_boot_ms();

	if (!tracked->held_ms)
		tracked->held_ms = now_ms;
	if (now_ms - tracked->held_ms >= HOLD_MS)
		return false;
	tracked->check_ms = tracked->held_ms + HOLD_MS;
	check_timer_set(watch);
	return true;
}

/* Tells the report of pending, with the disks that lines resolve. */
static void report_tell(struct watch *watch, const struct pending *pending, const char *lines,
			size_t len)
{
	struct json_object *obj = watch->report.obj;
	char hash[SHA256_HEX_SIZE];
	struct tracked *tracked;
	const char *text;
	bool unmarked, changed;

	report_add_disks(&watch->report, lines, len, &unmarked);
	tracked = watch_tracked_take(watch, pending->uuid, json_string_or(obj, "name", ""));
	if (!tracked) {
		watch_lost(watch, "too many domains");
		return;
	}
	if (watch->report.active && !is_stop_queued(watch, tracked->uuid))
		tracked->runs = true;
	if (is_end_unexplained(watch, tracked, pending->cause) && hold_back(watch, tracked))
		return;
	tracked->held_ms = 0;
	if (pending->cause == CAUSE_STOPPED) {
		/* It may run again already; then its start is told next. */
		json_put_string(obj, "state", "shutoff");
		json_put_string(obj, "reason", pending->reason);
	} else if (tracked->host_shutdown && !watch->report.active &&
		   !strcmp(json_string_or(obj, "reason", ""), "shutdown")) {
		/* A hint may come before the event; libvirt's state does not say who began. */
		json_put_string(obj, "reason", "killed");
	}
	text = json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN);
	sha256_hex(text, strlen(text), hash);
	changed = strcmp(hash, tracked->told_hash) != 0;
	memcpy(tracked->told_hash, hash, sizeof(hash));
	free(tracked->last_text);
	tracked->last_text = strdup(text);
	check_plan(watch, tracked, unmarked, changed);
	if (pending->cause == CAUSE_HINT && !changed)
		return;
	json_put_string(obj, "event", pending->event);
	report_line(obj);
}

static void current_end(struct watch *watch, const char *lines, size_t len)
{
	if (watch->current)
		report_tell(watch, watch->current, lines, len);
	report_free(&watch->report);
	free(watch->current);
	watch->current = NULL;
}

/* libvirt failed for this one domain: it is read again in a while, so that it is not forgotten. */
static void read_failed(struct watch *watch, const struct pending *pending)
{
	struct tracked *tracked = watch_tracked(watch, pending->uuid);
	struct connection_error error;

	connection_error(&error);
	if (!virConnectIsAlive(watch->conn) || !tracked) {
		watch_lost(watch, "a domain could not be read");
		return;
	}
	fprintf(stderr, "hamon-evacuate: cannot read domain %s: %s\n", pending->uuid, error.text);
	tracked->told_hash[0] = '\0';
	tracked->check_ms = clock_boot_ms() + RETRY_MS;
	check_timer_set(watch);
}

/* One entry of the queue; true when its report waits for the resolver. */
static bool pending_run(struct watch *watch, struct pending *pending)
{
	int rc;

	if (pending->cause == CAUSE_SYNCED) {
		synced_tell();
		return false;
	}
	rc = report_read(watch->conn, pending->uuid, watch->paths->libvirt_run, &watch->report);
	if (pending->cause == CAUSE_UNDEFINED && (!rc || rc == -ENOENT)) {
		if (rc || !watch->report.persistent)
			undefined_tell(watch, pending, !rc);
		if (rc)
			tracked_forget(watch, pending->uuid);
		pending->event = "updated";
	}
	if (rc == -ENOENT && pending->cause == CAUSE_STOPPED)
		gone_tell(watch, pending);
	else if (rc && rc != -ENOENT)
		read_failed(watch, pending);
	if (rc)
		return false;
	if (watch->report.probe)
		return false;
	if (!watch->report.dom || !disks_need_files(watch->report.dom)) {
		report_tell(watch, pending, NULL, 0);
		return false;
	}
	if (resolver_ask(watch->resolver_fd, watch->report.xml, strlen(watch->report.xml))) {
		watch_lost(watch, "the resolver of disks has ended");
		return false;
	}
	watch->current = pending;
	return true;
}

static void on_queue(int timer, void *user)
{
	struct watch *watch = user;

	virEventUpdateTimeout(watch->queue_timer, -1);
	while (watch->head && !watch->current && !watch->lost) {
		struct pending *pending = queue_take(watch);

		if (pending_run(watch, pending))
			return; /* goes on when the resolver has answered */
		report_free(&watch->report);
		free(pending);
	}
}

void watch_queue_answered(struct watch *watch)
{
	char *lines;
	size_t len;

	if (resolver_answer(watch->resolver_fd, &lines, &len)) {
		watch_lost(watch, "the resolver of disks has ended");
		return;
	}
	current_end(watch, lines, len);
	free(lines);
	virEventUpdateTimeout(watch->queue_timer, 0);
}

int watch_queue_start(struct watch *watch)
{
	watch->tail = &watch->head;
	watch->queue_timer = virEventAddTimeout(-1, on_queue, watch, NULL);
	watch->check_timer = virEventAddTimeout(-1, on_check, watch, NULL);
	return watch->queue_timer < 0 || watch->check_timer < 0 ? -ENOMEM : 0;
}

void watch_queue_free(struct watch *watch)
{
	report_free(&watch->report);
	free(watch->current);
	while (watch->head)
		free(queue_take(watch));
	while (watch->tracked)
		tracked_forget(watch, watch->tracked->uuid);
}
