/*
 * The alert agents. They are run as root, so only files that nobody but root can change are run. "Root" is whoever this
 * process is, so that tests without root say the same.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hamon/alert/agents.h"

/* Pacemaker's own default. */
#define TIMESTAMP_FORMAT "%H:%M:%S.%06N"

struct search {
	const struct alert_config *config;
	struct alert_agents *found;
	void (*warn)(void *user, const char *path, const char *sentence);
	void *user;
};

static void skip(struct search *search, const char *path, const char *sentence)
{
	search->found->skipped++;
	search->warn(search->user, path, sentence);
}

/* Why a file or folder must not be trusted, or NULL. */
static const char *distrust(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "is not owned by root";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "can be written by others than its owner";
	return NULL;
}

static char **options_copy(const struct alert_options *options)
{
	char **copy = calloc(options->n_options + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < options->n_options; i++)
		copy[i] = strdup(options->options[i]);
	return copy;
}

static void agent_free(struct alert_agent *agent)
{
	for (char **option = agent->options; option && *option; option++)
		free(*option);
	free(agent->options);
	free(agent->path);
	free(agent->recipient);
	free(agent->timestamp_format);
}

static void agent_add(struct search *search, const char *path, const char *recipient,
		      const struct alert_options *options)
{
	const char *format = options->timestamp_format ? options->timestamp_format : TIMESTAMP_FORMAT;
	struct alert_agents *found = search->found;
	struct alert_agent agent = {
		.path = strdup(path), .recipient = strdup(recipient), .timestamp_format = strdup(format),
		.options = options_copy(options),
		.timeout_ms = options->timeout_ms ? options->timeout_ms : search->config->timeout_ms,
	};

	if (found->n == ALERT_AGENTS_MAX || !agent.path || !agent.recipient || !agent.timestamp_format ||
	    !agent.options) {
		skip(search, path, found->n == ALERT_AGENTS_MAX ? "is one too many" : "finds no memory");
		agent_free(&agent);
		return;
	}
	for (size_t i = 0; i < found->n; i++) {
		if (strcmp(found->agents[i].path, path) || strcmp(found->agents[i].recipient, recipient))
			continue;
		agent_free(&agent); /* named twice is run once */
		return;
	}
	found->agents[found->n++] = agent;
}

/* True when path may be run. */
static bool agent_check(struct search *search, const char *path)
{
	const char *why;
	struct stat st;

	if (stat(path, &st)) {
		skip(search, path, errno == ENOENT ? "does not exist" : "cannot be read");
		return false;
	}
	why = distrust(&st);
	if (!S_ISREG(st.st_mode))
		why = "is no regular file";
	else if (!why && !(st.st_mode & S_IXUSR))
		why = "is not executable";
	if (why)
		skip(search, path, why);
	return !why;
}

/* Reads the options beside an agent; none are fine. False when there are some that cannot be used. */
static bool options_read(struct search *search, const char *path, struct alert_options *options)
{
	char name[ALERT_PATH_MAX], text[ALERT_OPTIONS_BYTES + 1], error[320];
	const char *why;
	struct stat st;
	ssize_t len;
	int fd;

	*options = (struct alert_options){ 0 };
	snprintf(name, sizeof(name), "%s.conf", path);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0 || fstat(fd, &st)) {
		skip(search, name, "cannot be read, so its agent is not run");
		if (fd >= 0)
			close(fd);
		return false;
	}
	why = distrust(&st);
	len = why || !S_ISREG(st.st_mode) ? -1 : read(fd, text, sizeof(text));
	close(fd);
	if (len < 0) {
		snprintf(error, sizeof(error), "%s, so its agent is not run", why ? why : "cannot be read");
		skip(search, name, error);
		return false;
	}
	if (!alert_options_parse(text, (size_t)len, options, error, sizeof(error)))
		return true;
	skip(search, name, error);
	return false;
}

static void file_add(struct search *search, const char *path)
{
	struct alert_options options;

	if (!agent_check(search, path) || !options_read(search, path, &options))
		return;
	for (size_t i = 0; i < options.n_recipients; i++)
		agent_add(search, path, options.recipients[i], &options);
	if (!options.n_recipients)
		agent_add(search, path, "", &options);
	alert_options_free(&options);
}

/* What editors and package managers leave about is passed over without a word. */
static int name_is_agent(const struct dirent *entry)
{
	static const char *const others[] = { ".conf", "~", ".dpkg-old", ".dpkg-dist", ".dpkg-new", ".dpkg-tmp",
		".rpmsave", ".rpmnew", ".rpmorig", ".swp", ".bak" };
	size_t len = strlen(entry->d_name);

	if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "README"))
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		size_t n = strlen(others[i]);

		if (len >= n && !strcmp(entry->d_name + len - n, others[i]))
			return 0;
	}
	return 1;
}

static void folder_add(struct search *search)
{
	const char *dir = search->config->dir, *why;
	char path[ALERT_PATH_MAX + 256];
	struct dirent **names;
	struct stat st;
	int n;

	if (stat(dir, &st)) {
		if (errno != ENOENT)
			skip(search, dir, "cannot be read");
		return;
	}
	why = S_ISDIR(st.st_mode) ? distrust(&st) : "is no folder";
	if (why) {
		skip(search, dir, why);
		return;
	}
	n = scandir(dir, &names, name_is_agent, alphasort);
	if (n < 0) {
		skip(search, dir, "cannot be read");
		return;
	}
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (strlen(path) < ALERT_PATH_MAX - strlen(".conf"))
			file_add(search, path);
		free(names[i]);
	}
	free(names);
}

void alert_agents_find(const struct alert_config *config, struct alert_agents *ret_agents,
		       void (*warn)(void *user, const char *path, const char *sentence), void *user)
{
	struct search search = { .config = config, .found = ret_agents, .warn = warn, .user = user };
	struct alert_options none = { 0 };

	*ret_agents = (struct alert_agents){ 0 };
	for (size_t i = 0; i < config->n_agents; i++)
		if (agent_check(&search, config->agents[i].path))
			agent_add(&search, config->agents[i].path, config->agents[i].recipient, &none);
	if (*config->dir)
		folder_add(&search);
}

void alert_agents_free(struct alert_agents *agents)
{
	for (size_t i = 0; i < agents->n; i++)
		agent_free(&agents->agents[i]);
	*agents = (struct alert_agents){ 0 };
}
