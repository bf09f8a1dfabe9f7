/*
 * The configuration as a whole: what is right line by line and wrong together. The dangerous
 * mistake is a device that switches off another host than the one meant: the same agent with the
 * same options for two hosts.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/common/suggest.h"
#include "hamon/config_internal.h"
#include "hamon/config_keys.h"
#include "hamon/config_value.h"

struct check {
	const char *file;
	struct hamon_config *config;
	const struct config_lines *lines;	/* NULL where only files are looked at */
	struct config_errors *errors;
};

#define COMPLAIN(c, line, ...) config_error_add((c)->errors, (c)->file, line, false, __VA_ARGS__)
#define WARN(c, line, ...) config_error_add((c)->errors, (c)->file, line, true, __VA_ARGS__)

/* Limits. */

/* The line of the key, given as "section key"; 0 when the file leaves it at its default. */
static unsigned int key_line(const struct check *c, const char *name)
{
	for (size_t s = 0; s < config_sections_count; s++) {
		const struct config_section *section = &config_sections[s];
		size_t len = strlen(section->name);

		for (size_t k = 0; k < section->keys_count; k++)
			if (!strncmp(name, section->name, len) && name[len] == ' ' &&
			    !strcmp(name + len + 1, section->keys[k].name))
				return c->lines->of[s][k];
	}
	return 0;
}

/*
 * value, of the key called name, must be at least least, which comes from other_name: the place of
 * the message is the line that was written, since the other of the two may be a default.
 */
static void order_check(const struct check *c, const char *name, uint64_t value,
			const char *least_text, const char *other_name, uint64_t least)
{
	unsigned int line = key_line(c, name), other_line = key_line(c, other_name);
	const char *key = strchr(name, ' ');
	char is[32], must[32];

	if (value >= least)
		return;
	config_duration_format(value, is, sizeof(is));
	config_duration_format(least, must, sizeof(must));
	COMPLAIN(c, line ? line : other_line, "[%.*s]%s: expected at least %s (%s), found %s%s",
		 (int)(key - name), name, key, must, least_text, is, line ? "" : " (its default)");
}

/* An evacuation that stands still is given up after 45 s, and asked for anew: evacuate/nova/start.h. */
#define NOVA_START_TIMEOUT_MIN_MS 60000

static void limits_check(const struct check *c)
{
	const struct hamon_config *config = c->config;

	order_check(c, "cluster coordinator_timeout", config->cluster.coordinator_timeout_ms,
		    "two beats", "cluster beat", 2 * config->cluster.beat_ms);
	order_check(c, "cluster tilt", config->cluster.tilt_ms, "one beat", "cluster beat",
		    config->cluster.beat_ms);
	order_check(c, "storage beacon_interval", config->storage.beacon_interval_ms,
		    "one probe_timeout", "storage probe_timeout", config->storage.probe_timeout_ms);
	order_check(c, "storage max_beacon_age", config->storage.max_beacon_age_ms,
		    "one beacon_interval and one probe_timeout", "storage beacon_interval",
		    config->storage.beacon_interval_ms + config->storage.probe_timeout_ms);
	order_check(c, "fencing retry_backoff_max", config->fencing.retry_backoff_max_ms,
		    "the retry_backoff", "fencing retry_backoff", config->fencing.retry_backoff_ms);
	if (config->cluster.control_plane == CONFIG_PLANE_NOVA)
		order_check(c, "evacuation start_timeout", config->evacuation.start_timeout_ms,
			    "Nova's way, with a rescue on it", "cluster control_plane", NOVA_START_TIMEOUT_MIN_MS);
	if (config->hosts_count && config->cluster.max_failed_hosts >= config->hosts_count)
		WARN(c, key_line(c, "cluster max_failed_hosts"),
		     "[cluster] max_failed_hosts: with %" PRIu64
		     " of %zu hosts the brake never holds",
		     config->cluster.max_failed_hosts, config->hosts_count);
}

