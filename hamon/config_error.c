/* The messages about a configuration: collected, not printed, so that one run shows all of them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hamon/config_internal.h"

__attribute__((format(printf, 4, 0)))
static char *message_format(const char *file, unsigned int line, bool warning, const char *format,
			    va_list args)
{
	char place[24] = "", *body, *text;

	if (vasprintf(&body, format, args) < 0)
		return NULL;
	if (line)
		snprintf(place, sizeof(place), ":%u", line);
	if (asprintf(&text, "%s%s: %s: %s", file, place, warning ? "warning" : "error", body) < 0)
		text = NULL;
	free(body);
	return text;
}

void config_error_add(struct config_errors *errors, const char *file, unsigned int line,
		      bool warning, const char *format, ...)
{
	struct config_error *error;
	va_list args;

	if (warning)
		errors->warnings++;
	else
		errors->errors++;
	if (errors->count == CONFIG_ERRORS_MAX)
		return;
	error = config_array_add((void **)&errors->list, &errors->count, sizeof(*error));
	if (!error)
		return;
	error->warning = warning;
	error->line = line;
	va_start(args, format);
	error->text = message_format(file, line, warning, format, args);
	va_end(args);
	if (!error->text)
		errors->count--;
}

/* An insertion sort keeps the order of equal lines, and the list is short. */
void config_errors_sort(struct config_errors *errors)
{
	for (size_t i = 1; i < errors->count; i++) {
		struct config_error error = errors->list[i];
		size_t j = i;

		/* Line 0 minus one is the largest number: the whole file comes last. */
		for (; j && errors->list[j - 1].line - 1 > error.line - 1; j--)
			errors->list[j] = errors->list[j - 1];
		errors->list[j] = error;
	}
}

void config_errors_print(const struct config_errors *errors, FILE *out)
{
	size_t all = errors->errors + errors->warnings;

	for (size_t i = 0; i < errors->count; i++)
		fprintf(out, "%s\n", errors->list[i].text);
	if (all > errors->count)
		fprintf(out, "... and %zu more messages\n", all - errors->count);
}

void config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->list[i].text);
	free(errors->list);
	*errors = (struct config_errors){ 0 };
}
