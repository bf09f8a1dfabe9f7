/*
 * The configuration: one INI file, read and validated as a whole. Nothing of a file with an error
 * in it is ever used. In this folder autoconf's header must be included as <config.h>: "config.h"
 * means this file.
 */
#ifndef HAMON_CONFIG_H
#define HAMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_PATH_DEFAULT SYSCONFDIR "/hamon/hamon.conf"

/* Limits on everything; the parser refuses what is beyond them. */
enum {
	CONFIG_BYTES_MAX = 1 << 20,	/* the file */
	CONFIG_LINE_MAX = 1024,		/* bytes in a line */
	CONFIG_NAME_MAX = 63,		/* bytes in a host's, device's or option's name */
	CONFIG_HOSTS_MAX = 64,
	CONFIG_DEVICES_MAX = 256,
	CONFIG_OPTIONS_MAX = 24,	/* of one device, and again of one place in a level */
	CONFIG_LEVELS_MAX = 9,		/* of one host */
	CONFIG_LEVEL_DEVICES_MAX = 8,	/* in one level */
	CONFIG_AGENTS_MAX = 32,		/* alert agents named in the file */
	CONFIG_ERRORS_MAX = 100,	/* messages kept; what follows is only counted */
};

enum config_protect { CONFIG_PROTECT_ALL, CONFIG_PROTECT_OPTED_IN };
enum config_control_plane { CONFIG_PLANE_LIBVIRT, CONFIG_PLANE_NOVA };
/* The core's enum recovery_method has the same order. */
enum config_recovery { CONFIG_RECOVERY_AUTO, CONFIG_RECOVERY_RESERVED_HOST, CONFIG_RECOVERY_AUTO_PRIORITY,
		       CONFIG_RECOVERY_RH_PRIORITY };
enum config_interface { CONFIG_INTERFACE_DEFAULT, CONFIG_INTERFACE_PUBLIC, CONFIG_INTERFACE_INTERNAL,
			CONFIG_INTERFACE_ADMIN };
enum config_select { CONFIG_SELECT_ALL, CONFIG_SELECT_METADATA, CONFIG_SELECT_TAG, CONFIG_SELECT_FLAVOR,
		     CONFIG_SELECT_IMAGE, CONFIG_SELECT_AGGREGATE };

struct config_option {
	char *key;
	char *value;
	unsigned int line;
};

struct config_options {
	struct config_option *list;
	size_t count;
};

/* [fence-device NAME] */
struct config_device {
	char *name;
	char *agent;			/* a name in /usr/sbin, or an absolute path */
	char *secrets_path;		/* absolute; NULL: none */
	uint64_t timeout_ms;
	uint64_t retries;
	struct config_options options;	/* option.KEY = VALUE, for the agent's stdin */
	unsigned int line;		/* where its section begins */
};

/* One device in a level of a host: all devices of a level must read off. */
struct config_level_device {
	char *name;
	const struct config_device *device;	/* borrowed from the same struct hamon_config */
	struct config_options options; /* for this host only; they win over the device's own */
};

struct config_level {
	struct config_level_device *devices;
	size_t count;			/* 0: this level is not configured, go on to the next */
	unsigned int line;
};

/* [host NAME]; the name is corosync's node name */
struct config_host {
	char *name;
	struct config_level levels[CONFIG_LEVELS_MAX]; /* [0] is fence_level_1; gaps are possible */
	bool fenceable;			/* at least one level is configured */
	uint64_t fence_delay_ms;	/* as written; see config_fence_delay_ms() */
	uint64_t priority;		/* of two that fence each other, the higher survives */
	bool power_on_after;
	bool reserved;			/* kept free: recovery_method says when it is used */
	char *nova_host;		/* NULL: its own name; see config_nova_host() */
	unsigned int line;
};

struct config_agent {
	char *path;			/* absolute */
	char *recipient;		/* NULL: none */
	unsigned int line;
};