/* Keys that select nothing would leave a person in the belief that they do. */
static void select_check(const struct check *c)
{
	const struct hamon_config *config = c->config;

	if (config->nova.select == CONFIG_SELECT_ALL && (config->nova.select_key || config->nova.select_value))
		WARN(c, key_line(c, config->nova.select_key ? "nova select_key" : "nova select_value"),
		     "[nova] %s: with select = all every server is recovered, and this selects nothing",
		     config->nova.select_key ? "select_key" : "select_value");
	if (config->nova.select == CONFIG_SELECT_TAG && config->nova.select_value)
		COMPLAIN(c, key_line(c, "nova select_value"),
			 "[nova] select_value: a tag has no value: expected its name in select_key");
}

/* "URL,URL", as CONFIG_WORD has no blanks. */
static void urls_check(const struct check *c, const char *key, const char *label, const char *text)
{
	size_t n = 0;

	for (; text && *text; text += strcspn(text, ","), text += *text == ',') {
		size_t scheme = !strncmp(text, "http://", 7) ? 7 : !strncmp(text, "https://", 8) ? 8 : 0;

		if (!scheme || !text[scheme] || text[scheme] == ',')
			COMPLAIN(c, key_line(c, key), "%s: expected http:// or https:// and an address, found \"%.*s\"", label,
				 (int)strcspn(text, ","), text);
		if (++n == 5)
			COMPLAIN(c, key_line(c, key), "%s: expected at most four, with commas between them", label);
	}
}

/* References. */

static void level_resolve(const struct check *c, const struct config_host *host, size_t number)
{
	const struct config_level *level = &host->levels[number];
	const char *names[CONFIG_DEVICES_MAX], *near;

	for (size_t i = 0; i < level->count; i++) {
		struct config_level_device *place = &level->devices[i];

		place->device = config_device_find(c->config, place->name);
		if (place->device)
			continue;
		for (size_t d = 0; d < c->config->devices_count; d++)
			names[d] = c->config->devices[d].name;
		near = suggest_near(place->name, names, c->config->devices_count);
		COMPLAIN(c, level->line,
			 "[host %s] fence_level_%zu: there is no [fence-device %s]%s%s%s",
			 host->name, number + 1, place->name, near ? "; did you mean \"" : "",
			 near ? near : "", near ? "\"?" : "");
	}
}

static void host_check(const struct check *c, struct config_host *host)
{
	size_t last = 0;

	for (size_t i = 0; i < CONFIG_LEVELS_MAX; i++) {
		if (!host->levels[i].line)
			continue;
		level_resolve(c, host, i);
		if (i != last)
			WARN(c, host->levels[i].line,
			     "[host %s] fence_level_%zu: there is no fence_level_%zu", host->name,
			     i + 1, last + 1);
		last = i + 1;
		host->fenceable = true;
	}
	if (!host->fenceable)
		WARN(c, host->line,
		     "[host %s]: no fence_level_1: HAMON CAN NEVER PROVE THIS HOST DEAD BY ITSELF; "
		     "when it fails, none of its instances starts elsewhere until a person says "
		     "\"hamonctl confirm-fenced %s\"",
		     host->name, host->name);
}

/* Whether any host has the device in one of its levels. */
static bool device_used(const struct hamon_config *config, const struct config_device *device)
{
	for (size_t h = 0; h < config->hosts_count; h++)
		for (size_t l = 0; l < CONFIG_LEVELS_MAX; l++)
			for (size_t i = 0; i < config->hosts[h].levels[l].count; i++)
				if (config->hosts[h].levels[l].devices[i].device == device)
					return true;
	return false;
}

/* Two hosts and one switch. */

