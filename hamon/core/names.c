/* The words for the core's enums, as people and files read them. */
#include "hamon/core/core.h"

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