/* All durations are milliseconds. Strings are never NULL unless their comment says so. */
struct hamon_config {
	struct {
		uint64_t protect;		/* enum config_protect */
		uint64_t control_plane;		/* enum config_control_plane */
		char *libvirt_uri;
		uint64_t start_grace_ms;
		uint64_t failure_window_ms;
		uint64_t max_failed_hosts; /* 0: use the share, see config_failed_hosts_limit() */
		uint64_t max_failed_share;	/* percent of the configured hosts, 1 to 100 */
		uint64_t beat_ms;
		uint64_t coordinator_timeout_ms;
		uint64_t tilt_ms;
	} cluster;
	struct {
		uint64_t parallel_starts;	/* on one host */
		uint64_t attempts;		/* of one instance in one incident */
		uint64_t start_timeout_ms;
		uint64_t verify_ms;
		uint64_t lock_patience_ms;
		uint64_t retry_delay_ms;
		uint64_t recovery_method;	/* enum config_recovery */
	} evacuation;
	struct {
		uint64_t beacon_interval_ms;
		uint64_t probe_timeout_ms;
		uint64_t max_beacon_age_ms;
	} storage;
	struct {
		uint64_t retry_backoff_ms;
		uint64_t retry_backoff_max_ms;
		uint64_t check_interval_ms;
	} fencing;
	struct {
		char *directory;
		struct config_agent *agents;
		size_t agents_count;
		uint64_t timeout_ms;
	} alerts;
	struct {
		char *path;
		uint64_t history;		/* records kept */
	} store;
	struct {
		char *cloud;			/* NULL: the OS_* variables */
		char *clouds_file;		/* absolute; NULL: the usual places */
		char *region;			/* NULL: the cloud's own */
		uint64_t interface;		/* enum config_interface */
		char *auth_url;			/* URLs with commas; NULL: the cloud's own */
		char *endpoint;			/* the same of Nova; NULL: the catalogue's */
		uint64_t timeout_ms;		/* one call of the API */
		char *microversion;		/* "2.93": the highest that is used */
		bool lock;			/* servers that are being moved */
		bool automatic_return;		/* of a host that is back; else by `hamonctl return` */
		uint64_t select;		/* enum config_select */
		char *select_key;		/* NULL: see config_select_key() */
		char *select_value;		/* NULL: "true" */
	} nova;
	struct config_device *devices;		/* in the order of the file */
	size_t devices_count;
	struct config_host *hosts;		/* in the order of the file */
	size_t hosts_count;
};

struct config_error {
	bool warning;			/* the file can be used all the same */
	unsigned int line;		/* 0: the file as a whole */
	char *text; /* "FILE:LINE: error: KEY: expected ..., found ..." without a newline */
};

/* What was found wrong, sorted by line. Starts as {0}; freed with config_errors_free(). */
struct config_errors {
	struct config_error *list;
	size_t count;			/* at most CONFIG_ERRORS_MAX */
	size_t errors, warnings;	/* all that were found, kept or not */
};

/*
 * Reads and validates the file at path, and looks at the secrets files and agents that it names.
 * Every error is collected in *errors (never NULL; warnings come with success too). Returns 0 and a
 * new configuration in *ret, -EINVAL when there are errors, or -errno when the file cannot be read
 * (then *errors says so as well). *ret is untouched on failure: a reload takes all of a file or
 * nothing.
 */
int config_load(const char *path, struct hamon_config **ret, struct config_errors *errors);

/*
 * The same for a text in memory, without a look at any other file; name stands in the messages
 * where the file's path would. A NULL text of length 0 gives the defaults.
 */
int config_parse(const char *text, size_t len, const char *name, struct hamon_config **ret,
		 struct config_errors *errors);

void config_free(struct hamon_config *config);
void config_errors_free(struct config_errors *errors);
void config_errors_print(const struct config_errors *errors, FILE *out);

/* NULL when there is none of that name. Borrowed from config. */
const struct config_host *config_host_find(const struct hamon_config *config, const char *name);
const struct config_device *config_device_find(const struct hamon_config *config, const char *name);

/* What the host is called in Nova; for one without a section its own name. Borrowed. */
const char *config_nova_host(const struct hamon_config *config, const char *name);

/* The word for an interface that was chosen, "" for the cloud's own. */
const char *config_interface_name(uint64_t interface);

/* What selects a server: the word of `select`, its key and value. "" where there is none. Borrowed. */
const char *config_select_name(uint64_t select);
const char *config_select_key(const struct hamon_config *config);
const char *config_select_value(const struct hamon_config *config);

/*
 * What the agent of one device in one host's level is to be given: the device's options, with the
 * host's own put over them. Fills out (borrowed strings) and returns their number, sorted by key.
 */
size_t config_options_merge(const struct config_level_device *place,
			    struct config_option out[2 * CONFIG_OPTIONS_MAX]);

/* How many of so many hosts may fail in the window before the brake holds; at least 1. */
uint64_t config_failed_hosts_limit(const struct hamon_config *config, uint64_t hosts);

/*
 * How long to wait before this host is fenced: its fence_delay, and in a cluster of two at least
 * CONFIG_PRIORITY_DELAY_MS for the one with the higher priority, so that of two that fence each
 * other it survives. That is longer than management controllers take to cut the power.
 */
enum { CONFIG_PRIORITY_DELAY_MS = 10000 };
uint64_t config_fence_delay_ms(const struct hamon_config *config, const struct config_host *host,
			       bool two_node);

enum { CONFIG_DIGEST_SIZE = 17 };

/*
 * 64-bit FNV-1a over the settings that must be equal on all hosts (not: libvirt_uri, alerts, store,
 * where secrets lie), in hex. The order of sections, keys and options in the file does not matter.
 * It finds accidental differences; it is no protection against somebody who wants a collision.
 */
void config_digest(const struct hamon_config *config, char hex[CONFIG_DIGEST_SIZE]);

/*
 * hamond --check-config [FILE]: writes every error and warning, then one line of verdict, to out.
 * Returns the exit code: 0 the file can be used (warnings or not), 1 it cannot. A NULL path is
 * CONFIG_PATH_DEFAULT.
 */
int config_check_command(const char *path, FILE *out);

#endif
