/*
 * The table of all sections and keys. The ranges are wide enough for a test cluster; what does not
 * fit together is found by config_check.c.
 */
#include <string.h>

#include "hamon/config.h"
#include "hamon/config_keys.h"

#define MS(n) (n)
#define SEC(n) (1000ull * (n))
#define MIN(n) (60000ull * (n))
#define HOUR(n) (3600000ull * (n))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define AT(field) .offset = offsetof(struct hamon_config, field)
#define DEVICE_AT(field) .offset = offsetof(struct config_device, field)
#define HOST_AT(field) .offset = offsetof(struct config_host, field)
#define RANGE(from, to) .min = (from), .max = (to)

static const char *const protect_choices[] = {
	[CONFIG_PROTECT_ALL] = "all", [CONFIG_PROTECT_OPTED_IN] = "opted-in", NULL,
};
static const char *const plane_choices[] = { [CONFIG_PLANE_LIBVIRT] = "libvirt", [CONFIG_PLANE_NOVA] = "nova",
					     NULL };
static const char *const recovery_choices[] = {
	[CONFIG_RECOVERY_AUTO] = "auto", [CONFIG_RECOVERY_RESERVED_HOST] = "reserved_host",
	[CONFIG_RECOVERY_AUTO_PRIORITY] = "auto_priority", [CONFIG_RECOVERY_RH_PRIORITY] = "rh_priority", NULL,
};
const char *const config_interface_choices[] = {
	[CONFIG_INTERFACE_DEFAULT] = "default", [CONFIG_INTERFACE_PUBLIC] = "public",
	[CONFIG_INTERFACE_INTERNAL] = "internal", [CONFIG_INTERFACE_ADMIN] = "admin", NULL,
};
const char *const config_select_choices[] = {
	[CONFIG_SELECT_ALL] = "all", [CONFIG_SELECT_METADATA] = "metadata", [CONFIG_SELECT_TAG] = "tag",
	[CONFIG_SELECT_FLAVOR] = "flavor", [CONFIG_SELECT_IMAGE] = "image", [CONFIG_SELECT_AGGREGATE] = "aggregate", NULL,
};

static const struct config_key cluster_keys[] = {
	{ "protect", CONFIG_CHOICE, AT(cluster.protect), "all", .choices = protect_choices },
	{ "control_plane", CONFIG_CHOICE, AT(cluster.control_plane), "libvirt",
	  .choices = plane_choices },
	{ "libvirt_uri", CONFIG_URI, AT(cluster.libvirt_uri), "qemu:///system", .local = true },
	{ "start_grace", CONFIG_DURATION, AT(cluster.start_grace_ms), "30s",
	  RANGE(SEC(1), HOUR(1)) },
	{ "failure_window", CONFIG_DURATION, AT(cluster.failure_window_ms), "5m",
	  RANGE(SEC(1), HOUR(24)) },
	{ "max_failed_hosts", CONFIG_COUNT, AT(cluster.max_failed_hosts), "0",
	  RANGE(0, CONFIG_HOSTS_MAX) },
	{ "max_failed_share", CONFIG_PERCENT, AT(cluster.max_failed_share), "34%",
	  RANGE(1, 100) },
	{ "beat", CONFIG_DURATION, AT(cluster.beat_ms), "1s", RANGE(MS(100), SEC(10)) },
	{ "coordinator_timeout", CONFIG_DURATION, AT(cluster.coordinator_timeout_ms), "4s",
	  RANGE(MS(200), MIN(5)) },
	{ "tilt", CONFIG_DURATION, AT(cluster.tilt_ms), "3s", RANGE(MS(200), MIN(5)) },
};

static const struct config_key evacuation_keys[] = {
	{ "parallel_starts", CONFIG_COUNT, AT(evacuation.parallel_starts), "4", RANGE(1, 64) },
	{ "attempts", CONFIG_COUNT, AT(evacuation.attempts), "3", RANGE(1, 20) },
	{ "start_timeout", CONFIG_DURATION, AT(evacuation.start_timeout_ms), "90s",
	  RANGE(SEC(1), HOUR(1)) },
	{ "verify", CONFIG_DURATION, AT(evacuation.verify_ms), "1s", RANGE(0, MIN(1)) },
	{ "lock_patience", CONFIG_DURATION, AT(evacuation.lock_patience_ms), "120s",
	  RANGE(0, HOUR(1)) },
	{ "retry_delay", CONFIG_DURATION, AT(evacuation.retry_delay_ms), "10s",
	  RANGE(MS(100), HOUR(1)) },
	{ "recovery_method", CONFIG_CHOICE, AT(evacuation.recovery_method), "auto",
	  .choices = recovery_choices },
};

static const struct config_key storage_keys[] = {
	{ "beacon_interval", CONFIG_DURATION, AT(storage.beacon_interval_ms), "10s",
	  RANGE(MS(200), MIN(10)) },
	{ "probe_timeout", CONFIG_DURATION, AT(storage.probe_timeout_ms), "3s",
	  RANGE(MS(100), MIN(1)) },
	{ "max_beacon_age", CONFIG_DURATION, AT(storage.max_beacon_age_ms), "60s",
	  RANGE(MS(500), HOUR(1)) },
};

static const struct config_key fencing_keys[] = {
	{ "retry_backoff", CONFIG_DURATION, AT(fencing.retry_backoff_ms), "30s",
	  RANGE(MS(100), HOUR(1)) },
	{ "retry_backoff_max", CONFIG_DURATION, AT(fencing.retry_backoff_max_ms), "10m",
	  RANGE(MS(100), HOUR(24)) },
	{ "check_interval", CONFIG_DURATION, AT(fencing.check_interval_ms), "10m",
	  RANGE(SEC(1), HOUR(24)) },
};

