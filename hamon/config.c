/* The configuration: reading the file, giving it back, and the command that checks it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/config.h"
#include "hamon/config_internal.h"
#include "hamon/config_keys.h"
#include "hamon/config_value.h"

void *config_array_add(void **list, size_t *count, size_t size)
{
	char *grown = reallocarray(*list, *count + 1, size);

	if (!grown)
		return NULL;
	*list = grown;
	grown += *count * size;
	memset(grown, 0, size);
	++*count;
	return grown;
}

static void host_free(struct config_host *host)
{
	free(host->name);
	free(host->nova_host);
	for (size_t i = 0; i < CONFIG_LEVELS_MAX; i++)
		config_level_free(&host->levels[i]);
}

static void device_free(struct config_device *device)
{
	free(device->name);
	free(device->agent);
	free(device->secrets_path);
	config_options_free(&device->options);
}

void config_free(struct hamon_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->hosts_count; i++)
		host_free(&config->hosts[i]);
	for (size_t i = 0; i < config->devices_count; i++)
		device_free(&config->devices[i]);
	for (size_t i = 0; i < config->alerts.agents_count; i++) {
		free(config->alerts.agents[i].path);
		free(config->alerts.agents[i].recipient);
	}
	free(config->hosts);
	free(config->devices);
	free(config->alerts.agents);
	free(config->alerts.directory);
	free(config->store.path);
	free(config->cluster.libvirt_uri);
	free(config->nova.cloud);
	free(config->nova.clouds_file);
	free(config->nova.region);
	free(config->nova.auth_url);
	free(config->nova.endpoint);
	free(config->nova.microversion);
	free(config->nova.select_key);
	free(config->nova.select_value);
	free(config);
}

/* Reading. */

/* What is no text at all is refused at once, so that nobody has to read 100 odd messages. */
static bool text_acceptable(const char *text, size_t len, const char *name,
			    struct config_errors *errors)
{
	unsigned int line;

	if (len > CONFIG_BYTES_MAX) {
		config_error_add(errors, name, 0, false, "expected at most %d bytes",
				 CONFIG_BYTES_MAX);
		return false;
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		config_error_add(errors, name, 1, false,
				 "expected plain UTF-8, found a byte order mark");
		return false;
	}
	line = config_text_check(text, len);
	if (line)
		config_error_add(errors, name, line, false,
				 "expected UTF-8 text, found a byte that is none");
	return !line;
}

static int text_load(const char *text, size_t len, const char *name, bool look_at_files,
		     struct hamon_config **ret, struct config_errors *errors)
{
	struct hamon_config *config = NULL;
	struct config_lines lines = { 0 };
	int rc = -EINVAL;

	if (!text_acceptable(text ? text : "", len, name, errors))
		goto out;
	config = calloc(1, sizeof(*config));
	rc = config ? config_text_parse(text ? text : "", len, name, config, &lines, errors)
		    : -ENOMEM;
	if (rc)
		goto out;
	config_check_whole(name, config, &lines, errors);
	if (look_at_files)
		config_check_files(name, config, errors);
	config_errors_sort(errors);
	if (errors->errors) {
		rc = -EINVAL;
		goto out;
	}
	*ret = config;
	config = NULL;
out:
	if (rc == -ENOMEM)
		config_error_add(errors, name, 0, false, "out of memory");
	config_free(config);
	return rc;
}

int config_parse(const char *text, size_t len, const char *name, struct hamon_config **ret,
		 struct config_errors *errors)
{
	return text_load(text, len, name, false, ret, errors);
}

