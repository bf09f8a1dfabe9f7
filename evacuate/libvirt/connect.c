/* Opens connections and translates libvirt's errors, states and reasons. Follows libvirt 9.0's API reference. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <libvirt/virterror.h>

#include "evacuate/libvirt/connect.h"
#include "evacuate/report.h"

static void error_ignore(void *user, virErrorPtr error)
{
}

virConnectPtr connection_open(const char *uri)
{
	virSetErrorFunc(NULL, error_ignore);
	return virConnectOpen(uri);
}

static bool has_any(const char *message, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strstr(message, words[i]))
			return true;
	}
	return false;
}

#define HAS_ANY(message, words) has_any(message, words, sizeof(words) / sizeof((words)[0]))

static const char *error_class_by_words(const char *message)
{
	/* QEMU's image locks, virtlockd's and sanlock's leases. */
	static const char *const lock[] = {
		"Failed to get \"write\" lock", "Failed to get shared \"write\" lock",
		"Failed to get \"consistent read\" lock", "Failed to get shared \"consistent read\" lock",
		"Is another process using the image", "Lockspace resource", "Failed to acquire lock",
		"Failed to lock byte",
	};
	static const char *const memory[] = {
		"cannot set up guest memory", "Cannot allocate memory", "unable to map backing store",
		"Out of memory",
	};
	static const char *const storage[] = {
		"Could not open '", "Could not open backing file", "Cannot access storage file",
		"Cannot access backing file", "cannot open file", "Failed to connect to",
		"Failed to open", "Input/output error", "No such file or directory",
		"No route to host", "Connection refused", "Connection timed out",
		"Could not read qcow2", "Image is not in", "Stale file handle", "No space left on device",
		"Read-only file system",
	};
	static const char *const definition[] = {
		"unsupported machine type", "not supported", "unsupported configuration",
	};

	if (HAS_ANY(message, lock))
		return "lock";
	if (HAS_ANY(message, memory))
		return "memory";
	if (HAS_ANY(message, storage))
		return "storage";
	if (HAS_ANY(message, definition))
		return "definition";
	return "libvirt";
}

const char *connection_error_class(int code, const char *message)
{
	/* No enum: the number comes over the wire from a libvirtd that may be newer. */
	switch (code) {
	case VIR_ERR_HOOK_SCRIPT_FAILED:
		return "gate";
	case VIR_ERR_RESOURCE_BUSY:
		return "lock";
	case VIR_ERR_OPERATION_TIMEOUT:
		return "timeout"; /* libvirt's own job lock: "cannot acquire state change lock" */
	case VIR_ERR_NO_MEMORY:
		return "memory";
	case VIR_ERR_NO_STORAGE_POOL:
	case VIR_ERR_NO_STORAGE_VOL:
	case VIR_ERR_STORAGE_POOL_BUILT:
	case VIR_ERR_STORAGE_PROBE_FAILED:
	case VIR_ERR_INVALID_STORAGE_POOL:
	case VIR_ERR_INVALID_STORAGE_VOL:
	case VIR_ERR_NO_SECRET:
		return "storage";
	case VIR_ERR_XML_ERROR:
	case VIR_ERR_XML_DETAIL:
	case VIR_ERR_XML_INVALID_SCHEMA:
	case VIR_ERR_CONFIG_UNSUPPORTED:
	case VIR_ERR_OS_TYPE:
	case VIR_ERR_NO_DOMAIN_METADATA:
	case VIR_ERR_CPU_INCOMPATIBLE:
	case VIR_ERR_DOM_EXIST:
	case VIR_ERR_NO_NETWORK:
	case VIR_ERR_INVALID_ARG:
		return "definition";
	default:
		return error_class_by_words(message);
	}
}

void connection_error(struct connection_error *ret)
{
	virErrorPtr error = virGetLastError();
	const char *message = error && error->message ? error->message : "no error was told";

	ret->code = error ? error->code : 0;
	snprintf(ret->text, sizeof(ret->text), "%s", message);
	for (char *c = ret->text; *c; c++) {
		if ((unsigned char)*c < ' ')
			*c = ' ';
	}
	ret->error_class = connection_error_class(ret->code, message);
}

void connection_failure(struct json_object *result, const char *what)
{
	struct connection_error error;

	connection_error(&error);
	report_failure(result, error.error_class, "%s: %s", what, error.text);
}

