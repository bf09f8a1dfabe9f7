/*
 * From the text to struct hamon_config. libinih splits pairs and drops comments; it neither tells
 * lines nor reports more than the first broken one, so the reader that feeds it counts lines,
 * follows the sections (which libinih cuts at 49 bytes) and notices lines for which no pair came
 * back. See inih's README, and ini.h for the variables that Debian's build exports.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "hamon/common/suggest.h"
#include "hamon/config_internal.h"
#include "hamon/config_keys.h"
#include "hamon/config_value.h"

#define SHOWN 64	/* bytes of a found text that a message repeats */
#define LABEL_MAX (2 * CONFIG_NAME_MAX)

struct parser {
	const char *file;
	const char *next, *end;			/* the text that libinih has not seen */
	unsigned int line;			/* the one that libinih is working on */
	bool pair_awaited;			/* it should come back through pair_read() */
	struct hamon_config *config;
	struct config_errors *errors;
	const struct config_section *section;	/* NULL: keys are skipped, the reason was given */
	unsigned int section_line;
	bool section_seen;			/* there was a header, right or wrong */
	char label[LABEL_MAX];			/* "[host h1]", for messages */
	void *object;				/* what the section's keys fill */
	unsigned int key_lines[CONFIG_KEYS_MAX];
	unsigned int section_lines[CONFIG_SECTIONS_MAX];
	struct config_lines *lines;
	bool out_of_memory;
};

#define ERROR(parser, ...) \
	config_error_add((parser)->errors, (parser)->file, (parser)->line, false, __VA_ARGS__)

static const char *hint_format(const char *before, const char *near, const char *after, char *buf,
			       size_t size)
{
	buf[0] = '\0';
	if (near)
		snprintf(buf, size, "; did you mean \"%s%s%s\"?", before, near, after);
	return buf;
}

static void value_store(struct parser *p, const struct config_key *key, const char *name,
			const char *value)
{
	struct config_place place = { p->errors, p->file, p->label, name, p->line };

	if (config_value_store(&place, key, p->object, value))
		p->out_of_memory = true;
}

/* Sections. */

static void section_defaults(struct parser *p)
{
	for (size_t i = 0; i < p->section->keys_count; i++)
		if (p->section->keys[i].dflt)
			value_store(p, &p->section->keys[i], p->section->keys[i].name,
				    p->section->keys[i].dflt);
}

static unsigned int named_section_line(const struct parser *p, const char *name)
{
	const struct config_host *host = config_host_find(p->config, name);
	const struct config_device *device = config_device_find(p->config, name);

	if (!strcmp(p->section->name, "host"))
		return host ? host->line : 0;
	return device ? device->line : 0;
}

/* A new [host NAME] or [fence-device NAME]: its object, with its defaults. */
static void *named_object_add(struct parser *p, const char *name)
{
	bool is_host = !strcmp(p->section->name, "host");
	size_t *count = is_host ? &p->config->hosts_count : &p->config->devices_count;
	size_t max = is_host ? CONFIG_HOSTS_MAX : CONFIG_DEVICES_MAX;
	struct config_host *host;
	struct config_device *device;

	if (*count == max) {
		ERROR(p, "%s: expected at most %zu sections of this kind", p->label, max);
		return NULL;
	}
	if (is_host) {
		host = config_array_add((void **)&p->config->hosts, count, sizeof(*host));
		if (!host)
			goto no_memory;
		host->line = p->line;
		host->name = strdup(name);
		if (!host->name)
			goto no_memory;
		return host;
	}
	device = config_array_add((void **)&p->config->devices, count, sizeof(*device));
	if (!device)
		goto no_memory;
	device->line = p->line;
	device->name = strdup(name);
	if (!device->name)
		goto no_memory;
	return device;
no_memory:
	p->out_of_memory = true;
	return NULL;
}

static void section_unknown(struct parser *p, const char *kind)
{
	const char *names[CONFIG_SECTIONS_MAX], *near;
	char hint[LABEL_MAX];
	const struct config_section *best;

	for (size_t i = 0; i < config_sections_count; i++)
		names[i] = config_sections[i].name;
	near = suggest_near(kind, names, config_sections_count);
	best = near ? config_section_find(near) : NULL;
	hint_format("[", near, best && best->named ? " NAME]" : "]", hint, sizeof(hint));
	ERROR(p, "%s: there is no such section%s", p->label, hint);
}

