/* One value into the field that the table of keys names, or a message about what was expected. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/suggest.h"
#include "hamon/config_internal.h"
#include "hamon/config_keys.h"
#include "hamon/config_value.h"

#define SHOWN 64	/* bytes of a found text that a message repeats */

static void value_complain(const struct config_place *place, const struct config_key *key,
			   const char *value)
{
	char expected[128], shown[SHOWN], hint[SHOWN + 32] = "";
	size_t choices = 0;
	const char *near;
	uint64_t number;

	while (key->type == CONFIG_CHOICE && key->choices[choices])
		choices++;
	near = suggest_near(value, key->choices, choices);
	if (strchr(value, '#'))
		snprintf(hint, sizeof(hint),
			 "; a comment that begins with # needs a line of its own");
	else if (near)
		snprintf(hint, sizeof(hint), "; did you mean \"%s\"?", near);
	else if (key->type == CONFIG_DURATION && !config_count_parse(value, &number) && number)
		snprintf(hint, sizeof(hint), "; did you mean \"%.20ss\"?", value);
	else if (key->type == CONFIG_PERCENT && !config_count_parse(value, &number))
		snprintf(hint, sizeof(hint), "; did you mean \"%.20s%%\"?", value);
	config_expected_format(key, expected, sizeof(expected));
	config_text_show(value, shown, sizeof(shown));
	CONFIG_ERROR(place, "expected %s, found \"%s\"%s", expected, shown, hint);
}

static int text_store(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static bool microversion_fits(const struct config_key *key, const char *text)
{
	uint64_t minor;

	return !strncmp(text, "2.", 2) && !config_count_parse(text + 2, &minor) && minor >= key->min &&
		minor <= key->max;
}

static bool text_fits(const struct config_key *key, const char *text)
{
	if (key->type == CONFIG_WORD)
		return !strpbrk(text, " \t");
	if (key->type == CONFIG_MICROVERSION)
		return microversion_fits(key, text);
	if (key->type == CONFIG_URI)
		return !strncmp(text, "qemu", 4) && strstr(text, ":///") && !strpbrk(text, " \t");
	if (key->type == CONFIG_FENCE_AGENT && text[0] != '/')
		return config_name_valid(text);
	return text[0] == '/' && !strpbrk(text, " \t");
}

static int alert_agent_add(const struct config_place *place, const struct config_key *key,
			   struct hamon_config *config, const char *value)
{
	size_t path_len = strcspn(value, " \t");
	const char *recipient = value + path_len + strspn(value + path_len, " \t");
	struct config_agent *agent;

	if (value[0] != '/') {
		value_complain(place, key, value);
		return 0;
	}
	if (config->alerts.agents_count == CONFIG_AGENTS_MAX) {
		CONFIG_ERROR(place, "expected at most %d agents", CONFIG_AGENTS_MAX);
		return 0;
	}
	agent = config_array_add((void **)&config->alerts.agents, &config->alerts.agents_count,
				 sizeof(*agent));
	if (!agent)
		return -ENOMEM;
	agent->line = place->line;
	agent->path = strndup(value, path_len);
	if (!agent->path)
		return -ENOMEM;
	return *recipient ? text_store(&agent->recipient, recipient) : 0;
}

int config_value_store(const struct config_place *place, const struct config_key *key, void *object,
		       const char *value)
{
	void *field = (char *)object + key->offset;
	const char *rest = place->key + strlen(key->name);

	switch (key->type) {
	case CONFIG_DURATION:
	case CONFIG_COUNT:
	case CONFIG_PERCENT:
	case CONFIG_CHOICE:
		if (config_number_parse(key, value, field))
			value_complain(place, key, value);
		return 0;
	case CONFIG_YESNO:
		if (config_yesno_parse(value, field))
			value_complain(place, key, value);
		return 0;
	case CONFIG_ABSPATH:
	case CONFIG_URI:
	case CONFIG_WORD:
	case CONFIG_MICROVERSION:
	case CONFIG_FENCE_AGENT:
		if (text_fits(key, value))
			return text_store(field, value);
		value_complain(place, key, value);
		return 0;
	case CONFIG_ALERT_AGENT:
		return alert_agent_add(place, key, object, value);
	case CONFIG_OPTION:
		return config_option_add(place, field, rest, value);
	case CONFIG_LEVEL:
		return config_level_parse(place, value,
					  (struct config_level *)field + (*rest - '1'));
	}
	return 0;
}
