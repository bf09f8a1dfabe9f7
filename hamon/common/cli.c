/* What hamon's commands for people share. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hamon/common/cli.h"
#include "hamon/common/ctl.h"
#include "hamon/common/json.h"
#include "hamon/common/suggest.h"

#define OPTIONS_MAX 16

static void __attribute__((format(printf, 2, 0))) error_print(const struct cli *cli, const char *format, va_list ap)
{
	char *text, *clean;
	struct term term;

	if (vasprintf(&text, format, ap) < 0)
		abort();
	clean = term_clean(text);
	term_detect(2, &term);
	fflush(stdout);
	fprintf(stderr, "%s: ", cli->program);
	term_paragraph(stderr, &term, TERM_PLAIN, strlen(cli->program) + 2, strlen(cli->program) + 2, clean);
	free(clean);
	free(text);
}

void cli_error(const struct cli *cli, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_print(cli, format, ap);
	va_end(ap);
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_print(cli, format, ap);
	va_end(ap);
	fprintf(stderr, "See: %s\n", cli->help);
	return CLI_USAGE;
}

/* --- options --- */

static const struct cli_option *option_find(const struct cli *cli, const struct cli_option *options, size_t count,
					    const char *word, size_t len)
{
	const char *names[OPTIONS_MAX], *near;
	char *name = strndup(word, len);

	if (!name || count > OPTIONS_MAX)
		abort();
	for (size_t i = 0; i < count; i++) {
		names[i] = options[i].name;
		if (!strcmp(options[i].name, name)) {
			free(name);
			return &options[i];
		}
	}
	near = suggest_near(name, names, count);
	cli_usage(cli, "there is no option --%s%s%s%s", name, near ? "; did you mean --" : "", near ? near : "",
		  near ? "?" : "");
	free(name);
	return NULL;
}

static const struct cli_option *letter_find(const struct cli *cli, const struct cli_option *options, size_t count,
					    const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (options[i].letter && options[i].letter == word[1] && !word[2])
			return &options[i];
	cli_usage(cli, "there is no option %s", word);
	return NULL;
}

static void option_set(const struct cli_option *option, const char *value)
{
	if (option->flag)
		*option->flag = true;
	if (option->value)
		*option->value = value;
	if (option->list)
		json_object_array_add(option->list, json_object_new_string(value));
}

/* One option at argv[*i], with its value; *i ends at its last word. */
static int option_take(const struct cli *cli, const struct cli_option *options, size_t count, int argc, char **argv,
		       int *i)
{
	const char *word = argv[*i], *equals = NULL, *value = NULL;
	const struct cli_option *option;

	if (word[1] == '-') {
		equals = strchr(word, '=');
		option = option_find(cli, options, count, word + 2,
				     equals ? (size_t)(equals - word - 2) : strlen(word + 2));
	} else {
		option = letter_find(cli, options, count, word);
	}
	if (!option)
		return -EINVAL;
	if (equals && !option->value_name) {
		cli_usage(cli, "--%s takes no value", option->name);
		return -EINVAL;
	}
	if (option->value_name) {
		value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
		if (!value || !*value) {
			cli_usage(cli, "--%s needs a value: --%s %s", option->name, option->name, option->value_name);
			return -EINVAL;
		}
	}
	option_set(option, value);
	return 0;
}

int cli_options_parse(const struct cli *cli, const struct cli_option *options, size_t count, int argc, char **argv)
{
	int operands = 0;
	bool ended = false;

	for (int i = 0; i < argc; i++) {
		if (ended || argv[i][0] != '-' || !argv[i][1])
			argv[operands++] = argv[i];
		else if (!strcmp(argv[i], "--"))
			ended = true;
		else if (option_take(cli, options, count, argc, argv, &i))
			return -EINVAL;
	}
	return operands;
}

void cli_options_help(const struct cli *cli, const struct cli_option *options, size_t count)
{
	char names[64];
	int width = 0, n;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < count; i++) {
			const struct cli_option *o = &options[i];
			char letter[8] = "    ";

			if (o->letter)
				snprintf(letter, sizeof(letter), "-%c, ", o->letter);
			n = snprintf(names, sizeof(names), "%s--%s%s%s", letter, o->name, o->value_name ? " " : "",
				     o->value_name ? o->value_name : "");
			if (pass) {
				printf("  %-*s  ", width, names);
				term_paragraph(stdout, &cli->term, TERM_PLAIN, (size_t)width + 4, (size_t)width + 4,
					       o->help);
			} else if (n > width) {
				width = n;
			}
		}
	}
}