/* What must be right before the keys of the section can be read. */
static bool section_begins(struct parser *p, const char *kind, const char *name)
{
	unsigned int before;

	p->section = config_section_find(kind);
	if (!p->section) {
		section_unknown(p, kind);
		return false;
	}
	if (!p->section->named && *name) {
		ERROR(p, "%s: expected [%s], without a name", p->label, kind);
		return false;
	}
	if (p->section->named && !config_name_valid(name)) {
		ERROR(p,
		      "%s: expected [%s NAME], the name of at most %d letters, digits, \".\", "
		      "\"_\" and \"-\"",
		      p->label, kind, CONFIG_NAME_MAX);
		return false;
	}
	before = p->section->named ? named_section_line(p, name)
				   : p->section_lines[p->section - config_sections];
	if (before) {
		ERROR(p, "%s: this section is there already, in line %u", p->label, before);
		return false;
	}
	return true;
}

/* What the section that ends here should have had. */
static void section_finish(struct parser *p)
{
	for (size_t i = 0; p->section && i < p->section->keys_count; i++) {
		const struct config_key *key = &p->section->keys[i];

		if (key->required && !p->key_lines[i])
			config_error_add(p->errors, p->file, p->section_line, false,
					 "%s: expected \"%s = ...\" in this section", p->label,
					 key->name);
	}
	p->section = NULL;
}

static void section_begin(struct parser *p, char *kind)
{
	char *name = kind + strcspn(kind, " \t");

	if (*name) {
		*name++ = '\0';
		name += strspn(name, " \t");
	}
	snprintf(p->label, sizeof(p->label), "[%.40s%s%.*s]", kind, *name ? " " : "",
		 CONFIG_NAME_MAX + 1, name);
	memset(p->key_lines, 0, sizeof(p->key_lines));
	p->section_seen = true;
	p->object = NULL;
	if (section_begins(p, kind, name)) {
		p->section_line = p->line;
		if (!p->section->named)
			p->section_lines[p->section - config_sections] = p->line;
		p->object = p->section->named ? named_object_add(p, name) : p->config;
		if (p->object && p->section->named)
			section_defaults(p);
	}
	if (!p->object)
		p->section = NULL;
}

/*
 * line is the text from "[" on. Whatever is wrong with it, the keys below it belong to nothing
 * else.
 */
static void section_line_read(struct parser *p, const char *line, size_t len)
{
	const char *end = memchr(line, ']', len), *rest = end ? end + 1 : NULL;
	char kind[CONFIG_LINE_MAX + 1];

	section_finish(p);
	while (rest && rest < line + len && isspace((unsigned char)*rest))
		rest++;
	if (!end || (rest < line + len && !strchr(";#", *rest))) {
		ERROR(p, "expected a section's name between [ and ], and nothing behind it");
		p->section_seen = true;
		return;
	}
	for (line++; line < end && isblank((unsigned char)*line); line++)
		;
	while (end > line && isblank((unsigned char)end[-1]))
		end--;
	memcpy(kind, line, (size_t)(end - line));
	kind[end - line] = '\0';
	section_begin(p, kind);
}

/* Keys. */

static void key_unknown(struct parser *p, const char *name)
{
	const char *names[CONFIG_KEYS_MAX], *near;
	char hint[LABEL_MAX], shown[SHOWN];

	for (size_t i = 0; i < p->section->keys_count; i++)
		names[i] = config_key_label(&p->section->keys[i]);
	near = suggest_near(name, names, p->section->keys_count);
	config_text_show(name, shown, sizeof(shown));
	hint_format("", near, "", hint, sizeof(hint));
	if (near && !strcmp(near, "fence_level_N"))
		snprintf(hint, sizeof(hint), "; levels are fence_level_1 to fence_level_%d",
			 CONFIG_LEVELS_MAX);
	for (size_t i = 0; !near && i < config_sections_count; i++) {
		if (!config_key_find(&config_sections[i], name))
			continue;
		snprintf(hint, sizeof(hint), "; it belongs to [%s%s]", config_sections[i].name,
			 config_sections[i].named ? " NAME" : "");
		break;
	}
	if (config_option_is_secret(name))
		snprintf(hint, sizeof(hint),
			 "; secrets are kept in the file that \"secrets = PATH\" names");
	else if (!*hint && !strcmp(p->section->name, "fence-device"))
		snprintf(hint, sizeof(hint), "; an option for the agent is written option.%s",
			 shown);
	ERROR(p, "%s %s: there is no such key%s", p->label, shown, hint);
}

