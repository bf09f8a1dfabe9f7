/* What an alert agent finds in its environment. */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hamon/alert/environment.h"
#include "hamon/alert/kinds.h"

#define PACEMAKER_VERSION "2.1.5" /* whose interface this is: agents look whether there is any */
#define VARIABLES_MAX 64

struct environment {
	char **list;
	size_t n;
	bool failed;
};

/*
 * One variable. Control characters become blanks: agents put these texts into mail headers and logs, where a newline
 * begins something new. The record on stdin has them as they are.
 */
__attribute__((format(printf, 3, 4)))
static void put(struct environment *env, const char *name, const char *format, ...)
{
	char *value = NULL, *variable = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&value, format, args) < 0)
		value = NULL;
	va_end(args);
	for (char *p = value; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	if (!value || asprintf(&variable, "%s=%s", name, value) < 0)
		env->failed = true;
	else
		env->list[env->n++] = variable;
	free(value);
}

/* Pacemaker 2.1 still gives each variable under its older name too. */
__attribute__((format(printf, 3, 4)))
static void crm(struct environment *env, const char *name, const char *format, ...)
{
	char full[64], *value = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&value, format, args) < 0)
		value = NULL;
	va_end(args);
	if (!value) {
		env->failed = true;
		return;
	}
	snprintf(full, sizeof(full), "CRM_notify_%s", name);
	put(env, full, "%s", value);
	snprintf(full, sizeof(full), "CRM_alert_%s", name);
	put(env, full, "%s", value);
	free(value);
}

/* A stretch of the format without %N. A format that an operator chose is never a literal; strftime bounds it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t stretch_format(char *text, size_t size, const char *format, size_t len, const struct tm *tm)
{
	char piece[256];

	if (!len || len >= sizeof(piece))
		return 0;
	memcpy(piece, format, len);
	piece[len] = '\0';
	return strftime(text, size, piece, tm);
}
#pragma GCC diagnostic pop

/* The length of a %N at p with its digits, or 0; *ret_digits of the fraction. */
static size_t fraction_at(const char *p, int *ret_digits)
{
	const char *q = p + 1;

	if (*p != '%')
		return 0;
	*ret_digits = 0;
	while (isdigit((unsigned char)*q) && q < p + 4)
		*ret_digits = *ret_digits * 10 + (*q++ - '0');
	if (*q != 'N')
		return 0;
	if (*ret_digits < 1 || *ret_digits > 9)
		*ret_digits = 9;
	return (size_t)(q - p) + 1;
}

void alert_time_format(const char *format, uint64_t wall_us, char *text, size_t size)
{
	time_t t = (time_t)(wall_us / 1000000);
	size_t used = 0, start = 0, i = 0, len;
	struct tm tm;
	char fraction[16];
	int digits;

	localtime_r(&t, &tm);
	snprintf(fraction, sizeof(fraction), "%09llu", (unsigned long long)(wall_us % 1000000) * 1000);
	text[0] = '\0';
	while (format[i]) {
		len = fraction_at(format + i, &digits);
		if (!len) {
			i += format[i] == '%' && format[i + 1] ? 2 : 1;
			continue;
		}
		used += stretch_format(text + used, size - used, format + start, i - start, &tm);
		if (used + (size_t)digits + 1 > size)
			break;
		used += (size_t)snprintf(text + used, size - used, "%.*s", digits, fraction);
		i += len;
		start = i;
	}
	used += stretch_format(text + used, size - used, format + start, i - start, &tm);
	text[used < size ? used : 0] = '\0';
}

static void fencing_put(struct environment *env, const struct alert_record *record,
			const struct alert_config *config, const struct alert_kind *kind, const char *host)
{
	const char *node = *config->node ? config->node : "a node";

	/* Word for word the shape of Pacemaker's own description of a fencing. */
	crm(env, "task", "st_notify_fence");
	if (kind->rc)
		crm(env, "desc", "Operation off of %s by %s for hamond@%s: Error (%s) (ref=%s)", host, node, node,
		    record->fields[FIELD_TEXT], record->fields[FIELD_ID]);
	else
		crm(env, "desc", "Operation off of %s by %s for hamond@%s: OK (ref=%s)", host, node, node,
		    record->fields[FIELD_ID]);
	crm(env, "rc", "%d", kind->rc);
}

static void resource_put(struct environment *env, const struct alert_record *record, const struct alert_kind *kind)
{
	const char *name = record->fields[FIELD_INSTANCE];

	crm(env, "rsc", "%s", *name ? name : record->fields[FIELD_UUID]);
	crm(env, "task", "start");
	crm(env, "interval", "0");
	crm(env, "target_rc", "0");
	crm(env, "status", "%d", kind->status);
	crm(env, "rc", "%d", kind->rc);
	crm(env, "exec_time", "%llu", (unsigned long long)record->exec_time_ms);
	crm(env, "desc", "%s", kind->desc);
}