static bool secrets_same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Another secrets file may name another address: then nothing is known to be the same. */
static bool target_same(const struct config_level_device *a, const struct config_level_device *b)
{
	struct config_option left[2 * CONFIG_OPTIONS_MAX], right[2 * CONFIG_OPTIONS_MAX];
	size_t count;

	if (!a->device || !b->device || !a->device->agent || !b->device->agent)
		return false;
	if (strcmp(a->device->agent, b->device->agent) ||
	    !secrets_same(a->device->secrets_path, b->device->secrets_path))
		return false;
	count = config_options_merge(a, left);
	if (config_options_merge(b, right) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(left[i].key, right[i].key) || strcmp(left[i].value, right[i].value))
			return false;
	return true;
}

static const struct config_level_device *host_target_find(const struct config_host *host,
							   const struct config_level_device *target)
{
	for (size_t l = 0; l < CONFIG_LEVELS_MAX; l++)
		for (size_t i = 0; i < host->levels[l].count; i++)
			if (target_same(&host->levels[l].devices[i], target))
				return &host->levels[l].devices[i];
	return NULL;
}

static void host_targets_check(const struct check *c, size_t number)
{
	const struct config_host *host = &c->config->hosts[number];

	for (size_t l = 0; l < CONFIG_LEVELS_MAX; l++) {
		for (size_t i = 0; i < host->levels[l].count; i++) {
			const struct config_level_device *mine = &host->levels[l].devices[i];

			for (size_t h = 0; h < number; h++) {
				const struct config_level_device *other =
					host_target_find(&c->config->hosts[h], mine);

				if (!other)
					continue;
				COMPLAIN(c, host->levels[l].line,
					 "[host %s] fence_level_%zu: %s would switch off "
					 "[host %s] (its %s is given the same options); expected "
					 "something that tells them apart, such as \"%s plug=%s\"",
					 host->name, l + 1, mine->name, c->config->hosts[h].name,
					 other->name, mine->name, host->name);
				break;
			}
		}
	}
}

/* Two hosts under one name in Nova: the wrong one would be forced down, and its servers taken. */
static void nova_host_check(const struct check *c, size_t number)
{
	const struct config_host *host = &c->config->hosts[number];
	const char *name = config_nova_host(c->config, host->name);

	for (size_t i = 0; i < number; i++)
		if (!strcmp(config_nova_host(c->config, c->config->hosts[i].name), name))
			COMPLAIN(c, host->line,
				 "[host %s] nova_host: in Nova it would be %s, which is [host %s]",
				 host->name, name, c->config->hosts[i].name);
}

static void reserved_check(const struct check *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->config->hosts_count; i++)
		n += c->config->hosts[i].reserved;
	if (c->config->evacuation.recovery_method == CONFIG_RECOVERY_RESERVED_HOST && !n)
		COMPLAIN(c, key_line(c, "evacuation recovery_method"),
			 "[evacuation] recovery_method: reserved_host needs a [host NAME] with \"reserved = yes\", and there is none");
	else if (c->config->evacuation.recovery_method == CONFIG_RECOVERY_AUTO && n)
		WARN(c, key_line(c, "evacuation recovery_method"),
		     "[evacuation] recovery_method: with auto no reserved host is ever used, and there %s %zu",
		     n == 1 ? "is" : "are", n);
}

static void pair_check(const struct check *c)
{
	const struct config_host *hosts = c->config->hosts;

	if (c->config->hosts_count == 2 && hosts[0].fence_delay_ms == hosts[1].fence_delay_ms &&
	    hosts[0].priority == hosts[1].priority)
		WARN(c, 0,
		     "[host %s] and [host %s] have the same priority and fence_delay: each may "
		     "fence the other when the network between them fails",
		     hosts[0].name, hosts[1].name);
}

