/* The words for the core's enums, and what an instance is called, as people and files read them. */
#include <stdio.h>
#include <string.h>

#include "hamon/core/core.h"

#define LABEL_TITLE_MAX 72 /* bytes of a title in a sentence */

const char *spec_label(const struct spec_fact *spec, char buf[CORE_LABEL_SIZE])
{
	size_t len = strlen(spec->title), cut = len;

	if (!len || !strcmp(spec->title, spec->name))
		return spec->name;
	if (len > LABEL_TITLE_MAX)
		for (cut = LABEL_TITLE_MAX; cut && ((unsigned char)spec->title[cut] & 0xc0) == 0x80; cut--)
			; /* between two characters */
	snprintf(buf, CORE_LABEL_SIZE, "%.*s%s (%s)", (int)cut, spec->title, cut < len ? "..." : "", spec->name);
	return buf;
}

const char *host_state_name(enum host_state state)
{
	static const char *const names[] = { "unknown", "admitted", "left", "lost", "dead", "quarantined" };

	return names[state];
}

const char *proof_method_name(enum proof_method method)
{
	static const char *const names[] = { "none", "fence-device", "watchdog", "new-boot", "person" };

	return names[method];
}

const char *wish_name(enum wish wish)
{
	return wish == WISH_RUNNING ? "running" : "stopped";
}

const char *phase_name(enum phase phase)
{
	static const char *const names[] = { "settled", "waiting", "assigned", "revoking", "held" };

	return names[phase];
}

const char *incident_state_name(enum incident_state state)
{
	static const char *const names[] = { "open", "held", "closed" };

	return names[state];
}

const char *note_severity_name(enum note_severity severity)
{
	static const char *const names[] = { "info", "notice", "warning", "alert" };

	return names[severity];
}

const char *fact_kind_name(enum fact_kind kind)
{
	static const char *const names[] = { "cluster", "host", "spec", "place", "incident" };

	return kind < FACT_KINDS ? names[kind] : "?";
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = { "unknown", "local", "shared", "volume" };

	return names[verdict];
}

const char *message_type_name(enum message_type type)
{
	static const char *const names[] = { "beat", "host", "prepare", "promise", "record", "snapshot",
		"ack", "report", "verdicts", "result", "released", "claim", "request", "reply", "leave" };

	return type < MSG_TYPES ? names[type] : "?";
}

const char *request_verb_name(enum request_verb verb)
{
	static const char *const names[] = { "maintenance", "maintenance-all", "confirm-fenced", "forget",
		"release", "evacuate" };

	return names[verb];
}