static void crm_put(struct environment *env, const struct alert_record *record, const struct alert_config *config,
		    const struct alert_agent *agent, uint32_t sequence)
{
	const struct alert_kind *kind = alert_kind_find(record->fields[FIELD_KIND]);
	const char *host = *record->fields[FIELD_HOST] ? record->fields[FIELD_HOST] : config->node;
	uint64_t nodeid = record->nodeid ? record->nodeid : alert_config_nodeid(config, host);
	char text[256];

	crm(env, "kind", "%s", alert_class_name(kind->class));
	crm(env, "version", PACEMAKER_VERSION);
	crm(env, "recipient", "%s", agent->recipient);
	crm(env, "node_sequence", "%u", sequence);
	alert_time_format(agent->timestamp_format, record->wall_us, text, sizeof(text));
	crm(env, "timestamp", "%s", text);
	crm(env, "timestamp_epoch", "%llu", (unsigned long long)(record->wall_us / 1000000));
	crm(env, "timestamp_usec", "%06llu", (unsigned long long)(record->wall_us % 1000000));
	crm(env, "node", "%s", host);
	switch (kind->class) {
	case ALERT_NODE:
		crm(env, "nodeid", "%llu", (unsigned long long)nodeid);
		crm(env, "desc", "%s", kind->desc);
		break;
	case ALERT_FENCING:
		fencing_put(env, record, config, kind, host);
		break;
	case ALERT_RESOURCE:
		resource_put(env, record, kind);
		break;
	case ALERT_ATTRIBUTE:
		crm(env, "nodeid", "%llu", (unsigned long long)nodeid);
		crm(env, "attribute_name", "hamon-%s", record->fields[FIELD_KIND]);
		crm(env, "attribute_value", "%s", record->fields[FIELD_TEXT]);
		break;
	}
}

static void hamon_put(struct environment *env, const struct alert_record *record, const struct alert_config *config)
{
	static const char *const names[ALERT_FIELDS] = {
		[FIELD_ID] = "HAMON_ID", [FIELD_KIND] = "HAMON_KIND", [FIELD_SEVERITY] = "HAMON_SEVERITY",
		[FIELD_WALL] = "HAMON_WALL", [FIELD_INCIDENT] = "HAMON_INCIDENT", [FIELD_HOST] = "HAMON_HOST",
		[FIELD_INSTANCE] = "HAMON_INSTANCE", [FIELD_UUID] = "HAMON_UUID", [FIELD_TEXT] = "HAMON_TEXT",
	};

	for (int i = 0; i < ALERT_FIELDS; i++)
		put(env, names[i], "%s", record->fields[i]);
	put(env, "HAMON_TERM", "%.*s", (int)strcspn(record->fields[FIELD_ID], "."), record->fields[FIELD_ID]);
	put(env, "HAMON_SEQ", "%llu", (unsigned long long)record->seq);
	put(env, "HAMON_NODE", "%s", config->node);
	put(env, "HAMON_CLUSTER", "%s", config->cluster);
}

static bool given(const struct environment *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->list[i], name, len) && env->list[i][len] == '=')
			return true;
	return false;
}

/* Nothing else of our own environment is any business of an agent. */
static void base_put(struct environment *env)
{
	static const char *const kept[] = { "PATH", "LANG", "TZ" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (getenv(kept[i]) && !given(env, kept[i]))
			put(env, kept[i], "%s", getenv(kept[i]));
	if (!given(env, "PATH"))
		put(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

char **alert_environment_make(const struct alert_record *record, const struct alert_config *config,
			      const struct alert_agent *agent, uint32_t sequence)
{
	struct environment env = { .list = calloc(VARIABLES_MAX + ALERT_OPTIONS_MAX + 1, sizeof(char *)) };

	if (!env.list)
		return NULL;
	/* Options come first, so that they may replace what is inherited. */
	for (char **option = agent->options; *option; option++) {
		env.list[env.n] = strdup(*option);
		env.failed = env.failed || !env.list[env.n];
		env.n += !!env.list[env.n];
	}
	base_put(&env);
	crm_put(&env, record, config, agent, sequence);
	hamon_put(&env, record, config);
	if (!env.failed)
		return env.list;
	alert_environment_free(env.list);
	return NULL;
}

void alert_environment_free(char **environment)
{
	for (char **variable = environment; variable && *variable; variable++)
		free(*variable);
	free(environment);
}