/*
 * The line where this key was already given in the section, or 0. Levels and options have their own
 * lines.
 */
static unsigned int key_line_before(struct parser *p, const struct config_key *key,
				    const char *name)
{
	const struct config_level *levels = (const void *)((const char *)p->object + key->offset);

	if (key->type == CONFIG_ALERT_AGENT || key->type == CONFIG_OPTION)
		return 0;
	if (key->type == CONFIG_LEVEL)
		return levels[name[strlen(key->name)] - '1'].line;
	return p->key_lines[key - p->section->keys];
}

/* libinih's handler; its own section name may be cut, and is not used. */
static int pair_read(void *user, const char *section, const char *name, const char *value)
{
	struct parser *p = user;
	const struct config_key *key;
	unsigned int before;

	if (!*name)
		return 1; /* "= value" is as wrong as a line without "=", and reported like it */
	p->pair_awaited = false;
	if (!p->section_seen) {
		ERROR(p, "expected a [section] before the first key");
		p->section_seen = true;
	}
	if (!p->section)
		return 1;
	key = config_key_find(p->section, name);
	if (!key) {
		key_unknown(p, name);
		return 1;
	}
	before = key_line_before(p, key, name);
	if (before) {
		ERROR(p, "%s %s: this key is there already, in line %u", p->label, name, before);
		return 1;
	}
	p->key_lines[key - p->section->keys] = p->line;
	if (!p->section->named)
		p->lines->of[p->section - config_sections][key - p->section->keys] = p->line;
	if (*value)
		value_store(p, key, name, value);
	else
		ERROR(p, "%s %s: expected a value after the \"=\"", p->label, name);
	return 1;
}

/* Lines. */

static void line_finish(struct parser *p)
{
	if (p->pair_awaited)
		ERROR(p, "expected [SECTION], KEY = VALUE or a comment");
	p->pair_awaited = false;
}

/*
 * libinih's reader: one line into buf, without its indentation, which libinih would take for the
 * continuation of the line before. Lines that cannot be used come out empty.
 */
static char *line_read(char *buf, int size, void *user)
{
	struct parser *p = user;
	size_t len, max = CONFIG_LINE_MAX < size - 2 ? CONFIG_LINE_MAX : (size_t)size - 2;
	const char *line, *end;

	line_finish(p);
	if (p->next == p->end || p->out_of_memory)
		return NULL;
	p->line++;
	line = p->next;
	end = memchr(line, '\n', (size_t)(p->end - line));
	p->next = end ? end + 1 : p->end;
	if (!end)
		end = p->end;
	while (line < end && isspace((unsigned char)*line))
		line++;
	while (end > line && isspace((unsigned char)end[-1]))
		end--;
	len = (size_t)(end - line);
	if (len > max) {
		ERROR(p, "expected a line of at most %zu bytes, found %zu", max, len);
		len = 0;
	}
	if (len && *line == '[')
		section_line_read(p, line, len);
	p->pair_awaited = len && !strchr("[;#", *line);
	memcpy(buf, line, len);
	strcpy(buf + len, "\n");
	return buf;
}

static void defaults_read(struct parser *p)
{
	p->object = p->config;
	for (size_t i = 0; i < config_sections_count; i++) {
		p->section = &config_sections[i];
		if (!p->section->named)
			section_defaults(p);
	}
	p->section = NULL;
}

int config_text_parse(const char *text, size_t len, const char *file, struct hamon_config *config,
		      struct config_lines *lines, struct config_errors *errors)
{
	struct parser p = { .file = file, .next = text, .end = text + len, .config = config,
			    .lines = lines, .errors = errors };
	int rc;

	_Static_assert(CONFIG_LINE_MAX > 200, "longer than what libinih takes by itself");
#if HAVE_DECL_INI_MAX_LINE
	ini_max_line = CONFIG_LINE_MAX + 3;
#endif
	defaults_read(&p);
	rc = ini_parse_stream(line_read, &p, pair_read, &p);
	if (rc < 0 || p.out_of_memory)
		return -ENOMEM;
	section_finish(&p);
	/* Nothing that libinih refuses should be left unexplained; but it is never to be let
	 * through. */
	if (rc > 0 && !errors->errors)
		config_error_add(errors, file, (unsigned int)rc, false, "cannot be understood");
	return 0;
}
