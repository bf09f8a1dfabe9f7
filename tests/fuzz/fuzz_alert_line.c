/* Fuzz target: a line to hamon-alert, taken as a record, as a configuration and as the spool's lanes.json. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/alert/environment.h"
#include "hamon/alert/lanes.h"
#include "hamon/common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void config_use(struct json_object *obj, struct alert_config **ret_config)
{
	char error[96] = "";

	if (!alert_config_take(obj, ret_config, error, sizeof(error))) {
		struct alert_config *config = *ret_config;

		if (*error || !config->parallel || !config->attempts || (*config->dir && *config->dir != '/'))
			abort();
		(void)alert_config_nodeid(config, "h1");
	} else if (!*error || *ret_config) {
		abort();
	}
}

static void record_use(struct json_object *obj, const struct alert_config *config)
{
	static char *no_options[] = { NULL };
	char path[] = "/a", recipient[] = "r", format[] = "%H:%M:%S.%06N", error[96] = "";
	struct alert_agent agent = { path, recipient, format, no_options, 1 };
	struct alert_record *record = NULL;
	char **environment;

	if (alert_record_take(obj, 7, &record, error, sizeof(error))) {
		if (!*error || record)
			abort();
		return;
	}
	if (record->json[record->json_len - 1] != '\n' || strlen(record->json) != record->json_len)
		abort();
	environment = alert_environment_make(record, config, &agent, 1);
	for (char **variable = environment; *variable; variable++)
		if (!strchr(*variable, '=') || strlen(*variable) > ALERT_TEXT_MAX + 1024 + 2 * ALERT_PATH_MAX)
			abort();
	alert_environment_free(environment);
	alert_record_unref(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct alert_lanes lanes;
	struct alert_config *config = NULL, *plain = NULL;
	uint64_t done[ALERT_LANES_MAX];
	struct json_object *obj;
	char error[96], *text = strndup((const char *)data, size);

	alert_lanes_parse(&lanes, text, done);
	free(text);
	if (json_parse((const char *)data, size, &obj))
		return 0;
	if (json_object_is_type(obj, json_type_object)) {
		struct json_object *empty = json_object_new_object();

		config_use(obj, &config);
		if (alert_config_take(empty, &plain, error, sizeof(error)))
			abort();
		record_use(obj, config ? config : plain);
		json_object_put(empty);
		alert_config_free(config);
		alert_config_free(plain);
	}
	json_object_put(obj);
	return 0;
}