static const struct config_key alerts_keys[] = {
	{ "directory", CONFIG_ABSPATH, AT(alerts.directory), SYSCONFDIR "/hamon/alerts.d",
	  .local = true },
	{ "agent", CONFIG_ALERT_AGENT, .local = true },
	{ "timeout", CONFIG_DURATION, AT(alerts.timeout_ms), "30s", RANGE(MS(100), MIN(10)),
	  .local = true },
};

static const struct config_key store_keys[] = {
	{ "path", CONFIG_ABSPATH, AT(store.path), LOCALSTATEDIR "/lib/hamon", .local = true },
	{ "history", CONFIG_COUNT, AT(store.history), "10000", RANGE(100, 10000000),
	  .local = true },
};

static const struct config_key nova_keys[] = {
	{ "cloud", CONFIG_WORD, AT(nova.cloud) },
	{ "clouds_file", CONFIG_ABSPATH, AT(nova.clouds_file), .local = true },
	{ "region", CONFIG_WORD, AT(nova.region) },
	{ "interface", CONFIG_CHOICE, AT(nova.interface), "default",
	  .choices = config_interface_choices },
	{ "auth_url", CONFIG_WORD, AT(nova.auth_url) },
	{ "endpoint", CONFIG_WORD, AT(nova.endpoint) },
	{ "timeout", CONFIG_DURATION, AT(nova.timeout_ms), "30s", RANGE(SEC(1), MIN(10)) },
	{ "microversion", CONFIG_MICROVERSION, AT(nova.microversion), "2.93", RANGE(53, 99) },
	{ "lock", CONFIG_YESNO, AT(nova.lock), "yes" },
	{ "automatic_return", CONFIG_YESNO, AT(nova.automatic_return), "yes" },
	{ "select", CONFIG_CHOICE, AT(nova.select), "all", .choices = config_select_choices },
	{ "select_key", CONFIG_WORD, AT(nova.select_key) },
	{ "select_value", CONFIG_WORD, AT(nova.select_value) },
};

static const struct config_key device_keys[] = {
	{ "agent", CONFIG_FENCE_AGENT, DEVICE_AT(agent), .required = true },
	{ "timeout", CONFIG_DURATION, DEVICE_AT(timeout_ms), "60s", RANGE(SEC(1), MIN(30)) },
	{ "retries", CONFIG_COUNT, DEVICE_AT(retries), "1", RANGE(0, 10) },
	{ "secrets", CONFIG_ABSPATH, DEVICE_AT(secrets_path), .local = true },
	{ "option.", CONFIG_OPTION, DEVICE_AT(options) },
};

static const struct config_key host_keys[] = {
	{ "fence_level_", CONFIG_LEVEL, HOST_AT(levels) },
	{ "fence_delay", CONFIG_DURATION, HOST_AT(fence_delay_ms), "0s", RANGE(0, MIN(5)) },
	{ "power_on_after", CONFIG_YESNO, HOST_AT(power_on_after), "no" },
	{ "priority", CONFIG_COUNT, HOST_AT(priority), "0", RANGE(0, 1000) },
	{ "reserved", CONFIG_YESNO, HOST_AT(reserved), "no" },
	{ "nova_host", CONFIG_WORD, HOST_AT(nova_host) },
};

#define SECTION(text, table, has_name) \
	{ .name = (text), .named = (has_name), .keys = (table), .keys_count = COUNT_OF(table) }

const struct config_section config_sections[] = {
	SECTION("cluster", cluster_keys, false),
	SECTION("evacuation", evacuation_keys, false),
	SECTION("storage", storage_keys, false),
	SECTION("fencing", fencing_keys, false),
	SECTION("alerts", alerts_keys, false),
	SECTION("store", store_keys, false),
	SECTION("nova", nova_keys, false),
	SECTION("fence-device", device_keys, true),
	SECTION("host", host_keys, true),
};
const size_t config_sections_count = COUNT_OF(config_sections);

_Static_assert(COUNT_OF(cluster_keys) <= CONFIG_KEYS_MAX, "the largest section");
_Static_assert(COUNT_OF(config_sections) <= CONFIG_SECTIONS_MAX, "all sections");

const struct config_section *config_section_find(const char *name)
{
	for (size_t i = 0; i < config_sections_count; i++)
		if (!strcmp(config_sections[i].name, name))
			return &config_sections[i];
	return NULL;
}

static bool key_matches(const struct config_key *key, const char *name)
{
	size_t prefix = strlen(key->name);

	if (key->type != CONFIG_OPTION && key->type != CONFIG_LEVEL)
		return !strcmp(key->name, name);
	if (strncmp(key->name, name, prefix))
		return false;
	if (key->type == CONFIG_OPTION)
		return true;
	return name[prefix] >= '1' && name[prefix] < '1' + CONFIG_LEVELS_MAX && !name[prefix + 1];
}

const struct config_key *config_key_find(const struct config_section *section, const char *name)
{
	for (size_t i = 0; i < section->keys_count; i++)
		if (key_matches(&section->keys[i], name))
			return &section->keys[i];
	return NULL;
}

const char *config_key_label(const struct config_key *key)
{
	if (key->type == CONFIG_OPTION)
		return "option.KEY";
	return key->type == CONFIG_LEVEL ? "fence_level_N" : key->name;
}