void config_check_whole(const char *file, struct hamon_config *config,
			const struct config_lines *lines, struct config_errors *errors)
{
	struct check c = { file, config, lines, errors };

	limits_check(&c);
	select_check(&c);
	urls_check(&c, "nova auth_url", "[nova] auth_url", config->nova.auth_url);
	urls_check(&c, "nova endpoint", "[nova] endpoint", config->nova.endpoint);
	for (size_t i = 0; i < config->hosts_count; i++)
		host_check(&c, &config->hosts[i]);
	for (size_t i = 0; i < config->devices_count; i++)
		if (!device_used(config, &config->devices[i]))
			WARN(&c, config->devices[i].line,
			     "[fence-device %s]: no host names this device",
			     config->devices[i].name);
	if (!config->hosts_count)
		WARN(&c, 0,
		     "there is no [host NAME]: HAMON CAN FENCE NOTHING, so nothing is ever "
		     "evacuated without a person");
	pair_check(&c);
	reserved_check(&c);
	for (size_t i = 0; i < config->hosts_count; i++) {
		host_targets_check(&c, i);
		nova_host_check(&c, i);
	}
}

/* Files. */

/* Who can write the file decides what is switched off; who can read it knows the passwords. */
static void secrets_check(const struct check *c, const struct config_device *device)
{
	const char *path = device->secrets_path;
	struct stat st;

	if (stat(path, &st))
		COMPLAIN(c, device->line, "[fence-device %s] secrets: %s: %s", device->name, path,
			 strerror(errno));
	else if (!S_ISREG(st.st_mode))
		COMPLAIN(c, device->line, "[fence-device %s] secrets: %s: expected a file",
			 device->name, path);
	else if (st.st_uid != 0)
		COMPLAIN(c, device->line,
			 "[fence-device %s] secrets: %s: expected a file that belongs to root, "
			 "found user id %u",
			 device->name, path, (unsigned int)st.st_uid);
	else if ((st.st_mode & 07777) != 0600 && (st.st_mode & 07777) != 0400)
		COMPLAIN(c, device->line,
			 "[fence-device %s] secrets: %s: expected mode 0600, found %04o",
			 device->name, path, (unsigned int)(st.st_mode & 07777));
}

static bool program_there(const char *folder, const char *name)
{
	char path[CONFIG_LINE_MAX + 64];

	snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : folder, name);
	return !access(path, X_OK);
}

/* The credentials of Nova; hamon-evacuate refuses them later for the same reasons. */
static void clouds_check(const struct check *c)
{
	const char *path = c->config->nova.clouds_file;
	struct stat st;

	if (c->config->cluster.control_plane != CONFIG_PLANE_NOVA || !path)
		return;
	if (stat(path, &st))
		COMPLAIN(c, 0, "[nova] clouds_file: %s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		COMPLAIN(c, 0, "[nova] clouds_file: %s: expected a file", path);
	else if (st.st_mode & (S_IRWXO | S_IWGRP))
		COMPLAIN(c, 0,
			 "[nova] clouds_file: %s: expected a mode that lets others neither read nor change "
			 "it, such as 0600, found %04o",
			 path, (unsigned int)(st.st_mode & 07777));
}

void config_check_files(const char *file, const struct hamon_config *config,
			struct config_errors *errors)
{
	struct check c = { file, (struct hamon_config *)config, NULL, errors };

	clouds_check(&c);
	for (size_t i = 0; i < config->devices_count; i++) {
		const struct config_device *device = &config->devices[i];

		if (device->secrets_path)
			secrets_check(&c, device);
		if (device->agent && !program_there("/usr/sbin/", device->agent))
			WARN(&c, device->line,
			     "[fence-device %s] agent: there is no program %s%s on this host",
			     device->name, device->agent[0] == '/' ? "" : "/usr/sbin/",
			     device->agent);
	}
	for (size_t i = 0; i < config->alerts.agents_count; i++)
		if (!program_there("", config->alerts.agents[i].path))
			WARN(&c, config->alerts.agents[i].line,
			     "[alerts] agent: there is no program %s on this host",
			     config->alerts.agents[i].path);
}