/* Reads at most one byte more than is allowed, so that the excess shows. */
static int file_read(int fd, char **ret_text, size_t *ret_len)
{
	char *text = malloc(CONFIG_BYTES_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	while (n && len <= CONFIG_BYTES_MAX) {
		n = read(fd, text + len, CONFIG_BYTES_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			free(text);
			return (int)n;
		}
		len += (size_t)n;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

/* Opened without waiting: a FIFO in the place of the file must not hang a reload. */
static int file_open(const char *path, struct config_errors *errors)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int rc;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = S_ISREG(st.st_mode) ? 0 : S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (rc) {
		close(fd);
		return rc;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		config_error_add(errors, path, 0, true,
				 "others than its owner can write this file (mode %04o), "
				 "and so decide what is fenced",
				 (unsigned int)(st.st_mode & 07777));
	return fd;
}

int config_load(const char *path, struct hamon_config **ret, struct config_errors *errors)
{
	char *text = NULL;
	size_t len = 0;
	int fd = file_open(path, errors);
	int rc = fd < 0 ? fd : file_read(fd, &text, &len);

	if (fd >= 0)
		close(fd);
	if (rc) {
		config_error_add(errors, path, 0, false, "cannot be read: %s",
				 rc == -EINVAL ? "not a regular file" : strerror(-rc));
		return rc;
	}
	rc = text_load(text, len, path, true, ret, errors);
	free(text);
	return rc;
}

/* Looking things up. */

const struct config_host *config_host_find(const struct hamon_config *config, const char *name)
{
	for (size_t i = 0; i < config->hosts_count; i++)
		if (!strcmp(config->hosts[i].name, name))
			return &config->hosts[i];
	return NULL;
}

const struct config_device *config_device_find(const struct hamon_config *config, const char *name)
{
	for (size_t i = 0; i < config->devices_count; i++)
		if (!strcmp(config->devices[i].name, name))
			return &config->devices[i];
	return NULL;
}

const char *config_nova_host(const struct hamon_config *config, const char *name)
{
	const struct config_host *host = config_host_find(config, name);

	return host && host->nova_host ? host->nova_host : name;
}

const char *config_interface_name(uint64_t interface)
{
	return interface == CONFIG_INTERFACE_DEFAULT ? "" : config_interface_choices[interface];
}

const char *config_select_name(uint64_t select)
{
	return config_select_choices[select];
}

/* The words that Masakari and Red Hat's instance HA look for. */
const char *config_select_key(const struct hamon_config *config)
{
	if (config->nova.select == CONFIG_SELECT_ALL)
		return "";
	if (config->nova.select_key)
		return config->nova.select_key;
	return config->nova.select == CONFIG_SELECT_METADATA ? "HA_Enabled" : "evacuable";
}

const char *config_select_value(const struct hamon_config *config)
{
	if (config->nova.select == CONFIG_SELECT_ALL || config->nova.select == CONFIG_SELECT_TAG)
		return "";
	return config->nova.select_value ? config->nova.select_value : "true";
}

static int options_compare(const void *a, const void *b)
{
	return strcmp(((const struct config_option *)a)->key,
		      ((const struct config_option *)b)->key);
}

static bool option_given(const struct config_options *options, const char *key)
{
	for (size_t i = 0; i < options->count; i++)
		if (config_option_same(options->list[i].key, key))
			return true;
	return false;
}

size_t config_options_merge(const struct config_level_device *place,
			    struct config_option out[2 * CONFIG_OPTIONS_MAX])
{
	const struct config_options *common = &place->device->options;
	size_t count = 0;

	for (size_t i = 0; i < common->count; i++)
		if (!option_given(&place->options, common->list[i].key))
			out[count++] = common->list[i];
	for (size_t i = 0; i < place->options.count; i++)
		out[count++] = place->options.list[i];
	qsort(out, count, sizeof(*out), options_compare);
	return count;
}

uint64_t config_failed_hosts_limit(const struct hamon_config *config, uint64_t hosts)
{
	uint64_t limit = config->cluster.max_failed_hosts;

	if (!limit)
		limit = hosts * config->cluster.max_failed_share / 100;
	return limit ? limit : 1;
}

uint64_t config_fence_delay_ms(const struct hamon_config *config, const struct config_host *host,
			       bool two_node)
{
	uint64_t delay_ms = host->fence_delay_ms;

	if (!two_node || delay_ms >= CONFIG_PRIORITY_DELAY_MS)
		return delay_ms;
	for (size_t i = 0; i < config->hosts_count; i++)
		if (config->hosts[i].priority < host->priority)
			return CONFIG_PRIORITY_DELAY_MS;
	return delay_ms;
}

/* hamond --check-config */

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

int config_check_command(const char *path, FILE *out)
{
	struct config_errors errors = { 0 };
	struct hamon_config *config = NULL;
	char digest[CONFIG_DIGEST_SIZE];
	int rc;

	if (!path)
		path = CONFIG_PATH_DEFAULT;
	rc = config_load(path, &config, &errors);
	config_errors_print(&errors, out);
	if (rc) {
		fprintf(out, "%s: not usable: %zu error%s, %zu warning%s\n", path, errors.errors,
			plural(errors.errors), errors.warnings, plural(errors.warnings));
	} else {
		config_digest(config, digest);
		fprintf(out,
			"%s: usable: %zu host%s, %zu fence device%s, %zu warning%s, digest %s\n",
			path, config->hosts_count, plural(config->hosts_count),
			config->devices_count, plural(config->devices_count), errors.warnings,
			plural(errors.warnings), digest);
	}
	config_free(config);
	config_errors_free(&errors);
	return rc ? 1 : 0;
}