int cli_seconds_parse(const char *text, int *ret_ms)
{
	char *end;
	double seconds;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return -EINVAL;
	errno = 0;
	seconds = strtod(text, &end);
	if (errno || end == text || (*end && strcmp(end, "s")) || !(seconds >= 0.001 && seconds <= 86400))
		return -EINVAL;
	*ret_ms = (int)(seconds * 1000 + 0.5);
	return 0;
}

/* --- hamond --- */

void cli_json_print(struct json_object *obj)
{
	puts(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
						 JSON_C_TO_STRING_NOSLASHESCAPE));
}

const char *cli_title(struct json_object *instance, const char *key)
{
	const char *title = json_string_or(instance, "title", "");

	return *title && strcmp(title, json_string_or(instance, key, "?")) ? title : NULL;
}

const char *cli_label(struct json_object *instance, const char *key, char buf[CLI_LABEL_SIZE])
{
	const char *name = json_string_or(instance, key, "?"), *title = cli_title(instance, key);

	snprintf(buf, CLI_LABEL_SIZE, title ? "%s (%s)" : "%s", title ? title : name, name);
	return buf;
}

static void unreachable_json_print(int rc)
{
	struct json_object *obj = json_object_new_object(), *error = json_object_new_object();

	json_put_u64(obj, "v", CTL_VERSION);
	json_put_bool(obj, "ok", false);
	json_put_string(error, "code", "not-reachable");
	json_put_string(error, "message", ctl_strerror(rc));
	json_object_object_add(obj, "error", error);
	cli_json_print(obj);
	json_object_put(obj);
}

int cli_call(const struct cli *cli, struct json_object *req, struct json_object **ret_reply)
{
	struct json_object *reply = NULL;
	struct ctl_error error;
	int rc = ctl_call(req, cli->timeout_ms, &reply);

	*ret_reply = NULL;
	json_object_put(req);
	if (rc) {
		if (cli->json)
			unreachable_json_print(rc);
		cli_error(cli, "%s", ctl_strerror(rc));
		return CLI_UNREACHABLE;
	}
	if (ctl_reply_error(reply, &error)) {
		if (cli->json)
			cli_json_print(reply);
		cli_error(cli, "%s", error.message);
		if (error.hint)
			cli_error(cli, "%s", error.hint);
		json_object_put(reply);
		return CLI_REFUSED;
	}
	*ret_reply = reply;
	return CLI_OK;
}

/* --- times --- */

const char *cli_duration(char *buf, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (ms < 60000)
		snprintf(buf, CLI_DURATION_SIZE, "%llu.%llu s", (unsigned long long)s,
			 (unsigned long long)(ms % 1000 / 100));
	else if (s < 3600)
		snprintf(buf, CLI_DURATION_SIZE, "%llu min %llu s", (unsigned long long)(s / 60),
			 (unsigned long long)(s % 60));
	else if (s < 86400)
		snprintf(buf, CLI_DURATION_SIZE, "%llu h %llu min", (unsigned long long)(s / 3600),
			 (unsigned long long)(s % 3600 / 60));
	else
		snprintf(buf, CLI_DURATION_SIZE, "%llu d %llu h", (unsigned long long)(s / 86400),
			 (unsigned long long)(s % 86400 / 3600));
	return buf;
}

uint64_t cli_wall_ms(const char *rfc3339)
{
	struct tm tm = { 0 };
	const char *end = rfc3339 ? strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	unsigned int ms = 0, scale = 100;
	time_t s;

	if (!end)
		return 0;
	s = timegm(&tm);
	if (*end == '.')
		for (end++; isdigit((unsigned char)*end); end++, scale /= 10)
			ms += (unsigned int)(*end - '0') * scale;
	return strcmp(end, "Z") || s <= 0 ? 0 : (uint64_t)s * 1000 + ms;
}

const char *cli_time(char *buf, uint64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (!wall_ms || !localtime_r(&s, &tm) || !strftime(buf, CLI_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &tm))
		strcpy(buf, "-");
	return buf;
}