bool connection_no_domain(void)
{
	return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
}

const char *domain_state_name(int state)
{
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_SHUTDOWN: /* on its way, but its QEMU lives */
		return "running";
	case VIR_DOMAIN_PAUSED:
		return "paused";
	case VIR_DOMAIN_CRASHED:
		return "crashed";
	case VIR_DOMAIN_PMSUSPENDED:
		return "pmsuspended";
	case VIR_DOMAIN_SHUTOFF:
	case VIR_DOMAIN_NOSTATE:
	default:
		return "shutoff";
	}
}

static const char *word_of(const char *const *words, size_t n, int number)
{
	return number >= 0 && (size_t)number < n && words[number] ? words[number] : "unknown";
}

#define WORD_OF(words, number) word_of(words, sizeof(words) / sizeof((words)[0]), number)

const char *domain_reason_name(int state, int reason)
{
	static const char *const running[] = {
		[VIR_DOMAIN_RUNNING_BOOTED] = "booted",
		[VIR_DOMAIN_RUNNING_MIGRATED] = "migrated",
		[VIR_DOMAIN_RUNNING_RESTORED] = "restored",
		[VIR_DOMAIN_RUNNING_FROM_SNAPSHOT] = "from-snapshot",
		[VIR_DOMAIN_RUNNING_UNPAUSED] = "unpaused",
		[VIR_DOMAIN_RUNNING_MIGRATION_CANCELED] = "migration-canceled",
		[VIR_DOMAIN_RUNNING_SAVE_CANCELED] = "save-canceled",
		[VIR_DOMAIN_RUNNING_WAKEUP] = "wakeup",
		[VIR_DOMAIN_RUNNING_CRASHED] = "crashed",
		[VIR_DOMAIN_RUNNING_POSTCOPY] = "postcopy",
		[VIR_DOMAIN_RUNNING_POSTCOPY_FAILED] = "postcopy-failed",
	};
	static const char *const paused[] = {
		[VIR_DOMAIN_PAUSED_USER] = "user",
		[VIR_DOMAIN_PAUSED_MIGRATION] = "migration",
		[VIR_DOMAIN_PAUSED_SAVE] = "save",
		[VIR_DOMAIN_PAUSED_DUMP] = "dump",
		[VIR_DOMAIN_PAUSED_IOERROR] = "ioerror",
		[VIR_DOMAIN_PAUSED_WATCHDOG] = "watchdog",
		[VIR_DOMAIN_PAUSED_FROM_SNAPSHOT] = "from-snapshot",
		[VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "shutting-down",
		[VIR_DOMAIN_PAUSED_SNAPSHOT] = "snapshot",
		[VIR_DOMAIN_PAUSED_CRASHED] = "crashed",
		[VIR_DOMAIN_PAUSED_STARTING_UP] = "starting-up",
		[VIR_DOMAIN_PAUSED_POSTCOPY] = "postcopy",
		[VIR_DOMAIN_PAUSED_POSTCOPY_FAILED] = "postcopy-failed",
	};
	static const char *const shutoff[] = {
		[VIR_DOMAIN_SHUTOFF_SHUTDOWN] = "shutdown",
		[VIR_DOMAIN_SHUTOFF_DESTROYED] = "destroyed",
		[VIR_DOMAIN_SHUTOFF_CRASHED] = "crashed",
		[VIR_DOMAIN_SHUTOFF_MIGRATED] = "migrated",
		[VIR_DOMAIN_SHUTOFF_SAVED] = "saved",
		[VIR_DOMAIN_SHUTOFF_FAILED] = "failed",
		[VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT] = "from-snapshot",
		[VIR_DOMAIN_SHUTOFF_DAEMON] = "daemon",
	};

	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return WORD_OF(running, reason);
	case VIR_DOMAIN_PAUSED:
		return WORD_OF(paused, reason);
	case VIR_DOMAIN_SHUTDOWN:
		return "shutting-down";
	case VIR_DOMAIN_SHUTOFF:
		return WORD_OF(shutoff, reason);
	case VIR_DOMAIN_CRASHED:
		return "crashed";
	case VIR_DOMAIN_NOSTATE:
	case VIR_DOMAIN_PMSUSPENDED:
	default:
		return "unknown";
	}
}
